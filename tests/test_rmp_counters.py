"""Whether an image begins with counters: each sign, and what it gives way to."""

import pytest

from snpwire.rmp.table import Table
from snpwire.wire.rmp import RmpLo, RmpState

MIB = 1 << 20
FIRMWARE = 0x8000_0000_0000_0005


def image(size, words=()):
    """Return zeroes with some words of 64 bits, by offset."""
    data = bytearray(size)
    for offset, word in dict(words).items():
        data[offset : offset + 8] = word.to_bytes(8, "little")
    return data


@pytest.mark.parametrize(
    ("size", "words", "counters", "why"),
    [
        (16, {}, False, "it is too short for counters"),
        (0x4000, {}, False, "it is too short for counters"),
        (
            MIB,
            {0x20: FIRMWARE},
            False,
            "0x8000000000000005 at 0x20 counts more pages than there can be",
        ),
        (MIB, {0x2010: 4}, False, "0x2010 is not zero, where an entry has no such ASID (1026)"),
        (
            4 * MIB,
            {0x08: 0x12345, 0x10: 0x200},
            True,
            "0x12345 at 0x8 has bits that are no permissions",
        ),
        (MIB + 0x4000, {}, True, "it has 16 KiB more than a multiple of 1 MiB"),
        (MIB - 0x4000, {}, False, "it has 16 KiB less than a multiple of 1 MiB"),
        (
            5 * MIB,
            {},
            True,
            "it is a multiple of 1 MiB, and entries without counters would be no whole GiB",
        ),
        (4 * MIB, {}, False, "it is a multiple of 4 MiB: entries of whole GiB"),
        (0x4010, {}, False, "no sign of counters"),
        (0x4010, {0x08: 0x1F, 0x10: 3}, False, "no sign of counters"),
    ],
)
def test_the_first_sign_decides(size, words, counters, why):
    table = Table.over(image(size, words))

    assert (table.counters is not None, table.why) == (counters, why)
    assert table.pages == (size - 0x4000 * counters) // 16


@pytest.mark.parametrize("counters", [False, True])
def test_the_entries_of_the_table_itself_are_the_surest_sign(counters):
    base, size = 0x100_0000, 4 * MIB if counters else 5 * MIB
    start = (0x4000 if counters else 0) + 16 * (base >> 12)
    data = image(size, {start + 16 * page: FIRMWARE for page in range(size >> 12)})

    table = Table.over(data, base=base)

    where = "after counters" if counters else "without counters before them"
    assert table.why == (
        f"the firmware's entries begin with page 0x1000, the table's own, if they are {where}"
    )
    assert (table.counters is not None) == counters
    assert table.state(0x1000) is RmpState.FIRMWARE
    assert table.state(0xFFF) is RmpState.HYPERVISOR
    assert Table.over(data).counters is None or not counters


@pytest.mark.parametrize("base", [0, 0x2_0000_0000, 1 << 51])
def test_an_address_that_lies_elsewhere_tells_nothing(base):
    assert Table.over(image(5 * MIB), base=base).why.startswith("it is a multiple of 1 MiB")


def test_who_knows_better_says_so():
    data = image(5 * MIB, {0x4000: 4, 0x4008: 0x1F})

    with_counters, without = (Table.over(data, counters=told) for told in (True, False))

    assert with_counters.why == without.why == "as the caller says"
    assert with_counters.entry(0) == without.entry(1024) == (4, 0x1F)
    assert with_counters.counters.shape == (2048,)
    assert without.counters is None


def test_counters_are_read_where_they_are():
    table = Table.over(image(5 * MIB, {8 * asid: asid * 3 for asid in range(1, 600)}))

    assert table.counters[:3].tolist() == [0, 3, 6]
    assert int(table.counters.sum()) == 3 * 599 * 600 // 2
    assert table.pages == (5 * MIB - 0x4000) // 16
    assert RmpLo(table.entry(0)[0]) == 0
