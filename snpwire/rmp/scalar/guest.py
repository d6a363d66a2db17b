"""PVALIDATE, RMPADJUST and RMPQUERY of one page: the guest's instructions.

The page is a page of the host, to which the nested page tables map the guest's page number *gpa*.
What the sources leave open, and the choice made here:

* PVALIDATE at another VMPL than 0 is FAIL_PERMISSION (VeriSMo; Linux has the rule, not the
  number), and is checked first.
* FAIL_INPUT, for 2 MiB at an unaligned address, for a VMPL above 3 and for bits of rDX that must be
  zero, is checked before the table.
* EXITINFO1 of a nested page fault has no ENC: the one such fault that a trace of Linux shows, of
  4 KiB within 2 MiB, has none (0x980000007).
* RMPQUERY faults as RMPADJUST does, with the code of a read, and has no page size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...wire.address import REGION
from ...wire.rmp_words import PvalidateResult, RmpAdjust, RmpAdjustResult
from ..entry import (
    ASID,
    ASID_LOW,
    ASSIGNED,
    FULL,
    GPA,
    GPA_LOW,
    LARGE,
    NOT_OWNED,
    NOT_READABLE,
    NOT_VALIDATED,
    OPERAND,
    TOO_SMALL,
    VALIDATED,
    VMSA,
    InstructionResult,
    covering_entry,
)

if TYPE_CHECKING:
    from ..entry import AccessFault, Entries, Readable

RESERVED = ~RmpAdjust.KNOWN
_FAULT = {
    fault: InstructionResult(0, fault)
    for fault in (NOT_OWNED, NOT_READABLE, NOT_VALIDATED, TOO_SMALL)
}
_VALIDATED = {status: InstructionResult(status) for status in PvalidateResult}
_UNCHANGED = InstructionResult(PvalidateResult.SUCCESS, carry=True)
_ADJUSTED = {status: InstructionResult(status) for status in RmpAdjustResult}


class QueryResult(NamedTuple):
    """Result of RMPQUERY."""

    result: InstructionResult
    rdx: int = 0
    """RDX: the VMPL, its permissions in bits 15:8, VMSA in bit 16."""
    rcx: int = 0
    """RCX: 1 for a 2 MiB page."""


def owned_entry(table: Readable, page: int, gpa: int, asid: int) -> tuple[int, int, int] | None:
    """Return the page whose entry covers *page* and its quadwords, if the guest may use it.

    It may if the entry assigns this *gpa* to it and is not immutable.
    """
    if not 0 <= page < table.pages or not 0 < asid <= ASID >> ASID_LOW:
        return None
    head, lo, hi = covering_entry(table, page)
    first = gpa - (page - head)
    if not 0 <= first <= GPA >> GPA_LOW:
        return None
    mine = ASSIGNED | asid << ASID_LOW | first << GPA_LOW
    return None if (lo ^ mine) & OPERAND & ~LARGE else (head, lo, hi)


def pvalidate(
    table: Entries,
    page: int,
    gpa: int,
    *,
    asid: int,
    vmpl: int = 0,
    size: int = 0,
    validate: int = 1,
) -> InstructionResult:
    """Validate a page of the guest, or rescind that; *size* is 1 for 2 MiB. Source: the module."""
    if vmpl:
        return _VALIDATED[PvalidateResult.FAIL_PERMISSION]
    if size and gpa % REGION:
        return _VALIDATED[PvalidateResult.FAIL_INPUT]
    owned = owned_entry(table, page, gpa, asid)
    if owned is None or _is_too_small(owned[1], size):
        return _FAULT[TOO_SMALL if owned else NOT_OWNED]
    head, lo, hi = owned
    if size and not lo & LARGE:
        return _VALIDATED[PvalidateResult.FAIL_SIZEMISMATCH]
    wanted = VALIDATED if validate else 0
    if lo & VALIDATED == wanted:
        return _UNCHANGED
    table.set(head, lo ^ VALIDATED, hi)
    return _VALIDATED[PvalidateResult.SUCCESS]


def rmpadjust(
    table: Entries, page: int, gpa: int, rdx: int, *, asid: int, vmpl: int = 0, size: int = 0
) -> InstructionResult:
    """Set the permissions of a less privileged VMPL; *rdx* is ``RmpAdjust``. Source: the module."""
    target = rdx & 0xFF
    if rdx & RESERVED or target > 3 or (size and gpa % REGION):
        return _ADJUSTED[RmpAdjustResult.FAIL_INPUT]
    if target <= vmpl:
        return _ADJUSTED[RmpAdjustResult.FAIL_PERMISSION]
    owned = owned_entry(table, page, gpa, asid)
    if owned is None or not owned[1] & VALIDATED or _is_too_small(owned[1], size):
        return _FAULT[_adjust_fault(owned, size)]
    head, lo, hi = owned
    if size and not lo & LARGE:
        return _ADJUSTED[RmpAdjustResult.FAIL_SIZEMISMATCH]
    wanted = rdx >> 8 & FULL
    if wanted & ~(hi >> 8 * vmpl):
        return _ADJUSTED[RmpAdjustResult.FAIL_PERMISSION]
    if not vmpl:
        lo = lo & ~VMSA | (VMSA if rdx & RmpAdjust.vmsa.mask else 0)
    table.set(head, lo, hi & ~(0xFF << 8 * target) | wanted << 8 * target)
    return _ADJUSTED[RmpAdjustResult.SUCCESS]


def _is_too_small(lo: int, size: int) -> bool:
    """Return whether the operation is on 4 KiB within a 2 MiB page."""
    return not size and lo & LARGE != 0


def _adjust_fault(owned: tuple[int, int, int] | None, size: int) -> AccessFault:
    """Return the fault of an RMPADJUST that fails, the first in order."""
    if owned is None:
        return NOT_OWNED
    return TOO_SMALL if _is_too_small(owned[1], size) else NOT_VALIDATED


def rmpquery(
    table: Readable, page: int, gpa: int, target: int, *, asid: int, vmpl: int = 0
) -> QueryResult:
    """Return the permissions of a less privileged VMPL. Source: the module."""
    if target > 3:
        return QueryResult(_ADJUSTED[RmpAdjustResult.FAIL_INPUT])
    if target <= vmpl:
        return QueryResult(_ADJUSTED[RmpAdjustResult.FAIL_PERMISSION])
    owned = owned_entry(table, page, gpa, asid)
    if owned is None:
        return QueryResult(_FAULT[NOT_READABLE])
    _, lo, hi = owned
    if not lo & VALIDATED:
        return QueryResult(_FAULT[NOT_VALIDATED])
    rdx = target | (hi >> 8 * target & 0xFF) << 8 | (RmpAdjust.vmsa.mask if lo & VMSA else 0)
    return QueryResult(_ADJUSTED[RmpAdjustResult.SUCCESS], rdx, int(lo & LARGE != 0))
