"""Formats as a program prints them, turned into what reads them.

A template is the text of a ``printf`` with names in place of its conversions:

    RMPUPDATE failed for PFN {pfn:x}, pg_level: {level:d}, ret: {ret:d}

It finds its text anywhere in a line, so that modules and programs may stand before it, unless it
begins with ``^``. It knows a line that breaks off within the format, since mail breaks long lines.
Blanks are compared as one, and so are quotation marks.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from .record import Fact, Hex, LogBlock, LogState, Quad

_FIELD = re.compile(r"\{(\w+):(\w+)\}")
_QUOTES = re.compile("['\"`]")
BEGUN = 12  # characters of a format that a broken line must have


class Conversion(NamedTuple):
    """How one field is spelt, and the value it stands for."""

    pattern: str
    value: Callable[[str], Any]


def _hex(text: str) -> Hex:
    return Hex(text, 16)


def _quad(text: str) -> Quad:
    return Quad(text, 16)


CONVERSIONS: dict[str, Conversion] = {
    "x": Conversion("[0-9a-fA-F]{1,16}", _hex),  # %llx, behind 0x or not
    "p": Conversion("(?:0[xX])?[0-9a-fA-F]{1,16}", _hex),  # %#llx, of which C prints 0 bare
    "q": Conversion("[0-9a-fA-F]{16}", _quad),  # %016llx
    "w": Conversion("[0-9a-fA-F]{8}", _hex),  # %08x
    "d": Conversion("-?[0-9]{1,20}", int),
    "b": Conversion(" ?-?[0-9]{1,10}", int),  # %3d
    "n": Conversion("-?[0-9]{1,20}", Hex),  # %lld that may need all 64 bits
    "s": Conversion(r"[^'\]\n]{0,200}?", str),
    "a": Conversion("[0-9a-fA-F:.]{1,32}", str),  # a PCI address
    "v": Conversion(r"[0-9a-f]{4}: ?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", str),  # the same, whole
    "o": Conversion(r"\S{1,200}", str),
    "r": Conversion(".{0,400}", str),
    "c": Conversion("[A-Z]{2,8}", str),  # a word in capitals
    "m": Conversion("(?:[-*] )?", str),  # the mark of a list, if there is one
}
"""Each conversion by the letter that templates use."""
_WIDTHS = {"q": 16, "w": 8, "s": 0, "r": 0}  # at least; of all others 1


class Template:
    """One wording of a format."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at_start = text.startswith("^")
        pieces = _FIELD.split(text.removeprefix("^"))
        self.literals = pieces[0::3]
        self.names = pieces[1::3]
        self._conversions = [CONVERSIONS[letter] for letter in pieces[2::3]]
        self._values = [conversion.value for conversion in self._conversions]
        self.key = max(_QUOTES.split("'".join(self.literals)), key=len)
        self.least = sum(map(len, self.literals)) + sum(_WIDTHS.get(n, 1) for n in pieces[2::3])
        """Characters that a text must have at least."""
        self._pattern: re.Pattern[str] | None = None
        self._parts: list[re.Pattern[str]] | None = None

    def match(self, text: str) -> dict[str, Any] | None:
        """Return the fields of the format where it stands in *text*."""
        found = self.find(text)
        return None if found is None else self.fields(found)

    def find(self, text: str) -> re.Match[str] | None:
        """Return where the format stands in *text*."""
        if self._pattern is None:
            self._pattern = re.compile(self._regex())
        return self._pattern.search(text)

    def fields(self, found: re.Match[str]) -> dict[str, Any]:
        """Return the fields of the format where it was found."""
        values = [convert(text) for convert, text in zip(self._values, found.groups())]  # noqa: B905
        return dict(zip(self.names, values))  # noqa: B905 - three times as fast

    def broken(self, text: str) -> bool:
        """Return whether *text* ends within the format."""
        first = self.literals[0]
        start = text.rfind(first) if first else -1
        if start < 0:
            return _begins(first, text)
        return len(text) - start >= BEGUN and self._within(text, start)

    def _within(self, text: str, at: int) -> bool:
        for literal, conversion in zip(self.literals, [*self._conversions, None], strict=True):
            rest = text[at:]
            if len(rest) < len(literal):
                return literal.startswith(rest)
            if not rest.startswith(literal):
                return False
            at += len(literal)
            if conversion is None:
                return False  # it is whole
            found = re.compile(conversion.pattern).match(text, at)
            end = found.end() if found else at
            if end == len(text) or text[at:] in ("0", "0x", "-"):
                return True
            if found is None:
                return _shortened(conversion, text[at:])
            at = end
        return False

    def _regex(self) -> str:
        bounded = "^" if self.at_start else ""
        if self.text[0].isalnum():
            bounded = r"(?<![0-9A-Za-z_])"
        elif self.text[0] == "{":
            bounded = r"(?<!\S)"
        parts = [_literal(self.literals[0])]
        for literal, conversion in zip(self.literals[1:], self._conversions, strict=True):
            parts.append(f"({conversion.pattern}){_literal(literal)}")
        after = r"(?![0-9A-Za-z_])" if not self.literals[-1] else ""
        return bounded + "".join(parts) + after


def _literal(text: str) -> str:
    """Return an expression of a piece of a format; any quotation mark stands for all."""
    return _QUOTES.sub(lambda _: _QUOTES.pattern, re.escape(text))


def _begins(literal: str, text: str) -> bool:
    """Return whether *text* ends with what *literal* begins with, and with enough of it."""
    place = literal.find(text[-BEGUN:]) if len(text) >= BEGUN else -1
    return place >= 0 and text.endswith(literal[: place + BEGUN])


def _shortened(conversion: Conversion, rest: str) -> bool:
    """Return whether *rest* is a number of fixed width that breaks off."""
    return "{16}" in conversion.pattern and re.fullmatch("[0-9a-fA-F]{1,15}", rest) is not None


Interpreter = Callable[[dict[str, Any], LogState], Fact | LogBlock]
"""Interprets the fields of a format: as one fact, or as a block that further lines complete."""


class Format(NamedTuple):
    """A format, its wordings, and its interpreter."""

    key: str
    kind: str
    wordings: tuple[Template, ...]
    interpret: Interpreter


def form(key: str, kind: str, wording: str, interpret: Interpreter, *older: str) -> Format:
    """Return a format with its wordings, today's first."""
    return Format(key, kind, tuple(Template(text) for text in (wording, *older)), interpret)
