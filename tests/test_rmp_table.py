"""The table as an array, against the rules asked of one entry at a time."""

from __future__ import annotations

import mmap

import pytest
import realfiles
from hypothesis import given
from hypothesis import strategies as st

from snpwire.errors import DecodeError, UsageError
from snpwire.rmp.states import BORDERS
from snpwire.rmp.table import Table
from snpwire.wire.rmp import RmpLo, RmpState, state_of


def telling(name):
    """Draw a value of a field, mostly one at which an answer changes."""
    field = RmpLo.BITS[name]
    near = [n for border in BORDERS for n in (border - 1, border, border + 1)]
    known = near if name == "gpa" else [1, field.limit]
    return st.sampled_from([0, *known]) | st.integers(0, field.limit)


entries = st.fixed_dictionaries({name: telling(name) for name in RmpLo.BITS}).map(
    lambda fields: int(RmpLo.of(**fields))
) | st.integers(0, (1 << 64) - 1)


def table_of(lows, hi=0):
    """Return a table with these first quadwords."""
    table = Table.blank(len(lows), counters=False)
    table.entries["lo"] = lows
    table.entries["hi"] = hi
    return table


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


@given(st.lists(entries, min_size=1, max_size=50), st.integers(0, (1 << 64) - 1))
def test_states_are_those_of_one_entry_after_the_other(lows, hi):
    table = table_of(lows, hi)

    expected = [state_of(lo, hi) for lo in lows]
    assert table.states().tolist() == expected
    assert [table.state(page) for page in range(len(lows))] == expected


def test_a_page_beyond_the_table_is_default():
    table = Table.blank(3)

    assert table.state(3) is RmpState.DEFAULT
    assert table.states([[2, 3], [0, (1 << 39) - 1]]).tolist() == [[2, 1], [2, 1]]


@pytest.mark.parametrize("page", [-1, 1 << 39, 1 << 70])
def test_what_is_no_page_number_is_refused(page):
    table = Table.blank(3)

    for ask in (table.state, table.entry, table.resolve, table.states, table.resolved):
        with pytest.raises(UsageError, match="page number"):
            ask(page)


@pytest.mark.parametrize("size", [0, 1, 15, 17, 16400 - 1])
def test_a_size_that_can_be_no_table_is_refused(size):
    with pytest.raises(DecodeError, match=r"^Table"):
        Table.over(bytes(size))


@pytest.mark.parametrize("size", [16, 16368, 16384])
def test_an_image_too_short_for_counters_is_refused_where_they_were_asked_for(size):
    with pytest.raises(DecodeError, match=r"^Table"):
        Table.over(bytes(size), counters=True)


def test_what_is_written_to_a_table_is_in_the_memory_under_it():
    memory = bytearray(0x4000 + 32)
    table = Table.over(memory, counters=True, writeable=True)

    table.set(1, 0x8000000000000005, 7)
    table.counters[3] = 9

    assert table.entry(1) == (0x8000000000000005, 7)
    assert memory[0x4010:] == bytes.fromhex("0500000000000080 0700000000000000")
    assert memory[24] == 9


def test_a_table_over_an_image_cannot_be_changed_unless_that_was_asked_for():
    table = Table.over(bytearray(32), counters=False)

    with pytest.raises(UsageError, match="read-only"):
        table.set(0, 1, 1)
    with pytest.raises(ValueError, match="read-only"):
        table.entries["lo"][0] = 1
    with pytest.raises(UsageError, match="cannot be written to"):
        Table.over(bytes(32), writeable=True)


def test_a_mapping_with_copy_on_write_keeps_the_file(tmp_path):
    path = tmp_path / "table"
    path.write_bytes(bytes(4096))
    with path.open("r+b") as file:
        table = Table.over(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), writeable=True)

    table.set(5, 4, 0)

    assert table.state(5) is RmpState.HV_FIXED
    assert path.read_bytes() == bytes(4096)


def test_silent_entries_of_a_large_page_have_its_first_one_speak():
    table = Table.blank(1024)
    table.set(512, int(RmpLo.of(assigned=1, page_size=1, asid=3, gpa=512)), 0xF)
    table.set(520, int(RmpLo.of(assigned=1, asid=4)), 0)

    assert table.resolve(511) == 511
    assert table.resolve(1023) == 512
    assert table.resolve(520) == 520
    assert table.resolved([511, 1023, 520, 1024]).tolist() == [511, 512, 520, 1024]
    assert table.find(asid=3).numbers().tolist() == [*range(512, 520), *range(521, 1024)]
    assert list(table.find(gpa=range(600, 610))) == [(600, 610)]
    assert list(table.find(rights={0: 1}, asid=3)) == [(512, 520), (521, 1024)]
    assert table.census().by_asid() == {0: 512, 3: 511, 4: 1}
