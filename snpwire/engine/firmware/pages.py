"""Commands that change what the table says of a page: take it back, join it, fix it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.page_commands import ReclaimPage, SetState
from ...wire.rmp import RmpLo, RmpState
from ...wire.rmp_words import RmpFirmwareGpa
from ...wire.status import Status
from ..entries import FIRMWARE_LO, HV_FIXED_LO, PAGES_2M, state_of_entry
from ..memory import C_BIT, PAGE
from .processor import IN_PAGE, LO_PAGE_SIZE, Refusal
from .ranges import page_ranges

if TYPE_CHECKING:
    from .processor import Processor

IN_2M = 0x1F_FFFF
SIZE_2M = IN_2M + 1
RECLAIMABLE = (RmpState.METADATA, RmpState.FIRMWARE, RmpState.PRE_GUEST, RmpState.PRE_SWAP)
IMMUTABLE = RmpLo.BITS["immutable"].mask
HELD = IMMUTABLE | RmpLo.BITS["lock"].mask
"""What keeps RMPUPDATE away from an entry; the lock follows the other bit."""
SUBPAGES = RmpLo.BITS["subpage_count"]
_RECLAIM_RESERVED = 0xFFE
_NOTE = RmpFirmwareGpa.BITS["state"].mask << RmpLo.BITS["gpa"].low


def reclaim(fw: Processor, raw: bytes) -> None:
    """SNP_PAGE_RECLAIM: give a page back to the host. Raises Refusal.

    A page that is not immutable stays as it is, whatever its state: that is no error. A page that
    has no entry is treated as one whose entry is zero; to the firmware that entry is whatever lies
    on its stack.
    """
    word = ReclaimPage(int.from_bytes(raw, "little"))
    if word & _RECLAIM_RESERVED:
        raise Refusal(Status.INVALID_PARAM)
    fw.started()
    address, large = word & ~IN_PAGE, bool(word & 1)
    fw.reach(address, SIZE_2M if large else PAGE)
    state, lo = fw.look_up(address)
    if bool(lo & LO_PAGE_SIZE) != large:
        raise Refusal(Status.INVALID_PAGE_SIZE)
    if large and address & IN_2M:
        raise Refusal(Status.INVALID_ADDRESS)
    if not lo & IMMUTABLE:
        return
    if state not in RECLAIMABLE:
        raise Refusal(Status.INVALID_PAGE_STATE)
    fw.change(address, HELD | (_NOTE if state == RmpState.METADATA else 0), 0)
    fw.forget(address)


def unsmash(fw: Processor, raw: bytes) -> None:
    """SNP_PAGE_UNSMASH: join 512 pages of one guest into a large one. Raises Refusal."""
    address = int.from_bytes(raw, "little")
    if address & IN_2M:
        raise Refusal(Status.INVALID_PARAM)
    fw.started()
    if fw.look_up(address)[0] == RmpState.DEFAULT:
        raise Refusal(Status.INVALID_PAGE_STATE)
    place = address & ~C_BIT
    table = fw.memory.map.rmp
    if place < table.stop and table.start < place + SIZE_2M:
        raise Refusal(Status.INVALID_ADDRESS)
    first = place >> 12
    if first + PAGES_2M > fw.table.pages:
        raise Refusal(Status.INVALID_PAGE_STATE)
    entries = [fw.table.entry(page) for page in range(first, first + PAGES_2M)]
    _joinable(entries)
    lo, hi = entries[0]
    fw.table.set(first, lo & ~SUBPAGES.mask | LO_PAGE_SIZE, hi)
    clear = HELD | RmpLo.BITS["asid"].mask
    for page, (lo, hi) in enumerate(entries[1:], first + 1):
        fw.table.set(page, lo & ~clear | 1, hi)


def _joinable(entries: list[tuple[int, int]]) -> None:
    """Refuse entries that are not 512 pages of one guest, in order from a 2 MiB boundary on."""
    first, second = RmpLo(entries[0][0]), entries[0][1]
    state = state_of_entry(int(first))
    fits = first.gpa % PAGES_2M == 0
    for index, (lo, hi) in enumerate(entries):
        word = RmpLo(lo)
        own = word.immutable and word.asid and not word.vmsa and not word.page_size
        same = hi == second and word.asid == first.asid and state_of_entry(lo) == state
        fits = fits and bool(own) and same and word.gpa == first.gpa + index
    if not fits:
        raise Refusal(Status.INVALID_PAGE_STATE)


def set_state(fw: Processor, raw: bytes) -> None:
    """SNP_PAGE_SET_STATE: make pages of the firmware HV_FIXED. Raises Refusal.

    Pages of the table itself, and those that have no entry, are left out without a word.
    """
    command = SetState.parse(raw)
    if command.length != SetState.SIZE:
        raise Refusal(Status.INVALID_LENGTH)
    if any(raw[0x4:0x8]) or command.list_paddr & IN_PAGE:
        raise Refusal(Status.INVALID_PARAM)
    fw.started()
    table = fw.memory.map.rmp
    own = range(table.start >> 12, -(-table.stop // PAGE))
    for pages in list(page_ranges(fw, command.list_paddr, SIZE_2M)):
        _fix(fw, range(pages.start, min(pages.stop, fw.table.pages)), own)


def _fix(fw: Processor, pages: range, own: range) -> None:
    """Make *pages* HV_FIXED, but for the table's *own*."""
    given = [page for page in pages if page not in own]
    for page in given:
        lo = fw.table.entry(page)[0]
        if lo & ~SUBPAGES.mask != FIRMWARE_LO:
            raise Refusal(Status.INVALID_PAGE_STATE)
    for page in given:
        lo, _ = fw.table.entry(page)
        fw.table.set(page, HV_FIXED_LO | lo & SUBPAGES.mask, 0)
    for first in range(pages.start, pages.stop, PAGES_2M):
        _count_out(fw, first, sum(first < page < first + PAGES_2M for page in given))


def _count_out(fw: Processor, first: int, fewer: int) -> None:
    """Take pages off what the entry on a 2 MiB boundary counts."""
    lo, hi = fw.table.entry(first)
    count = SUBPAGES.value(lo) - fewer
    if count < 0:
        raise Refusal(Status.INVALID_ADDRESS)
    fw.table.set(first, lo & ~SUBPAGES.mask | count << SUBPAGES.low, hi)
