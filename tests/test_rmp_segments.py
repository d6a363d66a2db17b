"""Tables that are made of segments."""

import mmap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.errors import DecodeError, UsageError
from snpwire.rmp.segments import HEAD, SegmentedTable, mapped_pages
from snpwire.rmp.table import Table
from snpwire.wire.rmp import RmpLo, RmpState
from snpwire.wire.rmp_words import RstEntry

GIB = 1 << 18
FIXED = int(RmpLo.of(immutable=1))


def entry(size, base=16):
    return RstEntry.of(mapped_size_gb=size, segment_base=base)


def three():
    """Return a table of segments 0 and 2, of 1 GiB each, and what is written in it by page."""
    parts = {n: Table.blank(GIB, counters=False) for n in (0, 2)}
    written = {7: FIXED, GIB - 1: FIXED, 2 * GIB + 7: 1 << 62, 3 * GIB - 1: FIXED}
    for page, low in written.items():
        parts[page // GIB].set(page % GIB, low, 9)
    return SegmentedTable([entry(1), 0, entry(1, 64)], parts, shift=30), written


def test_pages_between_segments_are_default():
    table, written = three()

    asked = [0, 7, GIB - 1, GIB, 2 * GIB - 1, 2 * GIB + 7, 3 * GIB - 1, 3 * GIB, 1 << 38]
    assert table.pages == 3 * GIB
    assert list(table.covered) == [(0, GIB), (2 * GIB, 3 * GIB)]
    assert table.states(asked).tolist() == [2, 3, 3, 1, 1, 0, 3, 1, 1]
    assert [table.state(page) for page in asked] == [2, 3, 3, 1, 1, 0, 3, 1, 1]
    assert table.states()[asked[:7]].tolist() == [2, 3, 3, 1, 1, 0, 3]
    assert np.count_nonzero(table.states(threads=2) == RmpState.DEFAULT) == GIB
    assert table.census().by_state() == {
        RmpState.INVALID: 1,
        RmpState.HYPERVISOR: 2 * GIB - 4,
        RmpState.HV_FIXED: 3,
    }
    assert table.find(state=RmpState.HV_FIXED).numbers().tolist() == [7, GIB - 1, 3 * GIB - 1]
    assert {page: table.entry(page) for page in written} == {p: (w, 9) for p, w in written.items()}


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (GIB, "page 0x40000 has no entry: no segment covers it"),
        (3 * GIB, "page 0xc0000 has no entry: the table covers 0xc0000 pages"),
        (-1, "-0x1 is no page number: those go from 0 to 0x7fffffffff"),
        (1 << 39, "0x8000000000 is no page number: those go from 0 to 0x7fffffffff"),
    ],
)
def test_a_page_without_entry_has_none_to_read(page, text):
    with pytest.raises(UsageError) as caught:
        three()[0].entry(page)

    assert str(caught.value) == text


def test_a_page_of_2_mib_speaks_for_its_pages_in_any_segment():
    table, _ = three()
    segment = table.extents[1].words
    segment[512] = int(RmpLo.of(assigned=1, page_size=1, asid=4, gpa=512)), 0

    head = 2 * GIB + 512
    assert table.resolve(head + 511) == head
    assert table.resolve_all([head + 1, head + 512, GIB]).tolist() == [head, head + 512, GIB]
    assert list(table.find(asid=4)) == [(head, head + 512)]
    assert table.census().by_asid() == {0: 2 * GIB - 512, 4: 512}


def test_a_segment_covers_no_more_than_its_part():
    part = Table.blank(2 * GIB, counters=False)
    part.set(GIB, FIXED, 0)

    table = SegmentedTable([0, entry(2)], {1: part}, shift=30)

    assert table.pages == 2 * GIB
    assert table.state(2 * GIB) is RmpState.DEFAULT
    assert table.census().by_state() == {RmpState.HYPERVISOR: GIB}
    assert mapped_pages(entry(34), 37) == 34 * GIB
    assert mapped_pages(entry(129), 37) == 128 * GIB


@pytest.mark.parametrize("shift", [29, 53, 0, -1])
def test_a_size_of_segment_that_cannot_be_is_refused(shift):
    with pytest.raises(UsageError, match=f"2\\^30 to 2\\^52 bytes, not 2\\^{shift}$"):
        SegmentedTable([entry(1)], {0: Table.blank(GIB, counters=False)}, shift=shift)


