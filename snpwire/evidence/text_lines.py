"""Lines of a key and a value: YAML, TOML, JSON with comments. No structure is read but blocks.

A value goes on in the lines behind it where it is a block (``|``), a list of numbers (``- 7``), a
quoted text that is not closed, or digits that go on further in than the key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY = re.compile(
    r"""([ \t]*)(?:- )?["']?([A-Za-z_][\w.-]{0,80})["']?[ ]?(?::|=(?=[ ]\[))(?:[ ]+(\S.*))?"""
)
_ITEM = re.compile(r"[ \t]*- (0[xX][0-9A-Fa-f]{1,2}|-?[0-9]{1,3})\s*")
_DIGITS = re.compile(r"[A-Za-z0-9+/=_-]{4,}")
_TAG = re.compile(r"!!?\w+\s*")
BLOCKS = ("|", ">", "|-", ">-", "|+", ">+")


class TextLine(NamedTuple):
    """A key, and its value in one text."""

    key: str
    line: int
    value: str


def text_lines(text: str) -> Iterator[TextLine]:
    """Yield the keys of *text* with their values; a list of numbers as ``[7, 8]``."""
    lines = text.splitlines()
    index = 0
    while index < len(lines):
        index += 1
        found = _KEY.fullmatch(lines[index - 1].rstrip())
        if not found:
            continue
        first = _TAG.sub("", found[3] or "", count=1).strip()
        count, value = _value(lines, index, len(found[1]), first)
        yield TextLine(found[2], index, value)
        index += count


def _value(lines: list[str], start: int, indent: int, first: str) -> tuple[int, str]:
    """Return how many lines from *start* on belong to the value that begins with *first*."""
    if first in BLOCKS:
        rows = _further(lines, start, indent)
        return len(rows), "\n".join(row.strip() for row in rows)
    if first[:1] in ("'", '"') and first.rstrip(",").find(first[0], 1) < 0:
        return _quoted(lines, start, first)
    if not first and (items := _items(lines, start)):
        return len(items), f"[{', '.join(items)}]"
    if not first or _DIGITS.fullmatch(first):
        rows = _digits(lines, start, indent)
        return len(rows), "".join([first, *(row.strip() for row in rows)])
    return 0, first.rstrip(",").strip("\"'")


def _behind(lines: list[str], start: int) -> Iterator[str]:
    return (lines[index] for index in range(start, len(lines)))


def _further(lines: list[str], start: int, indent: int) -> list[str]:
    """Return the lines that are indented by more than *indent*, and empty ones among them."""
    end = start
    while end < len(lines):
        line = lines[end]
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        end += 1
    return lines[start:end]


def _quoted(lines: list[str], start: int, first: str) -> tuple[int, str]:
    """Return a text up to its closing quotation mark; nothing where there is none."""
    parts = [first[1:].removesuffix("\\")]
    for count, line in enumerate(_behind(lines, start), 1):
        body, mark, _ = line.strip().partition(first[0])
        parts.append(body.removesuffix("\\"))
        if mark:
            return count, "".join(parts)
        if not _DIGITS.fullmatch(parts[-1]):
            break
    return 0, ""


def _items(lines: list[str], start: int) -> list[str]:
    """Return the numbers of a list, one a line."""
    found = []
    for line in _behind(lines, start):
        item = _ITEM.fullmatch(line)
        if item is None:
            break
        found.append(str(int(item[1], 0)) if item[1][:2].lower() == "0x" else str(int(item[1])))
    return found


def _digits(lines: list[str], start: int, indent: int) -> list[str]:
    """Return the lines of digits that are further in."""
    found = []
    for line in _behind(lines, start):
        if len(line) - len(line.lstrip()) <= indent or not _DIGITS.fullmatch(line.strip()):
            break
        found.append(line)
    return found
