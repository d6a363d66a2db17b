"""The table as an array, against the rules asked of one entry at a time."""

import mmap

import numpy as np
import pytest
import realfiles
from hypothesis import given
from hypothesis import strategies as st
from rmp_tables import WORDS, entries, speaker, tables

from snpwire.errors import DecodeError, UsageError
from snpwire.rmp.chunks import covered_mask, resolve_chunk
from snpwire.rmp.states import state_of_low
from snpwire.rmp.table import Table
from snpwire.wire.address import page_of
from snpwire.wire.rmp import RmpLo, RmpState, state_of

FIRMWARE = 0x8000_0000_0000_0005


def table_of(lows, hi=0):
    """Return a table with these first quadwords."""
    table = Table.blank(len(lows), counters=False)
    table.entries["lo"] = lows
    table.entries["hi"] = hi
    return table


# States


@realfiles.needed
def test_every_entry_has_the_state_of_the_firmware_as_an_array_and_alone():
    rows = realfiles.rows("rmp_state")
    table = Table.blank(len(rows))
    for page, row in enumerate(rows):
        table.set(page, int(row["q1"], 16), int(row["q2"], 16))

    expected = [row["state_num"] for row in rows]
    assert len(rows) == 5359
    assert table.states().tolist() == expected
    assert table.states(range(len(rows))).tolist() == expected
    assert [table.state(page) for page in range(len(rows))] == expected


@given(st.lists(entries, min_size=1, max_size=50), WORDS)
def test_states_are_those_of_one_entry_after_the_other(lows, hi):
    table = table_of(lows, hi)

    expected = [state_of(lo, hi) for lo in lows]
    assert table.states().tolist() == expected
    assert table.states(range(len(lows))).tolist() == expected
    assert [table.state(page) for page in range(len(lows))] == expected


def test_every_byte_of_what_counts_has_its_state():
    fields = ("assigned", "immutable", "vmsa", "validated", "lock")
    lows = [
        RmpLo.of(asid=asid, gpa=gpa, **{n: key >> i & 1 for i, n in enumerate(fields)})
        for key in range(32)
        for asid in (0, 1, 2, 0x3FF)
        for gpa in (0, 1, 1 << 36, (1 << 36) + 1, (1 << 37) - 1, 1 << 37, (1 << 37) + 1)
    ]

    expected = [state_of(lo, 0) for lo in lows]
    assert table_of(lows).states().tolist() == expected
    assert [state_of_low(lo) for lo in lows] == expected


@pytest.mark.parametrize("share", [1, 5, 40, 100])
def test_states_do_not_depend_on_how_many_entries_need_a_second_look(share):
    notes = [RmpLo.of(assigned=1, immutable=1, gpa=gpa) for gpa in (0, 1, (1 << 36) + 9)]
    lows = np.where(np.arange(40_001) % 100 < share, np.resize(notes, 40_001), 1)

    table = table_of(lows)
    states = {int(lo): state_of(int(lo), 0) for lo in np.unique(lows)}
    assert table.states().tolist() == [states[lo] for lo in lows.tolist()]


def test_a_page_beyond_the_table_is_default():
    table = Table.blank(3)

    assert table.state(3) is RmpState.DEFAULT
    assert table.states([[2, 3], [0, (1 << 39) - 1]]).tolist() == [[2, 1], [2, 1]]
    assert table.states(2).shape == ()
    assert table.states([]).tolist() == []


@pytest.mark.parametrize("page", [-1, 1 << 39, 1 << 63, 1 << 70])
def test_what_is_no_page_number_is_refused(page):
    table = Table.blank(3)

    for ask in (table.state, table.entry, table.resolve, table.states, table.resolve_all):
        with pytest.raises(UsageError, match="page number"):
            ask(page)
    for pages in ([0, page], [[page, 1]]):
        with pytest.raises(UsageError, match="page number"):
            table.states(pages)


def test_what_is_no_integer_is_no_page_number():
    with pytest.raises(UsageError) as caught:
        Table.blank(3).states([0.5])

    assert str(caught.value) == "a page number is an integer of 39 bits, got an array of float64"


