"""PVALIDATE, RMPADJUST and RMPQUERY of many pages: ``scalar.guest`` as arrays.

All decisions are explained there. None of the three changes which entry covers a page, so an
operation depends on that entry only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...wire.address import REGION
from ...wire.rmp_words import PvalidateResult, RmpAdjust, RmpAdjustResult
from .. import scalar
from ..entry import (
    FULL,
    LARGE,
    NOT_OWNED,
    NOT_READABLE,
    NOT_VALIDATED,
    TOO_SMALL,
    VALIDATED,
    VMSA,
    AccessFault,
    FaultKind,
    InstructionResult,
)
from ..page_ranges import page_numbers
from .operands import U64, not_owned, quads_of, quadwords, without, writeable
from .order import in_order

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..table import Table

_FAULTS = (AccessFault(FaultKind.NONE), NOT_OWNED, TOO_SMALL, NOT_VALIDATED, NOT_READABLE)
_PLACE = {fault: place for place, fault in enumerate(_FAULTS)}
_KINDS = np.array([fault.kind for fault in _FAULTS], np.uint8)
_CODES = np.array([fault.code for fault in _FAULTS], np.uint64)


class InstructionResults(NamedTuple):
    """Results of a guest instruction; all arrays have the shape of the pages."""

    status: NDArray[np.uint8]
    """Number in EAX; meaningless with a fault."""
    kind: NDArray[np.uint8]
    """``FaultKind``; 0 for none."""
    code: NDArray[np.uint64]
    """Code of the fault, 0 for none."""
    carry: NDArray[np.bool_]
    """The carry flag."""


class QueryResults(NamedTuple):
    """Results of RMPQUERY; all arrays have the shape of the pages."""

    results: InstructionResults
    rdx: NDArray[np.uint64]
    """RDX, 0 without success."""
    rcx: NDArray[np.uint64]
    """RCX, 0 without success."""


class _Batch:
    """Operations on pages of guests, the entries that cover them, and the results."""

    def __init__(self, table: Table, pages: ArrayLike, gpas: ArrayLike, *others: ArrayLike) -> None:
        numbers = page_numbers(pages)
        self.table, self.shape = table, numbers.shape
        self.pages = numbers.reshape(-1)
        self.gpas = np.broadcast_to(page_numbers(gpas), self.shape).reshape(-1)
        arrays = [quadwords(other, self.shape).reshape(-1) for other in others]
        self.asids, self.vmpls, *self.others = arrays
        self.quads = quads_of(table)
        self.status = np.zeros(len(self.pages), np.uint8)
        self.fault = np.zeros(len(self.pages), np.uint8)
        self.carry = np.zeros(len(self.pages), np.bool_)
        self.heads = np.where(self.pages < table.pages, table.resolve_all(self.pages), 0)

    def refuse(self, code: int, where: NDArray[np.bool_]) -> None:
        """Give a status to operations that have neither status nor fault yet."""
        self.status[where & self.pending()] = code

    def fail(self, fault: AccessFault, where: NDArray[np.bool_]) -> None:
        """Give a fault to operations that have neither status nor fault yet."""
        self.fault[where & self.pending()] = _PLACE[fault]

    def pending(self) -> NDArray[np.bool_]:
        """Return which operations have neither status nor fault."""
        pending: NDArray[np.bool_] = (self.status | self.fault) == 0
        return pending

    def quadword(self, index: int) -> NDArray[np.uint64]:
        """Return quadword *index*, 0 or 1, of the entry that covers each page."""
        return self.quads.take((self.heads << 1) + index)

    def unowned(self) -> NDArray[np.bool_]:
        """Return which pages are not owned by the guest, or not usable by it."""
        offsets = self.pages - self.heads
        others = not_owned(self.quadword(0), offsets, self.gpas, self.asids)
        return others | (self.pages >= self.table.pages)

    def operation(self, place: int) -> tuple[int, int, int]:
        """Return the page, the guest page and the ASID of one operation."""
        return int(self.pages[place]), int(self.gpas[place]), int(self.asids[place])

    def store(self, place: int, result: InstructionResult) -> None:
        """Store the result of a single operation."""
        self.status[place] = result.status
        self.fault[place] = 0 if result.fault is None else _PLACE[result.fault]
        self.carry[place] = result.carry

    def results(self) -> InstructionResults:
        """Return the results of all operations."""
        status, carry = self.status.reshape(self.shape), self.carry.reshape(self.shape)
        fault = self.fault.reshape(self.shape)
        return InstructionResults(status, _KINDS[fault], _CODES[fault], carry)


def pvalidate(
    table: Table,
    pages: ArrayLike,
    gpas: ArrayLike,
    *,
    asid: ArrayLike,
    vmpl: ArrayLike = 0,
    size: ArrayLike = 0,
    validate: ArrayLike = 1,
) -> InstructionResults:
    """Do PVALIDATE for each of *pages*, which back guest pages *gpas*, in their order.

    All else is one number or one for each page, as in ``scalar.pvalidate``; statuses are
    ``PvalidateResult``.
    """
    batch = _Batch(writeable(table), pages, gpas, asid, vmpl, size, validate)
    sizes, wanted = (other != 0 for other in batch.others)
    batch.refuse(PvalidateResult.FAIL_PERMISSION, batch.vmpls != 0)
    batch.refuse(PvalidateResult.FAIL_INPUT, sizes & (batch.gpas % REGION != 0))
    large = batch.quadword(0) & U64(LARGE) != 0
    batch.fail(NOT_OWNED, batch.unowned())
    batch.fail(TOO_SMALL, large & ~sizes)
    batch.refuse(PvalidateResult.FAIL_SIZEMISMATCH, sizes & ~large)
    live = np.flatnonzero(batch.pending())

    def wave(places: NDArray[np.int64]) -> None:
        chosen = live[places]
        at = batch.heads[chosen] << 1
        lo = batch.quads.take(at)
        change = (lo & U64(VALIDATED) != 0) != wanted[chosen]
        batch.carry[chosen] = ~change
        batch.quads[at[change]] = lo[change] ^ U64(VALIDATED)

    def one(place: int) -> None:
        number = int(live[place])
        page, gpa, asid = batch.operation(number)
        keys = {"size": int(sizes[number]), "validate": int(wanted[number])}
        batch.store(number, scalar.pvalidate(table, page, gpa, asid=asid, **keys))

    in_order(batch.heads[live], wave, one)
    return batch.results()


def rmpadjust(
    table: Table,
    pages: ArrayLike,
    gpas: ArrayLike,
    rdx: ArrayLike,
    *,
    asid: ArrayLike,
    vmpl: ArrayLike = 0,
    size: ArrayLike = 0,
) -> InstructionResults:
    """Do RMPADJUST for each of *pages*, which back guest pages *gpas*, in their order.

    All else is one number or one for each page, as in ``scalar.rmpadjust``; statuses are
    ``RmpAdjustResult``.
    """
    batch = _Batch(writeable(table), pages, gpas, asid, vmpl, size, rdx)
    words, sizes = batch.others[1], batch.others[0] != 0
    targets = words & U64(0xFF)
    odd = words & without(RmpAdjust.KNOWN) != 0
    odd |= (targets > 3) | (sizes & (batch.gpas % REGION != 0))
    batch.refuse(RmpAdjustResult.FAIL_INPUT, odd)
    batch.refuse(RmpAdjustResult.FAIL_PERMISSION, targets <= batch.vmpls)
    lo = batch.quadword(0)
    large = lo & U64(LARGE) != 0
    batch.fail(NOT_OWNED, batch.unowned())
    batch.fail(TOO_SMALL, large & ~sizes)
    batch.fail(NOT_VALIDATED, lo & U64(VALIDATED) == 0)
    batch.refuse(RmpAdjustResult.FAIL_SIZEMISMATCH, sizes & ~large)
    live = np.flatnonzero(batch.pending())

    def wave(places: NDArray[np.int64]) -> None:
        chosen = live[places]
        lacking = _adjust(batch, chosen, words[chosen])
        batch.status[chosen[lacking]] = RmpAdjustResult.FAIL_PERMISSION

    def one(place: int) -> None:
        number = int(live[place])
        page, gpa, asid = batch.operation(number)
        keys = {"vmpl": int(batch.vmpls[number]), "size": int(sizes[number])}
        done = scalar.rmpadjust(table, page, gpa, int(words[number]), asid=asid, **keys)
        batch.store(number, done)

    in_order(batch.heads[live], wave, one)
    return batch.results()


def _adjust(batch: _Batch, chosen: NDArray[np.int64], rdx: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Set permissions where the caller has them itself; return where it has not."""
    at = batch.heads[chosen] << 1
    hi = batch.quads.take(at + 1)
    vmpl, shift = batch.vmpls[chosen], (rdx & U64(3)) << U64(3)
    wanted = rdx >> U64(8) & U64(FULL)
    lacking: NDArray[np.bool_] = wanted & ~(hi >> (vmpl << U64(3))) != 0
    done = ~lacking
    hi &= ~(U64(0xFF) << shift)
    hi |= wanted << shift
    batch.quads[at[done] + 1] = hi[done]
    top = done & (vmpl == 0)
    lo = batch.quads.take(at[top]) & without(VMSA)
    marked = rdx[top] & U64(RmpAdjust.vmsa.mask) != 0
    batch.quads[at[top]] = lo | np.where(marked, U64(VMSA), U64(0))
    return lacking


