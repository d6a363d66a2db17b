r"""Read strings with escapes as programs print them: C, gdb, shells, Python, Rust, Go, PostgreSQL.

Pieces may stand behind each other, with a name, a call or a command before the first. `\x7f` has
two digits and `\177` one to three, in all of them; a C compiler would take further hex digits into
the first, so a string without `b` in which one follows is refused. gdb prints a byte that
repeats as `'\000' <repeats 15 times>`, and leaves out the last zero of an array; it
is put back where only then the size fits. PostgreSQL prints `\x7f45..` or, as it did before, only
what is not printable, as `\177`; in an `E''` string each backslash stands twice.
"""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InputError
from . import plainhex
from .decodedtext import DecodedText

if TYPE_CHECKING:
    from collections.abc import Callable

_PIECE = re.compile(
    r"""(?P<kind>\b(?:b|B|E|e|c|u8|L)(?=["'])|\$(?='))?
    (?:"(?P<double>[^"\\]*+(?:\\.[^"\\]*+)*+)"|'(?P<single>[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+)')
    (?:\s*<repeats\ (?P<repeats>[0-9]{1,8})\ times>)?""",
    re.VERBOSE | re.DOTALL,
)
_BETWEEN = re.compile(r"(?:[\s,+()]|\\\n)*")
_BEFORE = re.compile(r"[\w\s$.:=*&\[\](){}>/#@~%+-]{0,200}", re.ASCII)
_AFTER = re.compile(r"[\s;,()\]}|>]*(?:xxd[^\n]*|::bytea;?|[\w./-]*)?\s*", re.ASCII)
_BYTEA = re.compile(r"\\{1,2}x((?:[0-9a-fA-F]{2}){2,})(?![0-9a-zA-Z\\])", re.ASCII)
_UNQUOTED = re.compile(r"(?:[!-\[\]-~ ]|\\[0-7]{3}|\\\\)+", re.ASCII)
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|u(?:\{([0-9a-fA-F]{1,2})\}|00([0-9a-fA-F]{2}))|(.))",
    re.DOTALL,
)
_ESCAPED = dict(zip("abefnrtv\\'\"?0@$#", "\a\b\x1b\f\n\r\t\v\\'\"?\0@$#", strict=True))
_OCTAL = re.compile(r"\\[0-7]{3}")
_GREEDY = re.compile(r"\\x([0-9a-fA-F]{3,})")
_CHARACTER = re.compile(r"[^\\]|\\(?:x..|[0-7]{3}|.)")
_BYTES = re.compile(r"\bb(?:'[^'\\\n]*(?:\\.[^'\\\n]*)*'|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\")")
_HEXDIGITS = re.compile(rb"(?:[0-9a-fA-F]{2}){8,}|[0-9a-fA-F]{2}(?:[-: ][0-9a-fA-F]{2}){7,}")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4}){5,}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_HEXED = re.compile(r"""[^"'\\$]*["'](?:\\x[0-9a-fA-F]{2})*["']\s*;?\s*""", re.ASCII)
_MARKS = ("b'", 'b"', "' <repeats ")
_GDB = re.compile(r"\s*\$[0-9]{1,4} = [\"']", re.ASCII)
_ENOUGH = 16  # escapes of two digits after which none is likely to have more
_NAME = 64  # characters of a name or a call before the first string
_LARGEST = 1 << 26  # bytes that repetitions may stand for


class _Piece(NamedTuple):
    """One quoted string: where its text begins, how long it is with all its marks, its text."""

    start: int
    shown: int
    text: str
    kind: str
    repeats: int


