"""How many pages are in which state, whose, and of what size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..bits import OpenEnum
from ..wire.rmp import RmpLo, RmpState
from .states import Classifier
from .tiles import TILE, resolve_tile, tiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from .runs import Runs
    from .tiles import Extent, Progress

_STATES = 16
_SIZES = 2
_ASIDS = RmpLo.asid.limit + 1


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
        self.counts = counts.reshape(_ASIDS, _SIZES, _STATES)
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
    extents: Sequence[Extent],
    data: Runs | Iterable[tuple[int, int]] | None = None,
    progress: Progress | None = None,
) -> Census:
    """Count the pages of *extents*; those outside *data* are not read, and taken as zeroes."""
    counts = np.zeros(_ASIDS * _SIZES * _STATES, np.int64)
    scratch = Classifier(TILE)
    for _, words in tiles(extents, data, TILE, progress):
        low = scratch.lo[: len(words)]
        np.copyto(low, words[:, 0])
        resolve_tile(low)
        key = scratch.states(len(low)).astype(np.uint16)
        key |= (low & np.uint64(RmpLo.page_size.mask)).astype(np.uint16) << 3
        key |= ((low & np.uint64(RmpLo.asid.mask)) >> np.uint64(46)).astype(np.uint16)
        found = np.bincount(key)
        counts[: len(found)] += found
    total = sum(len(extent.words) for extent in extents)
    counts[RmpState.HYPERVISOR] += total - int(counts.sum())
    return Census(counts)
