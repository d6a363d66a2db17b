"""The facts' table of transitions, case by case, on one page and on arrays of pages."""

import numpy as np
import pytest
from rmp_batches import STATES
from test_rmp_instructions import table_of

from snpwire.errors import UsageError
from snpwire.rmp import scalar as single
from snpwire.rmp import vector as instructions
from snpwire.rmp.platform import initialise, release_iommu
from snpwire.rmp.snp_init import HOLE, build, pages_of
from snpwire.rmp.sparse_table import SparseEntries
from snpwire.rmp.table import Table
from snpwire.wire.rmp import RmpLo, RmpState
from snpwire.wire.status import Status

CONTEXT, PAGE, OTHER, METADATA = 4, 1, 2, 3
GUEST = single.PageOwner(CONTEXT, 1)
NEW = 1 | 1 << 51  # RMPUPDATE: guest 1, at address 0
NAMES = {
    "FIRMWARE": "firmware",
    "CONTEXT": "context",
    "RECLAIM": "reclaim",
    "HV_FIXED": "fixed",
    "FIRMWARE_IOMMU": "iommu",
    "PRE_GUEST": "pre_guest",
    "PRE_SWAP": "pre_swap",
    "GUEST_INVALID": "guest_invalid",
    "GUEST_VALID": "guest_valid",
}


def word(state):
    """Return a first quadword of a state; metadata is noted for the context."""
    if state == "METADATA":
        return STATES["metadata"] | CONTEXT << 12
    return STATES[NAMES[state]] if state in NAMES else 0


def swap_in(other, entry, flags):
    def do(api, t, p, q):
        return api.swap_in(t, q, p, flags, GUEST, entry=(entry, 0x1F), mdata=METADATA)

    return other, do


def swap_out(flags):
    return "FIRMWARE", lambda api, t, p, q: api.swap_out(t, p, q, flags, GUEST, METADATA)


def moved(other):
    """Return a move to the page."""
    return other, lambda api, t, p, q: api.page_move(t, q, p, GUEST)


def moves(other):
    """Return a move from the page."""
    return other, lambda api, t, p, q: api.page_move(t, p, q, GUEST)


def update(new):
    return "HYPERVISOR", lambda api, t, p, q: api.rmpupdate(t, p, new)


def pvalidate(validate):
    return "HYPERVISOR", lambda api, t, p, q: api.pvalidate(t, p, 0, asid=1, validate=validate)


def reclaim():
    return "HYPERVISOR", lambda api, t, p, q: api.reclaim(t, p)


def alone(name, *args):
    return "HYPERVISOR", lambda api, t, p, q: getattr(api, name)(t, p, *args)


# From, to, and by what, with the state of the other page that takes part.
ROWS = [
    ("HYPERVISOR", "FIRMWARE", update(single.FIRMWARE)),
    ("HYPERVISOR", "PRE_GUEST", update(NEW | 4)),
    ("HYPERVISOR", "GUEST_INVALID", update(NEW)),
    ("HYPERVISOR", "RECLAIM", update(1)),
    ("GUEST_INVALID", "GUEST_VALID", pvalidate(1)),
    ("GUEST_VALID", "GUEST_INVALID", pvalidate(0)),
    ("GUEST_VALID", "PRE_SWAP", update(NEW | 4)),
    ("GUEST_INVALID", "PRE_GUEST", update(NEW | 4)),
    ("GUEST_VALID", "HYPERVISOR", update(single.SHARED)),
    ("GUEST_INVALID", "HYPERVISOR", update(single.SHARED)),
    ("RECLAIM", "HYPERVISOR", update(single.SHARED)),
    ("FIRMWARE", "CONTEXT", alone("gctx_create")),
    ("CONTEXT", "FIRMWARE", alone("decommission")),
    ("FIRMWARE", "METADATA", alone("md_init", GUEST)),
    ("FIRMWARE", "METADATA", swap_in("FIRMWARE", 0b1001, 1 << 1)),
    ("FIRMWARE", "METADATA", moved("METADATA")),
    ("METADATA", "FIRMWARE", swap_out(1 << 1)),
    ("METADATA", "FIRMWARE", moves("FIRMWARE")),
    ("METADATA", "RECLAIM", reclaim()),
    ("FIRMWARE", "RECLAIM", reclaim()),
    ("PRE_GUEST", "GUEST_VALID", alone("launch_update", 0, GUEST)),
    ("PRE_GUEST", "GUEST_INVALID", reclaim()),
    ("PRE_GUEST", "GUEST_INVALID", moves("PRE_GUEST")),
    ("PRE_GUEST", "GUEST_INVALID", moved("PRE_GUEST")),
    ("PRE_SWAP", "GUEST_VALID", reclaim()),
    ("PRE_SWAP", "PRE_GUEST", swap_out(0)),
    ("PRE_SWAP", "GUEST_INVALID", moves("PRE_GUEST")),
    ("PRE_GUEST", "PRE_SWAP", swap_in("FIRMWARE", 0b11, 0)),
    ("PRE_GUEST", "PRE_GUEST", swap_in("FIRMWARE", 0b01, 0)),
    ("PRE_GUEST", "GUEST_VALID", moved("PRE_SWAP")),
]


