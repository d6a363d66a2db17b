"""RMPUPDATE, PSMASH and RMPREAD of many pages: ``scalar.host`` as arrays.

All decisions are explained there. Waves are possible because a 4 KiB update reads its own entry,
and of the first entry of its region only whether it is a 2 MiB page, which no 4 KiB update can
change. So updates of different pages are independent, and their changes of ``subpage_count`` can be
added at the end of a wave, as counts wrap. All updates of a region are kept in order only where a
2 MiB update touches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...wire.address import REGION
from ...wire.rmp import RmpReadEntry
from ...wire.rmp_words import PsmashResult, RmpUpdateResult
from .. import scalar
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
from ..page_ranges import page_numbers
from .operands import U64, first_of, quads_of, quadwords, regions_of, without, writeable
from .order import in_order

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..table import Table

REGIONS_AT_ONCE = 64
"""2 MiB regions of a wave: half a MiB of entries."""
_LOCKED = LOCK // IMMUTABLE


def rmpupdate(
    table: Table,
    pages: ArrayLike,
    new: ArrayLike,
    *,
    guest_asid: ArrayLike = 0,
    in_use: ArrayLike = False,
    rights: int = FULL,
) -> NDArray[np.uint8]:
    """Do RMPUPDATE for each of *pages*, in their order; return a ``RmpUpdateResult`` for each.

    *new* is one operand or one for each page, in the form of an entry (``scalar.operand_of``);
    *guest_asid* and *in_use* likewise. Raises UsageError for what is no page number or no operand,
    and for a read-only table.
    """
    numbers = page_numbers(pages)
    flat = numbers.reshape(-1)
    words = quadwords(new, numbers.shape).reshape(-1)
    refused = _invalid_operands(flat, words, table.pages)
    status = _early_status(refused, numbers.shape, guest_asid, in_use)
    live = np.flatnonzero(status == 0)
    if len(live) < len(flat):
        flat, words = flat.take(live), words.take(live)
    batch = _Updates(writeable(table), flat, words, rights)
    in_order(batch.keys(), batch.wave, batch.one)
    status[live] = batch.status
    return status.reshape(numbers.shape)


def _invalid_operands(
    pages: NDArray[np.int64], new: NDArray[np.uint64], covered: int
) -> NDArray[np.bool_]:
    """Return where the operand or the page is invalid."""
    bad: NDArray[np.bool_] = new & without(OPERAND) != 0
    bad |= pages >= covered
    large = new & U64(LARGE) != 0
    if large.any():
        bad |= large & ((pages % REGION != 0) | (pages > covered - REGION))
    bad |= (new & U64(ASSIGNED) == 0) & (new & U64(IMMUTABLE | ASID) != 0)
    return bad


def _early_status(
    refused: NDArray[np.bool_], shape: tuple[int, ...], guest_asid: ArrayLike, in_use: ArrayLike
) -> NDArray[np.uint8]:
    """Return the status of the checks before the entry is read; PSMASH has the same numbers."""
    checks = (
        (guest_asid, RmpUpdateResult.FAIL_PERMISSION),
        (refused.reshape(shape), RmpUpdateResult.FAIL_INPUT),
        (in_use, RmpUpdateResult.FAIL_INUSE),
    )
    status = np.zeros(len(refused), np.uint8)
    for failed, code in reversed(checks):
        if np.any(failed):
            status[quadwords(failed, shape).reshape(-1) != 0] = code
    return status


class _Updates:
    """Updates with valid operands, and their statuses."""

    def __init__(
        self, table: Table, pages: NDArray[np.int64], new: NDArray[np.uint64], rights: int
    ) -> None:
        self.table = table
        self.quads = quads_of(table)
        self.pages, self.new, self.rights = pages, new, rights
        self.large = new & U64(LARGE) != 0
        self.mixed = bool(self.large.any())
        self.status = np.zeros(len(pages), np.uint8)

    def keys(self) -> NDArray[np.int64]:
        """Return the key of each update: its page, or its region where some update has 2 MiB."""
        if not self.mixed:
            return self.pages
        heads = self.pages & -REGION
        return np.where(np.isin(heads, self.pages[self.large]), heads, self.pages)

    def one(self, place: int) -> None:
        """Do one update."""
        page, new = int(self.pages[place]), int(self.new[place])
        self.status[place] = scalar.rmpupdate(self.table, page, new, rights=self.rights)

    def wave(self, places: NDArray[np.int64]) -> None:
        """Do updates of different keys, their pages in ascending order."""
        pages, new = self.pages.take(places), self.new.take(places)
        lo = self.quads.take(pages << 1)
        top = self.quads.take((pages & -REGION) << 1)
        status = self._statuses(lo, top, new)
        self.status[places] = status
        done = np.flatnonzero(status == 0)
        if len(done) < len(status):
            pages = pages.take(done)
            new, lo, top = (words.take(done) for words in (new, lo, top))
        self._write(pages, lo, new)
        if self.mixed:
            self._write_rest(pages, top, new)
        self._add_subpages(pages, lo, new)
        update_counters(self.table, lo, new)

    def _statuses(
        self, lo: NDArray[np.uint64], top: NDArray[np.uint64], new: NDArray[np.uint64]
    ) -> NDArray[np.uint8]:
        """Return the status of updates of entries *lo* in regions that begin with *top*."""
        overlap = top & U64(SPAN) == SPAN
        if self.mixed:
            some = ~overlap & (top & U64(COUNT) != 0)
            overlap = np.where(new & U64(LARGE) != 0, some, overlap)
        fixed = lo & U64(IMMUTABLE) != 0
        return first_of(
            (fixed, RmpUpdateResult.FAIL_PERMISSION), (overlap, RmpUpdateResult.FAIL_OVERLAP)
        )

    def _write(
        self, pages: NDArray[np.int64], lo: NDArray[np.uint64], new: NDArray[np.uint64]
    ) -> None:
        """Write the entries themselves."""
        fresh = (lo ^ new) & U64(OPERAND & ~IMMUTABLE) != 0
        fresh |= new & U64(ASID) == 0
        kept = np.where(fresh, U64(COUNT), U64(COUNT | VMSA | VALIDATED))
        kept &= lo
        if self.mixed:
            kept[new & U64(LARGE) != 0] &= without(COUNT)
        kept |= new
        kept |= (new & U64(IMMUTABLE)) * U64(_LOCKED)
        at = pages << 1
        self.quads[at] = kept
        at = at.take(np.flatnonzero(fresh))
        at |= 1
        hi = self.quads.take(at)
        hi &= without(RIGHTS)
        hi |= U64(self.rights)
        self.quads[at] = hi

    def _write_rest(
        self, pages: NDArray[np.int64], top: NDArray[np.uint64], new: NDArray[np.uint64]
    ) -> None:
        """Write entries 1 to 511 of regions that become a 2 MiB page, or stop being one."""
        before, after = top & U64(SPAN) == SPAN, new & U64(SPAN) == SPAN
        changed = (new & U64(LARGE) != 0) & (before != after)
        regions = regions_of(self.table)
        for row, word in zip(
            (pages[changed] // REGION).tolist(), after[changed].tolist(), strict=True
        ):
            regions[row, 1:, 0] = ASSIGNED if word else 0
            regions[row, 1:, 1] = 0

    def _add_subpages(
        self, pages: NDArray[np.int64], lo: NDArray[np.uint64], new: NDArray[np.uint64]
    ) -> None:
        """Update the sub-page counts of regions; *pages* are in ascending order."""
        part = np.flatnonzero((pages & (REGION - 1) != 0) & ((lo ^ new) & U64(ASSIGNED) != 0))
        if not len(part):
            return
        heads = pages.take(part) & -REGION
        steps = (new.take(part) & U64(ASSIGNED)) * U64(2 * ONE_MORE) - U64(ONE_MORE)
        firsts = np.flatnonzero(np.concatenate([[True], heads[1:] != heads[:-1]]))
        sums = np.add.reduceat(steps, firsts)
        at = heads[firsts] << 1
        top = self.quads.take(at)
        sums += top
        top &= without(COUNT | LARGE)
        top |= sums & U64(COUNT)
        self.quads[at] = top


def update_counters(table: Table, lo: NDArray[np.uint64], new: NDArray[np.uint64]) -> None:
    """Subtract the pages of entries *lo* from their owners' counters, and add those of *new*."""
    if table.counters is None:
        return
    total = np.zeros(len(table.counters), np.int64)
    for words, sign in ((lo, -1), (new, 1)):
        owned = (words & U64(ASSIGNED)) * (words & U64(ASID)) >> U64(ASID_LOW)
        large = words & U64(LARGE) != 0
        total += sign * np.bincount(owned.view(np.int64), minlength=len(total))
        if large.any():
            more = np.bincount(owned[large].view(np.int64), minlength=len(total))
            total += sign * (REGION - 1) * more
    total[0] = 0
    table.counters += total.view(np.uint64)


