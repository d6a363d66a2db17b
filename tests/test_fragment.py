"""The beginning of a value: what is there is read and judged, what is not there is neither."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import patched

from snpwire.context import Direction
from snpwire.decode import Hints, document
from snpwire.errors import AbsentError, DecodeError, InputError
from snpwire.finding import as_far
from snpwire.fragment import Fragment, is_whole, type_of
from snpwire.rules import findings
from snpwire.view.diff import pairs
from snpwire.view.hex import annotated
from snpwire.view.json import document as plain_document
from snpwire.view.json import fields_of, place
from snpwire.view.tree import tree
from snpwire.wire import RECORDS, kind
from snpwire.wire.ghcb import Page, ValidBitmap
from snpwire.wire.message import Header, MessagePage
from snpwire.wire.psc import PscBuffer
from snpwire.wire.report import Report, ReportRsp

CUTTABLE = [name for name, row in RECORDS.items() if row.type.SIZE > 1]
MARKED = ["sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", "rax", "rcx"]
PAGE = Page(
    sw_exit_code=0x72, rax=7, valid_bitmap=ValidBitmap.from_plain(MARKED), protocol_version=2
)
REPORT = Report.from_plain(
    {
        "version": 3,
        "signature_algo": 1,
        "policy": 0x30000,
        "vmpl": 1,
        "cpuid_fam_id": 0x19,
        "cpuid_mod_id": 1,
        "reported_tcb": 0x4405000000000002,
        "measurement": "11" * 48,
        "report_id": "22" * 32,
        "chip_id": "33" * 64,
    }
)


def beginning(name, data):
    return document(name, data, strict=False)


def paths(plain):
    """Return the paths of all values in the fields of JSON, with a list of numbers as one."""
    found = []

    def walk(value, path):
        parts = value.items() if isinstance(value, dict) else ()
        if isinstance(value, list) and value and isinstance(value[0], dict):
            parts = enumerate(value)
        for name, part in parts:
            step = f"[{name}]" if isinstance(name, int) else f".{name}"
            walk(part, f"{path}{step}".removeprefix("."))
        if not parts:
            found.append(path)

    walk(plain, "")
    return found


@pytest.mark.parametrize("name", CUTTABLE)
@settings(max_examples=8)
@given(st.data())
def test_of_every_kind_exactly_the_fields_that_are_there_are_read(name, draw):
    size = RECORDS[name].type.SIZE
    image = draw.draw(patched(size))
    end = draw.draw(st.integers(1, size - 1))
    whole = document(name, image)

    doc = beginning(name, image[:end])

    there = [leaf for leaf in whole.value.leaves() if leaf.offset + leaf.size <= end]
    assert [(x.path, x.offset, x.value) for x in doc.leaves()] == [
        (x.path, x.offset, x.value) for x in there
    ]
    assert (doc.size, doc.missing.start, doc.missing.of) == (end, end, size)
    cut = doc.cut()
    covered = sum(leaf.size for leaf in there) + (cut.size if cut else 0)
    assert covered == end
    assert cut is None or cut.value == image[cut.offset : end]


@pytest.mark.parametrize("name", CUTTABLE)
@settings(max_examples=16)
@given(st.data())
def test_of_every_kind_nothing_is_found_that_the_whole_would_not_have(name, draw):
    size = RECORDS[name].type.SIZE
    image = draw.draw(st.one_of(patched(size), st.randoms().map(lambda r: r.randbytes(size))))
    end = draw.draw(st.integers(1, size - 1))
    whole = document(name, image)

    doc = beginning(name, image[:end])

    if name != "ghcb" or not whole.value.ghcb_usage:  # which 0 is assumed to be, and said so
        places = {(found.code, found.path) for found in whole.findings}  # a text may say less
        assert {(found.code, found.path) for found in doc.findings} <= places
    assert all(found.offset < end for found in doc.findings)
    assert doc.refused is None or doc.refused == whole.refused


@pytest.mark.parametrize("name", CUTTABLE)
def test_of_every_kind_all_views_agree_on_what_is_there(name):
    size = RECORDS[name].type.SIZE
    image = Random(7).randbytes(size)
    for end in sorted({1, size // 3 or 1, size // 2, size - 1}):
        doc = beginning(name, image[:end])
        shown = [leaf.path for leaf in doc.leaves()]

        plain, full = plain_document(doc), plain_document(doc, full=True)
        head, *rows = tree(doc, everything=True)

        assert f"{end} of {size} bytes" in head
        assert plain["missing"]["from"] == end
        assert plain["missing"]["of"] == size
        expected = {}
        for path in shown:
            place(expected, path, None)
        assert sorted(paths(plain["fields"])) == sorted(paths(expected))
        assert full["missing"] == plain["missing"]
        text = "\n".join(rows)
        hexed = "\n".join(annotated(doc))
        assert all(f" {path}" in text and path in hexed for path in shown)
        cut = doc.cut()
        assert ("cut" in plain["missing"]) == (cut is not None) == ("(cut)" in text)


def test_whole_values_have_nothing_missing():
    doc = document("ghcb", PAGE.build(), strict=False)

    assert doc == document("ghcb", PAGE.build())
    assert doc.missing is None
    assert doc.cut() is None


def test_strict_reading_refuses_a_beginning_and_any_reading_no_bytes():
    with pytest.raises(DecodeError, match="expected 4096 bytes, got 96"):
        document("ghcb", bytes(96))
    with pytest.raises(DecodeError, match="expected 4096 bytes, got 0"):
        document("ghcb", b"", strict=False)
    with pytest.raises(DecodeError, match="expected 4096 bytes, got 4097"):
        document("ghcb", bytes(4097), strict=False)


class TestFragment:
    def test_fields_that_are_there_are_those_of_the_value(self):
        part = Fragment(REPORT, 0x60)

        assert part.version == 3
        assert part.policy == REPORT.policy
        assert part.SIZE == Report.SIZE
        assert type_of(part) is type_of(REPORT) is Report
        assert is_whole(REPORT)
        assert not is_whole(part)

    @pytest.mark.parametrize("name", ["report_data", "measurement", "signature"])
    def test_fields_that_are_not_there_raise_with_their_place(self, name):
        with pytest.raises(AbsentError) as caught:
            getattr(Fragment(REPORT, 0x60), name)

        assert str(caught.value) == (
            f"Report.{name} at {Report.place(name):#05x}: there are only 96 bytes"
        )

    def test_a_nested_record_that_is_cut_is_a_fragment_too(self):
        page = MessagePage(header=Header(msg_seqno=5, msg_type=5))

        header = Fragment(page, 0x30).header

        assert header.msg_seqno == 5
        with pytest.raises(AbsentError, match=r"^Header.msg_type at 0x034"):
            header.msg_type  # noqa: B018

    def test_properties_and_methods_see_the_beginning(self):
        secrets = Fragment(kind("secrets").type.zero(), 0x40)

        assert Fragment(REPORT, 0x60).tile("version") == Report.tile("version")
        with pytest.raises(AbsentError):
            secrets.vmpcks  # noqa: B018 - two of the four are there
        with pytest.raises(AbsentError):
            Fragment(REPORT, 0x60).to_plain()

    @pytest.mark.parametrize("name", ["build", "__iter__"])
    def test_what_takes_every_byte_raises(self, name):
        part = Fragment(REPORT, 8)

        with pytest.raises(AbsentError):
            getattr(part, name)()
        with pytest.raises(AbsentError):
            part == REPORT  # noqa: B015

    def test_a_list_whose_head_is_cut_has_neither_elements_nor_a_rest(self):
        buffer = Fragment(PscBuffer.parse(bytes(8)), 2)

        assert buffer.head.cur_entry == 0
        for name in ("elements", "rest"):
            with pytest.raises(AbsentError):
                getattr(buffer, name)

    def test_a_rule_says_what_it_can_before_it_needs_what_is_not_there(self):
        def rule(value):
            yield value.version
            yield value.measurement

        assert list(as_far(rule, Fragment(REPORT, 0x60))) == [3]
        assert list(as_far(rule, REPORT)) == [3, REPORT.measurement]

    def test_findings_are_of_what_is_there(self):
        found = [finding.code for finding in findings(Fragment(REPORT, 0x60))]

        assert "report-signature-missing" not in found
        assert "report-signature-missing" in [finding.code for finding in findings(REPORT)]


class TestReport:
    def test_the_product_is_unknown_until_its_bytes_are_there(self):
        short, longer = (beginning("report", REPORT.build()[:end]) for end in (0x188, 0x190))

        assert [row.choice for row in short.decisions] == ["unknown"]
        assert short.product is None
        assert longer.product.product.name == "Milan"
        assert "spl" not in str(short.meanings.get("reported_tcb"))

    def test_a_product_that_is_named_is_taken(self):
        doc = document("report", REPORT.build()[:0x60], Hints(product="turin"), strict=False)

        assert [row.reason for row in doc.decisions] == ["as asked for"]
        assert doc.meanings["current_tcb"].value.BITS

    def test_a_version_that_is_new_is_still_told(self):
        data = REPORT.replace(version=9).build()[:0x60]

        assert [found.code for found in beginning("report", data).findings] == [
            "report-version-new"
        ]

    def test_a_report_in_a_response_is_read_as_far_as_it_goes(self):
        response = ReportRsp(report_size=0x4A0, report=REPORT).build()

        doc = beginning("report-rsp", response[:0x80])

        assert [row.choice for row in doc.decisions] == ["unknown"]
        assert doc.meanings["report.policy"].text == "guest policy"


class TestGhcb:
    def test_exit_and_direction_are_read_where_the_bitmap_is_there(self):
        doc = beginning("ghcb", PAGE.build()[:0x400])

        assert doc.context.event.name == "CPUID"
        assert [row.reason for row in doc.decisions] == [
            "sw_exit_code is marked valid",
            "as KVM takes no other; ghcb_usage is not there",
        ]
        assert next(tree(doc)) == "ghcb  1024 of 4096 bytes  request: CPUID"
        assert doc.refused is None

    def test_without_the_bitmap_the_direction_is_unknown(self):
        doc = beginning("ghcb", PAGE.build()[:0x3A8])

        assert [tuple(row) for row in doc.decisions] == [
            (
                *("direction", "unknown"),
                "nothing tells: the valid bitmap is not there; --direction does",
            )
        ]
        assert (doc.context.event, doc.findings) == (None, ())
        assert "0x72" in "\n".join(tree(doc))

    def test_a_direction_that_is_named_is_taken(self):
        for direction in Direction:
            data = PAGE.build()[:0x3A8]

            doc = document("ghcb", data, Hints(direction=direction), strict=False)

            assert doc.decisions[0].reason == "as asked for"
            assert doc.context.event.name == "CPUID"

    @pytest.mark.parametrize("end", [0x60, 0x390, 0x397])
    def test_before_the_exit_code_neither_is_known(self, end):
        doc = beginning("ghcb", PAGE.build()[:end])

        assert doc.context.direction is None
        assert next(tree(doc)) == f"ghcb  {end} of 4096 bytes  GHCB page"
        assert plain_document(doc)["event"] is None
        assert plain_document(doc)["operands"] == {}

    @pytest.mark.parametrize("end", [0x398, 0x39C, 0x3A0])
    def test_operands_that_are_not_there_have_no_meaning(self, end):
        data, hints = PAGE.build()[:end], Hints(direction=Direction.REQUEST)
        doc = document("ghcb", data, hints, strict=False)

        assert "sw_exit_info_2" not in plain_document(doc)["operands"]


def test_json_of_a_beginning_is_not_built_as_a_whole():
    plain = plain_document(beginning("report", REPORT.build()[:0x60]))

    with pytest.raises(InputError, match="no whole report: missing are"):
        fields_of(plain, "report")
    assert Report.from_plain(plain["fields"]).build()[:0x50] == REPORT.build()[:0x50]


def test_a_key_that_is_cut_is_redacted():
    page = kind("secrets").type.from_plain({"version": 3, "vmpck0": "5a" * 32})
    doc = beginning("secrets", page.build()[:0x30]).without_secrets()

    assert doc.cut().value == "redacted"
    assert "5a" not in "\n".join((*tree(doc), *annotated(doc), str(plain_document(doc))))


def test_two_values_are_compared_as_far_as_both_go():
    short, whole = beginning("report", REPORT.build()[:0x60]), document("report", REPORT.build())

    assert [row.path for row in pairs(short, whole)] == [leaf.path for leaf in short.leaves()]
