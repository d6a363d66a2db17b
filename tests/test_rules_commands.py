"""What is wrong with a command's buffer, held against what the firmware answered to it."""

import pytest
import realfiles
from hypothesis import given
from hypothesis import strategies as st
from strategies import image_of

from snpwire import wire
from snpwire.finding import Severity
from snpwire.rules import (
    findings,
    firmware,
    launch_commands,
    mailbox,
    page_commands,
    platform,
    refusal,
)
from snpwire.rules.commands import CHECKS
from snpwire.wire import buffer_kind
from snpwire.wire.command_table import COMMANDS, OTHER_LAYOUTS, CommandId
from snpwire.wire.status import Status

GCTX = {"gctx_paddr": 0x10_0000}


def made(kind, **fields):
    return wire.kind(kind).type.from_plain(fields)


def refused(kind, **fields):
    """Return code, place and status of the first check that a buffer fails."""
    found = refusal(made(kind, **fields))

    return found and (found[0].code, found[0].path, found[1].name)


COMMAND_CHAPTERS = (platform, firmware, mailbox, launch_commands, page_commands)


def said(kind, **fields):
    return [(f.code, f.severity.name.lower(), f.path) for f in findings(made(kind, **fields))]


REFUSED = [
    ("cmd-init-ex", {"flags": ["bit_5"]}, "command-bits", "flags", "INVALID_PARAM"),
    (
        "cmd-init-ex",
        {"reserved_0x012": "01"},
        "command-reserved",
        "reserved_0x012",
        "INVALID_PARAM",
    ),
    ("cmd-init-ex", {"flags": ["list_paddr_en"]}, "command-list", "flags", "INVALID_PARAM"),
    ("cmd-shutdown-ex", {"length": 4}, "command-length", "length", "INVALID_PARAM"),
    (
        "cmd-shutdown-ex",
        {"length": 8, "flags": ["x86_snp_shutdown"]},
        "command-shutdown",
        "flags",
        "INVALID_PARAM",
    ),
    (
        "cmd-platform-status",
        {"status_paddr": 0xFE1},
        "command-crosses-page",
        "status_paddr",
        "INVALID_PARAM",
    ),
    ("cmd-config", {"flags": ["bit_2"]}, "command-bits", "flags", "INVALID_PARAM"),
    ("cmd-commit", {"length": 8}, "command-length", "length", "INVALID_PARAM"),
    (
        "cmd-download-ex",
        {"length": 24, "fw_paddr": 8, "fw_len": 9},
        "command-alignment",
        "fw_paddr",
        "INVALID_ADDRESS",
    ),
    ("cmd-download-ex", {"flags": ["bit_1"]}, "command-bits", "flags", "INVALID_PARAM"),
    (
        "cmd-vlek-load",
        {"length": 16, "vlek_wrapped_version": 1},
        "command-version",
        "vlek_wrapped_version",
        "INVALID_PARAM",
    ),
    ("cmd-vlek-load", {"vlek_wrapped_version": 1}, "command-length", "length", "INVALID_PARAM"),
    (
        "cmd-feature-info",
        {"length": 16, "feature_info_paddr": 2},
        "command-alignment",
        "feature_info_paddr",
        "INVALID_ADDRESS",
    ),
    (
        "cmd-feature-info",
        {"length": 16, "feature_info_paddr": 0xFF4},
        "command-crosses-page",
        "feature_info_paddr",
        "INVALID_ADDRESS",
    ),
    ("cmd-feature-info", {"length": 16, "ecx_in": 2}, "command-part", "ecx_in", "INVALID_PARAM"),
    ("cmd-ring-buffer", {}, "command-queue", "low_priority_queue_size", "INVALID_PARAM"),
    (
        "cmd-ring-buffer",
        {"low_priority_queue_size": 1, "high_priority_queue_size": 2},
        "command-queue",
        "high_priority_queue_size",
        "INVALID_PARAM",
    ),
    (
        "cmd-ring-buffer",
        {"low_priority_queue_size": 1, "high_priority_cmd_ptr": 8},
        "command-alignment",
        "high_priority_cmd_ptr",
        "INVALID_ADDRESS",
    ),
    ("cmd-gctx-create", {"gctx_paddr": 0x1001}, "command-alignment", "gctx_paddr", "INVALID_PARAM"),
    ("cmd-decommission", {"gctx_paddr": 0x800}, "command-alignment", "gctx_paddr", "INVALID_PARAM"),
    ("cmd-activate", GCTX, "command-asid", "asid", "INVALID_ASID"),
    ("cmd-activate", {**GCTX, "asid": 1007}, "command-asid", "asid", "INVALID_ASID"),
    ("cmd-activate-padded", {**GCTX, "asid": 2048}, "command-asid", "asid", "INVALID_ASID"),
    (
        "cmd-activate-ex",
        {**GCTX, "ex_len": 0x1C, "asid": 0},
        "command-length",
        "ex_len",
        "INVALID_PARAM",
    ),
    (
        "cmd-activate-ex",
        {**GCTX, "ex_len": 0x20, "asid": 1},
        "command-ids",
        "numids",
        "INVALID_PARAM",
    ),
    (
        "cmd-activate-ex",
        {**GCTX, "ex_len": 0x20, "asid": 1, "numids": 1025},
        "command-ids",
        "numids",
        "INVALID_PARAM",
    ),
    (
        "cmd-guest-status",
        {**GCTX, "status_paddr": 0xFFF},
        "command-crosses-page",
        "status_paddr",
        "INVALID_PARAM",
    ),
    (
        "cmd-launch-start",
        {**GCTX, "ma_gctx_paddr": 1, "policy": 0},
        "command-alignment",
        "ma_gctx_paddr",
        "INVALID_PARAM",
    ),
    ("cmd-launch-start", {**GCTX, "policy": "0x0"}, "policy-bit-17", "policy", "POLICY_FAILURE"),
    (
        "cmd-launch-start",
        {**GCTX, "policy": "0x8000000000020000"},
        "policy-unknown-bits",
        "policy",
        "POLICY_FAILURE",
    ),
    (
        "cmd-launch-start",
        {**GCTX, "policy": "0x20000", "flags": ["ma_en"]},
        "command-agent",
        "policy",
        "POLICY_FAILURE",
    ),
    (
        "cmd-launch-start",
        {**GCTX, "policy": "0x20000", "flags": ["bit_2"]},
        "command-bits",
        "flags",
        "INVALID_PARAM",
    ),
    (
        "cmd-launch-update",
        {**GCTX, "page_paddr": 0x1234, "page": 2},
        "command-alignment",
        "page_paddr",
        "INVALID_PARAM",
    ),
    (
        "cmd-launch-update",
        {**GCTX, "page_paddr": 0x1000, "page": 3},
        "command-alignment",
        "page_paddr",
        "INVALID_ADDRESS",
    ),
    (
        "cmd-launch-update",
        {**GCTX, "page_paddr": 0x20_0000, "page": 5},
        "command-page-size",
        "page",
        "INVALID_PAGE_SIZE",
    ),
    ("cmd-launch-update", {**GCTX, "page": 0}, "command-page-type", "page", "INVALID_PARAM"),
    ("cmd-launch-update", {**GCTX, "page": 14}, "command-page-type", "page", "INVALID_PARAM"),
    ("cmd-launch-update", {**GCTX, "page": 34}, "command-bits", "page", "INVALID_PARAM"),
    (
        "cmd-launch-update",
        {**GCTX, "page": 2, "perms": 1},
        "command-bits",
        "perms",
        "INVALID_PARAM",
    ),
    ("cmd-launch-finish", {**GCTX, "flags": ["bit_3"]}, "command-bits", "flags", "INVALID_PARAM"),
    (
        "cmd-guest-request",
        {**GCTX, "request_paddr": 0x1FA1},
        "command-crosses-page",
        "request_paddr",
        "INVALID_PARAM",
    ),
    (
        "cmd-guest-request",
        {**GCTX, "response_paddr": 0x1FA1},
        "command-crosses-page",
        "response_paddr",
        "INVALID_PARAM",
    ),
    ("cmd-dbg", {**GCTX, "dst_paddr": 0x10}, "command-alignment", "dst_paddr", "INVALID_PARAM"),
    (
        "cmd-page-swap-out",
        {"src_paddr": 0x1000, "dst_paddr": 0x1000, "mdata_paddr": 0x3020},
        "command-alignment",
        "mdata_paddr",
        "INVALID_PARAM",
    ),
    (
        "cmd-page-swap-out",
        {"src_paddr": 0x1000, "dst_paddr": 0x5000, "mdata_paddr": 0x1FC0},
        "command-metadata",
        "mdata_paddr",
        "INVALID_PARAM",
    ),
    (
        "cmd-page-swap-out",
        {"src_paddr": 0x1000, "dst_paddr": 0x1000, "flags": 0x16},
        "command-page-type",
        "flags",
        "INVALID_PAGE_STATE",
    ),
    ("cmd-page-swap-out", {"flags": 0x8}, "command-bits", "flags", "INVALID_PARAM"),
    ("cmd-page-swap-in", {"flags": 0x16}, "command-page-type", "flags", "INVALID_MDATA_ENTRY"),
    (
        "cmd-page-swap-in",
        {"flags": 0x18, "src_paddr": 0x1000},
        "command-in-place",
        "dst_paddr",
        "INVALID_ADDRESS",
    ),
    ("cmd-page-swap-in", {"flags": 0x1A}, "command-in-place", "flags", "INVALID_PARAM"),
    ("cmd-page-swap-in", {"flags": 0x15}, "command-page-size", "flags", "INVALID_PAGE_SIZE"),
    (
        "cmd-page-swap-in",
        {"reserved_0x020": "01", "flags": 0x10},
        "command-reserved",
        "reserved_0x020",
        "INVALID_PARAM",
    ),
    ("cmd-page-move", {"flags": 2}, "command-bits", "flags", "INVALID_PARAM"),
    ("cmd-page-md-init", {"page_paddr": 1}, "command-alignment", "page_paddr", "INVALID_PARAM"),
    ("cmd-page-set-state", {"length": 8}, "command-length", "length", "INVALID_LENGTH"),
    (
        "cmd-page-set-state",
        {"length": 16, "list_paddr": 8},
        "command-alignment",
        "list_paddr",
        "INVALID_PARAM",
    ),
    ("cmd-page-reclaim", {"page": 0x1002}, "command-bits", "page", "INVALID_PARAM"),
    ("cmd-page-reclaim", {"page": 0x1001}, "command-alignment", "page", "INVALID_ADDRESS"),
    (
        "cmd-page-unsmash",
        {"page_paddr": 0x20_0001},
        "command-alignment",
        "page_paddr",
        "INVALID_PARAM",
    ),
    (
        "cmd-page-unsmash",
        {"page_paddr": 0x1000},
        "command-alignment",
        "page_paddr",
        "INVALID_PARAM",
    ),
    (
        "range-list",
        {"ranges": [{"base": 0x10}]},
        "command-alignment",
        "ranges[0].base",
        "INVALID_PARAM",
    ),
    ("range-list", {"n": 2, "ranges": [{"base": 0}]}, "command-ranges", "n", "INVALID_PARAM"),
    ("range-list", {"reserved_0x004": "01"}, "command-reserved", "reserved_0x004", "INVALID_PARAM"),
]