def test_a_segment_table_that_cannot_be_is_refused():
    part = Table.blank(GIB, counters=False)
    with pytest.raises(UsageError, match="at most 512 entries, got 513"):
        SegmentedTable([0] * 513, {}, shift=30)
    with pytest.raises(DecodeError, match=r"SegmentedTable\.rst at 0x4000: no segment covers"):
        SegmentedTable([0] * 512, {}, shift=30)
    with pytest.raises(UsageError, match=r"^segment 1 has no image"):
        SegmentedTable([entry(1), entry(1)], {0: part}, shift=30)
    with pytest.raises(UsageError, match="no counters of its own"):
        SegmentedTable([entry(1)], {0: Table.blank(GIB)}, shift=30)
    with pytest.raises(UsageError, match="segment 1 is beyond the last page"):
        SegmentedTable([0, entry(1)], {1: part}, shift=52)
    with pytest.raises(DecodeError) as caught:
        SegmentedTable([entry(2)], {0: part}, shift=37)
    assert str(caught.value) == "SegmentedTable.segments[0]: expected 8388608 bytes, got 4194304"


def test_a_segmented_table_lies_over_what_is_at_rmp_base():
    head = bytearray(HEAD)
    head[8:16] = (77).to_bytes(8, "little")
    head[0x4000 + 8 * 3 : 0x4000 + 8 * 4] = int(entry(1, 0x88)).to_bytes(8, "little")
    image = bytearray(4 << 20)
    image[16] = 4

    table = SegmentedTable.over(head, {3: image}, shift=30, base=0x9BA0_0000)

    assert table.counters[1] == 77
    assert table.state(3 * GIB + 1) is RmpState.HV_FIXED
    held = [0x9BA0_0000, 0x9BA0_4FFF, 0x880_0000, 0x8BF_FFFF, 1 << 51 | 0x880_0000]
    assert [table.holds(address) for address in held] == [True] * 5
    assert not any(map(table.holds, (0x9B9F_FFFF, 0x9BA0_5000, 0x87F_FFFF, 0x8C0_0000)))
    with pytest.raises(DecodeError) as caught:
        SegmentedTable.over(head[:-1], {3: image}, shift=30)
    assert str(caught.value) == "SegmentedTable: expected 20480 bytes, got 20479"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, GIB - 1)), max_size=20))
def test_a_segmented_table_says_what_one_of_one_piece_says(places):
    whole = WHOLE
    whole.entries["lo"][:] = 0
    pages = [segment * GIB + page for segment, page in places]
    whole.entries["lo"][pages] = [FIXED + (i << 12) for i in range(len(pages))]
    memory = whole.extents[0].words
    parts = {n: Table.over(memory[n * GIB : (n + 1) * GIB].data, counters=False) for n in range(4)}

    table = SegmentedTable([entry(1)] * 4, parts, shift=30)

    asked = [*pages, *(page ^ 1 for page in pages)]
    assert table.states(asked).tolist() == whole.states(asked).tolist()
    assert table.resolve_all(asked).tolist() == whole.resolve_all(asked).tolist()
    assert table.find(immutable=1) == whole.find(immutable=1)


WHOLE = Table.blank(4 * GIB, counters=False)


def test_segments_past_16_tib_have_their_own_pages(tmp_path):
    size, index = 512 * 128, 300
    with (tmp_path / "segment").open("w+b") as file:
        file.truncate(128 * (4 << 20))
        mapping = mmap.mmap(file.fileno(), 0)
    part = Table.over(mapping, counters=False, writeable=True)
    part.set(5, FIXED, 0)

    table = SegmentedTable([0] * index + [entry(128)], {index: part}, shift=37)

    first = index << 25
    assert first > 1 << 32
    assert table.pages == first + (1 << 25)
    assert size * GIB < 1 << 39
    assert table.state(first + 5) is RmpState.HV_FIXED
    assert table.states([first + 5, first + 6, 5, first - 1]).tolist() == [3, 2, 1, 1]
    assert list(table.find(state=RmpState.HV_FIXED, data=[(first, first + 9)])) == [
        (first + 5, first + 6)
    ]
    assert table.census(data=[(first, first + 1)]).pages == 1 << 25
