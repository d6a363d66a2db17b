r"""Read bytes in any usual form: raw, hex text, lists of numbers, strings, base64, PEM.

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

from typing import TYPE_CHECKING

from ..errors import InputError
from . import base64text, bytelists, bytestrings, charset, hexdump, makes, markup, plainhex, radix
from .decodedtext import DecodedText

if TYPE_CHECKING:
    from collections.abc import Callable

FORMS: dict[str, str] = {
    "auto": "detect: raw bytes, hex text of any make, base64 or PEM",
    "raw": "the bytes themselves",
    "hex": "hex text of any make, the byte order of its groups detected",
    "hex-le": "hex text whose groups are little-endian words",
    "hex-be": "hex text whose groups are in memory order",
    "decimal": "a list of decimal numbers, one for each byte",
    "octal": "a list of octal numbers, one for each byte",
    "binary": "a list of binary numbers, one for each byte",
    "base64": "base64 with either alphabet, or a PEM block",
}

_WORDS = {"hex": None, "hex-le": True, "hex-be": False}


def read(
    raw: bytes, form: str = "auto", *, sizes: Callable[[int], bool] | None = None
) -> DecodedText:
    """Return the bytes that *raw* stands for, read as *form*, one of `FORMS`."""
    if form not in FORMS:
        raise InputError(f"there is no form {form!r}", help=f"one of {', '.join(FORMS)}")
    text = None if form == "raw" else charset.text_of(raw)
    if text is None:
        if form in ("raw", "auto"):
            return DecodedText(raw, "raw")
        raise charset.refusal(raw)
    fits = form == "auto" and bool(sizes and sizes(len(raw)))
    try:
        found = _reading(markup.plain(text), form, sizes)
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


def _reading(text: str, form: str, sizes: Callable[[int], bool] | None) -> DecodedText | None:
    """Read *text* as it stands, then without what may have stood around it."""
    failure = None
    try:
        if found := _first_match(text, form, sizes):
            return found
    except InputError as error:
        failure = error
    for variant in markup.variants(text):
        try:
            if found := _first_match(variant, form, sizes):
                return found
        except InputError as error:
            if error.help.startswith("--from"):  # it is what was meant, in two readings
                raise
    if failure:
        raise failure
    return None


def _first_match(text: str, form: str, sizes: Callable[[int], bool] | None) -> DecodedText | None:
    """Ask the readers that *form* allows, in their order; None if nothing was meant as bytes."""
    guess, words, base = form == "auto", _WORDS.get(form), radix.BASES.get(form, 0)
    if not guess and not text.strip():
        raise InputError("the input is empty")
    if base in (2, 8, 10):
        return _numbers(text, base, sizes)
    if (guess or form == "base64") and (found := base64text.read_marked(text)):
        return found
    if form == "base64":
        return base64text.read(text)
    return (
        (None if words else plainhex.unbroken(text))
        or (bytestrings.read(text, sizes) if text.lstrip()[:1] == "\\" else None)
        or _dump(text, words, sizes)
        or bytestrings.read(text, sizes)
        or bytelists.read(text, base, sizes)
        or (_binary(text, sizes) if guess else None)
        or plainhex.read(text, words, guess=guess)
        or (base64text.read(text, guess=True) if guess else None)
    )


def _binary(text: str, sizes: Callable[[int], bool] | None) -> DecodedText | None:
    """Read groups of eight binary digits where only so the size fits; hex if only so it does."""
    words = [] if text.strip("01 ,\n") else text.replace(",", " ").split()
    if len(words) < 2 or any(len(word) != 8 for word in words):
        return None
    fits, as_hex = (bool(sizes and sizes(size)) for size in (len(words), 4 * len(words)))
    if fits != as_hex:
        return bytelists.read(text, 2, sizes) if fits else None
    raise InputError(
        f"binary or hex? nothing decides whether these are {len(words)} or {4 * len(words)} bytes",
        help="--from binary or --from hex",
    )


def _dump(text: str, words: bool | None, sizes: Callable[[int], bool] | None) -> DecodedText | None:
    """Read a dump, whose rows may be of a make that is written anew first."""
    rows, make = makes.canonical(text)
    found = hexdump.read(rows or text, words, sizes)
    return found._replace(form=make) if found and make else found


def _numbers(text: str, base: int, sizes: Callable[[int], bool] | None) -> DecodedText:
    """Read a list in a base that was asked for."""
    found = bytelists.read(text, base, sizes)
    if found is None:
        raise InputError("there is no list of numbers")
    return found