def read(text: str, sizes: Callable[[int], bool] | None = None) -> DecodedText | None:
    """Return what the strings in *text* hold, or None if there are none with escapes."""
    if found := plainhex.literal(text) or _only_literal(text):
        return _printed_text(found, sizes)
    if (
        "\\" not in text and not (any(mark in text for mark in _MARKS) or _GDB.match(text))
    ) or _HEXED.fullmatch(text):
        return None
    if "\\" in text and (found := _bytea(text, sizes)):
        return found
    first = _PIECE.search(text)
    if not first or not _BEFORE.fullmatch(text[: first.start()]):
        return None
    pieces, end = _pieces(text, first)
    tail = text[end:].strip()
    if tail[:3] in ("...", "\u2026") and any(_ESCAPE.search(piece.text) for piece in pieces):
        raise _error(
            text,
            end,
            "the string is cut: ... stands for bytes that are left out",
            "in gdb: set print elements 0",
        )
    if not _AFTER.fullmatch(text[end:]) or not _meant(text, pieces):
        return None
    _check_alike(text, pieces)
    pieces = [piece._replace(text=_unwrapped(piece)) for piece in pieces]
    return _joined(text, pieces, sizes)


def _only_literal(text: str) -> DecodedText | None:
    """Return what the only bytes literal of Python in a text holds, whatever else is there."""
    found = list(_BYTES.finditer(text)) if "b'" in text or 'b"' in text else []
    if len(found) != 1 or 4 * len(found[0][0]) < len("".join(text.split())):
        return None
    before = text[: found[0].start()]
    if "\\" in _BYTES.sub("", text) or before.count('"') % 2:
        return None
    return plainhex.literal("\n" * before.count("\n") + found[0][0])


def _printed_text(found: DecodedText, sizes: Callable[[int], bool] | None) -> DecodedText:
    """Return the bytes that the text in a bytes literal spells, if that is hex or base64."""
    data = found.data
    if sizes and sizes(len(data)):
        return found
    if _HEXDIGITS.fullmatch(data):
        inner = bytes.fromhex(re.sub("[-: ]", " ", data.decode()))
        return DecodedText(inner, "hex in Python bytes")
    if _BASE64.fullmatch(data):
        return DecodedText(binascii.a2b_base64(data), "base64 in Python bytes")
    return found


def _bytea(text: str, sizes: Callable[[int], bool] | None) -> DecodedText | None:
    """Read what PostgreSQL prints of bytes, where no other text has such escapes."""
    found = list(_BYTEA.finditer(text))
    if len(found) == 1 and text.count("\\x") == 1:
        return DecodedText(bytes.fromhex(found[0][1]), "bytea")
    body = text.strip("\n")
    if "\n" in body or not _OCTAL.search(body) or not _UNQUOTED.fullmatch(body):
        return None
    data = _value(text, text.find(body), body)
    plain = not ("'" in body or '"' in body or " " in body.split("\\", 1)[0])
    return DecodedText(data, "bytea") if plain or (sizes and sizes(len(data))) else None


def _pieces(text: str, first: re.Match[str]) -> tuple[list[_Piece], int]:
    """Return the strings that follow each other, and where the last one ends."""
    pieces: list[_Piece] = []
    match: re.Match[str] | None = first
    end = first.start()
    while match:
        which = "double" if match["double"] is not None else "single"
        repeats = int(match["repeats"] or 1)
        shown = match.end() - match.start()
        piece = _Piece(match.start(which), shown, match[which], match["kind"] or "", repeats)
        pieces.append(piece)
        end = match.end()
        between = _BETWEEN.match(text, end)
        match = _PIECE.match(text, between.end() if between else end)
    return pieces, end


def _meant(text: str, pieces: list[_Piece]) -> bool:
    """Return whether the strings are there for their bytes, and no other reader takes them."""
    escapes = sum(len(_ESCAPE.findall(piece.text)) for piece in pieces)
    named = any(piece.kind == "b" or piece.repeats > 1 for piece in pieces) or _GDB.match(text)
    if not (escapes or named):
        return False
    if named and pieces[0].start < _NAME:
        return True
    inside = sum(piece.shown for piece in pieces)
    return 2 * inside >= len("".join(text.split()))


