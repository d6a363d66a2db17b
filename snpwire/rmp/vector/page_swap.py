"""What swapping pages of a guest does to their entries: ``scalar.page_swap`` as arrays.

Checks, their order and all decisions are explained there. A batch is for one guest. The page of its
context stays a context, since none of these commands changes one. A page of which only the state
is read keeps operations in order where some operation changes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...wire.migration import MetadataMdata
from ...wire.page_commands import SwapInFlags, SwapOutFlags, SwapPageType
from ...wire.rmp import STILL, RmpState
from ...wire.status import Status
from .. import scalar
from ..entry import ASID, ASID_LOW, GPA, GPA_LOW, NOTE_PFN, VALIDATED, VMSA
from ..scalar.page_swap import SEALED
from .firmware import context_check, guest_check, metadata_lo
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

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..table import Table
    from .operands import Bools, Pages, Quads

_DATA, _METADATA, _VMSA = SwapPageType.DATA, SwapPageType.METADATA, SwapPageType.VMSA
_TYPES = np.array([_DATA, _VMSA, _METADATA, 4], np.uint64)
"""Type of a metadata entry, by its bits ``vmsa`` and ``metadata``; both together are none."""


def swap_out(
    table: Table,
    sources: ArrayLike,
    targets: ArrayLike,
    flags: ArrayLike,
    guest: scalar.PageOwner,
    mdata: ArrayLike = 0,
) -> NDArray[np.uint8]:
    """Do SNP_PAGE_SWAP_OUT for each pair of pages, in their order; return a ``Status`` for each.

    *flags* and *mdata* are one number or one for each pair, as in ``scalar.swap_out``.
    """
    shape, (source, target, keeper) = checked_pages(sources, targets, mdata)
    quads, swaps = quads_of(writeable(table)), _Swaps.of(quadwords(flags, shape).reshape(-1))
    status = np.zeros(len(source), np.uint8)

    def wave(places: Pages) -> None:
        pages = source[places], target[places], keeper[places]
        lo, some = table.lows(pages[0])[0], swaps.some(places)
        results = _out_status(table, guest, pages, lo, some)
        status[places] = results
        clear = np.where(some.kind == _METADATA, without(GPA | VMSA), without(VALIDATED))
        done = np.flatnonzero(results == 0)
        quads[pages[0].take(done) << 1] = (lo & clear).take(done)

    def one(place: int) -> None:
        pair, word = (int(source[place]), int(target[place])), int(swaps.flags[place])
        status[place] = scalar.swap_out(table, *pair, word, guest, int(keeper[place]))

    read = [np.where(np.isin(pages, source), pages, source) for pages in (target, keeper)]
    in_order(np.stack([source, *read]), wave, one)
    return status.reshape(shape)


class _Swaps(NamedTuple):
    """Flags of swap commands, decoded; each array has the shape (operations,)."""

    flags: Quads
    kind: Quads
    large: Bools
    placed: Bools
    root: Bools

    @classmethod
    def of(cls, flags: Quads) -> _Swaps:
        placed, root = SwapInFlags.swap_in_place.mask, SwapOutFlags.root_mdata_en.mask
        bits = (flags & U64(mask) != 0 for mask in (1, placed, root))
        return cls(flags, flags >> U64(1) & U64(3), *bits)

    def some(self, places: Pages) -> _Swaps:
        """Return the flags of some commands."""
        return _Swaps.of(self.flags[places])


def _out_status(
    table: Table,
    guest: scalar.PageOwner,
    pages: tuple[Pages, Pages, Pages],
    lo: Quads,
    swaps: _Swaps,
) -> NDArray[np.uint8]:
    """Return the statuses; *pages* are source, target, page of the entry; *lo* the sources'."""
    source, target, keeper = pages
    metadata, states = swaps.kind == _METADATA, table.states(source)
    known = np.where(metadata, states == RmpState.METADATA, in_states(states, *STILL))
    wrong_size = sizes_differ(lo, swaps.large) | _other_size(table, target, swaps.large)
    return first_of(
        context_check(table, guest, len(lo)),
        *_metadata_checks(table, keeper, swaps.root, guest),
        (wrong_size, Status.INVALID_PAGE_SIZE),
        guest_check(guest, len(lo)),
        (~known | (swaps.kind > _VMSA), Status.INVALID_PAGE_STATE),
        (~in_states(table.states(target), *SEALED), Status.INVALID_PAGE_STATE),
        (
            np.where(metadata, other_context(lo, guest), other_asid(lo, guest)),
            Status.INVALID_PAGE_OWNER,
        ),
    )