TAKEN = [
    ("cmd-init-ex", {"flags": ["init_rmp", "tio_en"]}, [("command-newer", "warning", "flags")]),
    ("cmd-init-ex", {"max_snp_asid": 1}, [("command-newer", "warning", "max_snp_asid")]),
    ("cmd-init-ex", {"list_paddr": 1}, [("command-list", "note", "list_paddr")]),
    (
        "cmd-init-ex",
        {"flags": ["init_rmp", "list_paddr_en"], "list_paddr": 0xFF9},
        [("command-list", "warning", "list_paddr")],
    ),
    ("cmd-download-ex", {"fw_paddr": 32, "fw_len": 9}, [("command-length", "note", "length")]),
    ("cmd-download-ex", {"length": 24}, [("command-empty", "warning", "fw_len")]),
    (
        "cmd-ring-buffer",
        {"low_priority_queue_size": 1, "int_on_empty": 2},
        [("command-bits", "note", "int_on_empty")],
    ),
    ("cmd-gctx-create", {"gctx_paddr": 1 << 46}, [("command-address", "warning", "gctx_paddr")]),
    ("cmd-gctx-create", {"gctx_paddr": 0xA_0000}, [("command-address", "warning", "gctx_paddr")]),
    ("cmd-gctx-create", {"gctx_paddr": 1 << 51 | 0x1000}, []),
    (
        "cmd-launch-start",
        {**GCTX, "policy": "0xa0000", "desired_tsc_freq": 2500, "ma_gctx_paddr": 0x1000},
        [
            ("policy-debug", "note", "policy"),
            ("command-agent", "note", "ma_gctx_paddr"),
            ("command-tsc", "warning", "desired_tsc_freq"),
        ],
    ),
    (
        "cmd-launch-start",
        {**GCTX, "policy": "0x220000"},
        [("command-newer", "warning", "policy")],
    ),
    (
        "cmd-launch-update",
        {**GCTX, "page": 2, "perms": "0x02200000"},
        [("command-rights", "warning", "perms"), ("command-rights", "warning", "perms")],
    ),
    (
        "cmd-launch-finish",
        {**GCTX, "flags": ["auth_key_en"], "id_block_paddr": 8},
        [("command-id-block", "note", "id_block_paddr"), ("command-id-block", "note", "flags")],
    ),
    (
        "cmd-launch-finish",
        {**GCTX, "flags": ["id_block_en"], "id_block_paddr": 8},
        [("command-id-block", "warning", "id_auth_paddr")],
    ),
    ("cmd-guest-request", GCTX, [("command-address", "warning", "request_paddr")]),
    (
        "cmd-page-swap-out",
        {"flags": 0x10, "mdata_paddr": 1},
        [("command-metadata", "note", "mdata_paddr")],
    ),
    ("cmd-hv-report", {}, [("command-length", "warning", "length")]),
    ("page-info", {}, [("page-info-length", "warning", "length")]),
    (
        "range-list",
        {"ranges": [{"base": 0x1000, "page_count": 1}, {"base": 0x20_0000}]},
        [
            ("command-alignment", "warning", "ranges[0].base"),
            ("command-range-empty", "note", "ranges[1].page_count"),
        ],
    ),
    (
        "range-list",
        {"ranges": [{"base": 0xF_FFFF_FFE0_0000, "page_count": 513}]},
        [("command-address", "warning", "ranges[0].page_count")],
    ),
]


