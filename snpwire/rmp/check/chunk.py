"""One chunk of a table as the checks look at it: its quadwords, states, and what is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...wire.rmp import RmpState
from ...wire.rmp_words import CHANGING
from ..chunks import covered_mask
from ..entry import ASID, ASID_LOW, ASSIGNED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..chunks import Extent
    from ..states import Classifier

_ASID, _ASSIGNED = np.uint64(ASID), np.uint64(ASSIGNED)
_CHANGING = np.uint64(CHANGING << ASID_LOW)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Contiguous entries; each array has the shape (pages,)."""

    first: int
    """Page of the first entry, a multiple of 512."""
    offset: int
    """Offset of the first entry in its file, in bytes."""
    lo: NDArray[np.uint64]
    hi: NDArray[np.uint64]
    states: NDArray[np.uint8]
    """Numbers of the states; scratch memory that the next chunk overwrites."""
    changing: NDArray[np.bool_]
    """Entries that cover a page and that the firmware is changing."""
    judged: NDArray[np.bool_]
    """Entries that cover a page and are not being changed."""
    guest: NDArray[np.bool_]
    """Judged entries of pages that a guest owns."""

    @classmethod
    def of(cls, extent: Extent, offset: int, scratch: Classifier) -> Chunk:
        """Return the entries of *extent*, at *offset* of its file, with their states."""
        lo = np.ascontiguousarray(extent.words[:, 0])
        hi = np.ascontiguousarray(extent.words[:, 1])
        np.copyto(scratch.lo[: len(lo)], lo)
        states = scratch.states(len(lo))
        judged = ~covered_mask(lo)
        changing = lo & _ASID == _CHANGING
        changing &= judged
        judged &= ~changing
        guest = judged & (states >= RmpState.PRE_GUEST)
        return cls(extent.first, offset, lo, hi, states, changing, judged, guest)

    def place(self, index: int) -> tuple[str, int]:
        """Return the name of a page of the chunk, and the offset of its entry."""
        return f"page {self.first + index:#x}", self.offset + 16 * index


def guest_mask(lo: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return ``Chunk.guest`` for first quadwords *lo* alone, without looking at states."""
    asid = lo & _ASID
    guest: NDArray[np.bool_] = (lo & _ASSIGNED != 0) & (asid != 0) & (asid != _CHANGING)
    if guest.any():
        guest &= ~covered_mask(lo)
    return guest
