"""Take one line of a hex dump apart.

Every make of dump prints the same four things: a label, an offset, groups of digits, and the bytes
again as text. So each line becomes one `DumpRow`, and makes differ only in which of the four are
there. Nothing here compares rows: that is the work of `dumps` and `hexdump`.

A text column may look like a group (`6162  ab`), so at every wide gap the rest of the line is tried
as the text of the groups before it; both byte orders are tried, because the order is not known
yet. Blanks at its ends do not count: mail and terminals strip them.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import NamedTuple

from .loglines import strip_prefix

MAX_ROW = 2048  # the widest row a tool makes (`xxd -c 256 -g 1`) has 1036 characters
_TRIES = 8  # colons of a line after which digits may begin

_TOKEN = re.compile(r"\S+", re.ASCII)
_DIGITS = re.compile(r"(?:[0-9a-fA-F]{2})+")
_ADDRESS = re.compile(
    r"(?<![0-9A-Za-z_])((?:0x)?[0-9a-fA-F]{4,16})(?: <[^<>]{0,128}>)?:(?=\s)", re.ASCII
)
_BARE_OFFSET = re.compile(r"\s*([0-9a-fA-F]{4,16})\s+(?=\S)", re.ASCII)
_NO_DIGIT = re.compile("[^0-9a-fA-F]")
_FENCES = {"|": "|", ">": "<"}
_PRINTED = bytes(byte if 0x20 <= byte < 0x7F else 0x2E for byte in range(256))


class DumpRow(NamedTuple):
    """One line of a dump; `offset` and `ascii` are None where the line has none."""

    line: int
    label: str
    offset: str | None
    mark: str  # what ends the offset: ":" or nothing
    groups: tuple[str, ...]  # digits as printed, without 0x; none for the line that closes a dump
    numbers: bool = False  # groups were printed with 0x
    ascii: str | None = None
    fence: str = ""  # what stands around the text column: "|", ">" or nothing
    gap: int = 0  # blanks before the text column
    logged: bool = False  # a log prefix was taken off
    squeezed: bool = False  # a line `*` stands before this one

    @property
    def width(self) -> int:
        """Number of bytes in a group."""
        return len(self.groups[0]) // 2

    @property
    def size(self) -> int:
        """Number of bytes in the row."""
        return sum(map(len, self.groups)) // 2

    @property
    def plain(self) -> bool:
        """Nothing but digits: only what stands around it can make it a row of a dump."""
        return self.offset is None and self.ascii is None and not self.logged and not self.label

    @property
    def weak(self) -> bool:
        """Nothing but digits behind a label or a log prefix."""
        return self.offset is None and self.ascii is None

    @property
    def doubtful(self) -> bool:
        """The offset may be a group of data: no colon, no text column, whole bytes of digits."""
        bare = self.offset is not None and not self.mark and self.ascii is None
        return bare and len(self.offset or "") % 2 == 0

    def data(self, *, words: bool) -> bytes:
        """Return the bytes, each group taken as a little-endian word or in memory order."""
        if words:
            return b"".join([bytes.fromhex(group)[::-1] for group in self.groups])
        return bytes.fromhex("".join(self.groups))

    def agrees(self, *, words: bool) -> bool:
        """Return whether the text column shows these bytes; no column stands for blanks."""
        return printed(self.data(words=words)) == (self.ascii or "")


class DumpLine(NamedTuple):
    """A line, its message behind what a logger put before it, and the row in it, if any."""

    number: int
    text: str
    message: str
    row: DumpRow | None


def printed(data: bytes) -> str:
    """Return *data* as a text column shows it, without blanks at the ends."""
    return data.translate(_PRINTED).decode("ascii").strip(" ")


def dump_line(number: int, text: str) -> DumpLine:
    """Return the parts of line *number*."""
    message = strip_prefix(text)
    row = _row(number, message) if len(text) <= MAX_ROW else None
    return DumpLine(number, text, message, row and row._replace(logged=message is not text))


def _row(number: int, line: str) -> DumpRow | None:
    line = line.rstrip()
    whole = _bare_offset(number, line) or _no_offset(number, line)
    if whole and whole.ascii and (whole.agrees(words=False) or whole.agrees(words=True)):
        return whole  # its text column may hold what looks like an address
    for match in islice(_ADDRESS.finditer(line), _TRIES):
        if body := _body(line[match.end() :]):
            return body._replace(
                line=number, label=line[: match.start()].strip(), offset=match[1], mark=":"
            )
    return whole or _labelled(number, line)


def _bare_offset(number: int, line: str) -> DumpRow | None:
    """Read `0000010 457f 464c`; what could as well be groups alone is left to `_no_offset`."""
    match = _BARE_OFFSET.match(line)
    body = match and _body(line[match.end() :])
    if not match or not body or body.numbers:
        return None
    digits = len(match[1])
    groups = None if digits % 2 else _no_offset(number, line)
    if groups and groups.ascii is not None and not groups.fence:
        return None
    apart = digits >= 6 and digits != len(body.groups[0])
    if not apart and (body.ascii is None or groups):
        return None
    return body._replace(line=number, offset=match[1])


def _no_offset(number: int, line: str) -> DumpRow | None:
    body = _body(line)
    if body is None:
        return None
    if body.ascii is not None and not body.fence:
        both = body.agrees(words=False) or body.agrees(words=True)
        if not both or (body.size < 8 and body.gap < 3):
            return None
    return body._replace(line=number)


def _labelled(number: int, line: str) -> DumpRow | None:
    """Read `kvm_amd: 7f 45`: a label, and no offset; three digits in four are a damaged offset."""
    for match in islice(re.finditer(":", line), _TRIES):
        label = line[: match.end()].strip()
        word = label.split()[-1].strip(":")
        damaged = len(word) >= 6 and 4 * len(_NO_DIGIT.sub("", word)) >= 3 * len(word)
        if label.strip("0123456789abcdefABCDEF: ") and not damaged:
            row = _no_offset(number, line[match.end() :])
            if row:
                return row._replace(label=label)
    return None


def _body(text: str) -> DumpRow | None:
    """Read groups, and the text column if there is one."""
    numbers = text.lstrip().startswith("0x")
    groups: list[str] = []
    size = end = 0
    for match in _TOKEN.finditer(text):
        group = _group(match[0], groups, numbers=numbers)
        gap, rest = match.start() - end, text[match.start() :]
        if groups and gap >= 2 and (group is None or len(rest) <= size):
            row = _column(DumpRow(0, "", None, "", tuple(groups), numbers, gap=gap), size, rest)
            if group is None or (row and (row.agrees(words=False) or row.agrees(words=True))):
                return row
        if group is None:
            return None
        groups.append(group)
        size, end = size + len(group) // 2, match.end()
    return DumpRow(0, "", None, "", tuple(groups), numbers) if groups else None


def _column(row: DumpRow, size: int, rest: str) -> DumpRow | None:
    """Take *rest* as the text column: longer than the bytes only with its fence."""
    if len(rest) <= size:
        return row._replace(ascii=rest)
    if rest[0] not in _FENCES:
        return None
    return row._replace(ascii=rest[1:].removesuffix(_FENCES[rest[0]]).strip(" "), fence=rest[0])


def _group(token: str, before: list[str], *, numbers: bool) -> str | None:
    """Return the digits of a group; only the last may be shorter than those before it."""
    if numbers:
        if not token.startswith("0x"):
            return None
        token = token[2:]
    if not _DIGITS.fullmatch(token):
        return None
    if before and (len(token) > len(before[0]) or len(before[-1]) < len(before[0])):
        return None
    return token
