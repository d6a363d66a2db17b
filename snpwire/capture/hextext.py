r"""Read bytes in any usual form: raw, hex text, base64, PEM.

The rule where no form is forced; *sizes* returns whether a number of bytes is a size that the
caller can use (without it, every size fits):

1. A byte that is not text (NUL, another control character, broken UTF-8) means raw bytes.
2. A text that reads as PEM, as a dump, as hex or as base64 is read so, unless the bytes of the
   text itself fit and the result does not.
3. A broken text that is meant as one of these is an error, unless the text itself fits.
4. Any other text is raw bytes.

"Meant as" is: it has the lines of a PEM block; it has at least one row of a dump; four fifths of
its visible characters are hex digits and marks of lists; it is one word a line of which 19 in 20
characters are base64. A text of hex digits alone is hex. Mostly `A` with something that is no hex
digit is base64: zeros, not a typing error in hex.

Byte order marks, line ends of any system, quote marks of mail, code fences, tabs and blank lines
do not count. Line numbers are kept for errors.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import InputError
from . import base64text, hexdump, plainhex
from .decodedtext import DecodedText

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS: dict[str, str] = {
    "auto": "detect: raw bytes, hex text of any make, base64 or PEM",
    "raw": "the bytes themselves",
    "hex": "hex text of any make, the byte order of its groups detected",
    "hex-le": "hex text whose groups are little-endian words",
    "hex-be": "hex text whose groups are in memory order",
    "base64": "base64 with either alphabet, or a PEM block",
}

_WORDS = {"hex": None, "hex-le": True, "hex-be": False}
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_QUOTES = re.compile(r"^ *(?:> ?)+", re.MULTILINE)
_FENCE = re.compile(r"^ *(?:```|~~~).*$", re.MULTILINE)
_GLANCE = 1 << 16  # most raw files have such a byte here


def read(
    raw: bytes, form: str = "auto", *, sizes: Callable[[int], bool] | None = None
) -> DecodedText:
    """Return the bytes that *raw* stands for, read as *form*, one of `FORMS`."""
    if form not in FORMS:
        raise InputError(f"there is no form {form!r}", help=f"one of {', '.join(FORMS)}")
    if form == "raw" or (form == "auto" and not _is_text(raw)):
        return DecodedText(raw, "raw")
    fits = form == "auto" and bool(sizes and sizes(len(raw)))
    try:
        found = _first_match(_lines(_decode(raw)), form, sizes)
    except InputError as error:
        if not fits:
            raise
        return DecodedText(raw, "raw", (f"taken as raw bytes: as text it is broken, {error}",))
    if found is None:
        note = ("taken as raw bytes: a text, but neither hex nor base64",)
        return DecodedText(raw, "raw", note if raw else ())
    if fits and sizes and not sizes(len(found.data)):
        note = (f"taken as raw bytes: as {found.form} it would be {len(found.data)} bytes",)
        return DecodedText(raw, "raw", note)
    return found


def _first_match(text: str, form: str, sizes: Callable[[int], bool] | None) -> DecodedText | None:
    """Ask the readers that *form* allows, in their order; None if nothing was meant as bytes."""
    guess, words = form == "auto", _WORDS.get(form)
    if not guess and not text.strip():
        raise InputError("the input is empty")
    if (guess or form == "base64") and (found := base64text.read_pem(text)):
        return found
    if form == "base64":
        return base64text.read(text)
    if found := hexdump.read(text, words, sizes) or plainhex.read(text, words, guess=guess):
        return found
    return base64text.read(text, guess=True) if guess else None


def _is_text(raw: bytes) -> bool:
    """Return whether *raw* can be text, from its beginning where that is enough."""
    if _NOT_TEXT.search(raw, 0, _GLANCE) or _NOT_TEXT.search(raw, _GLANCE):
        return False
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decode(raw: bytes) -> str:
    """Return the text that a forced form needs, or say which byte is none."""
    try:
        text = raw.decode()
        wrong = found.start() if (found := _NOT_TEXT.search(raw)) else None
    except UnicodeDecodeError as error:
        text, wrong = "", error.start
    if wrong is None:
        return text
    line = len(re.findall(rb"\r\n|\r|\n", raw[:wrong])) + 1
    raise InputError(f"byte {raw[wrong]:#04x} at offset {wrong:#x} is no text", line=line)


def _lines(text: str) -> str:
    """Take off what mail, terminals and web pages add, keeping the lines."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\xa0", " ").replace("\t", "    ")
    return _FENCE.sub("", _QUOTES.sub("", text))