@pytest.mark.parametrize(("before", "after", "by"), ROWS)
def test_a_page_goes_from_one_state_to_the_next(before, after, by):
    state, do = by
    words = [(0, 0), (word(before), 0x1F), (word(state), 0x1F), (word("METADATA"), 0)]
    words.append((word("CONTEXT"), 0))
    one, many = table_of(words), table_of(words)
    assert one.state(PAGE) is RmpState[before]

    status = do(single, one, PAGE, OTHER)
    statuses = do(instructions, many, [PAGE], [OTHER])

    assert getattr(status, "status", status) == 0
    assert getattr(statuses, "status", statuses).tolist() == [0]
    assert one.state(PAGE) is RmpState[after]
    assert np.array_equal(one.entries, many.entries)


IMMUTABLE = ["FIRMWARE", "METADATA", "CONTEXT", "PRE_GUEST", "PRE_SWAP", "HV_FIXED"]


@pytest.mark.parametrize("state", [*IMMUTABLE, "FIRMWARE_IOMMU"])
def test_the_host_cannot_take_back_what_is_immutable(state):
    table = table_of([(word(state), 0)])

    assert single.rmpupdate(table, 0, single.SHARED).name == "FAIL_PERMISSION"
    assert table.entry(0) == (word(state), 0)


@pytest.mark.parametrize("state", ["CONTEXT", "HV_FIXED", "FIRMWARE_IOMMU"])
def test_the_firmware_does_not_reclaim_what_is_no_page_of_a_command(state):
    table = table_of([(word(state), 0)])

    assert single.reclaim(table, 0) is Status.INVALID_PAGE_STATE
    assert table.entry(0) == (word(state), 0)


def test_a_page_of_the_firmware_becomes_the_hypervisors_for_good():
    table = table_of([(word("FIRMWARE") | 511 << 3, 0)] + [(word("FIRMWARE"), 0)] * 511)

    assert single.set_hv_fixed(table, 0, 512) is Status.SUCCESS
    assert set(table.states().tolist()) == {RmpState.HV_FIXED}
    assert table.entry(0) == (4, 0)


def test_splitting_and_joining_a_page_of_a_guest_are_opposites():
    words = [(word("PRE_GUEST") | 3 << 21 | 2, 0x1F)] + [(1, 0)] * 511
    table = table_of(words)

    assert instructions.psmash(table, [0, 0]).tolist() == [0, 7]
    assert RmpLo(table.entry(0)[0]).subpage_count == 511
    assert RmpLo(table.entry(511)[0]).gpa == 3 * 512 + 511
    assert set(table.states().tolist()) == {RmpState.PRE_GUEST}

    assert single.unsmash(table, 0) is Status.SUCCESS
    assert table.entry(0) == words[0]
    assert table.state(511) is RmpState.RECLAIM
    assert table.resolve(511) == 0


def test_a_large_page_is_given_and_taken_as_a_whole():
    table = Table.blank(1024)
    large = NEW | 2 | 1 << 21

    assert single.rmpupdate(table, 512, large).name == "SUCCESS"
    assert table.counters[1] == 512
    assert table.entry(513) == (1, 0)
    assert single.rmpupdate(table, 600, NEW).name == "FAIL_OVERLAP"
    assert single.rmpupdate(table, 512, single.SHARED).name == "FAIL_OVERLAP"
    assert single.rmpupdate(table, 512, single.SHARED | 2).name == "SUCCESS"
    assert table.counters[1] == 0
    assert table.entry(513) == (0, 0)
    assert single.rmpupdate(table, 600, NEW).name == "SUCCESS"
    assert single.rmpupdate(table, 512, large).name == "FAIL_OVERLAP"
    assert table.entry(512) == (1 << 3, 0x1F)


def test_the_table_is_built_as_snp_init_builds_it():
    table = Table.blank(4096, base=0x40_0000)  # 80 KiB from page 0x400 on
    table.set(7, word("GUEST_VALID"), 0x1F)
    table.counters[1] = 1

    status = initialise(table, [range(0x800), range(0xC00, 0x1000)], iommu=[0x700, 0x701])

    assert status is Status.SUCCESS
    assert table.counters[1] == 0
    assert table.entry(7) == (0, 0)
    assert table.state(0xA0) is table.state(0x800) is RmpState.HV_FIXED
    assert table.entry(0x400) == (0x8000_0000_0000_0005 | 19 << 3, 0)
    assert table.entry(0x413) == (0x8000_0000_0000_0005, 0)
    assert table.entry(0x414) == (0, 0)
    assert table.entry(0x701) == (0x8002_0000_0000_1005, 0)
    assert table.entry(0x600) == (2 << 3, 0)
    assert table.states([0xC00]).tolist() == [RmpState.HYPERVISOR]


