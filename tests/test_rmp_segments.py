"""Tables that are made of segments."""

from snpwire.rmp.segments import SegmentedTable
from snpwire.rmp.table import Table
from snpwire.wire.rmp import RmpState
from snpwire.wire.rmp_words import RstEntry

GIB = 1 << 18


def test_pages_between_segments_are_default():
    parts = {n: Table.blank(GIB, counters=False) for n in (0, 2)}
    parts[2].set(7, 4, 0)
    rst = [RstEntry.of(mapped_size_gb=size, segment_base=16) for size in (1, 0, 3)]
    table = SegmentedTable(rst, parts, shift=30)

    assert table.pages == 3 * GIB
    assert table.state(2 * GIB + 7) is RmpState.HV_FIXED
    assert table.states([0, GIB, 2 * GIB, 2 * GIB + 7, 3 * GIB]).tolist() == [2, 1, 2, 3, 1]
    assert table.census().by_state() == {
        RmpState.HYPERVISOR: 2 * GIB - 1,
        RmpState.HV_FIXED: 1,
    }
    assert list(table.find(state=RmpState.HV_FIXED)) == [(2 * GIB + 7, 2 * GIB + 8)]