def test_the_c_bit_of_an_address_is_no_part_of_its_page():
    address = 1 << 51 | 0x12_3456_7ABC

    assert page_of(address) == 0x12_34567
    with pytest.raises(UsageError) as caught:
        Table.blank(1).state(address >> 12)
    assert str(caught.value) == "0x8001234567 is no page number: those go from 0 to 0x7fffffffff"


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64, np.uint64])
def test_page_numbers_are_integers_of_any_size(dtype):
    table = table_of([0, 4, FIRMWARE])

    assert table.states(np.array([2, 1, 7], dtype)).tolist() == [4, 3, 1]
    assert table.resolve_all(np.array([2, 1, 7], dtype)).dtype == np.int64


def test_states_fill_the_array_that_is_given():
    table, out = table_of([0, 4, FIRMWARE]), np.zeros(3, np.uint8)

    assert table.states(out=out) is out
    assert out.tolist() == [2, 3, 4]
    for wrong in (np.zeros(2, np.uint8), np.zeros(3, np.int8), np.zeros(6, np.uint8)[::2]):
        with pytest.raises(UsageError, match=r"^out: expected uint8 of shape \(3,\)"):
            table.states(out=wrong)


# The entry that speaks for a page


def test_silent_entries_of_a_large_page_have_its_first_one_speak():
    table = Table.blank(1024)
    table.set(512, int(RmpLo.of(assigned=1, page_size=1, asid=3, gpa=512)), 0xF)
    table.set(520, int(RmpLo.of(assigned=1, asid=4)), 0)

    assert table.resolve(511) == 511
    assert table.resolve(1023) == 512
    assert table.resolve(520) == 520
    assert table.resolve(1024) == 1024
    assert table.resolve_all([[511, 1023], [520, 1024]]).tolist() == [[511, 512], [520, 1024]]


@given(tables())
def test_many_pages_are_resolved_as_each_is(table):
    lows = table.entries["lo"].tolist()
    pages = [*range(0, table.pages, 7), table.pages - 1]

    expected = [speaker(lows, page) for page in pages]
    assert table.resolve_all(pages).tolist() == expected
    assert [table.resolve(page) for page in pages] == expected


@given(tables())
def test_a_tile_tells_at_once_which_entries_are_silent(table):
    low = table.entries["lo"].copy()
    speakers = [speaker(low.tolist(), page) for page in range(table.pages)]

    expected = low[speakers]
    assert covered_mask(low).tolist() == [speaks != page for page, speaks in enumerate(speakers)]
    resolve_chunk(low)
    assert low.tolist() == expected.tolist()


# Memory


@pytest.mark.parametrize("size", [1, 15, 17, 0x4001, 0x4017])
@pytest.mark.parametrize("counters", [None, True, False])
def test_a_part_of_an_entry_is_refused(size, counters):
    with pytest.raises(DecodeError) as caught:
        Table.over(bytes(size), counters=counters)

    assert str(caught.value) == f"Table: expected a multiple of 16 bytes, got {size}"


@pytest.mark.parametrize("size", [0, 16, 0x3FF0])
def test_an_image_too_short_for_counters_is_refused_where_they_were_asked_for(size):
    with pytest.raises(DecodeError) as caught:
        Table.over(bytes(size), counters=True)

    assert str(caught.value) == f"Table.counters at 0x000: expected 16384 bytes, got {size}"
    assert caught.value.path == "counters"


@pytest.mark.parametrize(("size", "counters"), [(0, None), (0, False), (0x4000, True)])
def test_an_image_without_entries_is_refused(size, counters):
    with pytest.raises(DecodeError) as caught:
        Table.over(bytes(size), counters=counters)

    assert caught.value.path == "entries"
    assert caught.value.offset == size
    assert caught.value.reason == "expected at least one entry, got none"


@pytest.mark.parametrize("pages", [0, -1])
def test_a_table_has_at_least_one_page(pages):
    with pytest.raises(UsageError, match="page"):
        Table.blank(pages)


