"""The reverse map table as SNP_INIT builds it, for any table.

Source: AMD-ASPFW sev_rmp.c, configure_rmp (Genoa). It leaves open whether the IOMMU's buffers count
in the first entry of their 2 MiB, as the table's own pages do; here they do, being assigned like
any others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.address import ASEG, PAGE, REGION, RESERVED
from ..wire.rmp_words import RmpFirmwareGpa, RmpGpaState
from ..wire.status import Status
from .entry import FIRMWARE_LO, GPA_LOW, HV_FIXED_LO, ONE_MORE
from .sparse_table import fill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .sparse_table import PlacedEntries


def pages_of(area: range) -> range:
    """Return the pages that *area*, a range of addresses, touches."""
    return range(area.start >> 12, -(-area.stop // PAGE))


HOLE = pages_of(RESERVED)
ALWAYS = pages_of(ASEG), HOLE
"""Pages that are HV_FIXED, whatever the memory map says, if the table covers them."""
IOMMU_LO = FIRMWARE_LO | RmpFirmwareGpa.of(state=RmpGpaState.FW_IOMMU, pfn=1) << GPA_LOW
"""First quadword of a buffer of the IOMMU."""


def build(
    table: PlacedEntries,
    own: range,
    memory: Iterable[range],
    fixed: Iterable[range] = (),
    buffers: Iterable[int] = (),
) -> Status:
    """Build *table* anew; return the status. All are page numbers.

    *own* are the table's own pages. They must lie in one region of *memory* and in nothing *fixed*,
    or the status is RMP_INITIALIZATION_FAILED and nothing changes. *buffers* are the IOMMU's.
    """
    regions, always = tuple(memory), (*fixed, *ALWAYS)
    if own and not any(part.start <= own.start and own.stop <= part.stop for part in regions):
        return Status.RMP_INITIALIZATION_FAILED
    if own.stop > table.pages or any(_overlap(own, part) for part in always):
        return Status.RMP_INITIALIZATION_FAILED
    iommu = [range(page, page + 1) for page in buffers]
    for parts, lo in (
        ((range(table.pages),), HV_FIXED_LO),
        (regions, 0),
        (always, HV_FIXED_LO),
        ((own,), FIRMWARE_LO),
        (iommu, IOMMU_LO),
    ):
        for part in parts:
            fill(table, part, lo, 0)
    for part in (own, *(part for part in iommu if part.start not in own)):
        _count(table, part)
    counters = table.counters
    if counters is not None:
        counters[:] = [0] * len(counters)
    return Status.SUCCESS


def _overlap(one: range, other: range) -> bool:
    """Return whether two ranges have a page in common."""
    return max(one.start, other.start) < min(one.stop, other.stop)


def _count(table: PlacedEntries, pages: range) -> None:
    """Count assigned *pages* in the first entry of each 2 MiB, which does not count itself."""
    stop = min(pages.stop, table.pages)
    for head in range(pages.start & -REGION, stop, REGION):
        others = range(max(pages.start, head + 1), min(stop, head + REGION))
        lo, hi = table.entry(head)
        table.set(head, lo + len(others) * ONE_MORE, hi)
