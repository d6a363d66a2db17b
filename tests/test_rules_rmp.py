"""What is wrong with entries of the reverse map table, operands of RMPUPDATE, segments, rights."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transcripts import call

from snpwire.context import BARE, Context, Direction
from snpwire.errors import UsageError
from snpwire.finding import Severity
from snpwire.product import entry_layout
from snpwire.rules import findings
from snpwire.wire.rmp import (
    RmpEntry,
    RmpHi,
    RmpLo,
    RmpOperand,
    RmpReadEntry,
    RmpState,
    RstSegment,
    SegmentTable,
    VmplMasks,
    state_of,
    states_of,
)

quadwords = st.integers(0, (1 << 64) - 1)
HELD = "asid is 0 and immutable is 1, as in a page of the firmware, yet gpa"


def entry(hi=0, **fields):
    return RmpEntry(lo=RmpLo.of(**fields), hi=hi)


def said(value, context=BARE):
    return [(f.code, f.severity.name.lower(), f.path) for f in findings(value, context)]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"asid": 3}, "assigned is 0, yet asid is 3"),
        (
            {"asid": 3, "validated": 1},
            "assigned is 0, yet asid is 3 and validated is 1",
        ),
        ({"assigned": 1, "validated": 1}, "validated is 1, yet asid is 0"),
        (
            {"assigned": 1, "lock": 1},
            "asid and immutable are 0, as in a page given back, yet lock is 1",
        ),
        (
            {"assigned": 1, "immutable": 1, "gpa": 7},
            f"{HELD} 0x7 is no note that it makes",
        ),
        (
            {"assigned": 1, "immutable": 1, "gpa": 1 << 36},
            f"{HELD} 0x1000000000 is no note that it makes: metadata of page number 0",
        ),
        (
            {"assigned": 1, "immutable": 1, "gpa": 2 << 36 | 1, "vmsa": 1},
            f"{HELD} 0x2000000001 is no note that it makes:"
            " the IOMMU's have page number 1, and vmsa 0",
        ),
    ],
)
def test_an_entry_without_a_state_is_told_why(fields, why):
    (found, *_) = findings(entry(**fields))

    assert (found.code, found.severity, found.offset) == ("rmp-invalid", Severity.ERROR, 0)
    assert found.text == f"no state fits: {why}; INVALID_PAGE_STATE"


@given(quadwords, quadwords)
def test_an_entry_has_no_state_where_a_reason_is_given(lo, hi):
    codes = [f.code for f in findings(RmpEntry(lo=lo, hi=hi))]

    assert ("rmp-invalid" in codes) == (state_of(lo, hi) is RmpState.INVALID)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (entry(assigned=1, asid=0x3FF), [("rmp-changing", "note", "lo")]),
        (entry(assigned=1, asid=1007), [("rmp-asid", "warning", "lo")]),
        (entry(assigned=1, asid=1006), []),
        (entry(assigned=1, asid=2, page_size=1, gpa=1), [("rmp-alignment", "warning", "lo")]),
        (entry(assigned=1, asid=2, page_size=1, gpa=512), []),
        (entry(assigned=1, asid=2, page_size=1, subpage_count=4), [("rmp-subpages", "note", "lo")]),
        (entry(assigned=1, asid=2, subpage_count=4), []),
        (entry(assigned=1, asid=2, lock=1), [("rmp-lock", "note", "lo")]),
        (entry(immutable=1), []),
        (entry(hi=1 << 33), [("unknown-bits", "warning", "hi")]),
        (entry(hi=0x20), [("rmp-rights", "warning", "hi")]),
        (entry(hi=0x0200), [("rmp-rights", "warning", "hi")]),
        (entry(hi=0x1F1F1F1F), []),
    ],
)
def test_what_is_odd_about_an_entry_is_found(value, expected):
    assert said(value) == expected


def test_an_entry_whose_bits_are_not_known_is_not_judged():
    value = RmpEntry(lo=(1 << 64) - 1, hi=(1 << 64) - 1)

    assert said(value, Context(entry_layout=entry_layout("turin"))) == []
    assert said(value, Context(entry_layout=entry_layout("genoa"))) == said(value) != []


@pytest.mark.parametrize(
    ("family", "choice"),
    [
        (None, "milan, genoa"),
        ("milan", "milan, genoa"),
        ("ZEN4", "milan, genoa"),
        ("0x19", "milan, genoa"),
        ("turin", "unknown"),
        ("venice", "unknown"),
        ("zen5", "unknown"),
        ("0x1a", "unknown"),
    ],
)
def test_the_family_decides_whether_the_bits_are_known(family, choice):
    layout = entry_layout(family)

    assert (layout.choice, layout.known) == (choice, choice != "unknown")
    assert ("as asked for" in layout.reason) == (family is not None)


def test_a_family_that_is_not_known_is_refused():
    with pytest.raises(UsageError, match="there is no product 'bergamo'"):
        entry_layout("bergamo")


def operand(**fields):
    return RmpOperand(**fields)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (operand(), []),
        (operand(assigned=1, asid=2, gpa=0x1000), []),
        (operand(assigned=1, immutable=1), []),
        (operand(immutable=1), [("rmp-operand-unassigned", "error", "immutable")]),
        (operand(asid=1), [("rmp-operand-unassigned", "error", "asid")]),
        (operand(assigned=3, asid=1), [("rmp-operand-bits", "error", "assigned")]),
        (operand(assigned=1, asid=1, immutable=2), [("rmp-operand-bits", "error", "immutable")]),
        (operand(assigned=1, asid=1, page_size=2), [("rmp-operand-bits", "error", "page_size")]),
        (operand(assigned=1, asid=1, page_size=4), [("rmp-operand-bits", "error", "page_size")]),
        (
            operand(assigned=1, asid=1, reserved_0x00b=b"\1"),
            [("rmp-operand-bits", "error", "reserved_0x00b")],
        ),
        (operand(assigned=1, asid=1024), [("rmp-operand-asid", "error", "asid")]),
        (operand(assigned=1, asid=1, gpa=1), [("rmp-operand-gpa", "warning", "gpa")]),
        (
            operand(assigned=1, asid=1, gpa=0x1000, page_size=1),
            [("rmp-operand-gpa", "warning", "gpa")],
        ),
        (operand(assigned=1, immutable=1, gpa=0x1000), [("rmp-operand-gpa", "warning", "gpa")]),
        (operand(assigned=1), [("rmp-operand-reclaim", "note", "assigned")]),
    ],
)
def test_what_rmpupdate_refuses_is_found(value, expected):
    assert said(value, Context(Direction.REQUEST)) == said(value) == expected
    errors = [f for f in findings(value) if f.severity is Severity.ERROR]
    assert all(f.text.endswith("; FAIL_INPUT") for f in errors)


def test_what_rmpread_wrote_is_judged_by_what_it_tells():
    odd = RmpReadEntry(assigned=3, asid=2, page_size=6)

    assert said(odd) == [
        ("rmp-operand-bits", "warning", "assigned"),
        ("rmp-operand-bits", "warning", "page_size"),
    ]
    assert said(RmpReadEntry(assigned=1, asid=2, page_size=2)) == []
    assert said(RmpReadEntry(asid=2)) == [("rmp-invalid", "warning", "assigned")]


@pytest.mark.parametrize(
    ("fields", "states"),
    [
        ({}, ["HYPERVISOR"]),
        ({"immutable": 1}, ["HV_FIXED"]),
        ({"assigned": 1, "immutable": 1}, ["FIRMWARE", "CONTEXT"]),
        ({"assigned": 1}, ["RECLAIM"]),
        ({"assigned": 1, "asid": 2}, ["GUEST_INVALID", "GUEST_VALID"]),
        ({"assigned": 1, "asid": 2, "immutable": 1}, ["PRE_GUEST", "PRE_SWAP"]),
        ({"assigned": 1, "immutable": 1, "gpa": 0x20_0000_0001 << 12}, ["FIRMWARE_IOMMU"]),
        ({"assigned": 1, "immutable": 1, "gpa": 0x10_0000_0005 << 12}, ["METADATA"]),
        ({"asid": 2}, ["INVALID"]),
        ({"assigned": 1, "immutable": 1, "gpa": 0x1000}, ["INVALID"]),
    ],
)
def test_rmpread_leaves_open_which_state_it_is(fields, states):
    assert [state.name for state in states_of(RmpReadEntry(**fields))] == states


@given(quadwords)
def test_the_state_of_an_entry_is_among_those_that_rmpread_leaves_open(lo):
    word = RmpLo(lo)
    read = RmpReadEntry(
        gpa=word.address,
        assigned=word.assigned,
        page_size=int(word.page_size),
        immutable=word.immutable,
        asid=word.asid,
    )

    state = state_of(lo, 0)
    assert state in states_of(read) or state is RmpState.INVALID


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((0x880_0022, 0, 0x55B0_0080), []),
        ((0x22,), [("rst-address", "warning", "segments[0]")]),
        ((0x880_0000,), [("rst-empty", "note", "segments[0]")]),
        ((0x880_0022, 0x1000_0001), [("rst-overlap", "warning", "segments[1]")]),
        ((0x880_0022, 0x1100_0001), []),
        ((1 << 52 | 0x880_0022,), [("unknown-bits", "warning", "segments[0]")]),
    ],
)
def test_segments_have_entries_of_their_own(entries, expected):
    written = SegmentTable(elements=[RstSegment(entry=number) for number in entries]).build()

    assert said(SegmentTable.parse(written.ljust(0x1000, b"\0"))) == expected
    assert sorted(said(SegmentTable.parse(written))) == sorted(
        [("rst-piece", "note", ""), *expected]
    )


@given(st.binary(max_size=64))
def test_zeros_behind_the_last_segment_are_no_segments(data):
    image = data.ljust(4096, b"\0")

    value = SegmentTable.parse(image)
    assert value.build() == image
    assert len(value.elements) == -(-len(data.rstrip(b"\0")) // 8)
    assert SegmentTable.from_plain(json.loads(json.dumps(value.to_plain()))).build() == image


def test_masks_have_the_bits_that_have_names():
    masks = VmplMasks(vmpl0=0x1F, vmpl1=3, vmpl2=0x20, vmpl3=2)

    assert said(masks) == [("rmp-rights", "warning", "vmpl2"), ("rmp-rights", "warning", "vmpl3")]
    assert RmpHi(int.from_bytes(masks.build(), "little")).vmpl1 == 3


# The known-answer entries, as a person asks for them

KNOWN = [
    ("0x6010fffffffff001", "0x1f", "GUEST_VALID", {"asid": "2", "vmsa": "1", "validated": "1"}),
    ("0x80000000000007fd", "0x0", "FIRMWARE", {"subpage_count": "0xff"}),
    ("0x8000000000000005", "0x0", "FIRMWARE", {"lock": "1"}),
    ("0x8000000000000ffd", "0xf", "FIRMWARE", {"subpage_count": "0x1ff", "vmpl0": "0xf (15)"}),
    ("0x8002000000001005", "0x0", "FIRMWARE_IOMMU", {"gpa": "0x2000000001"}),
    ("0x0000000000000004", "0x0", "HV_FIXED", {"immutable": "1"}),
    ("0x0000000000000000", "0x0", "HYPERVISOR", {"assigned": "0"}),
]


@pytest.mark.parametrize(("lo", "hi", "state", "fields"), KNOWN)
@pytest.mark.parametrize("form", ["{}:{}", "[{} - {}]"])
def test_entries_that_logs_show_are_explained(lo, hi, state, fields, form):
    output, errors, code = call(["explain", "rmp", form.format(lo, hi), "--json"])

    assert (code, errors) == (0, b"")
    rows = {row["name"].rpartition(" ")[2]: row.get("value") for row in json.loads(output)["rows"]}
    assert rows["state"] == state
    assert {name: rows[name] for name in fields} == fields


@given(quadwords, quadwords, st.sampled_from(["turin", "venice", "zen5", "0x1a"]))
def test_nothing_is_read_into_an_entry_of_an_unknown_layout(lo, hi, family):
    output, errors, code = call(["explain", "rmp", f"{lo:x}:{hi:x}", "--family", family, "--json"])

    assert (code, errors) == (0, b"")
    rows = json.loads(output)["rows"]
    assert [row["name"] for row in rows] == ["layout", "lo", "hi"]
    assert [row["value"] for row in rows] == ["unknown", f"{lo:#018x}", f"{hi:#018x}"]