def psmash(
    table: Table, pages: ArrayLike, *, guest_asid: ArrayLike = 0, in_use: ArrayLike = False
) -> NDArray[np.uint8]:
    """Do PSMASH for each of *pages*, in their order; return a ``PsmashResult`` for each."""
    numbers = page_numbers(pages)
    flat = numbers.reshape(-1)
    refused = (flat % REGION != 0) | (flat > table.pages - REGION)
    status = _early_status(refused, numbers.shape, guest_asid, in_use)
    live = np.flatnonzero(status == 0)
    heads = flat[live]
    regions = regions_of(writeable(table))

    def wave(places: NDArray[np.int64]) -> None:
        rows = heads[places] // REGION
        whole = regions[rows, 0, 0] & U64(SPAN) == SPAN
        status[live[places[~whole]]] = PsmashResult.FAIL_BADADDR
        _split(regions, rows[whole])

    def one(place: int) -> None:
        status[live[place]] = scalar.psmash(table, int(heads[place]))

    in_order(heads, wave, one, REGIONS_AT_ONCE)
    return status.reshape(numbers.shape)


def _split(regions: NDArray[np.uint64], rows: NDArray[np.int64]) -> None:
    """Write the entries of regions that were a 2 MiB page."""
    top = regions[rows, 0]
    lo = top[:, :1] & without(LARGE | COUNT | GPA)
    steps = np.arange(REGION, dtype=U64) << U64(GPA_LOW)
    steps = np.where(top[:, :1] & U64(ASID) != 0, steps, U64(0))
    gpa = (top[:, :1] + steps) & U64(GPA)
    regions[rows, :, 0] = lo | gpa
    regions[rows, :, 1] = top[:, 1:]
    regions[rows, 0, 0] |= U64(COUNT)


