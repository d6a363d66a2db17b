"""What firmware commands do to the entries of many pages: ``scalar.firmware`` as arrays.

Checks, their order and all decisions are explained there. A batch is for one guest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...wire.address import REGION
from ...wire.launch_commands import LaunchPageType
from ...wire.rmp import RmpState
from ...wire.status import Status
from .. import scalar
from ..entry import (
    ASID,
    ASID_LOW,
    ASSIGNED,
    COUNT,
    FIRMWARE_LO,
    GPA,
    GPA_LOW,
    HV_FIXED_LO,
    IMMUTABLE,
    LARGE,
    LOCK,
    METADATA_NOTE,
    NOTE_PFN,
    NOTE_STATE,
    ONE_MORE,
    VALIDATED,
    VMSA,
)
from ..page_ranges import page_numbers
from ..scalar.firmware import RECLAIMABLE, SMALL_ALONE
from .host import REGIONS_AT_ONCE
from .operands import (
    U64,
    batch,
    first_of,
    in_states,
    quads_of,
    quadwords,
    regions_of,
    sizes_differ,
    without,
    writeable,
)
from .order import in_order

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..table import Table
    from .operands import Bools, Pages, Quads

_PERMS = 0xFFFF_FF00


def reclaim(table: Table, pages: ArrayLike, size: ArrayLike = 0) -> NDArray[np.uint8]:
    """Do SNP_PAGE_RECLAIM for each of *pages*, in their order; return a ``Status`` for each.

    *size*, 1 for 2 MiB, is one number or one for each page.
    """
    quads, sizes = quads_of(writeable(table)), quadwords(size, np.shape(pages)).reshape(-1) != 0

    def judge(places: Pages, chosen: Pages, lo: Quads) -> NDArray[np.uint8]:
        large, free = sizes[places], lo & U64(IMMUTABLE) == 0
        return first_of(
            (sizes_differ(lo, large), Status.INVALID_PAGE_SIZE),
            (large & (chosen % REGION != 0), Status.INVALID_ADDRESS),
            (free, Status.SUCCESS),
            (~in_states(table.states(chosen), *RECLAIMABLE), Status.INVALID_PAGE_STATE),
        )

    def write(places: Pages, chosen: Pages, lo: Quads) -> None:
        kept = lo & U64(IMMUTABLE) != 0
        chosen, lo = chosen[kept], lo[kept]
        metadata = table.states(chosen) == RmpState.METADATA
        clear = np.where(
            metadata, without(IMMUTABLE | LOCK | NOTE_STATE), without(IMMUTABLE | LOCK)
        )
        quads[chosen << 1] = lo & clear

    def one(place: int, page: int) -> Status:
        return scalar.reclaim(table, page, int(sizes[place]))

    return batch(table, pages, judge, write, one)


def gctx_create(table: Table, pages: ArrayLike) -> NDArray[np.uint8]:
    """Do SNP_GCTX_CREATE for each of *pages*, in their order; return a ``Status`` for each."""
    quads = quads_of(writeable(table))

    def judge(places: Pages, chosen: Pages, lo: Quads) -> NDArray[np.uint8]:
        wrong = table.states(chosen) != RmpState.FIRMWARE
        large = lo & U64(LARGE) != 0
        return first_of((wrong, Status.INVALID_PAGE_STATE), (large, Status.INVALID_PAGE_SIZE))

    def write(places: Pages, chosen: Pages, lo: Quads) -> None:
        quads[chosen << 1] = lo | U64(VMSA)

    return batch(table, pages, judge, write, lambda _, page: scalar.gctx_create(table, page))


def decommission(table: Table, pages: ArrayLike) -> NDArray[np.uint8]:
    """Do SNP_DECOMMISSION for each of *pages*, in their order; return a ``Status`` for each."""
    quads = quads_of(writeable(table))

    def judge(places: Pages, chosen: Pages, lo: Quads) -> NDArray[np.uint8]:
        return first_of((table.states(chosen) != RmpState.CONTEXT, Status.INVALID_GUEST))

    def write(places: Pages, chosen: Pages, lo: Quads) -> None:
        quads[chosen << 1] = lo & without(VMSA)

    return batch(table, pages, judge, write, lambda _, page: scalar.decommission(table, page))


def md_init(table: Table, pages: ArrayLike, guest: scalar.PageOwner) -> NDArray[np.uint8]:
    """Do SNP_PAGE_MD_INIT for each of *pages*, in their order; return a ``Status`` for each."""
    quads = quads_of(writeable(table))

    def judge(places: Pages, chosen: Pages, lo: Quads) -> NDArray[np.uint8]:
        return first_of(
            context_check(table, guest, len(lo)),
            (table.states(chosen) != RmpState.FIRMWARE, Status.INVALID_PAGE_STATE),
            guest_check(guest, len(lo)),
        )

    def write(places: Pages, chosen: Pages, lo: Quads) -> None:
        quads[chosen << 1] = metadata_lo(lo, guest.context)

    return batch(table, pages, judge, write, lambda _, page: scalar.md_init(table, page, guest))


def context_check(table: Table, guest: scalar.PageOwner, count: int) -> tuple[Bools, Status]:
    """Return the check of the page of the guest context."""
    none = table.state(guest.context) is not RmpState.CONTEXT
    return np.full(count, none), Status.INVALID_GUEST


def guest_check(guest: scalar.PageOwner, count: int) -> tuple[Bools, Status]:
    """Return the check of the guest's own state."""
    return np.full(count, guest.status != 0), guest.status