def rmpquery(
    table: Table,
    pages: ArrayLike,
    gpas: ArrayLike,
    target: ArrayLike,
    *,
    asid: ArrayLike,
    vmpl: ArrayLike = 0,
) -> QueryResults:
    """Do RMPQUERY for each of *pages*, which back guest pages *gpas*; nothing changes.

    All else is one number or one for each page, as in ``scalar.rmpquery``; statuses are
    ``RmpAdjustResult``. Raises UsageError for what is no page number.
    """
    batch = _Batch(table, pages, gpas, asid, vmpl, target)
    (targets,) = batch.others
    batch.refuse(RmpAdjustResult.FAIL_INPUT, targets > 3)
    batch.refuse(RmpAdjustResult.FAIL_PERMISSION, targets <= batch.vmpls)
    lo, hi = batch.quadword(0), batch.quadword(1)
    batch.fail(NOT_READABLE, batch.unowned())
    batch.fail(NOT_VALIDATED, lo & U64(VALIDATED) == 0)
    mask: NDArray[np.uint64] = hi >> ((targets & U64(3)) << U64(3)) & U64(0xFF)
    rdx = targets | mask << U64(8)
    rdx[lo & U64(VMSA) != 0] |= U64(RmpAdjust.vmsa.mask)
    rcx = (lo & U64(LARGE)) >> U64(LARGE.bit_length() - 1)
    failed = np.flatnonzero(~batch.pending())
    rdx[failed], rcx[failed] = 0, 0
    return QueryResults(batch.results(), rdx.reshape(batch.shape), rcx.reshape(batch.shape))
