"""Counts of pages: by ASID, size and state, and the sub-pages of each 2 MiB region."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..bits import OpenEnum
from ..wire.address import REGION
from ..wire.rmp import ASIDS, RmpLo, RmpState
from .chunks import chunk_size, chunks, run_threads, spread
from .entry import LARGE
from .states import Classifier, aligned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from .chunks import Data, Extent, Progress

_STATES = 16
_SIZES = 2
_LARGE = _STATES
_KEYS = ASIDS * _SIZES * _STATES
_STANDALONE = _KEYS - _STATES
_SUBPAGE_BYTES = 4
"""Scratch memory for an entry whose sub-pages are counted."""


class RmpOwner(OpenEnum):
    """Owner of a page (APM volume 2, 15.36). The numbers are snpwire's own."""

    NOBODY = 0, "in no state of the rules"
    HYPERVISOR = 1, "not assigned"
    GUEST = 2, "assigned to an ASID"
    FIRMWARE = 3, "assigned to no ASID; reclaimed pages count until RMPUPDATE takes them"


OWNERS: dict[RmpState, RmpOwner] = {
    RmpState.INVALID: RmpOwner.NOBODY,
    RmpState.DEFAULT: RmpOwner.HYPERVISOR,
    RmpState.HYPERVISOR: RmpOwner.HYPERVISOR,
    RmpState.HV_FIXED: RmpOwner.HYPERVISOR,
    RmpState.FIRMWARE: RmpOwner.FIRMWARE,
    RmpState.FIRMWARE_IOMMU: RmpOwner.FIRMWARE,
    RmpState.RECLAIM: RmpOwner.FIRMWARE,
    RmpState.CONTEXT: RmpOwner.FIRMWARE,
    RmpState.METADATA: RmpOwner.FIRMWARE,
    RmpState.PRE_GUEST: RmpOwner.GUEST,
    RmpState.PRE_SWAP: RmpOwner.GUEST,
    RmpState.GUEST_INVALID: RmpOwner.GUEST,
    RmpState.GUEST_VALID: RmpOwner.GUEST,
}
"""The owner of a page in each state."""


class Census:
    """Pages by ASID, size and state together; a 2 MiB page counts as 512."""

    __slots__ = ("counts",)

    def __init__(self, counts: NDArray[np.int64]) -> None:
        self.counts = counts.reshape(ASIDS, _SIZES, _STATES)
        """Pages by ASID, page size (1 is 2 MiB) and number of the state.

        int64 of shape (1024, 2, 16).
        """

    @property
    def pages(self) -> int:
        """Return the number of pages counted."""
        return int(self.counts.sum())

    def by_state(self) -> dict[RmpState, int]:
        """Return the pages in each state that occurs."""
        sums = self.counts.sum((0, 1)).tolist()
        return {RmpState(n): pages for n, pages in enumerate(sums) if pages}

    def by_owner(self) -> dict[RmpOwner, int]:
        """Return the pages of each owner that has any."""
        owners: dict[RmpOwner, int] = {}
        for state, pages in self.by_state().items():
            owners[OWNERS[state]] = owners.get(OWNERS[state], 0) + pages
        return dict(sorted(owners.items()))

    def by_asid(self) -> dict[int, int]:
        """Return the pages of each ASID that occurs; 0 stands for no guest."""
        sums = self.counts.sum((1, 2))
        return {asid: int(sums[asid]) for asid in np.flatnonzero(sums).tolist()}

    def by_size(self) -> tuple[int, int]:
        """Return the pages with 4 KiB entries, and those that are parts of 2 MiB pages."""
        small, large = self.counts.sum((0, 2)).tolist()
        return small, large

    def guest(self, asid: int) -> dict[RmpState, int]:
        """Return the pages of *asid* in each state that occurs."""
        sums = self.counts[asid].sum(0).tolist()
        return {RmpState(n): pages for n, pages in enumerate(sums) if pages}


