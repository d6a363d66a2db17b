"""Lists of page ranges in memory, as SNP_INIT_EX and SNP_PAGE_SET_STATE take them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.address import C_BIT
from ...wire.platform import MAX_RANGES, Range, RangeListHeader
from ...wire.status import Status
from .processor import Refusal, fits_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .processor import Processor


def page_ranges(fw: Processor, address: int, unit: int) -> Iterator[range]:
    """Yield the pages of each element of the list at *address*; bases are multiples of *unit*.

    Refuses the list, or the first element that is wrong, with INVALID_PARAM.
    """
    head = fw.load(address, RangeListHeader.SIZE)
    count = RangeListHeader.parse(head).n
    size = RangeListHeader.SIZE + count * Range.SIZE
    if any(head[4:]) or count > MAX_RANGES or not fits_page(address, size):
        raise Refusal(Status.INVALID_PARAM)
    for index in range(count):
        raw = fw.load(address + RangeListHeader.SIZE + index * Range.SIZE, Range.SIZE)
        element = Range.parse(raw)
        base = element.base & ~C_BIT
        if any(raw[0xC:]) or base % unit:
            raise Refusal(Status.INVALID_PARAM)
        if element.page_count:
            yield range(base >> 12, (base >> 12) + element.page_count)
