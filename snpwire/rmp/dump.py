"""What there is of a table: all of it, some segments, or the entries that a log shows.

``Reading`` answers for every page of a host. A dump knows which entries it has, where in their
files they lie, and which of them can be other than zero; so what reads all of it can leave out
holes, and count no page that nothing is known of.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..wire.address import REGION
from ..wire.rmp import RmpEntry, RmpLo, RmpState
from .census import Census, census
from .chunks import Extent
from .page_ranges import Runs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from .chunks import Progress

WORDS = np.dtype("<u8")


class Dump(NamedTuple):
    """Entries, and what is known of them."""

    extents: tuple[Extent, ...]
    """In the order of their pages."""
    offsets: tuple[int, ...]
    """Where the first entry of each extent lies in its file, in bytes."""
    known: Runs
    """Pages whose entries are there: others in an extent are zeroes put in their place."""
    data: Runs
    """Pages whose entries can be other than zero."""
    whole: bool
    """Whether this is every entry that the host has."""
    counters: NDArray[np.uint64] | None = None
    counters_offset: int = 0
    base: int | None = None
    """Address of the table itself, if it is known."""
    size: int = 0
    """Bytes of the table, its counters included; 0 if that is not known."""

    @property
    def pages(self) -> int:
        """Return how many pages have an entry."""
        return self.known.pages

    @property
    def first(self) -> int:
        """Return the first page that has an entry."""
        return int(self.known.starts[0]) if len(self.known) else 0

    @property
    def stop(self) -> int:
        """Return the page behind the last that has an entry."""
        return int(self.known.stops[-1]) if len(self.known) else 0

    def offset(self, page: int) -> int:
        """Return where in its file the entry of *page* lies."""
        at = bisect_right(self.extents, page, key=lambda extent: extent.first) - 1
        return self.offsets[at] + RmpEntry.SIZE * (page - self.extents[at].first)

    def lows(self, pages: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return the first quadword of each page, 0 where there is none, and where there is one.

        All have the shape (pages,).
        """
        low, found = np.zeros(len(pages), np.uint64), np.zeros(len(pages), np.bool_)
        for extent in self.extents:
            here = (pages >= extent.first) & (pages < extent.stop)
            low[here], found[here] = extent.words[pages[here] - extent.first, 0], True
        behind = np.searchsorted(self.known.starts, pages, "right") - 1
        if len(self.known):
            found &= (behind >= 0) & (pages < self.known.stops[behind])
        return low, found

    def census(self, progress: Progress | None = None) -> Census:
        """Count the pages that have an entry, as the entries that speak for them have it."""
        counted = census(self.extents, self.data, progress)
        put = sum(len(extent.words) for extent in self.extents) - self.known.pages
        counted.counts[0, 0, RmpState.HYPERVISOR] -= put
        return counted


def whole(extent: Extent, offset: int = 0, data: Runs | None = None) -> Dump:
    """Return a dump of every entry that a host has; what is not in *data* is zero."""
    every = Runs.of([(extent.first, extent.stop)])
    return Dump((extent,), (offset,), every, every if data is None else data, True)


def part(words: NDArray[np.uint64], first: int, offset: int = 0, data: Runs | None = None) -> Dump:
    """Return a dump of *words*, of shape (pages, 2): some neighbouring entries, from *first* on.

    Pages of a 2 MiB region that is cut at its beginning are put into memory of their own.
    """
    stop = first + len(words)
    lead = min(-first % REGION, len(words))
    extents, offsets = [], []
    if lead:
        region = np.zeros((REGION, 2), WORDS)
        inside = first % REGION
        region[inside : inside + lead] = words[:lead]
        extents.append(Extent(first - inside, region))
        offsets.append(offset - RmpEntry.SIZE * inside)
    if len(words) > lead:
        extents.append(Extent(first + lead, words[lead:]))
        offsets.append(offset + RmpEntry.SIZE * lead)
    known = Runs.of([(first, stop)])
    held = known if data is None else data
    return Dump(tuple(extents), tuple(offsets), known, held, False)


def joined(dumps: Iterable[Dump]) -> Dump:
    """Return several dumps as one, of which none has a page that another has."""
    several = list(dumps)
    pairs = [pair for dump in several for pair in zip(dump.extents, dump.offsets, strict=True)]
    pairs.sort(key=lambda pair: pair[0].first)
    return Dump(
        tuple(extent for extent, _ in pairs),
        tuple(offset for _, offset in pairs),
        Runs.of(run for dump in several for run in dump.known),
        Runs.of(run for dump in several for run in dump.data),
        False,
    )


def scattered(entries: Mapping[int, tuple[int, int]], regions: Iterable[tuple[int, int]]) -> Dump:
    """Return a dump of single *entries*, by page, as a log shows them.

    Of *regions*, from page to page, every entry is known: those not in *entries* are zero.
    """
    shown = [*((page, page + 1) for page in entries), *regions]
    touched = Runs.of(shown).widened(REGION)
    words = np.zeros((touched.pages, 2), WORDS)  # what is not written to takes no memory
    extents, row = [], 0
    for start, stop in touched:
        extents.append(Extent(start, words[row : row + stop - start]))
        row += stop - start
    firsts = [extent.first for extent in extents]
    for page, (lo, hi) in entries.items():
        extent = extents[bisect_right(firsts, page) - 1]
        extent.words[page - extent.first] = lo, hi
        if not page % REGION and lo & RmpLo.page_size.mask:
            shown.append((page, page + REGION))  # it speaks for all of them
    known = Runs.of(shown)
    return Dump(tuple(extents), (0,) * len(extents), known, known, False)
