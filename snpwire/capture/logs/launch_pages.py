"""What was measured in a launch, as QEMU's trace tells: a table of ranges, in their order.

The digest takes the ranges in the order of the lines; the save areas of the processors follow
behind the last one, and no line says so. A launch that begins anew begins the table anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .qemu_trace import PAGE, size_words

if TYPE_CHECKING:
    from .record import LogRecord

MOST = 512
"""Rows that are kept: a launch has some ten; one that is asked again for each part has more."""


class PageRange(NamedTuple):
    """A range of guest memory that the digest took."""

    line: int
    gpa: int | None
    size: int
    page_type: str
    vmpl: int | None

    def words(self) -> str:
        """Return the range as a row of the table."""
        first, last = "not traced", ""
        if self.gpa is not None:
            first, last = f"{self.gpa:#x}", f"{self.gpa + max(self.size, 1) - 1:#x}"
        vmpl = "" if self.vmpl is None else f"  VMPL {self.vmpl}"
        return f"{first:>14}  {last:>14}  {size_words(self.size):>20}  {self.page_type}{vmpl}"

    def to_plain(self) -> dict[str, Any]:
        """Return the range in JSON's terms."""
        return {
            "line": self.line,
            "gpa": None if self.gpa is None else hex(self.gpa),
            "size": hex(self.size),
            "pages": self.size // PAGE,
            "page_type": self.page_type,
            "vmpl": self.vmpl,
        }


class LaunchPages:
    """The ranges that a launch measured."""

    kind = "launch_pages"
    family = "launch"
    kinds = frozenset({"launch-start", "launch-update", "launch-finish"})

    def __init__(self) -> None:
        self._rows: list[PageRange] = []
        self._left = self._launches = self._ended = 0

    def feed(self, record: LogRecord) -> None:
        """Take a line of the trace."""
        if record.kind == "launch-start":
            self._rows, self._left, self._ended = [], 0, 0
            self._launches += 1
        elif record.kind == "launch-finish":
            self._ended = record.line
        elif len(self._rows) < MOST:
            self._rows.append(_range(record))
        else:
            self._left += 1

    def lines(self) -> list[str]:
        """Return the table, and how much it is together; nothing without a row."""
        if not self._rows:
            return []
        total = sum(row.size for row in self._rows)
        which = f" (launch {self._launches} of this log)" if self._launches > 1 else ""
        count = len(self._rows) + self._left
        head = f"measured{which}: {count} range{'' if count == 1 else 's'}, {size_words(total)}"
        end = "then the save areas of the processors, which no line shows"
        return [
            head,
            f"  {'order':>5}  {'from':>14}  {'to':>14}  {'size':>20}  type",
            *(f"  {number:>5}  {row.words()}" for number, row in enumerate(self._rows, start=1)),
            *([f"  and {self._left} more ranges"] if self._left else []),
            f"  {end}" if self._ended else "  the launch does not end in this log",
        ]

    def to_plain(self) -> dict[str, Any]:
        """Return the ranges in their order."""
        return {
            "launch": self._launches,
            "ended": bool(self._ended),
            "left_out": self._left,
            "pages": self._rows,
        }


def _range(record: LogRecord) -> PageRange:
    fields = record.fields
    return PageRange(
        record.line, fields.get("gpa"), fields["len"], fields["page_type"], fields.get("vmpl")
    )
