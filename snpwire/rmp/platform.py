"""Commands of the platform on the table of a host: SNP_INIT, and SNP_SHUTDOWN_EX for the IOMMU.

When SNP is shut down for the IOMMU too, its buffers go from FIRMWARE_IOMMU to RECLAIM (to
HYPERVISOR before firmware 1.53, according to Linux). As with SNP_PAGE_RECLAIM of metadata, the
firmware's note of their use is cleared, and the number next to it stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..wire.rmp import RmpState
from ..wire.status import Status
from .entry import IMMUTABLE, LOCK, NOTE_STATE
from .page_ranges import page_numbers
from .snp_init import build, pages_of
from .vector.operands import first_of, quads_of, without, writeable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import ArrayLike, NDArray

    from .table import Table


def initialise(
    table: Table,
    memory: Iterable[range],
    *,
    fixed: Iterable[range] = (),
    iommu: ArrayLike = (),
) -> Status:
    """Build *table* anew, as SNP_INIT does, where it lies at ``table.base``; return the status.

    All are page numbers: *memory* are regions of DRAM, *fixed* other pages that become HV_FIXED
    (the list of SNP_INIT_EX, and TSEG), *iommu* the pages of the IOMMU's buffers. A table without a
    base has no pages of its own. Raises UsageError for an invalid page number, and for a table that
    cannot be changed.
    """
    buffers = page_numbers(iommu if np.size(iommu) else np.zeros(0, np.int64)).reshape(-1)
    start = table.base
    own = range(0) if start is None else pages_of(range(start, start + table.size))
    return build(writeable(table), own, memory, fixed, np.unique(buffers).tolist())


def release_iommu(table: Table, pages: ArrayLike) -> NDArray[np.uint8]:
    """Release buffers of the IOMMU, as SNP_SHUTDOWN_EX does; return a ``Status`` for each.

    It is INVALID_PAGE_STATE for a page that is no such buffer. Raises UsageError for an invalid
    page number, and for a table that cannot be changed.
    """
    numbers = page_numbers(pages)
    flat, quads = numbers.reshape(-1), quads_of(writeable(table))
    other = table.states(flat) != RmpState.FIRMWARE_IOMMU
    buffers = np.unique(flat[~other])
    quads[buffers << 1] &= without(IMMUTABLE | LOCK | NOTE_STATE)
    status = first_of((other | _repeated(flat), Status.INVALID_PAGE_STATE))
    return status.reshape(numbers.shape)


def _repeated(pages: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which pages came before."""
    again = np.ones(len(pages), np.bool_)
    again[np.unique(pages, return_index=True)[1]] = False
    return again
