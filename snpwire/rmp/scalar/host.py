"""RMPUPDATE, PSMASH and RMPREAD of one page: the host's instructions.

What the sources leave open, and the choice made here:

* RMPUPDATE, order of the checks: not from a guest, the operand, use by a processor, immutable, then
  overlap. This is the order in which Microsoft and VeriSMo list them; no manual was available.
* ``gpa`` is stored as given: unaligned with 2 MiB, and without ASID, where it makes the state
  INVALID. No source refuses either; PVALIDATE and the firmware will.
* A 2 MiB region that the table covers in part cannot be assigned as one page: FAIL_INPUT.
* A 2 MiB page overlaps where ``subpage_count`` of its entry is not 0. The first page does not count
  itself, and an update replaces its entry like any other. A 4 KiB page overlaps where the first
  entry of its region is assigned with 2 MiB; a 2 MiB entry that is not assigned covers only its own
  page, and loses its size when a page of its region changes its owner.
* HYPERVISOR to RECLAIM (assigned, no ASID, not immutable) is allowed; no software is known to do
  it.
* Entries 1 to 511 of a 2 MiB page become assigned and nothing else, which is what AMD's firmware
  leaves there (SNP_PAGE_UNSMASH) and expects; Linux reads "assigned" from them. They become zero
  when the page becomes hypervisor-owned.
* ``lock`` follows ``immutable``, as in all that AMD's firmware writes. Bits 63:32 of the second
  quadword stay unchanged. VMPL 0 gets 0x1F; pass ``rights=0xF`` for Milan.
* Counts wrap: a ``subpage_count`` or a counter that was wrong before stays wrong by as much.
* Counters count pages of 4 KiB, so that PSMASH changes none; ASID 0 is not counted.
* PSMASH of a page that is not 2 MiB is FAIL_BADADDR, 7 (Microsoft, 2026). Linux once had 4 for it,
  and now retries on 3 only. ``vmsa`` is copied as well. ``gpa`` counts up where a guest owns the
  page; without ASID it is the firmware's note, which counting up would change, so it is copied.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ...wire.address import REGION
from ...wire.rmp import RmpReadEntry, RmpReadSize
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
    from ...wire.rmp import RmpOperand
    from ..entry import Entries, Readable

FIRMWARE = ASSIGNED | IMMUTABLE
"""Operand of RMPUPDATE that makes a page firmware-owned."""
SHARED = 0
"""Operand of RMPUPDATE that makes a page hypervisor-owned."""
_LIMIT = (1 << 64) - 1
_QUADWORDS = Struct("<QQ")
_SPARE = ~(0x3FF << 32 | 0x10101)
"""Bits of the operand's second quadword that must be zero."""


def operand_of(operand: RmpOperand) -> int:
    """Return *operand* in the form of the first quadword of an entry.

    An operand that does not fit, with a bit that must be zero, an ASID of more than 10 bits or an
    address that is no page of 51 bits, gives a number with ``lock`` set, which RMPUPDATE refuses.
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
    """Change the owner of *page*; *new* is in the form of an entry (``operand_of``).

    *guest_asid* is the ASID that the processor runs under, *in_use* is whether a running VMCB, VMSA
    or AVIC page is there, *rights* are the permissions of VMPL 0. Source: the module.
    """
    if guest_asid:
        return RmpUpdateResult.FAIL_PERMISSION
    if not _is_valid_operand(page, new, table.pages):
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
        _write_rest(table, page, whole, new & SPAN == SPAN)
    elif head != page and (lo ^ new) & ASSIGNED:
        step = ONE_MORE if new & ASSIGNED else -ONE_MORE
        table.set(head, top & ~(COUNT | LARGE) | (top + step) & COUNT, top_hi)
    _add_to_counter(table, lo, -1)
    _add_to_counter(table, new, 1)
    return RmpUpdateResult.SUCCESS


def _is_valid_operand(page: int, new: int, pages: int) -> bool:
    """Return whether RMPUPDATE takes an operand for this page."""
    if not 0 <= page < pages or new & ~OPERAND:
        return False
    if new & LARGE and (page % REGION or page + REGION > pages):
        return False
    return bool(new & ASSIGNED) or not new & (IMMUTABLE | ASID)


def _write_rest(table: Entries, head: int, before: bool, after: bool) -> None:
    """Write entries 1 to 511 of a region that becomes a 2 MiB page, or stops being one."""
    if before != after:
        for page in range(head + 1, head + REGION):
            table.set(page, ASSIGNED if after else 0, 0)


def _add_to_counter(table: Entries, lo: int, sign: int) -> None:
    """Add the pages of an entry to the counter of their owner, *sign* times."""
    counters = getattr(table, "counters", None)
    if counters is None or not lo & ASSIGNED or not lo & ASID:
        return
    owner = (lo & ASID) >> ASID_LOW
    pages = REGION if lo & LARGE else 1
    counters[owner] = (int(counters[owner]) + sign * pages) & _LIMIT


def psmash(table: Entries, page: int, *, guest_asid: int = 0, in_use: bool = False) -> PsmashResult:
    """Split a 2 MiB page into 512 pages of 4 KiB that are alike. Source: the module."""
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
) -> tuple[RmpUpdateResult, RmpReadEntry | None]:
    """Return the status, of RMPUPDATE's numbers, and the entry as RMPREAD writes it.

    Entries 1 to 511 of a 2 MiB page are returned as stored. The status of the region is taken to
    mean that some 4 KiB page in it is assigned.
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
    read = RmpReadEntry(
        gpa=lo & GPA,
        assigned=lo & ASSIGNED,
        page_size=size,
        immutable=int(lo & IMMUTABLE != 0),
        asid=(lo & ASID) >> ASID_LOW,
    )
    return RmpUpdateResult.SUCCESS, read