def census(
    extents: Sequence[Extent], data: Data = None, progress: Progress = None, threads: int = 1
) -> Census:
    """Count the pages of *extents*; those outside *data* are not read, and taken as zeros."""
    tallies: list[_Tally] = []
    size = chunk_size(_Tally.BYTES, _Tally.FIXED, threads)

    def count(parts: Iterable[Extent]) -> None:
        tally = _Tally(size)
        tallies.append(tally)
        for _, words in parts:
            tally.add(words)

    run_threads(chunks(extents, data, size, progress), count, threads)
    counts = np.sum([tally.counts for tally in tallies], axis=0)
    total = sum(len(extent.words) for extent in extents)
    counts[RmpState.HYPERVISOR] += total - int(counts.sum())
    return Census(counts)


class _Tally:
    """Counts of the pages of chunks, by ASID << 5 | size << 4 | state."""

    BYTES = Classifier.BYTES + 2 + 2 + 1 + 8
    """Scratch memory for an entry, with the 64 bits that ``bincount`` makes of its key."""
    FIXED = Classifier.FIXED + 2 * 8 * _KEYS

    def __init__(self, size: int) -> None:
        self.counts = np.zeros(_KEYS, np.int64)
        self._scratch = Classifier(size)
        self._key = aligned(size, np.uint16)
        self._work = aligned(size, np.uint16)
        self._flag = aligned(size, np.bool_)

    def add(self, words: NDArray[np.uint64]) -> None:
        """Count the pages of a chunk: *words*, uint64 of shape (pages, 2)."""
        lo = self._scratch.load(words[:, 0])
        states = self._scratch.states(len(lo))
        key, work = self._key[: len(lo)], self._work[: len(lo)]
        np.copyto(work, lo, casting="unsafe")
        np.bitwise_and(work, LARGE, out=work)
        np.left_shift(work, 3, out=work)
        np.left_shift(self._scratch.asid[: len(lo)], 2, out=key)
        np.bitwise_or(key, work, out=key)
        np.bitwise_or(key, states, out=key)
        if work[::REGION].any():
            self._resolve(key, work)
        self._count(key[: len(words)])

    def _resolve(self, key: NDArray[np.uint16], work: NDArray[np.uint16]) -> None:
        """Give covered pages of 2 MiB the key of the entry that covers them."""
        covered = self._flag[: len(key)]
        np.bitwise_and(key, _STANDALONE, out=work)
        np.equal(work, 0, out=covered)
        rows = covered.reshape(-1, REGION)
        np.logical_and(rows, key[::REGION, None] & _LARGE, out=rows)
        spread(key, covered, work)

    def _count(self, key: NDArray[np.uint16]) -> None:
        """Count equal keys, run by run where runs are long."""
        turns = self._flag[: len(key)]
        turns[0] = True
        np.not_equal(key[1:], key[:-1], out=turns[1:])
        if np.count_nonzero(turns) > len(key) // 16:
            counts = np.bincount(key)
            self.counts[: len(counts)] += counts
            return
        starts = np.flatnonzero(turns)
        np.add.at(self.counts, key[starts], np.diff(starts, append=len(key)))


class SubpageCounts(NamedTuple):
    """Counts of 2 MiB regions that consist of 4 KiB pages; each array has the shape (regions,)."""

    heads: NDArray[np.int64]
    """First page of each region."""
    stored: NDArray[np.uint16]
    """``subpage_count`` of its entry."""
    counted: NDArray[np.uint16]
    """Assigned pages among the other 511."""

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Return where the two differ; shape (regions,)."""
        return np.not_equal(self.stored, self.counted)


def subpage_counts(
    extents: Sequence[Extent], data: Data = None, progress: Progress = None
) -> Iterator[SubpageCounts]:
    """Yield the counts of a chunk at a time. Pages outside *data* are not read."""
    for first, words in chunks(extents, data, chunk_size(_SUBPAGE_BYTES), progress):
        assigned = words[:, 0].astype(np.uint8) & np.uint8(RmpLo.assigned.mask)
        starts = np.arange(0, len(words), REGION)
        heads = words[::REGION, 0]
        counted = np.add.reduceat(assigned, starts, dtype=np.uint16) - assigned[starts]
        small = heads & np.uint64(LARGE) == 0
        stored = RmpLo.subpage_count.of(heads).astype(np.uint16)
        yield SubpageCounts(first + starts[small], stored[small], counted[small])
