"""The reverse map table in one piece, as a numpy array: blank, or mapped over an image."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DecodeError, UsageError
from ..wire.address import C_BIT
from ..wire.rmp import ENTRIES_OFFSET, RmpEntry
from .chunks import Extent
from .image_layout import ImageLayout, image_layout
from .page_ranges import page_number
from .table_reader import TableReader, beyond

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Buffer = bytes | bytearray | memoryview | mmap.mmap


class Table(TableReader):
    """A table in one piece: an entry for each page of the host, from 0 on.

    ``set``, ``fill`` and ``entries`` change it, if its memory is writable.
    """

    __slots__ = ("_quads", "base", "counters", "entries", "extents", "pages", "why")

    entries: NDArray[np.void]
    """The entries in place, as ``RmpEntry.dtype()``: fields lo and hi; shape (pages,)."""
    counters: NDArray[np.uint64] | None
    """Counters of the ASIDs, uint64 of shape (2048,); None if the image has none."""
    base: int | None
    """Address of the table itself, counters included; None if unknown."""
    why: str
    """Reason why the image is read with counters, or without."""

    def __init__(self, memory: memoryview, *, counters: bool, base: int | None, why: str) -> None:
        """Take *memory*, bytes of a valid size; use ``over`` or ``blank``."""
        start = ENTRIES_OFFSET if counters else 0
        data = np.frombuffer(memory, np.uint8)
        self.entries = data[start:].view(RmpEntry.dtype())
        self.counters = data[:start].view(np.dtype("<u8")) if counters else None
        self.base, self.why = base, why
        self.pages = len(self.entries)
        self.extents = (Extent(0, data[start:].view(np.dtype("<u8")).reshape(-1, 2)),)
        self._quads = memory[start:].cast("Q")

    @classmethod
    def blank(cls, pages: int, *, counters: bool = True, base: int | None = None) -> Table:
        """Return a table of zeros: every page hypervisor-owned. Raises UsageError for no pages."""
        if page_number(pages) < 1:
            raise UsageError("a table has at least one page")
        memory = mmap.mmap(-1, pages * RmpEntry.SIZE + (ENTRIES_OFFSET if counters else 0))
        return cls(memoryview(memory), counters=counters, base=base, why="made so")

    @classmethod
    def over(
        cls,
        buffer: Buffer,
        *,
        counters: bool | None = None,
        writeable: bool = False,
        base: int | None = None,
    ) -> Table:
        """Map a table over *buffer*, without copying it.

        A mapping may be read-only, or copy-on-write, or larger than memory. Without *counters*,
        the image decides whether it begins with them; ``why`` gives the reason. Raises DecodeError
        for an impossible size, UsageError if *writeable* memory is read-only.
        """
        memory = memoryview(buffer).cast("B")
        if writeable and memory.readonly:
            raise UsageError("the memory under the table cannot be written to")
        shown = memory if writeable else memory.toreadonly()
        layout = ImageLayout(bool(counters), "as the caller says")
        if counters is None:
            layout = image_layout(memory, base)
        _check_size(len(memory), layout.counters)
        return cls(shown, counters=layout.counters, base=base, why=layout.why)

    def entry(self, page: int) -> tuple[int, int]:
        """Return both quadwords of the entry of *page*. Raises UsageError if it has none."""
        if page >= 0:
            try:
                at = page << 1
                return self._quads[at], self._quads[at + 1]
            except IndexError:
                pass
        raise beyond(page, self.pages)

    def set(self, page: int, lo: int, hi: int) -> None:
        """Write both quadwords of the entry of *page*. Raises UsageError."""
        if page < 0 or page >= self.pages:
            raise beyond(page, self.pages)
        if self._quads.readonly:
            raise UsageError("the table is read-only")
        if lo >> 64 or hi >> 64:
            raise UsageError(f"an entry is two quadwords, got {lo:#x} and {hi:#x}")
        at = page << 1
        self._quads[at], self._quads[at + 1] = lo, hi

    def fill(self, pages: range, lo: int, hi: int) -> None:
        """Write the same two quadwords to every entry of *pages*, a range of step 1.

        Raises UsageError.
        """
        if not pages:
            return
        for page in (pages.start, pages.stop - 1):
            self.set(page, lo, hi)
        self.entries["lo"][pages.start : pages.stop] = np.uint64(lo)
        self.entries["hi"][pages.start : pages.stop] = np.uint64(hi)

    def low(self, page: int) -> int | None:
        """Return the first quadword of the entry of *page*, or None. Raises UsageError."""
        if page >= 0:
            try:
                return self._quads[page << 1]
            except IndexError:
                pass
        page_number(page)
        return None

    def lows(self, pages: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return the first quadword of each page, as ``TableReader.lows`` does."""
        known = pages < self.pages
        low = self.extents[0].words[np.where(known, pages, 0), 0]
        low[~known] = 0
        return low, known

    def first(self, pages: int) -> Table:
        """Return a table over the first *pages* entries of this one, without counters."""
        part = self._quads.cast("B")[: pages * RmpEntry.SIZE]
        return Table(part, counters=False, base=None, why=self.why)

    @property
    def size(self) -> int:
        """Return the size of the table in bytes, counters included."""
        return self.entries.nbytes + (0 if self.counters is None else self.counters.nbytes)

    def holds(self, address: int) -> bool:
        """Return whether *address* is in the table itself; False if ``base`` is unknown.

        The C-bit is ignored. AMD's firmware refuses such addresses with INVALID_PARAM.
        """
        if self.base is None:
            return False
        return self.base <= address & ~C_BIT < self.base + self.size


def _check_size(size: int, counters: bool) -> None:
    """Raise DecodeError if *size* bytes cannot be a table."""
    if size % RmpEntry.SIZE:
        reason = f"expected a multiple of {RmpEntry.SIZE} bytes, got {size}"
        raise DecodeError("Table", "", None, reason)
    if counters and size < ENTRIES_OFFSET:
        reason = f"expected {ENTRIES_OFFSET} bytes, got {size}"
        raise DecodeError("Table", "counters", 0, reason)
    if size <= (ENTRIES_OFFSET if counters else 0):
        raise DecodeError("Table", "entries", size, "expected at least one entry, got none")
