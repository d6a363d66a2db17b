"""What the tiles of a table show of owners as they go by: first pages, save areas, runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...wire.rmp import ASIDS, RmpLo, RmpState
from ...wire.rmp_words import RmpFirmwareGpa
from ..page_ranges import Runs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .finding_log import Part

KEPT = 1 << 16
"""Pages of metadata that are looked into."""
_NOTE = RmpFirmwareGpa.pfn.limit


class Firsts:
    """The first page of each ASID, in the order in which they were seen."""

    def __init__(self) -> None:
        self.pages: dict[int, int] = {}
        self._unseen = np.ones(ASIDS, np.bool_)

    def look(self, part: Part, asid: NDArray[np.uint16], mask: NDArray[np.bool_]) -> None:
        """Take those of *part* that *mask* marks."""
        at = np.flatnonzero(self._unseen[asid] & mask)
        while at.size:
            number, first = int(asid[at[0]]), part.first + int(at[0])
            self.pages[number] = first
            self._unseen[number] = False
            at = at[asid[at] != number]


class Seen:
    """What the tiles showed of owners: the first page of each, save areas, metadata."""

    def __init__(self) -> None:
        self.nothing = True
        """Whether no entry was other than zero."""
        self.save_areas = np.zeros(ASIDS, np.int64)
        self.held = Firsts()
        """Pages that are held for a guest."""
        self.guests = Firsts()
        """Pages of guests."""
        self.context: int | None = None
        """The first page that holds a guest context."""
        self.reclaim: int | None = None
        """The first page that the firmware has given back."""
        self.metadata: list[tuple[int, int]] = []
        """Pages of metadata, and the page of the guest context that each names."""
        self.dropped = False
        """Whether there were more pages of metadata than are kept."""
        self.longest = (0, 0)
        """The longest run of pages of the firmware."""
        self._open = (0, 0)

    def tile(
        self,
        part: Part,
        states: NDArray[np.uint8],
        judged: NDArray[np.bool_],
        guest: NDArray[np.bool_],
    ) -> None:
        """Take entries: *judged* tells which speak, *guest* which of these are a guest's."""
        self.nothing = False
        asid = (part.lo >> np.uint64(RmpLo.asid.low)).astype(np.uint16) & np.uint16(ASIDS - 1)
        self.guests.look(part, asid, guest)
        held = guest & (states <= RmpState.PRE_SWAP)
        if held.any():
            self.held.look(part, asid, held)
        areas = guest & (part.lo & np.uint64(RmpLo.vmsa.mask) != 0)
        if areas.any():
            self.save_areas += np.bincount(asid[areas], minlength=ASIDS)
        if self.context is None:
            self.context = _page(part, judged & (states == RmpState.CONTEXT))
        if self.reclaim is None:
            self.reclaim = _page(part, judged & (states == RmpState.RECLAIM))
        self._metadata(part, np.flatnonzero(judged & (states == RmpState.METADATA)))
        self._firmware(Runs.of_mask(judged & (states == RmpState.FIRMWARE), part.first))

    def _metadata(self, part: Part, at: NDArray[np.intp]) -> None:
        room = KEPT - len(self.metadata)
        self.dropped |= len(at) > room
        pages = (part.first + at[:room]).tolist()
        notes = (RmpLo.gpa.of(part.lo[at[:room]]) & np.uint64(_NOTE)).tolist()
        self.metadata += zip(pages, notes, strict=True)

    def _firmware(self, runs: Runs) -> None:
        """Go on with the run that the last tile ended with, and keep the longest."""
        if not len(runs):
            return
        starts, stops = runs.starts.copy(), runs.stops
        if int(starts[0]) == self._open[1]:
            starts[0] = self._open[0]
        best = int(np.argmax(stops - starts))
        self._open = int(starts[-1]), int(stops[-1])
        found = int(starts[best]), int(stops[best])
        self.longest = max(self.longest, found, key=lambda run: run[1] - run[0])


def _page(part: Part, mask: NDArray[np.bool_]) -> int | None:
    """Return the first page that *mask* marks."""
    return part.first + int(np.argmax(mask)) if mask.any() else None