def test_what_is_written_to_a_table_is_in_the_memory_under_it():
    memory = bytearray(0x4000 + 32)
    table = Table.over(memory, counters=True, writeable=True)

    table.set(1, FIRMWARE, 7)
    table.counters[3] = 9
    table.entries["hi"][0] = 5

    assert table.entry(1) == (FIRMWARE, 7)
    assert table.entry(0) == (0, 5)
    assert memory[0x4008:] == bytes.fromhex("0500000000000000 0500000000000080 0700000000000000")
    assert memory[24] == 9


def test_a_table_over_an_image_cannot_be_changed_unless_that_was_asked_for():
    table = Table.over(bytearray(0x4020), counters=True)

    with pytest.raises(UsageError, match="read-only"):
        table.set(0, 1, 1)
    for array in (table.entries["lo"], table.counters, table.extents[0].words):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(UsageError, match="cannot be written to"):
        Table.over(bytes(32), writeable=True)


@pytest.mark.parametrize(("lo", "hi"), [(1 << 64, 0), (0, 1 << 64), (-1, 0), (0, -1)])
def test_what_is_no_quadword_is_refused_and_nothing_is_written(lo, hi):
    table = Table.blank(1)

    with pytest.raises(UsageError, match="two quadwords"):
        table.set(0, lo, hi)
    assert table.entry(0) == (0, 0)


@pytest.mark.parametrize("page", [-1, 2, 1 << 38])
def test_a_page_without_entry_has_none_to_read_or_write(page):
    table = Table.blank(2)

    for ask in (table.entry, lambda page: table.set(page, 0, 0)):
        with pytest.raises(UsageError, match=f"{page:#x} (has no entry|is no page number)"):
            ask(page)


def test_a_mapping_with_copy_on_write_keeps_the_file(tmp_path):
    path = tmp_path / "table"
    path.write_bytes(bytes(4096))
    with path.open("r+b") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    table = Table.over(mapping, writeable=True)

    table.set(5, 4, 0)

    assert table.state(5) is RmpState.HV_FIXED
    assert path.read_bytes() == bytes(4096)


def test_memory_may_begin_anywhere():
    memory = bytes(3) + FIRMWARE.to_bytes(8, "little") + bytes(24)
    table = Table.over(memoryview(memory)[3:], counters=False)

    assert table.states().tolist() == [4, 2]
    assert table.entry(0) == (FIRMWARE, 0)
    assert table.find(state=RmpState.FIRMWARE).numbers().tolist() == [0]


def test_a_table_knows_its_own_addresses():
    table = Table.blank(0x1C00, base=0x1000_0000)

    assert [table.holds(address) for address in (0xFFF_FFFF, 0x1000_0000)] == [False, True]
    assert table.holds(1 << 51 | 0x1001_FFFF)
    assert not table.holds(0x1002_0000)
    assert not Table.blank(8).holds(0)


def test_page_numbers_past_16_tib_are_no_smaller_ones(tmp_path):
    pages, far = 5 << 30, (1 << 32) + 0x205
    with (tmp_path / "table").open("w+b") as file:
        file.truncate(16 * pages)
        mapping = mmap.mmap(file.fileno(), 0)
    table = Table.over(mapping, counters=False, writeable=True)
    table.set(far, int(RmpLo.of(assigned=1, asid=9, validated=1, gpa=3)), 0x1F)
    table.set((1 << 31) + 512, int(RmpLo.of(assigned=1, page_size=1, asid=8)), 0)
    table.entries["lo"][pages - 1] = FIRMWARE
    data = [((1 << 31) + 600, (1 << 31) + 601), (far, far + 1), (pages - 1, pages)]

    asked = [5, far & 0xFFFF_FFFF, far, (1 << 31) + 512, (1 << 31) + 700, pages - 1, pages]
    assert table.pages == pages
    assert table.states(asked).tolist() == [2, 2, 12, 11, 2, 4, 1]
    assert [table.state(page) for page in asked] == [2, 2, 12, 11, 2, 4, 1]
    assert table.resolve_all(asked).tolist()[3:5] == [(1 << 31) + 512] * 2
    assert list(table.find(asid=9, data=data)) == [(far, far + 1)]
    assert table.census(data=data).by_asid() == {0: pages - 513, 8: 512, 9: 1}
    assert list(table.find(gpa=range(100, 200), data=data)) == [((1 << 31) + 612, (1 << 31) + 712)]
