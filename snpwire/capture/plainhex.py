r"""Read hex digits that are not a dump: bare digits, lists of numbers, C arrays, escaped strings.

* Bare digits are bytes in memory order, however they are spaced, split by `,` `;` `:` or `-`, or
  wrapped. One `0x` before all of them changes nothing.
* Numbers that each have `0x` are bytes if none has more than two digits. If all have 4, 8 or 16
  they are little-endian words, as a C array of such numbers has them in memory.
* Between braces or brackets a number without `0x` is decimal. It is read if it is a single digit,
  where both bases agree, and refused otherwise.
* `\x7f` strings are bytes; `b'\x7fELF'` is read by Python's rules.

Digits and lists of bytes are first read by str.replace and bytes.fromhex; what these cannot read
goes through the tokens, which report what is wrong and where.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NoReturn

from ..errors import InputError
from .decodedtext import DecodedText, order_note

_TOKEN = re.compile(r"(0[xX])?([0-9a-fA-F]+)|[^\s,;:]", re.ASCII)
_WRONG = re.compile(r"[^0-9a-fA-F\s,;:]", re.ASCII)
_STRAY = re.compile(r"\\x([0-9a-fA-F]{2})(?![0-9a-fA-F])|[^\s\"';,+\\]|\\(?!\s)", re.ASCII)
_NAMED = re.compile(r"[\w\s\[\]*]*=", re.ASCII)
_START = re.compile(r"^ *([0-9a-fA-F]{4,16})(?= )", re.MULTILINE)
_GLANCE = 1 << 14  # characters among which offsets of broken rows are looked for
_INTEL_HEX = re.compile(r"^:[0-9A-Fa-f]{8}(?:[0-9A-Fa-f]{2})*\s*\n:", re.MULTILINE)
_OCTAL_WORDS = re.compile(r"\s*[01][0-7]{5}(?:\s+[01][0-7]{5}){3,}\s*", re.ASCII)
_DASHED = re.compile(r"\s*[0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2})+\s*", re.ASCII)
_SPACED = str.maketrans(",;:", "   ")
_LITERAL = re.compile(
    r"""b(?:'([^'\\\n]*(?:\\.[^'\\\n]*)*)'|"([^"\\\n]*(?:\\.[^"\\\n]*)*)");?""", re.ASCII
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))")
_ESCAPED = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))
_HEXISH = b"0123456789abcdefABCDEFxX,;:\\\"'"


def read(text: str, words: bool | None = None, *, guess: bool = False) -> DecodedText | None:
    """Return what *text* stands for; with *guess*, None if it was not meant as hex.

    *words* forces how groups of several bytes are read.
    """
    if "-" in text and _DASHED.fullmatch(text):
        text = text.replace("-", " ")
    body, listed, damage = text, False, None
    try:
        body, listed = _list_body(_without_comments(text))
    except InputError as error:
        damage = error
    if guess and (not _resembles(body) or _is_base64_zeros(text)):
        return None
    if guess and words is None:
        _check_others(body)
    if "\\x" in text:
        return DecodedText(_escaped(text), "escaped string")
    if damage:
        raise damage
    prefixes = body.count("0x") + body.count("0X")
    if prefixes > 1 or listed or (prefixes and len(body.strip(" ,;\n")) < len("0x00")):
        return _numbers(body, prefixes, "array" if listed else "list", words)
    return _digits(body, words)


def unbroken(text: str) -> DecodedText | None:
    """Return what one word of hex digits spells, None if *text* is anything else."""
    word = text.strip()
    if not word.isalnum():
        return None
    try:
        return DecodedText(bytes.fromhex(word), "hex")
    except ValueError:
        return None


def literal(text: str) -> DecodedText | None:
    """Return what a bytes literal of Python holds, None if *text* is none."""
    found = _LITERAL.fullmatch(text.strip())
    return DecodedText(_literal(text, found), "Python bytes") if found else None


def _resembles(body: str) -> bool:
    """Return whether four fifths of the visible characters are digits and the marks around them."""
    visible = b"".join(body.encode().split())
    digits = len(visible) - len(visible.translate(None, b"0123456789abcdefABCDEF"))
    return digits > 0 and 5 * len(visible.translate(None, _HEXISH)) <= len(visible)


def _is_base64_zeros(text: str) -> bool:
    """Return whether *text* is mostly `A`, base64's zeros, with something that is no hex digit."""
    visible = "".join(text.split())
    return 2 * visible.count("A") > len(visible) and bool(re.search("[^0-9a-fA-F]", visible))


def _fail(text: str, position: int, reason: str) -> NoReturn:
    """Raise with the line and column of *position*."""
    column = position - text.rfind("\n", 0, position)
    raise InputError(f"{reason}, column {column}", line=text.count("\n", 0, position) + 1)


def _without_comments(text: str) -> str:
    """Blank out C comments, keeping the lines."""
    parts = []
    done = 0
    while (start := text.find("/*", done)) >= 0:
        end = text.find("*/", start + 2)
        if end < 0:
            _fail(text, start, "this comment has no end")
        parts += [text[done:start], " ", "\n" * text.count("\n", start, end)]
        done = end + 2
    return re.sub("//[^\n]*", "", "".join([*parts, text[done:]]))


def _list_body(text: str) -> tuple[str, bool]:
    """Return what stands between braces or brackets, on its own lines, and whether it does."""
    opening, closing = "{}" if "{" in text else "[]"
    start, end = text.find(opening), text.rfind(closing)
    if start < 0 or (opening == "[" and text[:start].strip()):
        return text, False
    if end < start:
        _fail(text, start, f"no {closing!r} closes this")
    for inner in "{}[]":
        if (place := text.find(inner, start + 1, end)) >= 0:
            _fail(text, place, "a second list")
    return re.sub(r"[^\n]", " ", text[: start + 1]) + text[start + 1 : end], True


def _digits(text: str, words: bool | None) -> DecodedText:
    """Read bare digits, with at most one 0x before all of them."""
    head = text.lstrip()
    if head[:2] in ("0x", "0X"):
        text = text[: len(text) - len(head)] + "  " + head[2:]
    try:
        data = bytes.fromhex(text.translate(_SPACED))
    except ValueError:
        return DecodedText(_uneven(text), "hex")
    if not data:
        raise InputError("there are no hex digits")
    _check_offsets(text)
    groups = next((line.split() for line in text.split("\n") if line.split()), [])
    widths = {len(group) // 2 for group in groups}
    width = widths.pop() if len(widths) == 1 else 0
    if words and width > 1:
        groups = text.translate(_SPACED).split()
        data = b"".join(bytes.fromhex(group)[::-1] for group in groups)
        return DecodedText(data, "hex", (order_note(width, "as asked", words=True),))
    if len(groups) > 1 and width in (2, 4, 8):
        return DecodedText(data, "hex", (order_note(width, "as plain hex is", words=False),))
    return DecodedText(data, "hex")


def _check_others(text: str) -> None:
    """Refuse texts of digits that are no hex digits of bytes."""
    if record := _INTEL_HEX.search(text):
        _fail(text, record.start(), "Intel HEX: objcopy -I ihex -O binary takes its bytes out")
    if _OCTAL_WORDS.fullmatch(text):
        _fail(text, 0, "groups of six octal digits, as od prints by default: od -An -v -t x1")


def _check_offsets(text: str) -> None:
    """Refuse lines that begin with offsets from 0 on: a dump, too broken to be read as one."""
    starts = list(_START.finditer(text, 0, _GLANCE))
    if len(starts) < 2 or int(starts[0][1], 16) or len({len(start[1]) for start in starts}) != 1:
        return
    steps = {int(b[1], 16) - int(a[1], 16) for a, b in pairwise(starts)}
    if len(steps) == 1 and min(steps) > 0 and min(steps) % 8 == 0:
        _fail(text, starts[0].start(1), "lines begin with offsets, but are no rows of a dump")


def _uneven(text: str) -> bytes:
    """Read digits wrapped in the middle of a byte, or say what is wrong."""
    if wrong := _WRONG.search(text):
        what = f"{wrong[0]!r} is not a hex digit"
        star = "a * leaves rows out, and no offsets tell how many"
        _fail(text, wrong.start(), star if wrong[0] == "*" else what)
    lines = text.split()
    one_each = len(lines) == sum(not (not line or line.isspace()) for line in text.split("\n"))
    wrapped = one_each and len({len(line) for line in lines[:-1]}) == 1
    joined = "".join(lines)
    if wrapped and joined.isalnum() and len(joined) % 2 == 0 and len(lines[-1]) <= len(lines[0]):
        return bytes.fromhex(joined)
    odd = next(token for token in _TOKEN.finditer(text) if len(token[2]) % 2)
    _fail(text, odd.start(), f"an odd number of hex digits, {len(odd[2])}")


def _numbers(text: str, prefixes: int, form: str, words: bool | None) -> DecodedText:
    """Read numbers that each have 0x."""
    try:
        data = bytes.fromhex(text.translate(_SPACED).replace("0x", "  ").replace("0X", "  "))
    except ValueError:
        data = b""
    if data and len(data) == prefixes:
        return DecodedText(data, form)
    tokens = [(token, token[2] or "") for token in _TOKEN.finditer(text)]
    width = _width(text, tokens)
    if width == 2:
        return DecodedText(bytes(int(digits, 16) for _, digits in tokens), form)
    order = (width in (4, 8, 16) and len(tokens) > 1) if words is None else words
    values = [bytes.fromhex(digits) for _, digits in tokens]
    why = "as asked" if words is not None else "as numbers are stored"
    return DecodedText(
        b"".join(value[::-1] if order else value for value in values),
        form,
        (order_note(width // 2, why, words=order),),
    )


def _width(text: str, tokens: list[tuple[re.Match[str], str]]) -> int:
    """Return the digits each number has, 2 for bytes; refuse what is no such list."""
    if not tokens:
        raise InputError("the list is empty")
    first = max(len(tokens[0][1]), 2)
    for token, digits in tokens:
        if not digits:
            _fail(text, token.start(), f"{token[0]!r} is not a hex digit")
        if not token[1] and len(digits) > 1:
            _fail(text, token.start(), f"{digits} has no 0x: is it decimal?")
        if len(digits) != first and not (first == 2 and len(digits) == 1):
            _fail(text, token.start(), f"{token[0]} among numbers of {first} digits")
    if first % 2:
        _fail(text, tokens[0][0].start(), f"an odd number of hex digits, {first}")
    return first


def _escaped(text: str) -> bytes:
    r"""Read strings of \x7f, quoted or not, in any number of pieces."""
    named = _NAMED.match(text)
    code = re.sub(r"[^\n]", " ", named[0]) + text[named.end() :] if named else text
    code = re.sub(r"\bb(?=[\"'])", " ", code)
    parts = []
    for match in _STRAY.finditer(code):
        if match[1] is None:
            _fail(code, match.start(), f"{match[0]!r} in a string of \\x and two digits each")
        parts.append(match[1])
    return bytes.fromhex("".join(parts))


def _literal(text: str, found: re.Match[str]) -> bytes:
    """Read a Python bytes literal."""
    body = found[1] or found[2] or ""

    def value(escape: re.Match[str]) -> str:
        if escape[1]:
            return chr(int(escape[1], 16))
        if escape[2]:
            return chr(int(escape[2], 8) & 0xFF)
        if escape[3] == "x" or escape[3] not in _ESCAPED:
            _fail(text, text.find(escape[0]), f"{escape[0]!r} is no escape of a bytes literal")
        return _ESCAPED[escape[3]]

    try:
        return _ESCAPE.sub(value, body).encode("latin-1")
    except UnicodeEncodeError as error:
        wrong = error.object[error.start]
        _fail(text, text.find(wrong), f"{wrong!r} is not a byte")
