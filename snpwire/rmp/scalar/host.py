"""RMPUPDATE, PSMASH and RMPREAD of one page: the host's instructions.

What sources leave open, and what is done here:

* RMPUPDATE, order of the checks: not from a guest, the operand, use by a processor, immutable, then
  overlap. This is the order in which Microsoft and VeriSMo tell them; no manual was at hand.
* ``gpa`` is taken as it is: with 2 MiB where it is no multiple, and without ASID, where it makes
  the state INVALID. No source refuses either; PVALIDATE and the firmware will.
* A region of 2 MiB that is not wholly covered cannot be assigned as one page: FAIL_INPUT.
* A page of 2 MiB overlaps where ``subpage_count`` of its entry is not 0. The first page does not
  count itself, and an update replaces its entry like any other. A page of 4 KiB overlaps where the
  first entry of its region is assigned with 2 MiB; an entry of 2 MiB that is not assigned stands
  for nothing but itself, and loses its size when a page of its region changes hands.
* HYPERVISOR to RECLAIM (assigned, no ASID, not immutable) is allowed; nobody was seen to do it.
* Entries 1 to 511 of a page of 2 MiB become assigned and nothing else, which is what AMD's firmware
  leaves there (SNP_PAGE_UNSMASH) and expects; Linux reads "assigned" from them. They become zero
  when the page is given back.
* ``lock`` follows ``immutable``, as in all that AMD's firmware writes. Bits 63:32 of the second
  quadword are left as they are. VMPL 0 gets 0x1F; pass ``rights=0xF`` for Milan.
* Counts wrap: a ``subpage_count`` or a counter that was wrong before stays wrong by as much.
* Counters count pages of 4 KiB, so that PSMASH changes none; ASID 0 is not counted.
* PSMASH of what is no page of 2 MiB is FAIL_BADADDR, 7 (Microsoft, 2026). Linux once had 4 for it,
  and Linux now retries on 3 alone. ``vmsa`` is copied as well. ``gpa`` counts up where a guest owns
  the page; without ASID it is the firmware's note, and a number counted up from it would say
  something else, so it is copied.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ...wire.address import REGION
from ...wire.rmp import RmpOperand, RmpReadSize
from ...wire.rmp_words import PsmashResult, RmpUpdateResult
from ..entry import (
    ASID,
    ASID_LOW,
    ASSIGNED,
    COUNT,
    FULL,
    GPA,
    GPA_LOW,
    IMMUTABLE,
    LARGE,
    LOCK,
    ONE_MORE,
    OPERAND,
    RIGHTS,
    SPAN,
    VALIDATED,
    VMSA,
)

if TYPE_CHECKING:
    from ..entry import Entries, Readable

FIRMWARE = ASSIGNED | IMMUTABLE
"""Operand of RMPUPDATE that makes a page the firmware's."""
SHARED = 0
"""Operand of RMPUPDATE that makes a page the hypervisor's."""
_LIMIT = (1 << 64) - 1
_QUADWORDS = Struct("<QQ")
_SPARE = ~(0x3FF << 32 | 0x10101)
"""Bits of the operand's second quadword that must be zero."""


def operand_of(operand: RmpOperand) -> int:
    """Return what *operand* says, in the form of the first quadword of an entry.

    Bits that must be zero have no place there: an operand that has one, an ASID of more than 10
    bits or an address that is no page of 51 bits gives a number with ``lock`` set, which RMPUPDATE
    refuses.
    """
    gpa, rest = _QUADWORDS.unpack(operand.build())
    word: int = rest & 1 | rest >> 7 & LARGE | rest >> 14 & IMMUTABLE
    word |= gpa & GPA | rest >> 32 << ASID_LOW & ASID
    return word | LOCK if gpa & ~GPA or rest & _SPARE else word


