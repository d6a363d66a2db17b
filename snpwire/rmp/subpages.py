"""Sub-page counts: what the first entry of 2 MiB has stored, and what there is.

Where the 2 MiB are pages of 4 KiB, that entry counts how many of the other 511 are assigned, so
that a write through a large mapping of the hypervisor needs one look to be refused. RMPUPDATE,
PSMASH and the firmware keep the count (AMD-ASPFW sev_rmp.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..wire.address import REGION
from ..wire.rmp import RmpLo
from .entry import LARGE
from .tiles import tile_size, tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from .tiles import Data, Extent, Progress

_BYTES = 4
"""What is held for an entry while a tile is counted."""


class Subpages(NamedTuple):
    """Counts of some regions of 2 MiB that are pages of 4 KiB; each shape (regions,)."""

    heads: NDArray[np.int64]
    """First page of each."""
    stored: NDArray[np.uint16]
    """``subpage_count`` of its entry."""
    counted: NDArray[np.uint16]
    """How many of the other 511 are assigned."""

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Return where the two differ; shape (regions,)."""
        return np.not_equal(self.stored, self.counted)


def subpages(
    extents: Sequence[Extent], data: Data = None, progress: Progress = None
) -> Iterator[Subpages]:
    """Yield the counts of a tile at a time. Pages outside *data* are not looked at."""
    for first, words in tiles(extents, data, tile_size(_BYTES), progress):
        assigned = words[:, 0].astype(np.uint8) & np.uint8(RmpLo.assigned.mask)
        starts = np.arange(0, len(words), REGION)
        heads = words[::REGION, 0]
        counted = np.add.reduceat(assigned, starts, dtype=np.uint16) - assigned[starts]
        small = heads & np.uint64(LARGE) == 0
        stored = RmpLo.subpage_count.of(heads).astype(np.uint16)
        yield Subpages(first + starts[small], stored[small], counted[small])
