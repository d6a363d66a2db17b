"""The reverse map table as a dictionary, and what the engine requires of a table.

``table`` has the table of a whole host as one array. A test of two guests touches some dozen pages:
for these a dictionary is made in no time, needs no numpy, and reads a single entry faster.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, Protocol

from ..wire.rmp import COUNTERS, ENTRIES_OFFSET, RmpEntry, RmpState, state_of
from .entry import Entries

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

COUNTED = Struct(f"<{COUNTERS}Q")


class PlacedEntries(Entries, Protocol):
    """A reverse map table that knows its own address."""

    @property
    def counters(self) -> list[int] | NDArray[np.uint64] | None:
        """Return the pages of each ASID, as RMPUPDATE counts them; None without counters."""

    def holds(self, address: int) -> bool:
        """Return whether *address* is in the table itself."""

    def fill(self, pages: range, lo: int, hi: int) -> None:
        """Write the same two quadwords to the entries of *pages*, a range of step 1."""


@lru_cache(maxsize=1 << 14)
def state_of_entry(lo: int) -> RmpState:
    """Return the state of the entry whose first quadword is *lo*: ``state_of``, cached.

    ``states.state_of_low`` needs no cache, but numpy and milliseconds to prepare.
    """
    return state_of(lo, 0)


class _Single(dict[int, tuple[int, int]]):
    """Entries by page number; a missing one is computed and not stored."""

    __slots__ = ("_missing",)

    def __init__(self, missing: Callable[[int], tuple[int, int]]) -> None:
        super().__init__()
        self._missing = missing

    def __missing__(self, page: int) -> tuple[int, int]:
        return self._missing(page)


class SparseEntries:
    """A table at *where*: ranges of pages with equal entries, and single ones that differ."""

    entry: Callable[[int], tuple[int, int]]
    """Return the two quadwords of a page. Raises IndexError for a page without an entry.

    It is the dictionary's own look-up: a guest request takes nine of them.
    """

    def __init__(self, where: range) -> None:
        self.where = where
        self._start, self._stop = where.start, where.stop
        self.pages = max(0, len(where) - ENTRIES_OFFSET) // RmpEntry.SIZE
        self.counters = [0] * COUNTERS
        """Pages of each ASID, as RMPUPDATE counts them."""
        self._single = _Single(self._of_range)
        self.entry = self._single.__getitem__
        self._ranges: list[tuple[range, tuple[int, int]]] = []

    def _of_range(self, page: int) -> tuple[int, int]:
        """Return the entry of a page that is not stored singly."""
        self._check_page(page)
        for pages, entry in self._ranges:
            if page in pages:
                return entry
        return 0, 0

    def set(self, page: int, lo: int, hi: int) -> None:
        """Write both quadwords of an entry. Raises IndexError for a page without an entry."""
        self._check_page(page)
        self._single[page] = lo, hi

    def fill(self, pages: range, lo: int, hi: int) -> None:
        """Write the same two quadwords to every one of *pages*, a range of step 1."""
        self._check_page(pages.start)
        self._check_page(pages.stop - 1)
        for page in [page for page in self._single if page in pages]:
            del self._single[page]
        others = [row for row in self._ranges if not (row[0][0] in pages and row[0][-1] in pages)]
        self._ranges = [(pages, (lo, hi)), *others]

    def state(self, page: int) -> RmpState:
        """Return the state of a page; DEFAULT for one without an entry."""
        if not 0 <= page < self.pages:
            return RmpState.DEFAULT
        return state_of_entry(self.entry(page)[0])

    def holds(self, address: int) -> bool:
        """Return whether *address* is in the table itself."""
        return self._start <= address < self._stop

    def image(self) -> bytes:
        """Return the table as in memory: counters of the ASIDs, then an entry for each page."""
        image = bytearray(ENTRIES_OFFSET + self.pages * RmpEntry.SIZE)
        COUNTED.pack_into(image, 0, *self.counters)
        for pages, (lo, hi) in reversed(self._ranges):
            at = ENTRIES_OFFSET + pages.start * RmpEntry.SIZE
            entries = RmpEntry.ENGINE.pack(lo, hi) * len(pages)
            image[at : at + len(entries)] = entries
        for page, (lo, hi) in self._single.items():
            RmpEntry.ENGINE.pack_into(image, ENTRIES_OFFSET + page * RmpEntry.SIZE, lo, hi)
        return bytes(image)

    def _check_page(self, page: int) -> None:
        if not 0 <= page < self.pages:
            raise IndexError(f"page {page:#x} has no entry, only those below {self.pages:#x} have")


def fill(table: PlacedEntries, pages: range, lo: int, hi: int) -> None:
    """Write the same two quadwords to every one of *pages* that has an entry."""
    pages = range(pages.start, min(pages.stop, table.pages))
    if pages:
        table.fill(pages, lo, hi)
