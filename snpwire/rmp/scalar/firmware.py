"""What firmware commands do to the entry of one page, with the checks that read entries.

Each makes the checks in the firmware's order (AMD-ASPFW sev_mcmd.c, sev_rmp.c, Genoa), returns the
status of the first that fails and then changes nothing. Checks of other things, the buffer, the
platform, the address map and the guest's own state, are the caller's; where they come between
others, their status is an argument and takes its place in the order.

For a page beyond the table the firmware reads an entry that it never filled. That is taken to be
zero, which agrees with observation: SNP_PAGE_RECLAIM of 4 KiB returns SUCCESS there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...wire.address import REGION
from ...wire.launch_commands import LaunchPageType
from ...wire.rmp import RmpState
from ...wire.status import Status
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

if TYPE_CHECKING:
    from ..entry import Entries

OK = Status.SUCCESS
RECLAIMABLE = frozenset(
    {RmpState.METADATA, RmpState.FIRMWARE, RmpState.PRE_GUEST, RmpState.PRE_SWAP}
)
SMALL_ALONE = frozenset({LaunchPageType.VMSA, LaunchPageType.SECRETS, LaunchPageType.CPUID})
_VPERMS = 0xFFFF_FF00


class PageOwner(NamedTuple):
    """The guest that a command is for, and that has to own the pages."""

    context: int
    """Page of the guest context."""
    asid: int = 0
    status: Status = OK
    """Status of the checks that the guest is in the right state, and active."""


def reclaim(table: Entries, page: int, size: int = 0) -> Status:
    """Reclaim a page from the firmware (SNP_PAGE_RECLAIM); *size* is 1 for 2 MiB.

    A page that is not immutable stays as it is, in any state.
    """
    lo, hi = entry_or_zero(table, page)
    if bool(lo & LARGE) != bool(size):
        return Status.INVALID_PAGE_SIZE
    if size and page % REGION:
        return Status.INVALID_ADDRESS
    if not lo & IMMUTABLE:
        return OK
    state = table.state(page)
    if state not in RECLAIMABLE:
        return Status.INVALID_PAGE_STATE
    note = NOTE_STATE if state is RmpState.METADATA else 0
    table.set(page, lo & ~(IMMUTABLE | LOCK | note), hi)
    return OK


def unsmash(table: Entries, page: int) -> Status:
    """Join 512 pages of a guest into a 2 MiB page (SNP_PAGE_UNSMASH).

    A region that the table does not cover to its end is refused like one beyond the table.
    """
    if page % REGION:
        return Status.INVALID_PARAM
    if not 0 <= page <= table.pages - REGION:
        return Status.INVALID_PAGE_STATE
    entries = [table.entry(page + index) for index in range(REGION)]
    states = {table.state(page + index) for index in range(REGION)}
    first, hi = entries[0]
    alike = len(states) == 1 and not first >> GPA_LOW & REGION - 1
    for index, (lo, rights) in enumerate(entries):
        unfit = lo & (LARGE | IMMUTABLE | VMSA) != IMMUTABLE or not lo & ASID
        if unfit or rights != hi or (lo ^ first + (index << GPA_LOW)) & (ASID | GPA):
            alike = False
    if not alike:
        return Status.INVALID_PAGE_STATE
    table.set(page, first & ~COUNT | LARGE, hi)
    for index in range(1, REGION):
        lo = entries[index][0] & ~(ASID | IMMUTABLE | LOCK) | ASSIGNED
        table.set(page + index, lo, hi)
    return OK


def gctx_create(table: Entries, page: int) -> Status:
    """Make a firmware page a guest context (SNP_GCTX_CREATE)."""
    if table.state(page) is not RmpState.FIRMWARE:
        return Status.INVALID_PAGE_STATE
    lo, hi = table.entry(page)
    if lo & LARGE:
        return Status.INVALID_PAGE_SIZE
    table.set(page, lo | VMSA, hi)
    return OK


def decommission(table: Entries, page: int) -> Status:
    """Make a guest context a firmware page again (SNP_DECOMMISSION)."""
    if table.state(page) is not RmpState.CONTEXT:
        return Status.INVALID_GUEST
    lo, hi = table.entry(page)
    table.set(page, lo & ~VMSA, hi)
    return OK


def launch_update(
    table: Entries,
    page: int,
    perms: int,
    guest: PageOwner,
    *,
    page_type: int = LaunchPageType.NORMAL,
    size: int = 0,
    content: Status = OK,
) -> Status:
    """Add a page to a guest during its launch (SNP_LAUNCH_UPDATE).

    *perms* is ``LaunchPermissions``; *content* the status of the page's content, checked last.
    """
    lo, hi = entry_or_zero(table, page)
    small = page_type in SMALL_ALONE
    status = first_of(
        (table.state(page) is not RmpState.PRE_GUEST, Status.INVALID_PAGE_STATE),
        (bool(lo & LARGE) != bool(size), Status.INVALID_PAGE_SIZE),
        (bool(size) and page % REGION != 0, Status.INVALID_ADDRESS),
        (bool(size) and small, Status.INVALID_PAGE_SIZE),
        (page_type in (0, 7), Status.INVALID_PARAM),
        (guest.status is not OK, guest.status),
        (asid_of(lo) != guest.asid, Status.INVALID_PAGE_OWNER),
        (content is not OK, content),
    )
    if status is OK:
        kind = VMSA if page_type == LaunchPageType.VMSA else 0
        lo = lo & ~(IMMUTABLE | LOCK) | VALIDATED | kind
        table.set(page, lo, hi & ~_VPERMS | perms & _VPERMS)
    return status


def md_init(table: Entries, page: int, guest: PageOwner) -> Status:
    """Make a firmware page hold metadata of a guest (SNP_PAGE_MD_INIT)."""
    status = first_of(
        (table.state(guest.context) is not RmpState.CONTEXT, Status.INVALID_GUEST),
        (table.state(page) is not RmpState.FIRMWARE, Status.INVALID_PAGE_STATE),
        (guest.status is not OK, guest.status),
    )
    if status is OK:
        lo, hi = table.entry(page)
        table.set(page, metadata_lo(lo, guest.context), hi)
    return status


def set_hv_fixed(table: Entries, first: int, count: int) -> Status:
    """Make firmware pages permanently hypervisor-owned (SNP_PAGE_SET_STATE), one range.

    Pages beyond the table are left out. All pages are checked before one is changed; the firmware
    would have changed those of the regions before the one that it fails at.
    """
    if first % REGION or first < 0 or count < 0:
        return Status.INVALID_PARAM
    pages = range(first, min(first + count, table.pages))
    if any(table.entry(page)[0] & ~COUNT != FIRMWARE_LO for page in pages):
        return Status.INVALID_PAGE_STATE
    heads = [(head, table.entry(head)[0]) for head in pages[::REGION]]
    sizes = [min(REGION, pages.stop - head) for head in pages[::REGION]]
    if any(
        (lo & COUNT) < (size - 1) * ONE_MORE for (_, lo), size in zip(heads, sizes, strict=True)
    ):
        return Status.INVALID_ADDRESS
    for page in pages:
        table.set(page, HV_FIXED_LO, 0)
    for (head, lo), size in zip(heads, sizes, strict=True):
        table.set(head, HV_FIXED_LO | (lo & COUNT) - (size - 1) * ONE_MORE, 0)
    return OK


def first_of(*checks: tuple[bool, Status]) -> Status:
    """Return the status of the first check that fails; each is whether it does, and its status."""
    return next((status for failed, status in checks if failed), OK)


def entry_or_zero(table: Entries, page: int) -> tuple[int, int]:
    """Return the entry of a page; zero beyond the table."""
    return table.entry(page) if 0 <= page < table.pages else (0, 0)


def asid_of(lo: int) -> int:
    """Return the ASID of an entry."""
    return (lo & ASID) >> ASID_LOW


def metadata_lo(lo: int, context: int) -> int:
    """Return an entry with the firmware's note that its page holds metadata of a context."""
    return lo & ~GPA | METADATA_NOTE + (context << GPA_LOW & NOTE_PFN)


def context_of(lo: int) -> int:
    """Return the page of the guest context that the entry of a metadata page names."""
    return (lo & NOTE_PFN) >> GPA_LOW
