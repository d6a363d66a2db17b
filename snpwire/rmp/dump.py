"""A table of which some entries may be missing: all of it, some segments, or a log's entries.

``TableReader`` describes every page of a host. A dump knows which entries it has, their offsets in
their files, and which of them can be nonzero, so that a pass over it skips holes and counts no
unknown page.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..wire.address import REGION
from ..wire.rmp import ASIDS, RmpEntry, RmpLo, RmpState
from .census import Census, census
from .chunks import CHUNK, Extent, chunks, quadwords_at, resolve_chunk
from .page_ranges import PageRanges
from .states import Classifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from .chunks import Progress

WORDS = np.dtype("<u8")
STATES = 16
HOST, OTHERS = 0, 1
"""Owners of a histogram before the ASIDs asked for: ASID 0, and all other ASIDs."""


class Dump(NamedTuple):
    """Entries, and what is known about them."""

    extents: tuple[Extent, ...]
    """In the order of their pages."""
    offsets: tuple[int, ...]
    """Offset of the first entry of each extent in its file, in bytes."""
    known: PageRanges
    """Pages whose entries are known; other entries of an extent are filled with zeros."""
    data: PageRanges
    """Pages whose entries can be nonzero."""
    whole: bool
    """Whether these are all entries of the host."""
    counters: NDArray[np.uint64] | None = None
    """Counters of the ASIDs, shape (2048,)."""
    counters_offset: int = 0
    base: int | None = None
    """Address of the table itself, if known."""
    size: int = 0
    """Bytes of the table, counters included; 0 if unknown."""

    @property
    def pages(self) -> int:
        """Return the number of pages with an entry."""
        return self.known.pages

    @property
    def first(self) -> int:
        """Return the first page with an entry."""
        return int(self.known.starts[0]) if len(self.known) else 0

    @property
    def stop(self) -> int:
        """Return the page after the last with an entry."""
        return int(self.known.stops[-1]) if len(self.known) else 0

    def offset(self, page: int) -> int:
        """Return the offset of the entry of *page* in its file."""
        at = bisect_right(self.extents, page, key=lambda extent: extent.first) - 1
        return self.offsets[at] + RmpEntry.SIZE * (page - self.extents[at].first)

    def lows(self, pages: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return ``quadwords_at`` of first quadwords, of pages that are known."""
        low, known = quadwords_at(self.extents, pages)
        behind = np.searchsorted(self.known.starts, pages, "right") - 1
        if len(self.known):
            known &= (behind >= 0) & (pages < self.known.stops[behind])
        return low, known

    def census(self, progress: Progress | None = None) -> Census:
        """Count the pages with an entry, by the entries that cover them."""
        counted = census(self.extents, self.data, progress)
        filled = sum(len(extent.words) for extent in self.extents) - self.known.pages
        counted.counts[0, 0, RmpState.HYPERVISOR] -= filled
        return counted


def whole_dump(extent: Extent, offset: int = 0, data: PageRanges | None = None) -> Dump:
    """Return a dump of all entries of a host; those outside *data* are zero."""
    every = PageRanges.of([(extent.first, extent.stop)])
    return Dump((extent,), (offset,), every, every if data is None else data, True)