@pytest.mark.parametrize(("kind", "fields", "code", "path", "status"), REFUSED)
def test_a_buffer_is_refused_for_the_first_check_that_it_fails(kind, fields, code, path, status):
    assert refused(kind, **fields) == (code, path, status)
    first = next(f for f in findings(made(kind, **fields)) if (f.code, f.path) == (code, path))
    assert first.severity is Severity.ERROR
    assert first.text.endswith(f"; the firmware answers {status}")


@pytest.mark.parametrize(("kind", "fields", "expected"), TAKEN)
def test_what_the_firmware_takes_may_be_remarked_on(kind, fields, expected):
    assert said(kind, **fields) == expected
    assert refused(kind, **fields) is None


LAWFUL = {
    "cmd-shutdown-ex": {"length": 8},
    "cmd-commit": {"length": 4},
    "cmd-download-ex": {"length": 24, "fw_len": 1},
    "cmd-vlek-load": {"length": 16},
    "cmd-feature-info": {"length": 16, "ecx_in": 1},
    "cmd-activate": {"asid": 1006},
    "cmd-activate-padded": {"asid": 1},
    "cmd-activate-ex": {"ex_len": 32, "asid": 1, "numids": 1024},
    "cmd-launch-start": {"policy": "0x30000"},
    "cmd-launch-update": {"page": 2},
    "cmd-guest-request": {"request_paddr": 0x2FA0, "response_paddr": 0x3FA0},
    "cmd-page-swap-out": {"src_paddr": 0x1000, "dst_paddr": 0x1000},
    "cmd-page-swap-in": {"src_paddr": 0x1000, "dst_paddr": 0x1000, "flags": 8},
    "cmd-page-set-state": {"length": 16},
    "cmd-ring-buffer": {"low_priority_queue_size": 1, "high_priority_queue_size": 1},
    "cmd-mitigation": {"length": 0x40},
    "cmd-hv-report": {"length": 0x18},
    "page-info": {"length": 0x70},
}
JUDGED = {kind for chapter in COMMAND_CHAPTERS for kind in chapter.RULES}
CHECKED = [name for name, kind in wire.RECORDS.items() if kind.type in JUDGED]


