"""What the engine asks of a reverse map table, and the smallest table that answers.

``snpwire.rmp`` has the table of a whole host as one array. A test of two guests touches some dozen
pages: there a dictionary is made in no time, needs no numpy, and reads a single entry faster.
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
    """A reverse map table that knows where it lies itself."""

    @property
    def counters(self) -> list[int] | NDArray[np.uint64] | None:
        """Return the pages of each ASID, as RMPUPDATE counts them; None where nobody counts."""

    def holds(self, address: int) -> bool:
        """Tell whether *address* lies in the table itself."""

    def fill(self, pages: range, lo: int, hi: int) -> None:
        """Change the entries of *pages*, a range of step 1, to the same two quadwords."""


@lru_cache(maxsize=1 << 14)
def state_of_entry(lo: int) -> RmpState:
    """Return the state that a first quadword makes."""
    return state_of(lo, 0)


class _Single(dict[int, tuple[int, int]]):
    """Entries of pages by number; one that is not there is looked for elsewhere, and not kept."""

    __slots__ = ("_missing",)

    def __init__(self, missing: Callable[[int], tuple[int, int]]) -> None:
        super().__init__()
        self._missing = missing

    def __missing__(self, page: int) -> tuple[int, int]:
        return self._missing(page)


class SparseEntries:
    """A table at *where*: runs of pages with equal entries, and single ones that differ."""

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
        self._single = _Single(self._of_run)
        self.entry = self._single.__getitem__
        self._runs: list[tuple[range, tuple[int, int]]] = []

    def _of_run(self, page: int) -> tuple[int, int]:
        """Return the entry of a page that has none of its own."""
        self._covered(page)
        for pages, entry in self._runs:
            if page in pages:
                return entry
        return 0, 0

    def set(self, page: int, lo: int, hi: int) -> None:
        """Put two quadwords in their place. Raises IndexError for a page without an entry."""
        self._covered(page)
        self._single[page] = lo, hi

    def fill(self, pages: range, lo: int, hi: int) -> None:
        """Put the same two quadwords into every one of *pages*, a range of step 1."""
        self._covered(pages.start)
        self._covered(pages.stop - 1)
        for page in [page for page in self._single if page in pages]:
            del self._single[page]
        kept = [run for run in self._runs if not (run[0][0] in pages and run[0][-1] in pages)]
        self._runs = [(pages, (lo, hi)), *kept]

    def state(self, page: int) -> RmpState:
        """Return the state of a page; DEFAULT for one without an entry."""
        if not 0 <= page < self.pages:
            return RmpState.DEFAULT
        return state_of_entry(self.entry(page)[0])

    def holds(self, address: int) -> bool:
        """Tell whether *address* lies in the table itself."""
        return self._start <= address < self._stop

    def image(self) -> bytes:
        """Return the table as it would lie in memory: counters of ASIDs, then an entry a page."""
        image = bytearray(ENTRIES_OFFSET + self.pages * RmpEntry.SIZE)
        COUNTED.pack_into(image, 0, *self.counters)
        for pages, (lo, hi) in reversed(self._runs):
            at = ENTRIES_OFFSET + pages.start * RmpEntry.SIZE
            entries = RmpEntry.ENGINE.pack(lo, hi) * len(pages)
            image[at : at + len(entries)] = entries
        for page, (lo, hi) in self._single.items():
            RmpEntry.ENGINE.pack_into(image, ENTRIES_OFFSET + page * RmpEntry.SIZE, lo, hi)
        return bytes(image)

    def _covered(self, page: int) -> None:
        if not 0 <= page < self.pages:
            raise IndexError(f"page {page:#x} has no entry, only those below {self.pages:#x} have")


def fill(table: PlacedEntries, pages: range, lo: int, hi: int) -> None:
    """Put the same two quadwords into every one of *pages* that has an entry."""
    pages = range(pages.start, min(pages.stop, table.pages))
    if pages:
        table.fill(pages, lo, hi)