def partial_dump(
    words: NDArray[np.uint64], first: int, offset: int = 0, data: PageRanges | None = None
) -> Dump:
    """Return a dump of *words*, uint64 of shape (pages, 2): contiguous entries from *first* on.

    Entries of a 2 MiB region that is cut at its beginning are copied.
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
    known = PageRanges.of([(first, stop)])
    data = known if data is None else data
    return Dump(tuple(extents), tuple(offsets), known, data, False)


def join_dumps(dumps: Iterable[Dump]) -> Dump:
    """Return several dumps as one; no page may be in two of them."""
    several = list(dumps)
    pairs = [pair for dump in several for pair in zip(dump.extents, dump.offsets, strict=True)]
    pairs.sort(key=lambda pair: pair[0].first)
    return Dump(
        tuple(extent for extent, _ in pairs),
        tuple(offset for _, offset in pairs),
        PageRanges.of(run for dump in several for run in dump.known),
        PageRanges.of(run for dump in several for run in dump.data),
        False,
    )


def dump_of_entries(
    entries: Mapping[int, tuple[int, int]], regions: Iterable[tuple[int, int]]
) -> Dump:
    """Return a dump of single *entries*, by page, as a log shows them.

    All entries of *regions*, pairs of first page and end, are known: those not in *entries* are
    zero.
    """
    shown = [*((page, page + 1) for page in entries), *regions]
    touched = PageRanges.of(shown).widened(REGION)
    words = np.zeros((touched.pages, 2), WORDS)  # untouched pages take no memory
    extents, row = [], 0
    for start, stop in touched:
        extents.append(Extent(start, words[row : row + stop - start]))
        row += stop - start
    firsts = [extent.first for extent in extents]
    for page, (lo, hi) in entries.items():
        extent = extents[bisect_right(firsts, page) - 1]
        extent.words[page - extent.first] = lo, hi
        if not page % REGION and lo & RmpLo.page_size.mask:
            shown.append((page, page + REGION))  # it covers all of them
    known = PageRanges.of(shown)
    return Dump(tuple(extents), (0,) * len(extents), known, known, False)


def histogram(
    dump: Dump,
    first: int,
    count: int,
    per_cell: int,
    asids: Sequence[int] = (),
    progress: Progress | None = None,
) -> NDArray[np.int64]:
    """Return the pages of *count* cells of *per_cell* pages, from page *first* on.

    The result is int64 of shape (cells, 2 + asids, 16): the owner is ASID 0, any other, or one of
    *asids*; then the number of the state. Pages without an entry are not counted.
    """
    owners = 2 + len(asids)
    counts = np.zeros((count, owners * STATES), np.int64)
    table = np.full(ASIDS, OTHERS * STATES, np.uint16)
    table[0] = HOST * STATES
    for number, asid in enumerate(asids):
        table[asid] = (2 + number) * STATES
    scratch = Classifier(CHUNK)
    for start, words in chunks(dump.extents, dump.data, CHUNK, progress):
        low = scratch.lo[: len(words)]
        np.copyto(low, words[:, 0])
        resolve_chunk(low)
        key = table[(low >> np.uint64(RmpLo.asid.low)).astype(np.uint16) & RmpLo.asid.limit]
        key += scratch.states(len(low))
        _add(counts, key, start - first, per_cell)
    unread = pages_per_cell(dump.known, first, count, per_cell) - counts.sum(1)
    counts[:, RmpState.HYPERVISOR] += unread  # all zero
    return counts.reshape(count, owners, STATES)


def _add(counts: NDArray[np.int64], key: NDArray[np.uint16], start: int, per_cell: int) -> None:
    """Add the pages of a chunk to their cells."""
    end = start + len(key)
    for cell in range(max(0, start // per_cell), min(len(counts), -(-end // per_cell))):
        part = np.bincount(key[max(0, cell * per_cell - start) : (cell + 1) * per_cell - start])
        counts[cell, : len(part)] += part


def pages_per_cell(ranges: PageRanges, first: int, count: int, per_cell: int) -> NDArray[np.int64]:
    """Return the number of pages of *ranges* in each cell; shape (count,)."""
    edges = first + np.arange(count + 1, dtype=np.int64) * per_cell
    lengths = ranges.stops - ranges.starts
    before = np.concatenate([[0], np.cumsum(lengths)])
    at = np.searchsorted(ranges.starts, edges, "right")
    total = before[at]
    inside = at > 0
    total[inside] -= np.maximum(0, ranges.stops[at[inside] - 1] - edges[inside])
    return np.diff(total)
