"""What moving pages of a guest does to their entries: ``scalar.page_move`` as arrays.

Checks, their order and all decisions are explained there. A batch is for one guest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...wire.rmp import STILL, RmpState
from ...wire.status import Status
from .. import scalar
from ..entry import GPA, IMMUTABLE, LOCK, VALIDATED, VMSA
from .firmware import context_check, guest_check
from .operands import (
    U64,
    checked_pages,
    first_of,
    in_states,
    quads_of,
    quadwords,
    sizes_differ,
    without,
    writeable,
)
from .order import in_order
from .page_swap import other_asid, other_context

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..table import Table
    from .operands import Bools, Pages, Quads


def page_move(
    table: Table,
    sources: ArrayLike,
    targets: ArrayLike,
    guest: scalar.PageOwner,
    *,
    size: ArrayLike = 0,
) -> NDArray[np.uint8]:
    """Do SNP_PAGE_MOVE for each pair of pages, in their order; return a ``Status`` for each.

    *size*, 1 for 2 MiB, is one number or one for each pair.
    """
    shape, (source, target) = checked_pages(sources, targets)
    large = quadwords(size, shape).reshape(-1) != 0
    status = np.zeros(len(source), np.uint8)
    quads = quads_of(writeable(table))

    def wave(places: Pages) -> None:
        pairs = source[places], target[places]
        words = table.lows(pairs[0])[0], table.lows(pairs[1])[0]
        private = in_states(table.states(pairs[0]), *STILL)
        results = _move_status(table, guest, pairs, words, large[places])
        status[places] = results
        for chosen, move in ((private, _move_private), (~private, _move_metadata)):
            done = np.flatnonzero((results == 0) & chosen)
            old_page, new_page = (pages.take(done) for pages in pairs)
            old, new = (lo.take(done) for lo in words)
            move(quads, old_page, new_page, old, new)

    def one(place: int) -> None:
        pair = int(source[place]), int(target[place])
        status[place] = scalar.page_move(table, *pair, guest, size=int(large[place]))

    in_order(np.stack([source, target]), wave, one)
    return status.reshape(shape)


def _move_status(
    table: Table,
    guest: scalar.PageOwner,
    pairs: tuple[Pages, Pages],
    words: tuple[Quads, Quads],
    large: Bools,
) -> NDArray[np.uint8]:
    """Return the status of moves between pairs of pages, whose first quadwords are *words*."""
    (old, new), (was, to_be) = words, (table.states(pages) for pages in pairs)
    private = in_states(was, *STILL) & (to_be == RmpState.PRE_GUEST)
    metadata = (was == RmpState.METADATA) & (to_be == RmpState.FIRMWARE)
    wrong_size = sizes_differ(old, large) | sizes_differ(new, large)
    return first_of(
        context_check(table, guest, len(large)),
        (wrong_size, Status.INVALID_PAGE_SIZE),
        guest_check(guest, len(large)),
        (~private & ~metadata, Status.INVALID_PAGE_STATE),
        (private & (other_asid(old, guest) | other_asid(new, guest)), Status.INVALID_PAGE_OWNER),
        (metadata & other_context(old, guest), Status.INVALID_PAGE_OWNER),
    )


def _move_private(quads: Quads, source: Pages, target: Pages, old: Quads, new: Quads) -> None:
    """Write the entries of guest pages that move."""
    rights = quads[(source << 1) + 1]
    moved = new & without(GPA | VMSA | VALIDATED | IMMUTABLE | LOCK)
    quads[target << 1] = moved | old & U64(GPA | VMSA | VALIDATED)
    quads[(target << 1) + 1] = rights
    quads[source << 1] = old & without(VALIDATED | IMMUTABLE | LOCK)


def _move_metadata(quads: Quads, source: Pages, target: Pages, old: Quads, new: Quads) -> None:
    """Write the entries of metadata pages that move."""
    quads[target << 1] = new & without(GPA) | old & U64(GPA)
    quads[source << 1] = old & without(GPA | VMSA)
