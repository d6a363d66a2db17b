"""What moving and swapping do to the entries of many pages: ``single.swapping`` as arrays.

Checks, their order and all decisions are told there. A batch is for one guest. The page of its
context is a context before the batch and after it, since none of these commands takes one. A page
that is only read, for its state, keeps operations in order where some operation changes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...wire.migration import MetadataMdata
from ...wire.page_commands import SwapInFlags, SwapOutFlags, SwapPageType
from ...wire.rmp import RmpState
from ...wire.status import Status
from .. import single
from ..entry import ASID, ASID_LOW, GPA, GPA_LOW, IMMUTABLE, LOCK, NOTE_PFN, VALIDATED, VMSA
from ..single.swapping import SEALED, STILL
from .batch import (
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
from .firmware import noted
from .order import in_order

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..table import Table
    from .batch import Bools, Pages, Quads

_DATA, _METADATA, _VMSA = SwapPageType.DATA, SwapPageType.METADATA, SwapPageType.VMSA
_HELD = np.array([_DATA, _VMSA, _METADATA, 4], np.uint64)
"""Type that a metadata entry has, by its bits ``vmsa`` and ``metadata``; both are none."""


def page_move(
    table: Table,
    sources: ArrayLike,
    targets: ArrayLike,
    guest: single.Guest,
    *,
    size: ArrayLike = 0,
) -> NDArray[np.uint8]:
    """Do SNP_PAGE_MOVE for each pair of pages, in their order; return a ``Status`` for each.

    *size*, 1 for 2 MiB, is one number or one for each pair. Raises UsageError for what is no page
    number, and for a table that cannot be changed.
    """
    shape, (source, target) = checked_pages(sources, targets)
    quads, large = quads_of(writeable(table)), quadwords(size, shape).reshape(-1) != 0
    status = np.zeros(len(source), np.uint8)
    homeless = table.state(guest.context) is not RmpState.CONTEXT

    def wave(places: Pages) -> None:
        old_page, new_page = source[places], target[places]
        old, new = table.lows(old_page)[0], table.lows(new_page)[0]
        was, to_be = table.states(old_page), table.states(new_page)
        private = in_states(was, *STILL) & (to_be == RmpState.PRE_GUEST)
        metadata = (was == RmpState.METADATA) & (to_be == RmpState.FIRMWARE)
        strange = sizes_differ(old, large[places]) | sizes_differ(new, large[places])
        found = first_of(
            (np.full(len(places), homeless), Status.INVALID_GUEST),
            (strange, Status.INVALID_PAGE_SIZE),
            (np.full(len(places), guest.status != 0), guest.status),
            (~private & ~metadata, Status.INVALID_PAGE_STATE),
            (private & (_foreign(old, guest) | _foreign(new, guest)), Status.INVALID_PAGE_OWNER),
            (metadata & _elsewhere(old, guest), Status.INVALID_PAGE_OWNER),
        )
        status[places] = found
        for chosen, move in ((private, _move_private), (metadata, _move_metadata)):
            done = (found == 0) & chosen
            move(quads, old_page[done], new_page[done], old[done], new[done])

    def one(place: int) -> None:
        pair = int(source[place]), int(target[place])
        status[place] = single.page_move(table, *pair, guest, size=int(large[place]))

    in_order(np.stack([source, target]), wave, one)
    return status.reshape(shape)


def _move_private(quads: Quads, source: Pages, target: Pages, old: Quads, new: Quads) -> None:
    """Write the entries of pages of a guest that moved."""
    rights = quads[(source << 1) + 1]
    moved = new & without(GPA | VMSA | VALIDATED | IMMUTABLE | LOCK)
    quads[target << 1] = moved | old & U64(GPA | VMSA | VALIDATED)
    quads[(target << 1) + 1] = rights
    quads[source << 1] = old & without(VALIDATED | IMMUTABLE | LOCK)


def _move_metadata(quads: Quads, source: Pages, target: Pages, old: Quads, new: Quads) -> None:
    """Write the entries of pages of metadata that moved."""
    quads[target << 1] = new & without(GPA) | old & U64(GPA)
    quads[source << 1] = old & without(GPA | VMSA)


def swap_out(
    table: Table,
    sources: ArrayLike,
    targets: ArrayLike,
    flags: ArrayLike,
    guest: single.Guest,
    mdata: ArrayLike = 0,
) -> NDArray[np.uint8]:
    """Do SNP_PAGE_SWAP_OUT for each pair of pages, in their order; return a ``Status`` for each.

    *flags* and *mdata* are one number or one for each pair, as in ``single.swap_out``. Raises
    UsageError for what is no page number, and for a table that cannot be changed.
    """
    shape, (source, target, keeper) = checked_pages(sources, targets, mdata)
    quads, words = quads_of(writeable(table)), quadwords(flags, shape).reshape(-1)
    status = np.zeros(len(source), np.uint8)
    homeless = table.state(guest.context) is not RmpState.CONTEXT
    types, large = words >> U64(1) & U64(3), words & U64(1) != 0
    root = words & U64(SwapOutFlags.root_mdata_en.mask) != 0

    def wave(places: Pages) -> None:
        chosen, kind = source[places], types[places]
        lo, _ = table.lows(chosen)
        metadata = kind == _METADATA
        states, sealed = table.states(chosen), table.states(target[places])
        known = np.where(metadata, states == RmpState.METADATA, in_states(states, *STILL))
        strange = sizes_differ(lo, large[places]) | _differs(table, target[places], large[places])
        foreign = np.where(metadata, _elsewhere(lo, guest), _foreign(lo, guest))
        found = first_of(
            (np.full(len(places), homeless), Status.INVALID_GUEST),
            *_kept(table, keeper[places], root[places], guest),
            (strange, Status.INVALID_PAGE_SIZE),
            (np.full(len(places), guest.status != 0), guest.status),
            (~known | (kind > _VMSA), Status.INVALID_PAGE_STATE),
            (~in_states(sealed, *SEALED), Status.INVALID_PAGE_STATE),
            (foreign, Status.INVALID_PAGE_OWNER),
        )
        status[places] = found
        done = found == 0
        clear = np.where(metadata, without(GPA | VMSA), without(VALIDATED))
        quads[chosen[done] << 1] = (lo & clear)[done]

    def one(place: int) -> None:
        pair = int(source[place]), int(target[place])
        word, page = int(words[place]), int(keeper[place])
        status[place] = single.swap_out(table, *pair, word, guest, page)

    read = [np.where(np.isin(pages, source), pages, source) for pages in (target, keeper)]
    in_order(np.stack([source, *read]), wave, one)
    return status.reshape(shape)


def swap_in(
    table: Table,
    sources: ArrayLike,
    targets: ArrayLike,
    flags: ArrayLike,
    guest: single.Guest,
    *,
    entry: tuple[ArrayLike, ArrayLike],
    mdata: ArrayLike = 0,
    content: ArrayLike = 0,
) -> NDArray[np.uint8]:
    """Do SNP_PAGE_SWAP_IN for each pair of pages, in their order; return a ``Status`` for each.

    *flags*, both parts of *entry*, *mdata* and *content* are one number or one for each pair, as in
    ``single.swap_in``. Raises UsageError for what is no page number, and for a table that cannot be
    changed.
    """
    shape, (source, target, keeper) = checked_pages(sources, targets, mdata)
    quads = quads_of(writeable(table))
    given = (quadwords(value, shape).reshape(-1) for value in (flags, *entry, content))
    words, entries, rights, late = given
    status = np.zeros(len(source), np.uint8)
    homeless = table.state(guest.context) is not RmpState.CONTEXT
    types, large = words >> U64(1) & U64(3), words & U64(1) != 0
    root = words & U64(SwapOutFlags.root_mdata_en.mask) != 0
    placed = words & U64(SwapInFlags.swap_in_place.mask) != 0

    def wave(places: Pages) -> None:
        chosen, kind, word, wide = target[places], types[places], entries[places], large[places]
        lo, _ = table.lows(chosen)
        metadata, put = kind == _METADATA, placed[places]
        wanted = np.where(metadata, RmpState.FIRMWARE, RmpState.PRE_GUEST)
        strange = _differs(table, source[places], wide) | sizes_differ(lo, wide)
        strange |= (word & U64(MetadataMdata.page_size.mask) != 0) != wide
        found = first_of(
            (np.full(len(places), homeless), Status.INVALID_GUEST),
            *_kept(table, keeper[places], root[places], guest),
            (np.full(len(places), guest.status != 0), guest.status),
            (~_stands_for(word, kind), Status.INVALID_MDATA_ENTRY),
            (strange, Status.INVALID_PAGE_SIZE),
            ((kind != _DATA) & put, Status.INVALID_PARAM),
            ((kind == _VMSA) & wide, Status.INVALID_PAGE_SIZE),
            (table.states(chosen) != wanted, Status.INVALID_PAGE_STATE),
            (put & (source[places] != chosen), Status.INVALID_ADDRESS),
            (~metadata & _foreign(lo, guest), Status.INVALID_PAGE_OWNER),
            (late[places] != 0, late[places]),
        )
        status[places] = found
        done = (found == 0) & metadata
        quads[chosen[done] << 1] = noted(lo[done], guest.context)
        done = (found == 0) & ~metadata
        at = chosen[done] << 1
        quads[at] = _restored(lo[done], word[done], kind[done])
        quads[at + 1] = rights[places][done]

    def one(place: int) -> None:
        pair = int(source[place]), int(target[place])
        keys = {"mdata": int(keeper[place])}
        kept, end = (int(entries[place]), int(rights[place])), Status(int(late[place]))
        word = int(words[place])
        status[place] = single.swap_in(table, *pair, word, guest, entry=kept, content=end, **keys)

    in_order(np.stack([target, np.where(np.isin(keeper, target), keeper, target)]), wave, one)
    return status.reshape(shape)


def _restored(lo: Quads, word: Quads, kind: Quads) -> Quads:
    """Return the entries of pages of a guest that came back."""
    validated = word & U64(MetadataMdata.page_validated.mask) != 0
    was: Quads = word & U64(GPA) | np.where(validated, U64(VALIDATED), U64(0))
    was |= np.where(kind == _VMSA, U64(VMSA), U64(0))
    return was | lo & without(GPA | VMSA | VALIDATED)


def _kept(
    table: Table, pages: Pages, root: Bools, guest: single.Guest
) -> tuple[tuple[Bools, Status], tuple[Bools, Status]]:
    """Return the checks of the page of the metadata entry."""
    strange = ~root & (table.states(pages) != RmpState.METADATA)
    elsewhere = ~root & _elsewhere(table.lows(pages)[0], guest)
    return (strange, Status.INVALID_PAGE_STATE), (elsewhere, Status.INVALID_PAGE_OWNER)


def _stands_for(word: Quads, kind: Quads) -> Bools:
    """Tell which metadata entries are in use and of this kind."""
    held = _HELD[(word >> U64(MetadataMdata.vmsa.low) & U64(3)).astype(np.intp)]
    used: Bools = (word & U64(MetadataMdata.valid.mask) != 0) & (held == kind)
    return used


def _differs(table: Table, pages: Pages, large: Bools) -> Bools:
    """Tell which pages have an entry, and another size."""
    lo, known = table.lows(pages)
    return known & sizes_differ(lo, large)


def _foreign(lo: Quads, guest: single.Guest) -> Bools:
    """Tell which entries have another ASID than the guest."""
    foreign: Bools = (lo & U64(ASID)) >> U64(ASID_LOW) != guest.asid
    return foreign


def _elsewhere(lo: Quads, guest: single.Guest) -> Bools:
    """Tell which pages of metadata are noted for another context."""
    elsewhere: Bools = (lo & U64(NOTE_PFN)) >> U64(GPA_LOW) != guest.context
    return elsewhere