def metadata_lo(lo: Quads, context: int) -> Quads:
    """Return entries with the firmware's note that their pages hold metadata of a context."""
    note: Quads = lo & without(GPA) | U64(METADATA_NOTE + (context << GPA_LOW & NOTE_PFN))
    return note


def launch_update(
    table: Table,
    pages: ArrayLike,
    perms: ArrayLike,
    guest: scalar.PageOwner,
    *,
    page_type: ArrayLike = LaunchPageType.NORMAL,
    size: ArrayLike = 0,
    content: ArrayLike = 0,
) -> NDArray[np.uint8]:
    """Do SNP_LAUNCH_UPDATE for each of *pages*, in their order; return a ``Status`` for each.

    All but *guest* is one number or one for each page, as in ``scalar.launch_update``.
    """
    quads, shape = quads_of(writeable(table)), np.shape(pages)
    arrays = (quadwords(value, shape).reshape(-1) for value in (perms, page_type, size, content))
    masks, kinds, large, late = arrays
    alone = np.isin(kinds, np.array(list(SMALL_ALONE), np.uint64))

    def judge(places: Pages, chosen: Pages, lo: Quads) -> NDArray[np.uint8]:
        kind, wide = kinds[places], large[places] != 0
        return first_of(
            (table.states(chosen) != RmpState.PRE_GUEST, Status.INVALID_PAGE_STATE),
            (sizes_differ(lo, wide), Status.INVALID_PAGE_SIZE),
            (wide & (chosen % REGION != 0), Status.INVALID_ADDRESS),
            (wide & alone[places], Status.INVALID_PAGE_SIZE),
            ((kind == 0) | (kind == 7), Status.INVALID_PARAM),
            guest_check(guest, len(lo)),
            ((lo & U64(ASID)) >> U64(ASID_LOW) != guest.asid, Status.INVALID_PAGE_OWNER),
            (late[places] != 0, late[places]),
        )

    def write(places: Pages, chosen: Pages, lo: Quads) -> None:
        at = chosen << 1
        vmsa = np.where(kinds[places] == LaunchPageType.VMSA, U64(VMSA), U64(0))
        quads[at] = lo & without(IMMUTABLE | LOCK) | U64(VALIDATED) | vmsa
        quads[at + 1] = quads[at + 1] & without(_PERMS) | masks[places] & U64(_PERMS)

    def one(place: int, page: int) -> Status:
        keys = {"page_type": int(kinds[place]), "size": int(large[place])}
        status = Status(int(late[place]))
        return scalar.launch_update(table, page, int(masks[place]), guest, content=status, **keys)

    return batch(table, pages, judge, write, one)


