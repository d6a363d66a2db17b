"""Colour, by the few ANSI codes that every terminal has; no meaning depends on it alone."""

from __future__ import annotations

from typing import NamedTuple


class Style(NamedTuple):
    """Codes that mark text up; ``PLAIN`` has none."""

    faint: str = ""
    strong: str = ""
    good: str = ""
    warn: str = ""
    bad: str = ""
    end: str = ""

    def mark(self, code: str, text: str) -> str:
        """Return *text* between *code* and its end."""
        return f"{code}{text}{self.end}" if code and text.strip() else text


PLAIN = Style()
COLOUR = Style("\x1b[2m", "\x1b[1m", "\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m")
