"""Who may touch a page, and which fault says no."""

from random import Random

import pytest
import rmp_batches as batches
from hypothesis import given, settings
from hypothesis import strategies as st
from rmp_batches import STATES, Plain, rarely
from test_rmp_instructions import table_of

from snpwire.errors import UsageError
from snpwire.rmp.access import RULES, Access, Need, fault_of
from snpwire.rmp.entry import FaultKind
from snpwire.rmp.segments import SegmentedTable
from snpwire.rmp.table import Table
from snpwire.rmp.vector.access import faults_of
from snpwire.wire.rmp_words import NpfInfo


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_an_access_meets_the_fault_of_the_model(seed):
    rng = Random(seed)
    words = batches.table(rng)
    model, table, one = batches.model(words), table_of(words), Plain(words)
    access = rng.choice(list(Access))

    asked = []
    for _ in range(50):
        page = batches.page(rng)
        size = int(model.covered(page) and model.entries[page]["size"])
        who = batches.named(rng, model, page)
        asked.append((page, *who, rng.randrange(4), rarely(rng, 1 - size, size)))
    pages, gpas, asids, vmpls, sizes = zip(*asked, strict=True)
    keys = {"gpa": gpas, "asid": asids, "vmpl": vmpls, "large": sizes}
    many = faults_of(table, pages, access, **keys)
    expected = [model.access(page, access.name, *rest) for page, *rest in asked]

    single = [
        fault_of(one, page, access, gpa=gpa, asid=asid, vmpl=vmpl, large=bool(size))
        for page, gpa, asid, vmpl, size in asked
    ]
    assert [fault and (int(fault.kind), int(fault.code)) for fault in single] == expected
    assert list(zip(many.kind.tolist(), many.code.tolist(), strict=True)) == [
        fault or (0, 0) for fault in expected
    ]


OURS = {"free": 0, "fixed": 4}
"""First quadwords of pages that are the hypervisor's."""
TAKEN = {name: lo for name, lo in STATES.items() if name not in OURS}


@pytest.mark.parametrize("access", [a for a in Access if RULES[a].need is Need.HYPERVISOR])
def test_the_hypervisor_may_do_all_with_its_own_pages_and_nothing_with_others(access):
    for lo in OURS.values():
        assert fault_of(Plain([(lo, 0)]), 0, access) is None
    for lo in TAKEN.values():
        assert fault_of(Plain([(lo, 0)]), 0, access) == RULES[access].fault
    assert fault_of(Plain([]), 0, access) is None


@pytest.mark.parametrize("access", [a for a in Access if RULES[a].need is Need.NOTHING])
def test_reading_shared_memory_asks_nothing(access):
    for lo in STATES.values():
        assert fault_of(Plain([(lo, 0)]), 0, access) is None


def test_the_fault_of_a_host_that_writes_is_the_one_that_linux_logs():
    fault = fault_of(Plain([(STATES["guest_valid"], 0)]), 0, Access.HOST_WRITE)

    assert fault == (FaultKind.PF, 0x8000_0003)


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("guest_valid", FaultKind.NONE, 0),
        ("guest_invalid", FaultKind.VC, 0x404),
        ("pre_guest", FaultKind.NPF, 0x5_8000_0007),
        ("pre_swap", FaultKind.NPF, 0x5_8000_0007),
        ("firmware", FaultKind.NPF, 0x5_8000_0007),
        ("reclaim", FaultKind.NPF, 0x5_8000_0007),
        ("fixed", FaultKind.NPF, 0x5_8000_0007),
    ],
)
def test_a_guest_may_write_to_its_accepted_pages_alone(name, kind, code):
    table = table_of([(STATES[name], 0x1F)])

    found = faults_of(table, [0], Access.SNP_WRITE, asid=1)

    assert (found.kind.tolist(), found.code.tolist()) == ([kind], [code])
    assert faults_of(table, [0], Access.SNP_WRITE, asid=2).kind.tolist() == [FaultKind.NPF]
    assert faults_of(table, [0], Access.SNP_WRITE, asid=1, gpa=1).kind.tolist() == [FaultKind.NPF]
    assert faults_of(table, [1], Access.SNP_WRITE, asid=1).kind.tolist() == [FaultKind.NPF]


@pytest.mark.parametrize(
    ("access", "allowed"),
    [
        (Access.SNP_READ, {1, 3, 5, 9}),
        (Access.SNP_WRITE, {3}),
        (Access.SNP_FETCH_USER, {5, 4}),
        (Access.SNP_FETCH, {9, 8}),
        (Access.SNP_PAGE_TABLE, {3}),
    ],
)
def test_a_level_needs_the_right_to_what_it_does(access, allowed):
    masks = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]  # 2, 6 and 10: to write and not to read
    table = table_of(
        [(STATES["guest_valid"] | page << 12, mask << 8) for page, mask in enumerate(masks)]
    )
    pages = range(len(masks))

    found = faults_of(table, pages, access, gpa=list(pages), asid=1, vmpl=1)

    keys = {"asid": 1, "vmpl": 1}
    alone = [fault_of(table, page, access, gpa=page, **keys) is None for page in pages]
    assert {mask for mask, kind in zip(masks, found.kind, strict=True) if not kind} == allowed
    assert {mask for mask, free in zip(masks, alone, strict=True) if free} == allowed
    assert all(NpfInfo(code).vmpl for code in found.code.tolist() if code)


def test_a_mapping_of_another_size_is_told_by_sizem():
    words = [(0, 0)] * 1024
    batches.one_page(words, 512, STATES["guest_valid"], 0x1F)
    words[0] = STATES["guest_valid"], 0x1F
    table = table_of(words)

    found = faults_of(table, [0, 512, 513], Access.SNP_READ, gpa=[0, 0, 1], asid=1, large=[1, 0, 0])

    assert [NpfInfo(code).sizem for code in found.code.tolist()] == [1, 1, 1]
    assert not faults_of(table, [512, 513], Access.SNP_READ, gpa=[0, 1], asid=1, large=1).kind.any()


def test_a_large_mapping_of_the_host_needs_the_whole_region():
    words = [(0, 0)] * 1024
    words[0] = 1 << 3, 0
    words[5] = 1, 0
    table = table_of(words)

    assert faults_of(table, [7, 5, 512], Access.HOST_WRITE).kind.tolist() == [0, 1, 0]
    assert faults_of(table, [7, 5, 512], Access.HOST_WRITE, large=True).kind.tolist() == [1, 1, 0]


def test_pages_in_a_hole_between_segments_belong_to_nobody():
    part = Table.blank(1 << 18, counters=False)
    part.set(3, STATES["guest_valid"], 0x1F)
    table = SegmentedTable([1, 0, 1], {0: part, 2: part}, shift=30)
    pages = [3, (1 << 18) + 3, (2 << 18) + 3]

    assert faults_of(table, pages, Access.HOST_WRITE).kind.tolist() == [1, 0, 1]
    assert faults_of(table, pages, Access.SNP_READ, asid=1).kind.tolist() == [0, 2, 0]
    assert [fault_of(table, page, Access.HOST_WRITE) is None for page in pages] == [
        False,
        True,
        False,
    ]
    assert fault_of(table, pages[1], Access.SNP_READ, asid=1) is not None


def test_what_is_no_page_is_refused():
    with pytest.raises(UsageError) as caught:
        faults_of(Table.blank(4), [-1], Access.HOST_WRITE)

    assert str(caught.value) == "-0x1 is no page number: those go from 0 to 0x7fffffffff"
