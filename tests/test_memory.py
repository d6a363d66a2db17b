"""Physical memory: sparse, private to a key, and what the map says of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.engine.memory import AddressMap, Memory
from snpwire.rmp.sparse_table import SparseEntries, fill
from snpwire.rmp.table import Table
from snpwire.wire.rmp import RmpState
from snpwire.wire.status import Status

LAYOUT = AddressMap(
    dram=(range(0x400_0000), range(0x410_0000, 0x1400_0000)),
    rmp=range(0x80_0000, 0x90_0000),
    tmrs=(range(0x500_0000, 0x510_0000),),
)
WRITES = st.lists(
    st.tuples(st.integers(0, 0x2FFF), st.binary(min_size=1, max_size=0x1100), st.integers(0, 3)),
    max_size=8,
)


@given(WRITES)
def test_memory_is_one_run_of_bytes_to_each_key_that_wrote_it(writes):
    memory, plain = Memory(LAYOUT), bytearray(0x8000)
    for address, data, _ in writes:
        memory.write(address, data)
        plain[address : address + len(data)] = data

    assert memory.read(0, 0x8000) == bytes(plain)


@given(st.integers(0, 0x1FFF), st.binary(min_size=1, max_size=0x2100), st.integers(1, 1006))
def test_what_is_written_with_a_key_is_read_with_it(address, data, key):
    memory = Memory(LAYOUT)

    memory.write(address, data, key)

    assert memory.read(address, len(data), key) == data


def test_another_key_reads_noise_and_the_host_another_noise():
    memory = Memory(LAYOUT)
    memory.write(0x1000, bytes(64), 5)

    host, other = memory.read(0x1000, 64), memory.read(0x1000, 64, 6)

    assert len({host, other, bytes(64)}) == 3


def test_the_same_bytes_look_otherwise_on_another_page_and_after_another_key():
    memory = Memory(LAYOUT)
    for address in (0x1000, 0x2000):
        memory.write(address, bytes(64), 5)
    before = memory.read(0x1000, 64)

    memory.install(5, b"another guest's")

    assert before != memory.read(0x2000, 64)
    assert memory.read(0x1000, 64, 5) != bytes(64)


@pytest.mark.parametrize(
    ("address", "size", "status"),
    [
        (0, 0x1000, "SUCCESS"),
        (1 << 51, 0x1000, "SUCCESS"),
        (0x9_FFFF, 1, "SUCCESS"),
        (0x9_FFFF, 2, "INVALID_ADDRESS"),
        (0xB_FFFF, 1, "INVALID_ADDRESS"),
        (0xC_0000, 1, "SUCCESS"),
        (0x7F_FFFF, 2, "INVALID_ADDRESS"),
        (0x90_0000, 1, "SUCCESS"),
        (0x50F_FFFF, 1, "INVALID_ADDRESS"),
        (0x3FF_FFFF, 2, "INVALID_CONFIG"),
        (0x400_0000, 1, "INVALID_CONFIG"),
        (0x1400_0000, 1, "INVALID_CONFIG"),
        (1 << 46, 1, "INVALID_ADDRESS"),
        ((64 << 40) - (12 << 30), 1, "INVALID_ADDRESS"),
        ((1 << 64) - 1, 2, "INVALID_ADDRESS"),
    ],
    ids=str,
)
def test_an_access_is_judged_by_the_map(address, size, status):
    memory = Memory(LAYOUT)

    assert LAYOUT.check(address, size).name == status
    assert [memory.reach(address, size).name for _ in range(2)] == [status] * 2


def test_a_region_that_is_closed_later_is_closed():
    memory = Memory(LAYOUT)
    assert memory.reach(0x1000, 8) == Status.SUCCESS

    memory.remap(LAYOUT._replace(tmrs=(range(0x1000, 0x2000),)))

    assert memory.reach(0x1000, 8) == Status.INVALID_ADDRESS


CHANGES = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 255), st.just(1), st.integers(0, 7)),
        st.tuples(st.integers(0, 200), st.integers(1, 56), st.integers(0, 7)),
    ),
    max_size=12,
)


@given(CHANGES)
def test_a_sparse_table_is_the_table_of_one_array(changes):
    pages = 256
    sparse, array = SparseEntries(range(0x80_0000, 0x80_5000)), Table.blank(pages, base=0x80_0000)
    for first, count, lo in changes:
        for table in (sparse, array):
            fill(table, range(first, first + count), lo, lo + 1)

    assert [sparse.entry(page) for page in range(pages)] == [
        array.entry(page) for page in range(pages)
    ]
    assert all(sparse.state(page) == array.state(page) for page in range(pages + 1))
    assert sparse.pages == array.pages
    assert [sparse.holds(at) for at in (0x7F_FFFF, 0x80_0000, 0x80_4FFF, 0x80_5000)] == [
        array.holds(at) for at in (0x7F_FFFF, 0x80_0000, 0x80_4FFF, 0x80_5000)
    ]


def test_a_page_without_an_entry_cannot_be_set():
    table = SparseEntries(range(0x80_0000, 0x80_5000))

    assert table.state(256) == RmpState.DEFAULT
    with pytest.raises(IndexError, match="page 0x100 has no entry, only those below 0x100 have"):
        table.set(256, 1, 0)
    with pytest.raises(IndexError, match="page 0x100"):
        table.entry(256)
