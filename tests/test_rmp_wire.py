"""Entries of the reverse map table, and the states that AMD's firmware tells them to have."""

import pytest
import realfiles
from hypothesis import given
from hypothesis import strategies as st
from test_specs import SPECS

from snpwire.wire.operands import PscPageSize
from snpwire.wire.rmp import (
    ENTRIES_OFFSET,
    SEGMENTS,
    STATES,
    RmpEntry,
    RmpHi,
    RmpLo,
    RmpReadEntry,
    RmpState,
    state_of,
)
from snpwire.wire.rmp_words import (
    NpfInfo,
    RmpAdjust,
    RmpBase,
    RmpCfg,
    RmpEnd,
    RmpFirmwareGpa,
    RmpGpaState,
    RstEntry,
    VmplMask,
)

# Entries that logs of Linux show (Milan, Genoa) and constants of AMD-ASPFW; states worked by hand.
SEEN = [
    (0x6010_FFFF_FFFF_F001, 0x1F, "GUEST_VALID"),
    (0x8000_0000_0000_07FD, 0x00, "FIRMWARE"),
    (0x8000_0000_0000_0005, 0x00, "FIRMWARE"),
    (0x8000_0000_0000_0FFD, 0x0F, "FIRMWARE"),
    (0x8002_0000_0000_1005, 0x00, "FIRMWARE_IOMMU"),
    (0x0000_0000_0000_0004, 0x00, "HV_FIXED"),
    (0x0000_0000_0000_0000, 0x00, "HYPERVISOR"),
]

quadwords = st.integers(0, (1 << 64) - 1)


@pytest.mark.parametrize(("lo", "hi", "state"), SEEN)
def test_an_entry_that_was_seen_has_its_state(lo, hi, state):
    assert state_of(lo, hi) is RmpState[state]


@realfiles.needed
def test_every_entry_has_the_state_that_the_firmware_gave_it():
    rows = realfiles.rows("rmp_state")

    wrong = [
        row
        for row in rows
        if (state := state_of(int(row["q1"], 16), int(row["q2"], 16))).name != row["state"]
        or state != row["state_num"]
    ]
    assert wrong == []
    assert len(rows) == 5359
    assert {row["state"] for row in rows} == {state.name for state in RmpState} - {"DEFAULT"}


def test_rules_are_those_of_the_specification_in_their_order():
    rows = SPECS["rmp"]["page_state"]

    assert [row["order"] for row in rows] == list(range(1, len(STATES) + 1))
    assert [rule.state.name for rule in STATES] == [row["name"] for row in rows]
    for rule, row in zip(STATES, rows, strict=True):
        bounds = {name: [values[0], values[-1]] for name, values in rule.fields.items()}
        assert bounds == row["fields"], row["name"]


@given(quadwords)
def test_no_entry_fits_two_rules(lo):
    word = RmpLo(lo)

    fitting = [
        rule.state
        for rule in STATES
        if all(getattr(word, name) in values for name, values in rule.fields.items())
    ]
    assert fitting in ([], [state_of(lo, 0)])


@given(quadwords, quadwords)
def test_the_second_quadword_decides_no_state(lo, hi):
    assert state_of(lo, hi) is state_of(lo, 0)


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"assigned": 1, "lock": 1}, "INVALID"),
        ({"assigned": 1}, "RECLAIM"),
        ({"validated": 1}, "INVALID"),
        ({"asid": 1}, "INVALID"),
        ({"assigned": 1, "immutable": 1, "vmsa": 1}, "CONTEXT"),
        ({"assigned": 1, "immutable": 1, "gpa": 1}, "INVALID"),
        ({"assigned": 1, "immutable": 1, "gpa": 0x10_0000_0000}, "INVALID"),
        ({"assigned": 1, "immutable": 1, "gpa": 0x10_0000_0001}, "METADATA"),
        ({"assigned": 1, "immutable": 1, "gpa": 0x1F_FFFF_FFFF}, "METADATA"),
        ({"assigned": 1, "immutable": 1, "gpa": 0x20_0000_0000}, "INVALID"),
        ({"assigned": 1, "immutable": 1, "gpa": 0x20_0000_0001, "vmsa": 1}, "INVALID"),
        ({"assigned": 1, "immutable": 1, "asid": 0x3FF}, "PRE_GUEST"),
    ],
)
def test_a_state_ends_where_the_firmware_ends_it(fields, state):
    assert state_of(RmpLo.of(**fields), 0).name == state


def test_an_entry_is_two_quadwords_with_the_low_one_first():
    image = bytes.fromhex("01f0ffffffff10601f00000000000000")

    entry = RmpEntry.parse(image)

    assert entry == RmpEntry(lo=0x6010_FFFF_FFFF_F001, hi=0x1F)
    assert entry.build() == image
    assert (entry.lo.asid, entry.lo.address) == (2, 0xFFFF_FFFF_F000)
    assert (entry.lo.vmsa, entry.lo.validated, entry.lo.page_size) == (1, 1, PscPageSize.SIZE_4K)
    assert VmplMask(entry.hi.vmpl0) == VmplMask.from_plain(
        ["read", "write", "exec_user", "exec_supervisor", "sss"]
    )


def test_bits_of_the_second_quadword_that_have_no_name_are_kept():
    assert RmpHi((1 << 64) - 1).unknown == 0x0001_FFFE_0000_0000


def test_gpa_of_a_page_of_the_iommu_is_a_note():
    note = RmpLo(0x8002_0000_0000_1005).note

    assert note == 0x20_0000_0001
    assert (note.state, note.pfn) == (RmpGpaState.FW_IOMMU, 1)
    assert RmpFirmwareGpa.from_plain({"state": "FW_IOMMU", "pfn": 1}) == note


def test_what_rmpread_writes_has_a_byte_for_each_bit():
    value = RmpReadEntry.parse(bytes.fromhex("00f0ffffffff0000 01 03 01 00 02000000"))

    assert (value.gpa, value.assigned, value.immutable, value.asid) == (0xFFFF_FFFF_F000, 1, 1, 2)
    assert value.page_size.page_size is PscPageSize.SIZE_2M
    assert value.page_size.hpage_region_status == 1


def test_registers_and_segments_give_addresses():
    segment = RstEntry(0x0000_0001_2340_0080)

    assert RmpBase(0x56_4000_0000).address == 0x56_4000_0000
    assert RmpEnd(0x56_605F_FFFF).rmp_end == 0x56_605F_FFFF
    assert (segment.address, segment.mapped_size_gb) == (0x1_2340_0000, 128)
    assert RmpCfg(0x2501).rmp_segment_size == 37  # 128 GiB
    assert RmpCfg(0x2501).segmented_rmp_en == 1
    assert SPECS["rmp"]["limits"] == {
        "entry_size": RmpEntry.SIZE,
        "entries_offset": ENTRIES_OFFSET,
        "segments": SEGMENTS,
    }


def test_rmpadjust_has_the_rights_eight_bits_up():
    rights = VmplMask.from_plain(["read", "write"])
    word = RmpAdjust.of(target_vmpl=1, read=1, write=1, vmsa=1)

    assert word == 0x1_0301
    assert word >> 8 & 0xFF == rights


def test_a_nested_page_fault_tells_what_forbade_the_access():
    info = NpfInfo(0x10_8000_0004 | 1 << 32)

    named = {name for name in NpfInfo.BITS if getattr(info, name)}
    assert named == {"rmp", "gpa_final", "vmpl", "user"}