def _check_alike(text: str, pieces: list[_Piece]) -> None:
    """Refuse single characters beside strings: members of a value, not pieces of one."""
    lone = any(_CHARACTER.fullmatch(piece.text) for piece in pieces)
    marks = {text[piece.start - 1] for piece in pieces}
    exact = any(piece.repeats > 1 or piece.kind for piece in pieces) or _GDB.match(text)
    if lone and len(marks) > 1 and not exact:
        raise _error(text, pieces[0].start, "characters beside strings: cut the string out")


def _unwrapped(piece: _Piece) -> str:
    """Return the text of a string without the line ends that a terminal put into it."""
    if "\n" not in piece.text or not _ESCAPE.search(piece.text):
        return piece.text
    return re.sub(r"(?<!\\)\n", "", piece.text)


def _joined(
    text: str, pieces: list[_Piece], sizes: Callable[[int], bool] | None
) -> DecodedText | None:
    """Return the bytes of all pieces, with the zero that gdb leaves out."""
    if sum(len(piece.text) * piece.repeats for piece in pieces) > _LARGEST:
        return None
    exact = any(piece.kind for piece in pieces)
    data = b"".join(
        [_value(text, piece.start, piece.text, piece) * piece.repeats for piece in pieces]
    )
    if not (exact or (sizes and sizes(len(data)))):
        _check_greedy(text, pieces)
    form = "Python bytes" if pieces[0].kind in ("b", "B") else "escaped string"
    if sizes and not sizes(len(data)) and sizes(len(data) + 1) and not exact:
        note = "a zero byte put at the end, where gdb leaves one out"
        return DecodedText(data + b"\0", form, (note,))
    return DecodedText(data, form)


def _check_greedy(text: str, pieces: list[_Piece]) -> None:
    r"""Refuse strings in which `\x041` may be one escape; in a long one some would be no byte."""
    greedy = [(piece, match) for piece in pieces for match in _GREEDY.finditer(piece.text)]
    long = sum(piece.text.count("\\x") for piece in pieces) >= _ENOUGH
    if greedy and not (long and any(int(match[1], 16) > 0xFF for _, match in greedy)):
        piece, first = greedy[0]
        shown = f"'\\\\x{first[1][:3]}'"
        reason = f"{shown} may be one byte and a character, or an escape of three digits"
        raise _error(text, piece.start + first.start(), reason)


def _value(text: str, at: int, body: str, piece: _Piece | None = None) -> bytes:
    """Return the bytes of one string. Raises InputError for what is no escape or no byte."""
    if piece and piece.kind in ("E", "e"):
        body = body.replace("''", "'").replace("\\\\", "\\")

    def value(escape: re.Match[str]) -> str:
        if escape[4] and escape[4] > "7f" and "\\x" in body:  # Go's, of a character in UTF-8
            raise _error(text, at + escape.start(), f"{escape[0]!r} is a character, and no byte")
        if digits := escape[1] or escape[3] or escape[4]:
            return chr(int(digits, 16))
        if escape[2]:
            if int(escape[2], 8) > 0xFF:
                raise _error(text, at + escape.start(), f"{escape[0]!r} is no byte")
            return chr(int(escape[2], 8))
        if escape[5] == "\n":
            return ""
        if escape[5] not in _ESCAPED:
            raise _error(text, at + escape.start(), f"{escape[0]!r} is no escape of a byte")
        return _ESCAPED[escape[5]]

    try:
        return _ESCAPE.sub(value, body).encode("ascii" if body.isascii() is False else "latin-1")
    except UnicodeEncodeError:
        wrong = next(n for n, char in enumerate(body) if ord(char) > 0x7E)
        raise _error(text, at + wrong, f"{body[wrong]!r} is not a byte") from None


def _error(text: str, place: int, reason: str, help_text: str = "") -> InputError:
    column = place - text.rfind("\n", 0, place)
    line = text.count("\n", 0, place) + 1
    return InputError(f"{reason}, column {column}", line=line, help=help_text)
