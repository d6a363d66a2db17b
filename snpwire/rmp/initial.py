"""The table as SNP_INIT builds it, and what shutting down gives back.

Source: AMD-ASPFW sev_rmp.c, configure_rmp (Genoa). What it leaves open:

* Counts of regions are told to be set for the table's own pages. Those of the IOMMU's buffers are
  counted too, being assigned like any others.
* Buffers of the IOMMU go from FIRMWARE_IOMMU to RECLAIM when SNP is shut down for the IOMMU too
  (to HYPERVISOR before firmware 1.53, says Linux). As with SNP_PAGE_RECLAIM of metadata, what the
  firmware noted about their use goes, and the number beside it stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..wire.address import ASEG, REGION, RESERVED, page_of
from ..wire.rmp import RmpState
from ..wire.rmp_words import RmpFirmwareGpa, RmpGpaState
from ..wire.status import Status
from .entry import FIRMWARE_LO, GPA_LOW, HV_FIXED_LO, IMMUTABLE, LOCK, NOTE_STATE, ONE_MORE
from .page_ranges import page_numbers
from .vector.operands import first_of, quads_of, without, writeable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from .table import Table

HOLE = range(page_of(RESERVED.start), page_of(RESERVED.stop))
ALWAYS = range(page_of(ASEG.start), page_of(ASEG.stop)), HOLE
"""Pages that are HV_FIXED, whatever the memory map says, if the table covers them."""
IOMMU_LO = FIRMWARE_LO | RmpFirmwareGpa.of(state=RmpGpaState.FW_IOMMU, pfn=1) << GPA_LOW
"""First quadword of a buffer of the IOMMU."""


def initialise(
    table: Table,
    memory: Iterable[range],
    *,
    fixed: Iterable[range] = (),
    iommu: ArrayLike = (),
) -> Status:
    """Build *table* anew, as SNP_INIT does, where it lies at ``table.base``; return the status.

    All are page numbers: *memory* are regions of DRAM, *fixed* what else is the hypervisor's for
    good (the list of SNP_INIT_EX, and TSEG), *iommu* the pages of the IOMMU's buffers. The table's
    own pages must lie in one region of memory and in nothing fixed, or the status is
    RMP_INITIALIZATION_FAILED and nothing changes. A table without a base has no pages of its own.
    Raises UsageError for what is no page number, and for a table that cannot be changed.
    """
    buffers = page_numbers(iommu if np.size(iommu) else np.zeros(0, np.int64)).reshape(-1)
    regions, always, own = tuple(memory), (*fixed, *ALWAYS), _own(table)
    if own and not any(part.start <= own.start and own.stop <= part.stop for part in regions):
        return Status.RMP_INITIALIZATION_FAILED
    if own.stop > table.pages or any(_meet(own, part) for part in always):
        return Status.RMP_INITIALIZATION_FAILED
    quads = quads_of(writeable(table)).reshape(-1, 2)
    quads[:, 0], quads[:, 1] = HV_FIXED_LO, 0
    if table.counters is not None:
        table.counters[:] = 0
    for parts, lo in ((regions, 0), (always, HV_FIXED_LO), ((own,), FIRMWARE_LO)):
        for part in parts:
            quads[part.start : part.stop, 0] = lo
    buffers = buffers[buffers < table.pages]
    quads[buffers, 0] = IOMMU_LO
    taken = np.union1d(np.arange(own.start, own.stop), buffers)
    heads, counts = np.unique(taken[taken % REGION != 0] & -REGION, return_counts=True)
    quads[heads, 0] += counts.astype(np.uint64) * np.uint64(ONE_MORE)
    return Status.SUCCESS


def _own(table: Table) -> range:
    """Return the pages that the table itself lies in."""
    if table.base is None:
        return range(0)
    return range(table.base >> 12, (table.base + table.size - 1 >> 12) + 1)


def _meet(one: range, other: range) -> bool:
    """Tell whether two ranges have a page in common."""
    return max(one.start, other.start) < min(one.stop, other.stop)


def release_iommu(table: Table, pages: ArrayLike) -> NDArray[np.uint8]:
    """Give back buffers of the IOMMU, as SNP_SHUTDOWN_EX does; return a ``Status`` for each.

    INVALID_PAGE_STATE tells that a page is no such buffer. Raises UsageError for what is no page
    number, and for a table that cannot be changed.
    """
    numbers = page_numbers(pages)
    flat, quads = numbers.reshape(-1), quads_of(writeable(table))
    strange = table.states(flat) != RmpState.FIRMWARE_IOMMU
    buffers = np.unique(flat[~strange])
    quads[buffers << 1] &= without(IMMUTABLE | LOCK | NOTE_STATE)
    status = first_of((strange | _repeated(flat), Status.INVALID_PAGE_STATE))
    return status.reshape(numbers.shape)


def _repeated(pages: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which pages were met before."""
    again = np.ones(len(pages), np.bool_)
    again[np.unique(pages, return_index=True)[1]] = False
    return again
