"""How many pages are in which state, whose, and of what size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..bits import OpenEnum
from ..wire.address import REGION
from ..wire.rmp import ASIDS, RmpState
from .chunks import shared, spread, tile_size, tiles
from .entry import LARGE
from .states import Classifier, aligned

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from .chunks import Data, Extent, Progress

_STATES = 16
_SIZES = 2
_LARGE = _STATES
_KEYS = ASIDS * _SIZES * _STATES
_SPEAKS = _KEYS - _STATES


class RmpOwner(OpenEnum):
    """Who has a page (APM volume 2, 15.36). The numbers are snpwire's own."""

    NOBODY = 0, "the entry is a mixture that no rule knows"
    HYPERVISOR = 1, "not assigned"
    GUEST = 2, "assigned to an ASID"
    FIRMWARE = 3, "assigned to no ASID; what is given back counts until RMPUPDATE takes it"


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
    """Pages counted by ASID, size and state at once; one of 2 MiB counts as the pages it has."""

    __slots__ = ("counts",)

    def __init__(self, counts: NDArray[np.int64]) -> None:
        self.counts = counts.reshape(ASIDS, _SIZES, _STATES)
        """Shape (1024, 2, 16): ASID, page size (1 is 2 MiB), number of the state."""

    @property
    def pages(self) -> int:
        """Return how many pages were counted."""
        return int(self.counts.sum())

    def by_state(self) -> dict[RmpState, int]:
        """Return the pages in each state that occurs."""
        sums = self.counts.sum((0, 1)).tolist()
        return {RmpState(n): pages for n, pages in enumerate(sums) if pages}

    def by_owner(self) -> dict[RmpOwner, int]:
        """Return the pages of each owner that has any."""
        found: dict[RmpOwner, int] = {}
        for state, pages in self.by_state().items():
            found[OWNERS[state]] = found.get(OWNERS[state], 0) + pages
        return dict(sorted(found.items()))

    def by_asid(self) -> dict[int, int]:
        """Return the pages with each ASID that occurs; 0 is that of no guest."""
        sums = self.counts.sum((1, 2))
        return {asid: int(sums[asid]) for asid in np.flatnonzero(sums).tolist()}

    def by_size(self) -> tuple[int, int]:
        """Return the pages of 4 KiB that are such, and those that are parts of 2 MiB."""
        small, large = self.counts.sum((0, 2)).tolist()
        return small, large

    def guest(self, asid: int) -> dict[RmpState, int]:
        """Return the pages in each state that occurs for *asid*."""
        sums = self.counts[asid].sum(0).tolist()
        return {RmpState(n): pages for n, pages in enumerate(sums) if pages}


def census(
    extents: Sequence[Extent], data: Data = None, progress: Progress = None, threads: int = 1
) -> Census:
    """Count the pages of *extents*; those outside *data* are not read, and taken as zeroes."""
    tallies: list[_Tally] = []
    size = tile_size(_Tally.BYTES, _Tally.BESIDE, threads)

    def count(parts: Iterable[Extent]) -> None:
        tally = _Tally(size)
        tallies.append(tally)
        for _, words in parts:
            tally.add(words)

    shared(tiles(extents, data, size, progress), count, threads)
    counts = np.sum([tally.counts for tally in tallies], axis=0)
    total = sum(len(extent.words) for extent in extents)
    counts[RmpState.HYPERVISOR] += total - int(counts.sum())
    return Census(counts)


class _Tally:
    """Counts of the pages of tiles, kept by ASID << 5 | size << 4 | state."""

    BYTES = Classifier.BYTES + 2 + 2 + 1 + 8
    """What is kept of an entry, and the 64 bits that ``bincount`` makes of its key."""
    BESIDE = Classifier.BESIDE + 2 * 8 * _KEYS

    def __init__(self, size: int) -> None:
        self.counts = np.zeros(_KEYS, np.int64)
        self._scratch = Classifier(size)
        self._key = aligned(size, np.uint16)
        self._work = aligned(size, np.uint16)
        self._flag = aligned(size, np.bool_)

    def add(self, words: NDArray[np.uint64]) -> None:
        """Count the pages of a tile."""
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
        """Count silent pages of 2 MiB as what the entry that speaks for them says."""
        silent = self._flag[: len(key)]
        np.bitwise_and(key, _SPEAKS, out=work)
        np.equal(work, 0, out=silent)
        rows = silent.reshape(-1, REGION)
        np.logical_and(rows, key[::REGION, None] & _LARGE, out=rows)
        spread(key, silent, work)

    def _count(self, key: NDArray[np.uint16]) -> None:
        """Count equal keys: those that follow one another at once, if there are many such."""
        turns = self._flag[: len(key)]
        turns[0] = True
        np.not_equal(key[1:], key[:-1], out=turns[1:])
        if np.count_nonzero(turns) > len(key) // 16:
            found = np.bincount(key)
            self.counts[: len(found)] += found
            return
        starts = np.flatnonzero(turns)
        np.add.at(self.counts, key[starts], np.diff(starts, append=len(key)))