def rmpupdate(
    table: Entries,
    page: int,
    new: int,
    *,
    guest_asid: int = 0,
    in_use: bool = False,
    rights: int = FULL,
) -> RmpUpdateResult:
    """Give *page* away, or take it back; *new* is in the form of an entry (``operand_of``).

    *guest_asid* is the ASID that the processor runs under, *in_use* tells that a running VMCB, VMSA
    or AVIC page lies there, *rights* are what VMPL 0 gets. Source: the module.
    """
    if guest_asid:
        return RmpUpdateResult.FAIL_PERMISSION
    if not _fits(page, new, table.pages):
        return RmpUpdateResult.FAIL_INPUT
    if in_use:
        return RmpUpdateResult.FAIL_INUSE
    lo, hi = table.entry(page)
    if lo & IMMUTABLE:
        return RmpUpdateResult.FAIL_PERMISSION
    head = page & -REGION
    top, top_hi = (lo, hi) if head == page else table.entry(head)
    whole = top & SPAN == SPAN
    if (top & COUNT and not whole) if new & LARGE else whole:
        return RmpUpdateResult.FAIL_OVERLAP
    fresh = (lo ^ new) & OPERAND & ~IMMUTABLE or not new & ASID
    kept = 0 if fresh else lo & (VMSA | VALIDATED)
    count = 0 if new & LARGE else lo & COUNT
    lock = LOCK if new & IMMUTABLE else 0
    table.set(page, new | kept | count | lock, hi & ~RIGHTS | rights if fresh else hi)
    if new & LARGE:
        _mark(table, page, whole, new & SPAN == SPAN)
    elif head != page and (lo ^ new) & ASSIGNED:
        step = ONE_MORE if new & ASSIGNED else -ONE_MORE
        table.set(head, top & ~(COUNT | LARGE) | (top + step) & COUNT, top_hi)
    _count(table, lo, -1)
    _count(table, new, 1)
    return RmpUpdateResult.SUCCESS


def _fits(page: int, new: int, pages: int) -> bool:
    """Tell whether an operand is one that RMPUPDATE takes for this page."""
    if not 0 <= page < pages or new & ~OPERAND:
        return False
    if new & LARGE and (page % REGION or page + REGION > pages):
        return False
    return bool(new & ASSIGNED) or not new & (IMMUTABLE | ASID)


def _mark(table: Entries, head: int, before: bool, after: bool) -> None:
    """Write entries 1 to 511 of a region that becomes one page, or stops to be one."""
    if before != after:
        for page in range(head + 1, head + REGION):
            table.set(page, ASSIGNED if after else 0, 0)


def _count(table: Entries, lo: int, sign: int) -> None:
    """Add the pages of an entry to the counter of their owner, or take them off."""
    counters = getattr(table, "counters", None)
    if counters is None or not lo & ASSIGNED or not lo & ASID:
        return
    owner = (lo & ASID) >> ASID_LOW
    pages = REGION if lo & LARGE else 1
    counters[owner] = (int(counters[owner]) + sign * pages) & _LIMIT


def psmash(table: Entries, page: int, *, guest_asid: int = 0, in_use: bool = False) -> PsmashResult:
    """Split a page of 2 MiB into 512 pages of 4 KiB that are what it was. Source: the module."""
    if guest_asid:
        return PsmashResult.FAIL_PERMISSION
    if not 0 <= page <= table.pages - REGION or page % REGION:
        return PsmashResult.FAIL_INPUT
    if in_use:
        return PsmashResult.FAIL_INUSE
    lo, hi = table.entry(page)
    if lo & SPAN != SPAN:
        return PsmashResult.FAIL_BADADDR
    part = lo & ~(LARGE | COUNT)
    table.set(page, part | COUNT, hi)
    step = 1 << GPA_LOW if lo & ASID else 0
    for index in range(1, REGION):
        table.set(page + index, part & ~GPA | (part + index * step) & GPA, hi)
    return PsmashResult.SUCCESS


def rmpread(
    table: Readable, page: int, *, guest_asid: int = 0
) -> tuple[RmpUpdateResult, RmpOperand | None]:
    """Return the status, and what RMPREAD writes of the entry; the numbers are RMPUPDATE's.

    Entries 1 to 511 of a page of 2 MiB are told as they are. The status of the region is taken to
    mean that some page of 4 KiB in it is assigned.
    """
    if guest_asid:
        return RmpUpdateResult.FAIL_PERMISSION, None
    if not 0 <= page < table.pages:
        return RmpUpdateResult.FAIL_INPUT, None
    lo, _ = table.entry(page)
    top, _ = table.entry(page & -REGION)
    size = RmpReadSize(
        bool(lo & LARGE) | (top & SPAN != SPAN and top & (ASSIGNED | COUNT) != 0) << 1
    )
    read = RmpOperand(
        gpa=lo & GPA,
        assigned=lo & ASSIGNED,
        page_size=size,
        immutable=int(lo & IMMUTABLE != 0),
        asid=(lo & ASID) >> ASID_LOW,
    )
    return RmpUpdateResult.SUCCESS, read