@pytest.mark.parametrize("kind", CHECKED)
def test_a_lawful_buffer_has_nothing_said_of_it(kind):
    assert said(kind, **LAWFUL.get(kind, {})) == []


def test_every_buffer_of_snp_has_checks():
    snp = {c.buffer for c in COMMANDS.values() if c.id.name.startswith("SNP_") and c.buffer}
    snp |= {name for names in OTHER_LAYOUTS.values() for name in names}

    assert snp <= set(CHECKED)
    assert {wire.kind(name).type for name in CHECKED} == JUDGED


@given(
    st.sampled_from(CHECKED).flatmap(
        lambda name: image_of(wire.kind(name).type).map(lambda b: (name, b))
    )
)
def test_any_buffer_can_be_judged(drawn):
    name, image = drawn
    value = wire.kind(name).type.parse(image)

    found, refused = findings(value), refusal(value)
    errors = [f for f in found if f.severity is Severity.ERROR]
    assert (refused is None) == (errors == [])
    assert refused is None or (refused[0] in errors and refused[1] is not Status.SUCCESS)
    assert all(0 <= f.offset < max(len(image), 1) for f in found)


@given(st.sampled_from(list(CHECKS)).flatmap(lambda n: st.tuples(st.just(n), st.data())))
def test_a_status_that_is_foretold_is_among_those_of_the_commands_checks(drawn):
    number, data = drawn
    kind = buffer_kind(number)
    found = kind and refusal(kind.type.parse(data.draw(image_of(kind.type))))

    answers = {status for check in CHECKS[number] for status in check.statuses}
    assert not found or found[1] in answers


