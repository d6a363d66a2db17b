"""Read base64, wrapped or not, bare or in a PEM block.

Both alphabets are read, but not mixed. Padding is required, because without it a lost end
cannot be detected; only the url-safe alphabet usually omits it.
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress

from ..errors import InputError
from .decodedtext import DecodedText

_WRONG = re.compile(r"[^A-Za-z0-9+/=_\-\s]", re.ASCII)
_PADDED_ON = re.compile(r"=\s*[^=\s]", re.ASCII)
_MARK = re.compile(
    r"data:[\w/+.-]{0,80}(?:;[\w=-]{1,40}){0,4};base64,|!!binary\s*(?:[|>][+-]?[0-9]?\s*)?[\"']?",
    re.ASCII,
)
_ARMOUR = re.compile(r"^[ ]*-----(BEGIN|END) ([A-Z0-9 ]{1,64})-----[ ]*$", re.MULTILINE)
_URL_SAFE = str.maketrans("-_", "+/")
_BASE32 = re.compile(r"[A-Z2-7]{24,}={0,6}")
_SHORTEST = 16  # characters; a shorter text is more often a word


def read_marked(text: str) -> DecodedText | None:
    """Return what a PEM block, data URL or YAML scalar in *text* holds, or None."""
    body = _body(text)
    if body is not None:
        return DecodedText(parse(body), "PEM")
    marked = _MARK.search(text) if "base64," in text or "!!binary" in text else None
    if not marked or text[: marked.start()].count("\n") > 1:
        return None
    lines = "\n" * text.count("\n", 0, marked.end())
    return DecodedText(parse(lines + text[marked.end() :].rstrip("\"'); \n")), "base64")


def _body(text: str) -> str | None:
    """Return the lines between BEGIN and END, with the line numbers that they have in *text*."""
    marks = list(_ARMOUR.finditer(text))
    begins = [mark for mark in marks if mark[1] == "BEGIN"]
    if not begins:
        return None
    if [mark[1] for mark in marks[:3]] == ["BEGIN", "END", "BEGIN"]:
        places = ", ".join(str(_line(text, mark.start())) for mark in begins[:20])
        more = ", ..." if len(begins) > 20 else ""
        raise InputError(
            f"{len(begins)} PEM blocks, at lines {places}{more}", help="cut one of them out"
        )
    begin = marks[0]
    if [mark[1] for mark in marks] != ["BEGIN", "END"] or marks[1][2] != begin[2]:
        raise InputError(
            f"the PEM block {begin[2]} has no END line of its own", line=_line(text, begin.start())
        )
    return "\n" * text.count("\n", 0, begin.end()) + text[begin.end() : marks[1].start()]


def read(text: str, *, guess: bool = False) -> DecodedText | None:
    """Return what *text* stands for; with *guess*, None if it was not meant as base64."""
    if not guess:
        return DecodedText(parse(text), "base64")
    return _base32(text) or (DecodedText(parse(text), "base64") if _resembles(text) else None)


def _base32(text: str) -> DecodedText | None:
    """Read base32: of so many letters of base64 some would be small."""
    word = "".join(text.split())
    if not _BASE32.fullmatch(word) or len(word) % 8 or len(word.strip("A=")) < _SHORTEST:
        return None
    with suppress(ValueError):
        return DecodedText(base64.b32decode(word), "base32")
    return None


def _resembles(text: str) -> bool:
    """Return whether *text* is one word a line, with hardly a character that is not base64."""
    lines = [line.split() for line in text.split("\n")]
    if any(len(words) > 1 for words in lines):
        return False
    total = sum(len(word) for words in lines for word in words)
    return total >= _SHORTEST and 20 * len(_WRONG.findall(text)) <= total


def parse(text: str) -> bytes:
    """Return the bytes that *text* stands for."""
    wrong = _WRONG.search(text)
    if not wrong and ("+" in text or "/" in text):
        wrong = re.search("[-_]", text)
    if wrong:
        raise _error(text, wrong.start(), f"{wrong[0]!r} does not belong to this base64")
    if inner := _PADDED_ON.search(text):
        raise _error(text, inner.start(), "base64 goes on after its padding")
    digits = "".join(text.split())
    core = digits.rstrip("=")
    missing = -len(core) % 4
    unpadded = len(digits) == len(core) and ("-" in text or "_" in text)
    if missing == 3 or (len(digits) - len(core) != missing and not unpadded):
        raise _error(
            text,
            len(text.rstrip()),
            f"{len(core)} base64 digits and {len(digits) - len(core)} of padding do not end a byte",
        )
    return binascii.a2b_base64(core.translate(_URL_SAFE) + "=" * missing)


def _error(text: str, position: int, reason: str) -> InputError:
    return InputError(reason, line=_line(text, position))


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
