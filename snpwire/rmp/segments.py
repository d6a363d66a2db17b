"""A table in segments, each of which covers its part of the host's memory (Zen 5).

A segment's index is the address shifted right. Its entry maps that part, or less of it, or nothing:
a hole, whose pages are DEFAULT. Source: newer Linux, arch/x86/virt/svm/sev.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import DecodeError, UsageError
from ..wire.address import C_BIT
from ..wire.rmp import COUNTERS, ENTRIES_OFFSET, SEGMENTS, RmpEntry
from ..wire.rmp_words import RstEntry
from .chunks import Extent
from .page_ranges import PAGE_LIMIT, page_number
from .table import Table
from .table_reader import TableReader, beyond

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .table import Buffer

HEAD = ENTRIES_OFFSET + 8 * SEGMENTS
"""Bytes at RMP_BASE: counters, then the segment table."""
GIB_PAGES = 1 << 18
GIB_SHIFT = 30
LAST_SHIFT = 52


class SegmentedTable(TableReader):
    """Tables without counters, each at the address that the segment table gives it."""

    __slots__ = ("_segments", "_width", "base", "counters", "extents", "pages", "rst", "shift")

    def __init__(
        self,
        rst: Sequence[int],
        segments: Mapping[int, Table],
        *,
        shift: int,
        counters: NDArray[np.uint64] | None = None,
        base: int | None = None,
    ) -> None:
        """Join *segments*, by index, as the entries *rst* of the segment table say.

        A segment covers 2 ** *shift* bytes (``RmpCfg.rmp_segment_size``); *base* is RMP_BASE. Each
        entry of the segment table needs its image, which may be longer. Raises UsageError and
        DecodeError.
        """
        _check_bounds(len(rst), shift)
        self.shift, self.base, self.counters = shift, base, counters
        self.rst = tuple(RstEntry(word) for word in rst)
        self._width = shift - 12
        self._segments = {
            index: _cut(index, segments.get(index), covered)
            for index, word in enumerate(self.rst)
            if (covered := mapped_pages(word, shift))
        }
        if not self._segments:
            raise DecodeError("SegmentedTable", "rst", ENTRIES_OFFSET, "no segment covers anything")
        parts = [(index << self._width, table) for index, table in self._segments.items()]
        self.extents = tuple(Extent(first, table.extents[0].words) for first, table in parts)
        self.pages = self.extents[-1].stop
        if self.pages > PAGE_LIMIT:
            raise UsageError(f"segment {max(self._segments)} is beyond the last page")

    @classmethod
    def over(
        cls,
        head: Buffer,
        images: Mapping[int, Buffer],
        *,
        shift: int,
        base: int | None = None,
    ) -> SegmentedTable:
        """Map a table over the bytes at RMP_BASE, counters and segment table, and its segments.

        Nothing is copied, and the table is read-only. Raises DecodeError for an impossible size,
        and as the constructor does.
        """
        memory = memoryview(head).cast("B").toreadonly()
        if len(memory) < HEAD:
            reason = f"expected {HEAD} bytes, got {len(memory)}"
            raise DecodeError("SegmentedTable", "", None, reason)
        words = np.frombuffer(memory[:HEAD], "<u8")
        counters, rst = words[:COUNTERS], words[COUNTERS:].tolist()
        tables = {index: Table.over(image, counters=False) for index, image in images.items()}
        return cls(rst, tables, shift=shift, counters=counters, base=base)

    def entry(self, page: int) -> tuple[int, int]:
        """Return both quadwords of the entry of *page*. Raises UsageError if it has none."""
        segment, index = self._place(page)
        if segment is None or index >= segment.pages:
            raise beyond(page, self.pages)
        return segment.entry(index)

    def low(self, page: int) -> int | None:
        """Return the first quadword of the entry of *page*, or None. Raises UsageError."""
        segment, index = self._place(page)
        return None if segment is None else segment.low(index)

    def _place(self, page: int) -> tuple[Table | None, int]:
        segment = self._segments.get(page_number(page) >> self._width)
        return segment, page & (1 << self._width) - 1

    def holds(self, address: int) -> bool:
        """Return whether *address* is in a segment, or in what is at ``base``."""
        plain = address & ~C_BIT
        if self.base is not None and self.base <= plain < self.base + HEAD:
            return True
        return any(
            self.rst[index].address <= plain < self.rst[index].address + table.size
            for index, table in self._segments.items()
        )


def mapped_pages(word: int, shift: int) -> int:
    """Return the number of pages that a segment has entries for, at most what it can cover."""
    return min(RstEntry(word).mapped_size_gb * GIB_PAGES, 1 << shift - 12)


def _check_bounds(count: int, shift: int) -> None:
    if not GIB_SHIFT <= shift <= LAST_SHIFT:
        raise UsageError(f"a segment covers 2^30 to 2^{LAST_SHIFT} bytes, not 2^{shift}")
    if count > SEGMENTS:
        raise UsageError(f"a segment table has at most {SEGMENTS} entries, got {count}")


def _cut(index: int, table: Table | None, covered: int) -> Table:
    """Return the first entries of a segment's image, as many as it has to have."""
    if table is None:
        raise UsageError(f"segment {index} has no image, though the segment table has an entry")
    if table.counters is not None:
        raise UsageError(f"segment {index}: a segment has no counters of its own")
    if table.pages < covered:
        expected, got = covered * RmpEntry.SIZE, table.size
        reason = f"expected {expected} bytes, got {got}"
        raise DecodeError("SegmentedTable", f"segments[{index}]", None, reason)
    return table if table.pages == covered else table.first(covered)