def test_a_check_that_bytes_decide_has_one_status_and_is_no_success():
    decided = [check for checks in CHECKS.values() for check in checks if check.functions]

    assert len(decided) > 30
    assert all(len(check.statuses) == 1 for check in decided)
    assert Status.SUCCESS not in {check.statuses[0] for check in decided}


# What the firmware did

NOMINAL = {"gctx_page_state": "CONTEXT", "gctx_snp_state": 0, "status_page_state": "FIRMWARE"}


def buffer_of(row):
    """Return the buffer of a row of what the firmware was given."""
    record, given = wire.kind(COMMANDS[CommandId[row["command"]]].buffer).type, row["input"]
    if "cmdbuf" in given:
        return record.parse(bytes.fromhex(given["cmdbuf"]))
    if "page_paddr_size" in given:
        return record(page=given["page_paddr_size"])
    return record(**{tile.path: given[tile.path] for tile in record.FIELDS})


@realfiles.needed
def test_the_firmware_refused_what_is_said_to_be_refused():
    count = 0
    for row in realfiles.rows("commands"):
        found = refusal(buffer_of(row))
        state = {name: row["input"].get(name, want) for name, want in NOMINAL.items()}
        if found and row["snp_state"] == 1 and state == NOMINAL:
            count += 1
            assert row["status_name"] == found[1].name, row["name"]
        assert not found or row["status_name"] != "SUCCESS", row["name"]
    assert count > 15


@realfiles.needed
def test_the_firmware_refused_requests_and_pages_that_are_said_to_be_refused():
    record = wire.kind("cmd-guest-request").type
    for row in realfiles.rows("guest_request"):
        found = refusal(record(**row["command"]))
        if found and not row["name"].startswith("pair/"):  # where another check comes first
            assert row["expect"]["status_name"] == found[1].name, row["name"]
        assert not found or row["expect"]["status_name"] != "SUCCESS", row["name"]
    for row in realfiles.rows("launch_digest"):
        for step in row["steps"]:
            found = refusal(
                wire.kind("cmd-launch-update").type.parse(bytes.fromhex(step["cmdbuf"]))
            )
            assert not found or step["status_name"] == found[1].name, row["name"]
