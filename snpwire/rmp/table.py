"""The reverse map table as a numpy array, owned or laid over an image of it."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DecodeError, UsageError
from ..wire.address import C_BIT
from ..wire.rmp import ENTRIES_OFFSET, RmpEntry, RmpState
from .chunks import Extent
from .image_layout import Reading, beyond
from .page_ranges import page_number
from .states import state_of_low

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Buffer = bytes | bytearray | memoryview | mmap.mmap
from typing import NamedTuple

from ..wire.rmp import ASIDS, state_of
from .entry import NAMELESS, NO_RIGHT
from .page_ranges import PAGE_LIMIT

MIB = 1 << 20


class Begins(NamedTuple):
    """What an image begins with, and what told it."""

    counters: bool
    why: str


def begins(memory: memoryview, base: int | None = None) -> Begins:
    """Tell whether *memory*, the bytes of a whole table, begins with counters.

    *base* is the address of its first byte, if that is known.
    """
    size = len(memory)
    if size <= ENTRIES_OFFSET:
        return Begins(False, "it is too short for counters")
    head = np.frombuffer(memory[:ENTRIES_OFFSET], "<u8")
    return (
        (_by_itself(memory, base) if base is not None else None)
        or _by_words(head)
        or _by_size(size)
        or Begins(False, "nothing speaks for counters")
    )


def _by_itself(memory: memoryview, base: int) -> Begins | None:
    """Look for the entries of the table's own pages, which are the firmware's."""
    page = base >> 12
    fits = {shift: _edge(memory, shift + page * RmpEntry.SIZE) for shift in (0, ENTRIES_OFFSET)}
    if fits[0] == fits[ENTRIES_OFFSET]:
        return None
    which = "behind counters" if fits[ENTRIES_OFFSET] else "without counters before them"
    why = f"the firmware's entries begin with page {page:#x}, the table's own, if they are {which}"
    return Begins(fits[ENTRIES_OFFSET], why)


def _edge(memory: memoryview, offset: int) -> bool:
    """Tell whether the entry at *offset* is the firmware's and the one before it is not."""
    part = memory[max(0, offset - RmpEntry.SIZE) : offset + RmpEntry.SIZE]
    if len(part) < 2 * RmpEntry.SIZE:
        return False
    before, here = (RmpEntry.parse(part[at : at + RmpEntry.SIZE]) for at in (0, RmpEntry.SIZE))
    found = [state_of(entry.lo, entry.hi) is RmpState.FIRMWARE for entry in (before, here)]
    return found == [False, True]


def _by_words(head: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> Begins | None:
    """Look for what is too large for a counter, then for what can be no entry."""
    large = np.flatnonzero(head >= PAGE_LIMIT)
    if large.size:
        at = int(large[0])
        why = f"{int(head[at]):#x} at {8 * at:#x} counts more pages than there can be"
        return Begins(False, why)
    beyond = np.flatnonzero(head[ASIDS:])
    if beyond.size:
        at = ASIDS + int(beyond[0])
        return Begins(False, f"{8 * at:#x} is not zero, where an entry has no such ASID ({at})")
    odd = np.flatnonzero(head[1::2] & np.uint64(NO_RIGHT | NAMELESS))
    if odd.size:
        at = 2 * int(odd[0]) + 1
        return Begins(True, f"{int(head[at]):#x} at {8 * at:#x} has bits that are no rights")
    return None


def _by_size(size: int) -> Begins | None:
    """Look at what the size is a multiple of."""
    behind = size % MIB
    if behind == ENTRIES_OFFSET:
        return Begins(True, "it has 16 KiB more than a multiple of 1 MiB")
    if behind == MIB - ENTRIES_OFFSET:
        return Begins(False, "it has 16 KiB less than a multiple of 1 MiB")
    if not behind and size % (4 * MIB):
        return Begins(True, "it is a multiple of 1 MiB, and its entries alone are no whole GiB")
    if not behind:
        return Begins(False, "it is a multiple of 4 MiB: entries of whole GiB")
    return None


class Table(Reading):
    """A table of one piece: an entry for each page of the host, from 0 on.

    It can be changed through ``set``, or ``entries``, if the memory under it can.
    """

    __slots__ = ("_quads", "base", "counters", "entries", "extents", "pages", "why")

    entries: NDArray[np.void]
    """The entries where they are, as ``RmpEntry.dtype()``: fields lo and hi; shape (pages,)."""
    counters: NDArray[np.uint64] | None
    """The counters before the entries, shape (2048,), or None where the image has none."""
    base: int | None
    """Address of the table itself, of its counters if it has them; None where it is not known."""
    why: str
    """Why the image was taken to begin with counters, or not to."""

    def __init__(self, memory: memoryview, *, counters: bool, base: int | None, why: str) -> None:
        """Take *memory*, of bytes, whose size fits; ``over`` and ``blank`` make it."""
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
        """Make a table of zeroes, every page the hypervisor's. Raises UsageError for no pages."""
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
        """Lay a table over *buffer*, without copying it.

        A mapping may be read-only, or copy-on-write, or larger than memory. With *counters* left
        out, the image tells whether it begins with them; ``why`` says how. Raises DecodeError for
        a size that cannot be, UsageError for memory that cannot be written to.
        """
        memory = memoryview(buffer).cast("B")
        if writeable and memory.readonly:
            raise UsageError("the memory under the table cannot be written to")
        shown = memory if writeable else memory.toreadonly()
        found = begins(memory, base) if counters is None else Begins(counters, "it was said")
        _sized(len(memory), found.counters)
        return cls(shown, counters=found.counters, base=base, why=found.why)

    def entry(self, page: int) -> tuple[int, int]:
        """Return both quadwords of the entry of *page*. Raises UsageError where there is none."""
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
        """Write the same two quadwords to every entry of *pages*, which count up by 1.

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

    def state(self, page: int) -> RmpState:
        """Return the state of *page*, DEFAULT where it has no entry. Raises UsageError."""
        low = self.low(page)
        return RmpState.DEFAULT if low is None else state_of_low(low)

    def lows(self, pages: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return the first quadword of each page, 0 where there is none, and where there is one.

        All have the shape (pages,).
        """
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
        """Return the bytes of the table, its counters included."""
        return self.entries.nbytes + (0 if self.counters is None else self.counters.nbytes)

    def holds(self, address: int) -> bool:
        """Tell whether *address* lies in the table itself; False where ``base`` is not known.

        The C-bit does not count. AMD's firmware refuses such addresses with INVALID_PARAM.
        """
        if self.base is None:
            return False
        return self.base <= address & ~C_BIT < self.base + self.size


def _sized(size: int, counters: bool) -> None:
    """Raise DecodeError if *size* bytes cannot be a table."""
    if size % RmpEntry.SIZE:
        reason = f"expected a multiple of {RmpEntry.SIZE} bytes, got {size}"
        raise DecodeError("Table", "", None, reason)
    if counters and size < ENTRIES_OFFSET:
        reason = f"expected {ENTRIES_OFFSET} bytes, got {size}"
        raise DecodeError("Table", "counters", 0, reason)
    if size <= (ENTRIES_OFFSET if counters else 0):
        raise DecodeError("Table", "entries", size, "expected at least one entry, got none")
