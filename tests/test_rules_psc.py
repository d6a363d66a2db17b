"""The rules of a page state change buffer, alone and in the page it travels in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import blocks

from snpwire.context import BARE, Context, Direction, context_of
from snpwire.finding import Finding, Severity
from snpwire.rules import findings
from snpwire.wire.ghcb import Page, ValidBitmap
from snpwire.wire.psc import PscBuffer, PscEntry, PscHeader

NOTE, WARNING, ERROR = Severity
PRIVATE = 0x0010_0000_1234_5000
SHARED_2M = 0x0120_0000_4000_0000
SCRATCH = 0x9800
RESPONSE = Context(Direction.RESPONSE, None)


def buffer(*entries: int, cur: int = 0, end: int | None = None, rest: bytes = b"") -> PscBuffer:
    head = PscHeader(cur_entry=cur, end_entry=len(entries) - 1 if end is None else end)
    return PscBuffer(head, tuple(PscEntry(entry) for entry in entries), rest)


def of(code: str, value: PscBuffer, context: Context = BARE) -> list[Finding]:
    return [finding for finding in findings(value, context) if finding.code == code]


def the(code: str, value: PscBuffer, context: Context = BARE) -> Finding:
    (finding,) = of(code, value, context)
    return finding


def shape(finding: Finding) -> tuple[Severity, str, int, int]:
    return finding.severity, finding.path, finding.offset, finding.reason


def page(value: PscBuffer, scratch: int = SCRATCH, **fields: object) -> Page:
    """Return the request that carries *value*."""
    marked = ValidBitmap.from_plain(
        ["sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", "sw_scratch"]
    )
    fields.setdefault("valid_bitmap", marked)
    image = bytes(scratch % 0x1000 - 0x800) + value.build()
    return Page(
        sw_exit_code=0x8000_0010,
        sw_scratch=scratch,
        protocol_version=2,
        shared_buffer=image[:0x7F0].ljust(0x7F0, b"\0"),
        **fields,
    )


def test_a_correct_buffer_raises_nothing():
    assert findings(buffer(PRIVATE, SHARED_2M)) == []
    assert findings(page(buffer(PRIVATE, SHARED_2M))) == []


def test_an_end_beyond_the_shared_buffer_is_an_invalid_header_to_kvm():
    finding = the("psc-end-entry", buffer(PRIVATE, end=253))

    assert shape(finding) == (ERROR, "end_entry", 2, 0)
    assert finding.text == (
        "end_entry is 253, there is room for 253 entries: KVM answers 0x0000000100000001"
    )
    assert finding.source == "Linux 6.12 snp_begin_psc"


def test_a_buffer_that_was_cut_off_says_so():
    finding = the("cut-short", buffer(PRIVATE, end=5))

    assert shape(finding) == (WARNING, "end_entry", 2, 0)
    assert finding.text == "end_entry is 5, the bytes hold 1 entries"


def test_the_header_s_reserved_bytes_are_zero():
    value = PscBuffer(PscHeader(reserved_0x004=b"\0\0\1\0"), (PscEntry(PRIVATE),))

    assert shape(the("reserved-not-zero", value)) == (WARNING, "reserved_0x004", 6, 0)


def test_a_current_entry_behind_the_end_leaves_nothing_to_do():
    finding = the("psc-all-done", buffer(PRIVATE, cur=1))

    assert shape(finding) == (NOTE, "cur_entry", 0, 0)
    assert finding.text == "cur_entry is 1, end_entry is 0: there is nothing left to do"


def test_more_than_64_entries_are_not_linux():
    entries = [0x0010_0000_0000_0000 | n << 12 for n in range(65)]

    assert findings(buffer(*entries[:64])) == []
    assert the("psc-many-entries", buffer(*entries)).text == (
        "end_entry is 64: Linux sends at most 64 entries"
    )


@pytest.mark.parametrize(("operation", "name"), [(3, "PSMASH"), (4, "UNSMASH")])
def test_kvm_does_nothing_for_two_of_the_operations(operation, name):
    finding = the("psc-operation", buffer(operation << 52))

    assert shape(finding) == (NOTE, "entries[0]", 8, 0)
    assert finding.text == f"operation is {name}: KVM marks the entry done and does nothing"


@pytest.mark.parametrize("operation", [0, 5, 15])
def test_an_operation_that_does_not_exist_is_a_warning(operation):
    finding = the("psc-operation", buffer(PRIVATE, operation << 52))

    assert shape(finding) == (WARNING, "entries[1]", 16, 0)
    assert finding.text.startswith(f"operation is {operation}, there are 1 to 4")


def test_reserved_bits_of_an_entry_are_zero():
    finding = the("unknown-bits", buffer(PRIVATE | 1 << 63))

    assert shape(finding) == (WARNING, "entries[0]", 8, 0)
    assert finding.text == "bit 63 of 0x8010000012345000 should be zero"


def test_a_large_page_starts_at_a_multiple_of_512():
    finding = the("psc-unaligned", buffer(SHARED_2M | 1 << 12))

    assert shape(finding) == (ERROR, "entries[0]", 8, 0)
    assert finding.text == (
        "gfn is 0x40001, a 2 MiB page starts at a multiple of 512: KVM answers 0x0000000100000002"
    )


@pytest.mark.parametrize(("entry", "pages"), [(PRIVATE | 2, 1), (SHARED_2M | 513, 512)])
def test_an_entry_is_not_done_beyond_its_pages(entry, pages):
    finding = the("psc-cur-page", buffer(entry))

    assert shape(finding) == (ERROR, "entries[0]", 8, 0)
    assert finding.text.endswith(f"the entry has {pages} pages: KVM answers 0x0000000100000002")


def test_an_entry_that_says_it_is_done_is_skipped_by_kvm():
    assert the("psc-entry-done", buffer(PRIVATE | 1)).severity == NOTE
    assert of("psc-entry-done", buffer(SHARED_2M | 1)) == []


def test_entries_in_front_of_the_current_one_are_history():
    assert findings(buffer(SHARED_2M | 512, PRIVATE, cur=1)) == []
    assert findings(buffer(SHARED_2M | 1 << 12, PRIVATE, cur=1)) == []


def test_a_page_made_both_private_and_shared_is_a_warning():
    inside = 0x0010_0000_4000_5000
    finding = the("psc-overlap", buffer(SHARED_2M, PRIVATE, inside))

    assert shape(finding) == (WARNING, "entries[2]", 24, 0)
    assert finding.text == "entries 0 and 2 give pages from gfn 0x40005 different states"


def test_a_page_named_twice_for_the_same_state_is_no_contradiction():
    assert findings(buffer(PRIVATE, PRIVATE)) == []
    assert of("psc-overlap", buffer(PRIVATE, 3 << 52 | 0x1234_5000)) == []


def test_bytes_behind_the_entries_are_a_note():
    finding = the("bytes-behind", buffer(PRIVATE, rest=b"\0\0\7"))

    assert shape(finding) == (NOTE, "rest", 18, 0)
    assert finding.text == "bytes behind the last element are not zero, from 0x12: 07"


def test_a_response_that_is_not_done_is_asked_again():
    finding = the("psc-not-done", buffer(PRIVATE | 1, SHARED_2M, cur=1), RESPONSE)

    assert shape(finding) == (NOTE, "cur_entry", 0, 0)
    assert finding.text == "cur_entry is 1, end_entry is 1: not all is done, a guest asks again"


def test_a_response_that_is_done_says_nothing():
    assert findings(buffer(PRIVATE | 1, SHARED_2M | 512, cur=2), RESPONSE) == []


# In the shared buffer of a page


def test_paths_and_offsets_are_those_of_the_page():
    value = buffer(PRIVATE, PRIVATE, PRIVATE, SHARED_2M | 1 << 12)
    found = [f for f in findings(page(value)) if f.code == "psc-unaligned"]

    assert [shape(f) for f in found] == [(ERROR, "shared_buffer.psc.entries[3]", 0x820, 0)]


def test_a_buffer_further_back_has_less_room():
    value = buffer(PRIVATE, end=3)
    found = findings(page(value, scratch=0x9FD8))
    (finding,) = [f for f in found if f.code == "psc-end-entry"]

    assert shape(finding) == (ERROR, "shared_buffer.psc.end_entry", 0xFDA, 0)
    assert finding.text.startswith("end_entry is 3, there is room for 2 entries")


def test_bytes_behind_the_entries_are_found_in_the_page():
    found = findings(page(buffer(PRIVATE, rest=b"\1")))

    assert [shape(f) for f in found] == [(NOTE, "shared_buffer.psc.rest", 0x810, 0)]


def test_a_buffer_in_another_page_is_not_looked_for_in_this_one():
    value = page(buffer(SHARED_2M | 1 << 12))
    context = context_of(value, gpa=0x5000)

    assert [f.code for f in findings(value, context)] == ["scratch-area"]


def test_a_buffer_without_room_for_its_header_is_not_read():
    value = page(buffer(0), scratch=0x9FEC)

    assert [f.code for f in findings(value)] == ["scratch-area"]


def test_a_buffer_that_is_not_marked_or_not_known_is_not_read():
    value = page(buffer(SHARED_2M | 1 << 12))
    unmarked = value.replace(
        valid_bitmap=ValidBitmap.from_plain(["sw_exit_code", "sw_exit_info_1", "sw_exit_info_2"])
    )
    unknown = context_of(value, absent=frozenset({"shared_buffer"}))

    assert [f.code for f in findings(unmarked)] == ["missing-input"]
    assert findings(value, unknown) == []


def test_a_response_keeps_its_buffer():
    answered = ValidBitmap.from_plain(["sw_exit_info_1", "sw_exit_info_2"])
    value = page(buffer(PRIVATE | 1, SHARED_2M, cur=1), valid_bitmap=answered)
    refused = value.replace(sw_exit_info_2=0x1_0000_0002)

    assert [shape(f) for f in findings(value)] == [(NOTE, "shared_buffer.psc.cur_entry", 0x800, 0)]
    assert findings(refused) == []


@given(blocks(PscBuffer), st.sampled_from([BARE, RESPONSE, Context(Direction.REQUEST, None)]))
def test_no_buffer_breaks_the_rules_themselves(image, context):
    for finding in findings(PscBuffer.parse(image), context):
        assert 0 <= finding.offset < len(image)


@given(st.lists(st.tuples(st.integers(0, 2048), st.integers(1, 2), st.booleans()), max_size=12))
def test_an_overlap_is_found_exactly_where_there_is_one(rows):
    entries = [
        (gfn & ~511 if large else gfn) << 12 | operation << 52 | large << 56
        for gfn, operation, large in rows
    ]
    value = buffer(*entries, end=max(len(entries) - 1, 0))
    pages = [set(range(e.gfn, e.gfn + e.pages)) for e in value.elements]
    clash = any(
        pages[a] & pages[b] and value.elements[a].operation != value.elements[b].operation
        for a in range(len(rows))
        for b in range(a)
    )

    assert bool(of("psc-overlap", value)) == clash
