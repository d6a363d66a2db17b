"""What the rules say of guest messages and their payloads."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from strategies import images

from snpwire.context import BARE, Context, Direction
from snpwire.finding import Severity
from snpwire.rules import findings
from snpwire.rules.message import direction_of, refusal
from snpwire.wire import kind, payload_type
from snpwire.wire.message import MESSAGES, Header, MessagePage, MsgType
from snpwire.wire.migration import GuestContext
from snpwire.wire.report import Report
from snpwire.wire.status import Status

HERE = Path(__file__).parent / "vectors"
OBSERVED = Path(os.environ.get("SNPWIRE_VECTORS", "")) / "firmware/guest_request.jsonl.gz"
KEY = bytes(range(32))
REQUEST = MessagePage.parse((HERE / "message-request.bin").read_bytes())
RESPONSE = MessagePage.parse((HERE / "message-answer.bin").read_bytes())
WRONG = MessagePage.parse((HERE / "message-wrong.bin").read_bytes())
PARAM, FULL = Status.INVALID_PARAM, Status.AEAD_OFLOW
FIRMWARE = [
    ({"hdr_version": 0}, "message-header-version", PARAM),
    ({"hdr_version": 2}, "message-header-version", PARAM),
    ({"hdr_size": 0x40}, "message-header-size", PARAM),
    ({"algo": 0}, "message-algorithm-invalid", PARAM),
    ({"algo": 2}, "message-algorithm", PARAM),
    ({"msg_size": 0}, "message-size-zero", PARAM),
    ({"msg_size": 0x68}, "message-size-unit", PARAM),
    ({"msg_size": 0xFB0}, "message-too-long", PARAM),
    ({"msg_vmpck": 4}, "message-vmpck", PARAM),
    ({"msg_seqno": 0}, "message-seqno-zero", FULL),
    ({"msg_seqno": 2}, "message-seqno-even", FULL),
    ({"msg_seqno": (1 << 64) - 1}, "message-seqno-limit", FULL),
    ({"msg_version": 0}, "message-version-zero", PARAM),
    ({"msg_version": 2}, "message-version", PARAM),
    ({"msg_type": 0}, "message-type-invalid", PARAM),
    ({"msg_type": 6}, "message-answer", PARAM),
    ({"msg_type": 19}, "message-draft", PARAM),
    ({"msg_type": 77}, "message-type", PARAM),
]
"""A header that is wrong in one way, and what the firmware answers."""


def changed(page=REQUEST, **fields):
    return page.replace(header=page.header.replace(**fields))


def codes(value, context=BARE):
    return [found.code for found in findings(value, context)]


def only(value, code, context=BARE):
    """Return the one finding with *code*."""
    (found,) = (found for found in findings(value, context) if found.code == code)
    return found


def payload(name, **fields):
    return kind(name).type.from_plain(fields)


# Messages


def test_a_request_in_order_is_not_refused():
    assert findings(REQUEST) == []
    assert refusal(REQUEST) is None


@pytest.mark.parametrize(("change", "code", "status"), FIRMWARE)
def test_what_the_firmware_refuses_has_a_code_and_its_status(change, code, status):
    page = changed(**change)
    found = only(page, code, Context(Direction.REQUEST))
    first = refusal(page)

    assert found.severity is Severity.ERROR
    assert found.path == f"header.{next(iter(change))}"
    assert found.offset == Header.tile(next(iter(change))).offset
    assert found.text.endswith(f"the firmware answers {status.name}")
    assert (first.finding.code, first.status) == (code, status)


@pytest.mark.parametrize(
    "first", [n for n, row in enumerate(FIRMWARE) if row[1] != "message-version"]
)  # a version is too high for a type that is known
def test_the_first_check_that_fails_is_the_one_that_is_answered(first):
    later = {}
    for change, _, _ in reversed(FIRMWARE[first:]):
        later |= change

    assert refusal(changed(**later)).finding.code == FIRMWARE[first][1]


def test_a_page_of_zeros_is_an_error_both_ways():
    for way in Direction:
        (found,) = findings(MessagePage(), Context(way))
        assert (found.code, found.severity) == ("message-empty", Severity.ERROR)
    assert refusal(MessagePage()).status is PARAM


def test_a_number_past_32_bits_is_a_note():
    assert codes(changed(msg_seqno=0x1_0000_0001)) == ["message-seqno-wide"]
    assert codes(changed(msg_seqno=0xFFFF_FFFD)) == []


def test_a_version_that_is_newer_than_the_published_firmware_is_a_warning():
    found = only(changed(msg_type=3, msg_version=2), "message-version-new")

    assert found.severity is Severity.WARNING
    assert found.text.endswith("AMD-ASPFW (Genoa) refuses it with INVALID_PARAM")


def test_what_is_not_sealed_is_said():
    assert codes(changed(auth_tag=bytes(32))) == ["message-no-tag"]
    assert codes(REQUEST.replace(payload=bytes(0xFA0))) == ["message-no-payload"]


def test_a_payload_shorter_than_its_structure_is_said():
    assert "message-short" in codes(changed(msg_size=0x50))


def test_bytes_behind_the_payload_are_a_note():
    found = only(REQUEST.replace(payload=REQUEST.payload[:-1] + b"\1"), "message-behind")

    assert (found.severity, found.offset) == (Severity.NOTE, 0xC0)


@pytest.mark.parametrize(
    ("field", "offset", "code", "bound"),
    [
        ("reserved_0x028", 0x28, "message-reserved-clear", "; not authenticated"),
        ("reserved_0x038", 0x38, "message-reserved", "; authenticated"),
        ("reserved_0x03d", 0x3D, "message-reserved", "; authenticated"),
    ],
)
def test_reserved_bytes_say_whether_the_tag_covers_them(field, offset, code, bound):
    size = Header.tile(field).size
    found = only(changed(**{field: b"\1" + bytes(size - 1)}), code)

    assert (found.severity, found.offset) == (Severity.WARNING, offset)
    assert found.text.endswith(bound)


def test_bytes_behind_the_tag_are_not_looked_at():
    tag = REQUEST.header.auth_tag[:16] + b"\1" * 16

    assert only(changed(auth_tag=tag), "message-tag-tail").offset == 0x10


def test_leftovers_in_a_response_are_notes():
    (found,) = findings(RESPONSE)

    assert (found.code, found.severity) == ("message-reserved", Severity.NOTE)
    assert found.text.endswith("authenticated, the firmware does not clear them in an answer")


@pytest.mark.parametrize(
    ("change", "code", "severity"),
    [
        ({"msg_seqno": 3}, "message-seqno-odd", Severity.ERROR),
        ({"msg_seqno": 0}, "message-seqno-odd", Severity.ERROR),
        ({"msg_version": 0}, "message-version-zero", Severity.ERROR),
        ({"msg_size": 0xFB0}, "message-too-long", Severity.ERROR),
        ({"msg_type": 5}, "message-type", Severity.ERROR),
        ({"algo": 0}, "message-algorithm-invalid", Severity.WARNING),
        ({"hdr_size": 0}, "message-header-size", Severity.WARNING),
        ({"msg_vmpck": 9}, "message-vmpck", Severity.WARNING),
        ({"msg_size": 0x4C8}, "message-size-unit", Severity.WARNING),
    ],
)
def test_a_response_is_judged_as_guests_do(change, code, severity):
    found = only(changed(RESPONSE, **change), code, Context(Direction.RESPONSE))

    assert found.severity is severity
    assert "the firmware answers" not in found.text


@pytest.mark.parametrize(
    ("change", "way", "reason"),
    [
        ({}, "request", "msg_type 5 is REPORT_REQ"),
        ({"msg_type": 6}, "answer", "msg_type 6 is REPORT_RSP"),
        ({"msg_type": 22}, "answer", "msg_type 22 is TIO_MMIO_VALIDATE_RSP"),
        ({"msg_type": 99}, "request", "msg_type 99 does not tell; msg_seqno is odd"),
        (
            {"msg_type": 99, "msg_seqno": 2},
            "answer",
            "msg_type 99 does not tell; msg_seqno is even",
        ),
        (
            {"msg_type": 0, "msg_seqno": 0},
            "request",
            "msg_type 0 does not tell; msg_seqno is not set",
        ),
    ],
)
def test_the_direction_is_decided_with_a_reason(change, way, reason):
    decision = direction_of(changed(**change))

    assert (decision.what, decision.choice, decision.reason) == ("direction", way, reason)
    assert direction_of(changed(**change), Direction.RESPONSE).reason == "as asked for"


def test_a_header_is_judged_without_its_page():
    found = findings(WRONG.header, Context(Direction.REQUEST))

    assert {f.path for f in found} >= {"algo", "msg_seqno", "msg_type", "reserved_0x028"}
    assert findings(REQUEST.header) == []


@given(images(MessagePage))
def test_any_page_can_be_judged(data):
    page = MessagePage.parse(data)

    for way in (None, *Direction):
        assert all(found.text and found.source for found in findings(page, Context(way)))
    asked = Context(Direction.REQUEST)
    assert (refusal(page) is None) == (
        Severity.ERROR not in {found.severity for found in findings(page, asked)}
    )


def test_the_sealed_vectors_open_under_their_key():
    for page, name in ((REQUEST, "report-req.bin"), (RESPONSE, "report-rsp.bin")):
        data, size = page.build(), page.header.msg_size
        sealed = data[0x60 : 0x60 + size] + data[:16]
        plain = AESGCM(KEY).decrypt(data[0x20:0x28] + bytes(4), sealed, data[0x30:0x60])
        assert plain == (HERE / name).read_bytes()


# What AMD's published firmware answered


def observed():
    """Yield each request that starts its page, and what the firmware answered.

    Counts that are odd are left out: no guest gets into that state, and there all is the other way.
    """
    with gzip.open(OBSERVED, "rt") as stream:
        rows = [json.loads(line) for line in stream]
    for row in rows:
        count = row["gctx"].get(f"msg_count{row['request_header']['vmpck']}", 0)
        if not row["command"]["request_paddr"] % 0x1000 and not count % 2:
            data = bytes.fromhex(row["request_page"] or "")[:0x1000]
            yield row, MessagePage.parse(data.ljust(0x1000, b"\0"))


def fixed(data, size):
    return data[:size].ljust(size, b"\0")


firmware = pytest.mark.skipif(
    not OBSERVED.is_file(), reason="observed firmware: SNPWIRE_VECTORS names no folder"
)


@firmware
def test_the_firmware_refuses_what_the_rules_say_it_does():
    compared = 0
    for row, page in observed():
        refused, status = refusal(page), Status(row["expect"]["status"])
        if refused is None:
            continue
        compared += 1
        assert status, row["name"]
        if row["name"].startswith("env/") and status is not Status.BAD_MEASUREMENT:
            assert status is refused.status, row["name"]

    assert compared > 150


@firmware
def test_a_request_that_the_firmware_took_has_no_error():
    taken = [(row, page) for row, page in observed() if row["expect"]["status"] == 0]

    assert len(taken) > 400
    assert [row["name"] for row, page in taken if refusal(page)] == []


@firmware
def test_the_firmware_refuses_the_payloads_that_the_rules_say_it_does():
    compared = 0
    for row, page in observed():
        kind = payload_type(page.header.msg_type, page.header.msg_version)
        if row["expect"]["status"] or kind is None or not row["request_payload_plain"]:
            continue
        plain = bytes.fromhex(row["request_payload_plain"])
        value = kind.parse(plain if hasattr(kind, "ELEMENT") else fixed(plain, kind.SIZE))
        said = [f.text for f in findings(value) if f.severity is Severity.ERROR]
        if said:
            compared += 1
            assert any(bytes.fromhex(row["expect"]["response_payload"])[:4]), row["name"]

    assert compared > 60


# Payloads

CONTEXT = {"policy": 0x30000, "state": "RUNNING", "root_md_entry": {"mdata": {"valid": 1}}}
SIZED = {"in_gctx_size": 0x300, "in_gctx_version": 3, "incoming_gctx": CONTEXT}
GOOD = [
    ("key-req", {}),
    ("key-req-v2", {}),
    ("key-rsp", {"derived_key": "01"}),
    ("report-req", {}),
    ("cpuid-req", {"functions": [{"eax_in": 7}]}),
    ("cpuid-rsp", {"functions": [{"eax_in": 7}]}),
    ("tsc-req", {}),
    ("tsc-rsp", {"guest_tsc_scale": 1}),
    ("export-req", {"gctx_paddr": 0x1000}),
    ("export-rsp", {"gctx_size": 0x300, "gctx_version": 3, "gctx": CONTEXT}),
    ("import-req", SIZED),
    ("absorb-req", SIZED),
    ("absorb-noma-req", SIZED),
    ("vmrk-req", {"vmrk": "01"}),
    ("status-rsp", {}),
    ("guest-context", CONTEXT),
]


@pytest.mark.parametrize(("name", "fields"), GOOD)
def test_of_a_payload_in_order_there_is_nothing_to_say(name, fields):
    assert findings(payload(name, **fields)) == []


def test_every_payload_is_judged_by_rules_of_its_own():
    named = {kind for row in MESSAGES.values() for kind in (*row.payloads.values(), row.reply)}

    assert named - {name for name, _ in GOOD} == {"report-rsp"}


@pytest.mark.parametrize(
    ("name", "fields", "code", "status"),
    [
        ("key-req", {"select": 0x6}, "payload-key-sel-derived", "INVALID_KEY"),
        ("key-req", {"select": 0x10}, "payload-bits", "INVALID_PARAM"),
        ("key-req", {"guest_field_select": ["bit_9"]}, "payload-fields", "INVALID_PARAM"),
        (
            "key-req",
            {"guest_field_select": ["launch_mit_vector"]},
            "payload-fields-version",
            "INVALID_PARAM",
        ),
        ("key-req", {"reserved_0x004": "01"}, "payload-reserved", "INVALID_PARAM"),
        ("report-req", {"select": 3}, "payload-key-sel", "INVALID_KEY"),
        ("report-req", {"select": 4}, "payload-bits", "INVALID_PARAM"),
        ("report-req", {"reserved_0x048": "01"}, "payload-reserved", "INVALID_PARAM"),
        ("cpuid-req", {"count": 65}, "cpuid-count", "INVALID_PARAM"),
        (
            "cpuid-req",
            {"count": 1, "reserved_0x004": "01", "functions": [{}]},
            "payload-reserved",
            "INVALID_PARAM",
        ),
        ("tsc-req", {"reserved_0x000": "01"}, "payload-reserved", "INVALID_PARAM"),
        ("export-req", {"gctx_paddr": 8}, "payload-address", "INVALID_PARAM"),
        ("export-req", {"select": ["bit_3"]}, "payload-bits", "INVALID_PARAM"),
        ("import-req", SIZED | {"in_gctx_size": 0}, "payload-context-size", "INVALID_PARAM"),
        (
            "import-req",
            SIZED | {"incoming_gctx": CONTEXT | {"root_md_entry": {}}},
            "payload-root",
            "INVALID_MDATA_ENTRY",
        ),
        ("absorb-req", SIZED | {"in_gctx_version": 4}, "payload-context-version", "INVALID_PARAM"),
        (
            "absorb-noma-req",
            SIZED | {"reserved_0x000": "01"},
            "payload-reserved",
            "INVALID_PARAM",
        ),
        ("vmrk-req", {"vmrk": "01", "gctx_paddr": 1}, "payload-address", "INVALID_PARAM"),
    ],
)
def test_what_the_firmware_refuses_of_a_payload_says_how(name, fields, code, status):
    found = only(payload(name, **fields), code)

    assert found.severity is Severity.ERROR
    assert found.text.endswith(f"the firmware answers {status}")


@pytest.mark.parametrize(
    ("name", "fields", "code", "severity"),
    [
        ("key-req", {"vmpl": 4}, "payload-vmpl", Severity.WARNING),
        ("report-req", {"vmpl": 4}, "payload-vmpl", Severity.WARNING),
        ("key-req", {"tcb_version": 1}, "payload-not-mixed", Severity.NOTE),
        ("key-req-v2", {"launch_mit_vector": 1}, "payload-not-mixed", Severity.NOTE),
        ("key-rsp", {}, "payload-key", Severity.WARNING),
        ("report-rsp", {"status": 0x16, "report_size": 1}, "payload-size", Severity.WARNING),
        (
            "report-rsp",
            {"status": 0x16, "report": {"version": 2}},
            "payload-report",
            Severity.WARNING,
        ),
        ("report-rsp", {"report_size": 0x4A0}, "report-empty", Severity.ERROR),
        (
            "report-rsp",
            {"status": 0x16, "report_size": 0x4A0, "reserved_0x008": "01"},
            "reserved-not-zero",
            Severity.WARNING,
        ),
        ("cpuid-req", {"count": 3}, "cut-short", Severity.WARNING),
        ("cpuid-req", {}, "cpuid-count", Severity.NOTE),
        ("cpuid-req", {"functions": [{"eax_in": 0x40000000}]}, "cpuid-leaf", Severity.NOTE),
        ("cpuid-req", {"functions": [{}], "rest": "01"}, "bytes-behind", Severity.NOTE),
        ("cpuid-rsp", {"status": 0x16, "functions": [{}]}, "cpuid-replaced", Severity.NOTE),
        ("tsc-rsp", {}, "payload-tsc", Severity.WARNING),
        (
            "export-rsp",
            {"gctx_size": 0x300, "gctx": CONTEXT},
            "payload-context-version",
            Severity.WARNING,
        ),
        (
            "export-rsp",
            {"gctx_size": 0x300, "gctx_version": 3},
            "payload-context",
            Severity.WARNING,
        ),
        ("vmrk-req", {}, "payload-key", Severity.WARNING),
        ("status-rsp", {"status": 2}, "payload-status", Severity.WARNING),
        ("status-rsp", {"status": 0x999}, "payload-status", Severity.WARNING),
        ("guest-context", CONTEXT | {"msg_count2": 3}, "context-count", Severity.WARNING),
        ("guest-context", CONTEXT | {"policy": 0}, "policy-bit-17", Severity.WARNING),
    ],
)
def test_what_is_odd_about_a_payload_is_said(name, fields, code, severity):
    assert only(payload(name, **fields), code).severity is severity


def test_a_reserved_key_has_no_meaning_beside_the_vm_root_key():
    assert "payload-key-sel-derived" not in codes(payload("key-req", select=0x7))


def test_the_report_in_a_response_is_judged_at_its_place():
    report = Report.parse((HERE / "report-turin.bin").read_bytes())
    response = payload("report-rsp", report_size=0x4A0, report=report.to_plain())
    (found,) = findings(response)

    assert (found.code, found.path) == ("platform-unknown-bits", "report.platform_info")
    assert found.offset == 0x20 + 0x40


def test_a_context_in_a_message_is_judged_at_its_place():
    bad = SIZED | {"incoming_gctx": CONTEXT | {"policy": 0}}
    found = only(payload("absorb-req", **bad), "policy-bit-17")

    assert (found.path, found.offset) == ("incoming_gctx.policy", 0x20 + 0x228)
    assert GuestContext.tile("policy").offset == 0x228


def test_answers_and_requests_come_in_pairs():
    assert all(row.response == row.request + 1 for row in MESSAGES.values())
    assert all(MsgType(row.request) % 2 for row in MESSAGES.values())