def unsmash(table: Table, pages: ArrayLike) -> NDArray[np.uint8]:
    """Do SNP_PAGE_UNSMASH for each of *pages*, in their order; return a ``Status`` for each."""
    numbers = page_numbers(pages)
    flat = numbers.reshape(-1)
    regions = regions_of(writeable(table))
    odd, beyond = flat % REGION != 0, flat > table.pages - REGION
    status = first_of((odd, Status.INVALID_PARAM), (beyond, Status.INVALID_PAGE_STATE))
    live = np.flatnonzero(status == 0)

    def wave(places: Pages) -> None:
        heads = flat[live[places]]
        good = _contiguous(table, heads)
        status[live[places[~good]]] = Status.INVALID_PAGE_STATE
        rows = heads[good] // REGION
        lo = regions[rows, :, 0]
        first = lo[:, 0] & without(COUNT) | U64(LARGE)
        lo = lo & without(ASID | IMMUTABLE | LOCK) | U64(ASSIGNED)
        lo[:, 0] = first
        regions[rows, :, 0] = lo

    def one(place: int) -> None:
        status[live[place]] = scalar.unsmash(table, int(flat[live[place]]))

    in_order(flat[live], wave, one, REGIONS_AT_ONCE)
    return status.reshape(numbers.shape)


def _contiguous(table: Table, heads: Pages) -> Bools:
    """Return which regions are 512 contiguous pages of a guest."""
    entries = regions_of(table)[heads // REGION]
    lo, hi = entries[:, :, 0], entries[:, :, 1]
    steps = np.arange(REGION, dtype=U64) << U64(GPA_LOW)
    states = table.states(heads[:, None] + np.arange(REGION))
    fixed = (lo & U64(LARGE | IMMUTABLE | VMSA) == U64(IMMUTABLE)) & (lo & U64(ASID) != 0)
    like = (lo ^ lo[:, :1] + steps) & U64(ASID | GPA) == 0
    like &= fixed & (hi == hi[:, :1]) & (states == states[:, :1])
    aligned = lo[:, 0] & U64((REGION - 1) << GPA_LOW) == 0
    contiguous: Bools = like.all(axis=1) & aligned
    return contiguous


def set_hv_fixed(table: Table, first: ArrayLike, count: ArrayLike) -> NDArray[np.uint8]:
    """Do SNP_PAGE_SET_STATE for ranges of pages, in their order; return a ``Status`` for each.

    A range is a page number and a number of pages; *count* is one or one for each range.
    """
    starts, quads = page_numbers(first), quads_of(writeable(table)).reshape(-1, 2)
    counts = quadwords(count, starts.shape)
    status = [
        _set_range(table, quads, start, number)
        for start, number in zip(
            starts.reshape(-1).tolist(), counts.reshape(-1).tolist(), strict=True
        )
    ]
    return np.array(status, np.uint8).reshape(starts.shape)


def _set_range(table: Table, quads: Quads, first: int, count: int) -> Status:
    """Do SNP_PAGE_SET_STATE for one range."""
    if first % REGION:
        return Status.INVALID_PARAM
    part = quads[first : min(first + count, table.pages)]
    lo = part[:, 0] & without(COUNT)
    if (lo != U64(FIRMWARE_LO)).any():
        return Status.INVALID_PAGE_STATE
    others = np.minimum(REGION, len(part) - np.arange(0, len(part), REGION)) - 1
    counts = part[::REGION, 0] & U64(COUNT)
    if (counts < others.astype(U64) * U64(ONE_MORE)).any():
        return Status.INVALID_ADDRESS
    left = counts - others.astype(U64) * U64(ONE_MORE)
    part[:, 0], part[:, 1] = HV_FIXED_LO, 0
    part[::REGION, 0] |= left
    return Status.SUCCESS