def test_a_sparse_table_is_built_as_an_array_is():
    where = range(0x40_0000, 0x50_0000)
    array, sparse = Table.blank(65_000, base=where.start), SparseEntries(where)
    memory, own = [range(0x800), range(0xC00, 0x10_0000)], pages_of(where)

    built = [
        build(table, own, memory, [range(0x900, 0xD00)], [0x700, 0x701])
        for table in (array, sparse)
    ]
    assert built == [Status.SUCCESS] * 2
    assert [array.entry(n) for n in range(0x1000)] == [sparse.entry(n) for n in range(0x1000)]


@pytest.mark.parametrize(
    ("memory", "fixed"),
    [
        ([], []),
        ([range(0x400, 0x413)], []),
        ([range(0x400, 0x410), range(0x410, 0x800)], []),
        ([range(0x1000)], [range(0x413, 0x414)]),
    ],
)
def test_a_table_that_does_not_lie_in_memory_is_not_built(memory, fixed):
    table = Table.blank(4096, base=0x40_0000)
    table.set(7, word("GUEST_VALID"), 0x1F)

    assert initialise(table, memory, fixed=fixed) is Status.RMP_INITIALIZATION_FAILED
    assert table.entry(7) == (word("GUEST_VALID"), 0x1F)
    assert initialise(Table.blank(0x400, base=0x40_0000), [range(0x1000)]) is not Status.SUCCESS


def test_a_table_without_a_place_has_no_pages_of_its_own():
    table = Table.blank(4096)

    assert initialise(table, [range(4096)]) is Status.SUCCESS
    assert set(table.states().tolist()) == {RmpState.HYPERVISOR, RmpState.HV_FIXED}
    assert len(HOLE) << 12 == 1 << 32


def test_buffers_of_the_iommu_are_given_back():
    table = table_of([(word("FIRMWARE_IOMMU"), 0), (word("FIRMWARE"), 0), (0, 0)])

    assert release_iommu(table, [0, 1, 2, 3, 0]).tolist() == [0, 0x1A, 0x1A, 0x1A, 0x1A]
    assert table.entry(0) == (0x1001, 0)
    assert table.state(0) is RmpState.RECLAIM


def test_a_table_that_is_read_only_is_not_built():
    with pytest.raises(UsageError) as caught:
        initialise(Table.over(bytes(1600)), [range(100)])

    assert str(caught.value) == "the table is read-only"


@pytest.mark.parametrize(
    ("first", "count", "held", "status"),
    [
        (1, 1, 511, Status.INVALID_PARAM),
        (0, 512, 510, Status.INVALID_ADDRESS),
        (0, 3, 1, Status.INVALID_ADDRESS),
        (0, 3, 2, Status.SUCCESS),
        (0, 513, 511, Status.INVALID_PAGE_STATE),
        (0, 0, 0, Status.SUCCESS),
    ],
)
def test_a_range_is_fixed_as_a_whole_or_not_at_all(first, count, held, status):
    words = [(word("FIRMWARE") | held << 3, 0)] + [(word("FIRMWARE"), 0)] * 511 + [(0, 0)]
    one, many = table_of(words), table_of(words)

    assert single.set_hv_fixed(one, first, count) is status
    assert instructions.set_hv_fixed(many, [first], [count]).tolist() == [status]
    fixed = count if status is Status.SUCCESS else 0
    assert (one.states() == RmpState.HV_FIXED).sum() == fixed
    assert np.array_equal(one.entries, many.entries)


def test_a_table_without_counters_counts_nothing():
    table = Table.blank(4, counters=False)

    assert single.rmpupdate(table, 1, NEW).name == "SUCCESS"
    assert not instructions.rmpupdate(table, [2, 3], NEW).any()
    assert table.counters is None
    assert table.entry(3) == (NEW, 0x1F)


def test_a_counter_that_was_wrong_stays_wrong_by_as_much():
    table = table_of([(0, 0), (word("GUEST_VALID"), 0)])

    assert single.rmpupdate(table, 1, single.SHARED).name == "SUCCESS"
    assert table.counters[1] == (1 << 64) - 1
    assert RmpLo(table.entry(0)[0]).subpage_count == 511
    assert not instructions.rmpupdate(table, [1], NEW).any()
    assert table.counters[1] == 0
    assert table.entry(0) == (0, 0)
