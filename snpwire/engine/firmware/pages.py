"""Commands that change the RMP entry of a page: reclaim, unsmash, set state, metadata.

What happens to an entry, and the checks that read one, are in ``snpwire.rmp.scalar``.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...rmp import scalar
from ...rmp.entry import COUNT, FIRMWARE_LO, HV_FIXED_LO, LARGE, ONE_MORE
from ...wire.address import C_BIT, IN_PAGE, LARGE_PAGE, PAGE, REGION, page_of
from ...wire.migration import GuestState
from ...wire.page_commands import ReclaimPage
from ...wire.rmp import RmpState
from ...wire.status import Status
from .platform import page_ranges
from .processor import CommandRefusal, refuse_if, require, reserved_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.page_commands import MdInit, SetState, Unsmash
    from .processor import Processor

IN_2M = LARGE_PAGE - 1
_RECLAIM_RESERVED, _RECLAIM_LARGE = ~ReclaimPage.KNOWN, ReclaimPage.page_size.mask


def guest_of(fw: Processor, address: int, *, active: bool) -> scalar.PageOwner:
    """Return the guest whose context may be at *address*, and why it does not qualify.

    *active* requires an ASID. A page in another state than CONTEXT is not read.
    """
    page = page_of(address)
    if fw.table.state(page) != RmpState.CONTEXT:
        return scalar.PageOwner(page)
    guest, status = fw.context(address), fw.memory.reach(address, PAGE)
    if not status and guest.state == GuestState.INIT:
        status = Status.INVALID_GUEST_STATE
    if not status and active and not guest.agreed_asid:
        status = Status.INACTIVE
    return scalar.PageOwner(page, guest.asid, status)


@contextmanager
def rollback(fw: Processor, *pages: int) -> Iterator[None]:
    """Restore the entries of *pages* if what follows is refused.

    The firmware writes entries last. Here they come first, because their checks come before those
    of the memory that is copied.
    """
    entries = [(page, fw.table.entry(page)) for page in pages if page < fw.table.pages]
    try:
        yield
    except CommandRefusal:
        for page, entry in entries:
            fw.table.set(page, *entry)
        raise


def reclaim(fw: Processor, command: tuple[int]) -> None:
    """SNP_PAGE_RECLAIM: return a page to the host."""
    (word,) = command
    if word & _RECLAIM_RESERVED:
        raise CommandRefusal(Status.INVALID_PARAM)
    fw.require_started()
    address, large = word & ~IN_PAGE, word & _RECLAIM_LARGE
    page = page_of(address)
    if large or page not in fw.memory.plain:
        fw.reach(address, LARGE_PAGE if large else PAGE)
    fw.look_up(address)
    require(scalar.reclaim(fw.table, page, large))
    if page in fw.contexts and fw.table.state(page) != RmpState.CONTEXT:
        del fw.contexts[page]


def unsmash(fw: Processor, command: Unsmash) -> None:
    """SNP_PAGE_UNSMASH: join 512 pages of one guest into a 2 MiB page."""
    address = command.page_paddr
    refuse_if(address & IN_2M, Status.INVALID_PARAM)
    fw.require_started()
    refuse_if(fw.look_up(address)[0] == RmpState.DEFAULT, Status.INVALID_PAGE_STATE)
    start, own = address & ~C_BIT, fw.memory.map.rmp
    refuse_if(start < own.stop and own.start < start + LARGE_PAGE, Status.INVALID_ADDRESS)
    require(scalar.unsmash(fw.table, page_of(address)))


def set_state(fw: Processor, command: SetState) -> None:
    """SNP_PAGE_SET_STATE: make firmware pages HV_FIXED.

    Pages of the table itself, and those without an entry, are skipped silently.
    """
    refuse_if(command.length != command.SIZE, Status.INVALID_LENGTH)
    refuse_if(reserved_set(command) or command.list_paddr & IN_PAGE, Status.INVALID_PARAM)
    fw.require_started()
    table, most = fw.memory.map.rmp, fw.table.pages
    own = range(table.start >> 12, -(-table.stop // PAGE))
    ranges = list(page_ranges(fw, command.list_paddr, LARGE_PAGE))
    parts = [part for pages in ranges for part in _without(pages, own, most)]
    for page in (page for part in parts for page in part):
        refuse_if(fw.table.entry(page)[0] & ~COUNT != FIRMWARE_LO, Status.INVALID_PAGE_STATE)
    for part in parts:
        _fix(fw, part)


def _without(pages: range, own: range, most: int) -> tuple[range, range]:
    """Return the parts of *pages* before and behind the table's *own*, below *most*."""
    before = range(pages.start, min(pages.stop, own.start, most))
    return before, range(max(pages.start, own.stop), min(pages.stop, most))


def _fix(fw: Processor, pages: range) -> None:
    """Make *pages* HV_FIXED, and take them off the count in the first entry of each 2 MiB."""
    for head in range(pages.start & -REGION, pages.stop, REGION):
        part = range(max(pages.start, head), min(pages.stop, head + REGION))
        lo, hi = fw.table.entry(head)
        left = (lo & COUNT) - (len(part) - (head in part)) * ONE_MORE
        refuse_if(left < 0, Status.INVALID_ADDRESS)
        for page in part:
            fw.table.set(page, HV_FIXED_LO, 0)
        base, rights = (HV_FIXED_LO, 0) if head in part else (lo & ~COUNT, hi)
        fw.table.set(head, base | left, rights)


def md_init(fw: Processor, command: MdInit) -> None:
    """SNP_PAGE_MD_INIT: make a firmware page a METADATA page of a guest."""
    refuse_if((command.gctx_paddr | command.page_paddr) & IN_PAGE, Status.INVALID_PARAM)
    fw.require_started()
    fw.look_up(command.gctx_paddr)
    _, lo = fw.look_up(command.page_paddr)
    guest = guest_of(fw, command.gctx_paddr, active=False)
    size = LARGE_PAGE if lo & LARGE else PAGE
    page = page_of(command.page_paddr)
    with rollback(fw, page):
        require(scalar.md_init(fw.table, page, guest))
        fw.store(command.page_paddr, bytes(size))
