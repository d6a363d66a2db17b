"""Facts about owners, collected from a table chunk by chunk: first pages, save areas, runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...wire.rmp import ASIDS, RmpLo, RmpState
from ...wire.rmp_words import RmpFirmwareGpa
from ..page_ranges import PageRanges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .chunk import Chunk

METADATA_LIMIT = 1 << 16
"""Pages of metadata that are examined."""
_NOTE = RmpFirmwareGpa.pfn.limit


class FirstPages:
    """The first page of each ASID, in the order of the table."""

    def __init__(self) -> None:
        self.pages: dict[int, int] = {}
        self._missing = np.ones(ASIDS, np.bool_)

    def add(self, chunk: Chunk, asid: NDArray[np.uint16], mask: NDArray[np.bool_]) -> None:
        """Add the pages where *mask* is true; *asid* and *mask* have the shape (pages,)."""
        at = np.flatnonzero(self._missing[asid] & mask)
        while at.size:
            number = int(asid[at[0]])
            self.pages[number] = chunk.first + int(at[0])
            self._missing[number] = False
            at = at[asid[at] != number]


class OwnerScan:
    """The first page of each owner, save areas, metadata, and runs of firmware pages."""

    def __init__(self) -> None:
        self.all_zero = True
        """Whether no entry is nonzero."""
        self.save_areas = np.zeros(ASIDS, np.int64)
        """Save areas by ASID; shape (1024,)."""
        self.immutable = FirstPages()
        """Pages of guests that are immutable (pre-guest and pre-swap)."""
        self.guests = FirstPages()
        """Pages of guests."""
        self.context: int | None = None
        """The first page that holds a guest context."""
        self.reclaim: int | None = None
        """The first page in state RECLAIM."""
        self.metadata: list[tuple[int, int]] = []
        """Pages of metadata, and the page of the guest context that each names."""
        self.longest = (0, 0)
        """The longest run of firmware pages."""
        self._last_run = (0, 0)

    def add(self, chunk: Chunk) -> None:
        """Add the judged entries of a chunk that is not all zero."""
        self.all_zero = False
        asid = (chunk.lo >> np.uint64(RmpLo.asid.low)).astype(np.uint16) & np.uint16(ASIDS - 1)
        self.guests.add(chunk, asid, chunk.guest)
        immutable = chunk.guest & (chunk.states <= RmpState.PRE_SWAP)
        if immutable.any():
            self.immutable.add(chunk, asid, immutable)
        areas = chunk.guest & (chunk.lo & np.uint64(RmpLo.vmsa.mask) != 0)
        if areas.any():
            self.save_areas += np.bincount(asid[areas], minlength=ASIDS)
        if self.context is None:
            self.context = _first_page(chunk, RmpState.CONTEXT)
        if self.reclaim is None:
            self.reclaim = _first_page(chunk, RmpState.RECLAIM)
        self._add_metadata(chunk)
        firmware = chunk.judged & (chunk.states == RmpState.FIRMWARE)
        self._add_firmware(PageRanges.of_mask(firmware, chunk.first))

    def _add_metadata(self, chunk: Chunk) -> None:
        room = METADATA_LIMIT - len(self.metadata)
        at = np.flatnonzero(chunk.judged & (chunk.states == RmpState.METADATA))[:room]
        contexts = (RmpLo.gpa.of(chunk.lo[at]) & np.uint64(_NOTE)).tolist()
        self.metadata += zip((chunk.first + at).tolist(), contexts, strict=True)

    def _add_firmware(self, runs: PageRanges) -> None:
        """Continue the last run of the chunk before, and keep the longest."""
        if not len(runs):
            return
        starts, stops = runs.starts.copy(), runs.stops
        if int(starts[0]) == self._last_run[1]:
            starts[0] = self._last_run[0]
        best = int(np.argmax(stops - starts))
        self._last_run = int(starts[-1]), int(stops[-1])
        run = int(starts[best]), int(stops[best])
        self.longest = max(self.longest, run, key=lambda run: run[1] - run[0])


def _first_page(chunk: Chunk, state: RmpState) -> int | None:
    """Return the first judged page in a state."""
    mask = chunk.judged & (chunk.states == state)
    return chunk.first + int(np.argmax(mask)) if mask.any() else None
