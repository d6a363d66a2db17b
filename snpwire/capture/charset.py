r"""Tell text from raw bytes, and read it in the encoding that it has.

A byte that no text has (NUL, another control character, broken UTF-8) means raw bytes, with two
exceptions: UTF-16, as Windows writes it, which its mark or its zeros tell; and the codes of
terminals, which are carried out.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from ..errors import InputError
from . import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_NO_LETTER = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_GLANCE = 1 << 16  # most raw files have such a byte here
_MARKS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_SNIFF = 64
_SHORTEST = 8  # bytes in which the zeros of UTF-16 are no accident


def text_of(raw: bytes) -> str | None:
    """Return the text that *raw* is, without the codes of terminals, or None if it is none."""
    found = _NOT_TEXT.search(raw, 0, _GLANCE) or _NOT_TEXT.search(raw, _GLANCE)
    if not found:
        return _decoded(raw, "utf-8")
    if raw[found.start()] not in b"\0\b\x1b" and raw[:2] not in _MARKS:
        return None
    for encoding in _encodings(raw):
        text = _decoded(raw.removeprefix(codecs.BOM_UTF8), encoding)
        text = text and terminal.shown(text.removeprefix("\ufeff"))
        if text and not _NO_LETTER.search(text):
            return text
    return None


def _encodings(raw: bytes) -> Iterator[str]:
    """Yield the encodings that the first bytes of *raw* allow."""
    mark = _MARKS.get(raw[:2])
    if mark:
        yield mark
        return
    start = raw[:_SNIFF]
    for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[0::2])):
        if len(start) >= _SHORTEST and not any(zeros):
            yield encoding
    yield "utf-8"


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError:
        return None


def refusal(raw: bytes) -> InputError:
    """Return an error that says which byte of *raw* is no text."""
    try:
        raw.decode()
        found = _NOT_TEXT.search(raw)
        wrong = found.start() if found else len(raw)
    except UnicodeDecodeError as error:
        wrong = error.start
    line = len(re.findall(rb"\r\n|\r|\n", raw[:wrong])) + 1
    return InputError(f"byte {raw[wrong]:#04x} at offset {wrong:#x} is no text", line=line)