def swap_in(
    table: Table,
    sources: ArrayLike,
    targets: ArrayLike,
    flags: ArrayLike,
    guest: scalar.PageOwner,
    *,
    entry: tuple[ArrayLike, ArrayLike],
    mdata: ArrayLike = 0,
    content: ArrayLike = 0,
) -> NDArray[np.uint8]:
    """Do SNP_PAGE_SWAP_IN for each pair of pages, in their order; return a ``Status`` for each.

    *flags*, both parts of *entry*, *mdata* and *content* are one number or one for each pair, as in
    ``scalar.swap_in``.
    """
    shape, (source, target, keeper) = checked_pages(sources, targets, mdata)
    quads = quads_of(writeable(table))
    arrays = (quadwords(value, shape).reshape(-1) for value in (flags, *entry, content))
    words, entries, rights, late = arrays
    swaps, status = _Swaps.of(words), np.zeros(len(source), np.uint8)

    def wave(places: Pages) -> None:
        pages = source[places], target[places], keeper[places]
        lo, some, word = table.lows(pages[1])[0], swaps.some(places), entries[places]
        results = _in_status(table, guest, pages, (lo, word, late[places]), some)
        status[places] = results
        metadata = some.kind == _METADATA
        done = np.flatnonzero((results == 0) & metadata)
        quads[pages[1].take(done) << 1] = metadata_lo(lo.take(done), guest.context)
        done = np.flatnonzero((results == 0) & ~metadata)
        at = pages[1].take(done) << 1
        quads[at] = _restored(lo.take(done), word.take(done), some.kind.take(done))
        quads[at + 1] = rights[places].take(done)

    def one(place: int) -> None:
        pair, word = (int(source[place]), int(target[place])), int(words[place])
        entry_words, page = (int(entries[place]), int(rights[place])), int(keeper[place])
        end = Status(int(late[place]))
        done = scalar.swap_in(table, *pair, word, guest, entry=entry_words, mdata=page, content=end)
        status[place] = done

    in_order(np.stack([target, np.where(np.isin(keeper, target), keeper, target)]), wave, one)
    return status.reshape(shape)


def _in_status(
    table: Table,
    guest: scalar.PageOwner,
    pages: tuple[Pages, Pages, Pages],
    words: tuple[Quads, Quads, Quads],
    swaps: _Swaps,
) -> NDArray[np.uint8]:
    """Return the statuses; *pages* are source, target, page of the entry.

    *words* are the targets' first quadwords, the entries' and the statuses of contents.
    """
    (source, target, keeper), (lo, word, late) = pages, words
    metadata, large = swaps.kind == _METADATA, swaps.large
    wanted = np.where(metadata, RmpState.FIRMWARE, RmpState.PRE_GUEST)
    wrong_size = _other_size(table, source, large) | sizes_differ(lo, large)
    wrong_size |= (word & U64(MetadataMdata.page_size.mask) != 0) != large
    return first_of(
        context_check(table, guest, len(lo)),
        *_metadata_checks(table, keeper, swaps.root, guest),
        guest_check(guest, len(lo)),
        (~_is_of_kind(word, swaps.kind), Status.INVALID_MDATA_ENTRY),
        (wrong_size, Status.INVALID_PAGE_SIZE),
        ((swaps.kind != _DATA) & swaps.placed, Status.INVALID_PARAM),
        ((swaps.kind == _VMSA) & large, Status.INVALID_PAGE_SIZE),
        (table.states(target) != wanted, Status.INVALID_PAGE_STATE),
        (swaps.placed & (source != target), Status.INVALID_ADDRESS),
        (~metadata & other_asid(lo, guest), Status.INVALID_PAGE_OWNER),
        (late != 0, late),
    )


def _restored(lo: Quads, word: Quads, kind: Quads) -> Quads:
    """Return the entries of guest pages that are swapped in."""
    validated = word & U64(MetadataMdata.page_validated.mask) != 0
    was: Quads = word & U64(GPA) | np.where(validated, U64(VALIDATED), U64(0))
    was |= np.where(kind == _VMSA, U64(VMSA), U64(0))
    return was | lo & without(GPA | VMSA | VALIDATED)


def _metadata_checks(
    table: Table, pages: Pages, root: Bools, guest: scalar.PageOwner
) -> tuple[tuple[Bools, Status], tuple[Bools, Status]]:
    """Return the checks of the page of the metadata entry."""
    wrong_size = ~root & (table.states(pages) != RmpState.METADATA)
    elsewhere = ~root & other_context(table.lows(pages)[0], guest)
    return (wrong_size, Status.INVALID_PAGE_STATE), (elsewhere, Status.INVALID_PAGE_OWNER)


def _is_of_kind(word: Quads, kind: Quads) -> Bools:
    """Return which metadata entries are in use and of this kind."""
    types = _TYPES[(word >> U64(MetadataMdata.vmsa.low) & U64(3)).astype(np.intp)]
    used: Bools = (word & U64(MetadataMdata.valid.mask) != 0) & (types == kind)
    return used


def _other_size(table: Table, pages: Pages, large: Bools) -> Bools:
    """Return which pages have an entry, of another size."""
    lo, known = table.lows(pages)
    return known & sizes_differ(lo, large)


def other_asid(lo: Quads, guest: scalar.PageOwner) -> Bools:
    """Return which entries have another ASID than the guest."""
    others: Bools = (lo & U64(ASID)) >> U64(ASID_LOW) != guest.asid
    return others


def other_context(lo: Quads, guest: scalar.PageOwner) -> Bools:
    """Return which metadata pages name another guest context."""
    others: Bools = (lo & U64(NOTE_PFN)) >> U64(GPA_LOW) != guest.context
    return others