def rmpread(
    table: Table, pages: ArrayLike, *, guest_asid: ArrayLike = 0
) -> tuple[NDArray[np.uint8], NDArray[np.void]]:
    """Do RMPREAD for each of *pages*; return a ``RmpUpdateResult`` and an operand for each.

    Operands have the dtype of ``RmpReadEntry`` and are zero without success. Raises
    UsageError for what is no page number.
    """
    numbers = page_numbers(pages)
    flat = numbers.reshape(-1)
    lo, known = table.lows(flat)
    top, _ = table.lows(flat & -REGION)
    status = _early_status(~known, numbers.shape, guest_asid, False)
    some = (top & U64(SPAN) != SPAN) & (top & U64(ASSIGNED | COUNT) != 0)
    lo[status != 0] = 0
    some &= status == 0
    read = np.zeros(len(flat), RmpReadEntry.dtype())
    read["gpa"] = lo & U64(GPA)
    read["assigned"] = lo & U64(ASSIGNED)
    read["page_size"] = (lo & U64(LARGE) != 0) | some.view(np.uint8) << np.uint8(1)
    read["immutable"] = lo & U64(IMMUTABLE) != 0
    read["asid"] = (lo & U64(ASID)) >> U64(ASID_LOW)
    return status.reshape(numbers.shape), read.reshape(numbers.shape)
