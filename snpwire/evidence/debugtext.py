"""Rust's debug print of a report, ``{:?}``, ``{:#?}`` or ``{:x?}``, as virtee/sev's issues have it.

A structure becomes an object, a tuple of one its member, ``Some(x)`` x. A word of bits prints its
number as ``.0`` before its bits; the number is taken.
"""

from __future__ import annotations

import re
from typing import Any

MOST = 1 << 18
"""Most bytes of such a text; with a number in each line, a report has some 20,000."""
MAX_DEPTH = 12
_BEGIN = re.compile(r"\b[A-Z][A-Za-z0-9]*Report[A-Za-z0-9]* \{")
_TOKEN = re.compile(r"\.?[A-Za-z0-9_]+|\S")
_NUMBER = re.compile(r"0x[0-9A-Fa-f]{1,32}|[0-9]{1,32}")
_DIGITS = re.compile(r"[0-9A-Fa-f]{1,32}")
_HEX = re.compile(r"[\[,]\s*(?:0[0-9A-Fa-f]|[0-9]?[A-Fa-f][0-9A-Fa-f]?)\s*[,\]]")
"""An element that only ``{:x?}`` prints, which puts no 0x before its numbers."""
_ENDS = {"{": "}", "(": ")", "[": "]"}


class _BrokenError(Exception):
    """The text is no debug print, or is cut."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens = _TOKEN.findall(text)
        self.at = 0
        self.hex = "0x" not in text and bool(_HEX.search(text))

    def next(self) -> str:
        if self.at >= len(self.tokens):
            raise _BrokenError
        self.at += 1
        token: str = self.tokens[self.at - 1]
        return token

    def value(self, depth: int) -> Any:
        """Read one value."""
        token = self.next()
        if depth > MAX_DEPTH:
            raise _BrokenError
        if token == "[":
            return self.numbers() or self.items("[", depth)
        if (_DIGITS if self.hex else _NUMBER).fullmatch(token):
            return int(token, 16 if self.hex or token[:2] == "0x" else 10)
        opens = self.tokens[self.at] if self.at < len(self.tokens) else ""
        if opens == "{":
            self.next()
            return self.structure(depth)
        if opens == "(":
            self.next()
            items = self.items("(", depth)
            return items[0] if len(items) == 1 else items
        return {"None": None, "true": True, "false": False}.get(token, token)

    def numbers(self) -> list[int]:
        """Read a list of decimal numbers among hex, as a signature prints its own; else nothing."""
        end = self.tokens.index("]", self.at) if self.hex and "]" in self.tokens[self.at :] else 0
        words = [word for word in self.tokens[self.at : end] if word != ","]
        if not any(len(word) > 2 for word in words) or not all(map(str.isdecimal, words)):
            return []
        self.at = end + 1
        return list(map(int, words))

    def items(self, opens: str, depth: int) -> list[Any]:
        found = []
        while self.tokens[self.at : self.at + 1] != [_ENDS[opens]]:
            found.append(self.value(depth + 1))
            if self.tokens[self.at : self.at + 1] == [","]:
                self.at += 1
        self.at += 1
        return found

    def structure(self, depth: int) -> Any:
        found: dict[str, Any] = {}
        while (name := self.next()) != "}":
            if self.next() != ":":
                raise _BrokenError
            found[name] = self.value(depth + 1)
            if self.tokens[self.at : self.at + 1] == [","]:
                self.at += 1
        return found.get(".0", found)


def debug_text(data: bytes) -> dict[str, Any]:
    """Return the fields of a report's debug print by their names; empty if *data* has none."""
    if len(data) > MOST or b"Report" not in data or b"\0" in data:
        return {}
    text = data.decode("utf-8", "replace")
    begin = _BEGIN.search(text)
    if begin is None:
        return {}
    reader = _Reader(text[begin.start() :])
    try:
        found = reader.value(0)
    except _BrokenError:
        return {}
    return found if isinstance(found, dict) else {}
