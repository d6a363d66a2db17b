"""What the tools of a host print of a guest: events by members, pages, dumps of VMCBs, losses."""

from __future__ import annotations

import json
import re
import struct
import textwrap
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realfiles import needed, real
from transcripts import call

from snpwire.capture.kernel_log import records
from snpwire.capture.page_line import page_line, pieces_page
from snpwire.wire.exits import ExitCode
from snpwire.wire.ghcb import Page
from snpwire.wire.message import MessagePage

VECTORS = Path(__file__).parent / "vectors"
QUADWORDS = st.integers(0, (1 << 64) - 1)
EXITS = st.sampled_from([int(code) for code in ExitCode])
PAGE_HEAD = "snp-page {} t=81000000100 cpu=2 pid=4242 {}: "


def read(*lines):
    return list(records(["\n".join(lines).encode()]))


def one(*lines):
    (record,) = read(*lines)
    return record


def page_of(kind, way, data, names="vcpu=0"):
    return one(PAGE_HEAD.format(f"{kind} {way}", names) + data.hex(" "))


def vector(name):
    return (VECTORS / name).read_bytes()


# Events by their members


def raw(name, **members):
    return f"x-1 [000]-0x0 1.5: kvm_{name}: " + " ".join(f"{n}={v}" for n, v in members.items())


def exit_numbers(record):
    return tuple(record.fields[name] for name in ("exit_code", "exit_info1", "exit_info2"))


@given(code=EXITS, info1=QUADWORDS, info2=QUADWORDS)
def test_an_exit_is_the_same_however_its_members_are_printed(code, info1, info2):
    numbers = (code, info1, info2)
    decimal = f"exit_reason: {code}, info1: {info1}, info2: {info2}"
    spaced = f"vcpu_id = 7, exit_reason = {code}, info1 = {info1}, info2 = {info2}"
    lines = [
        f"1.5 drive/7 kvm:kvm_vmgexit_enter(vcpu_id: 7, {decimal})",
        f"kvm:kvm_vmgexit_enter: {{ cpu_id = 3 }}, {{ {spaced} }}",
        f"kvm_vmgexit_enter: [FAILED TO PARSE] {spaced.replace(' = ', '=').replace(',', '')}",
        f"kvm_vmgexit_enter: vcpu_id=0x7 (7) exit_reason={code:#x} (1) info1={info1:#x} (2)"
        f" info2={info2:#x} (3)",
        f"kvm:kvm_vmgexit_enter:vcpu 7, exit_reason {code:x}, exit_info1 {info1:x},"
        f" exit_info2 {info2:x}",
    ]

    found = read(*lines)

    assert [exit_numbers(record) for record in found] == [numbers] * len(lines)
    assert {record.fields["vcpu"] for record in found} == {7}
    assert {record.kind for record in found} == {"vmgexit-enter"}


@given(value=QUADWORDS)
def test_bare_numbers_are_hex_or_decimal_as_the_width_of_an_address_says(value):
    hexadecimal = one(raw("vmgexit_msr_protocol_enter", vcpu_id=1, ghcb_gpa=f"{value:016x}"))
    text = str(value)
    decimal = one(raw("vmgexit_msr_protocol_enter", vcpu_id=1, ghcb_gpa=text))

    assert hexadecimal.fields["ghcb_msr"] == value
    assert decimal.fields["ghcb_msr"] == (int(text, 16) if len(text) == 16 else value)


def test_bare_numbers_are_read_as_the_line_says_then_as_lines_before_and_else_as_hex():
    either = raw("vmgexit_exit", vcpu_id=0, exit_reason=72, info1=10, info2=0)
    decimal = raw("vmgexit_enter", vcpu_id=0, exit_reason=2147483665, info1=4096, info2=0)
    letters = raw("vmgexit_enter", vcpu_id=0, exit_reason="8000001f", info1=1000, info2="a0")

    found = read(either, decimal, either, letters, either)

    assert [exit_numbers(r)[0] for r in found] == [0x72, 0x8000_0011, 72, 0x8000_001F, 0x72]
    assert [r.fields["base"] for r in found] == [16, 10, 10, 16, 16]
    assert [r.meaning.endswith("numbers read as decimal") for r in found] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_members_that_perf_leaves_out_are_zero():
    request, word = read(
        "9.517 guest/311 kvm:kvm_vmgexit_enter(exit_reason: 114)",
        "9.000 drive/202 kvm:kvm_vmgexit_msr_protocol_exit()",
    )

    assert (request.fields["vcpu"], *exit_numbers(request)) == (0, 0x72, 0, 0)
    assert (word.fields["ghcb_msr"], word.fields["result"]) == (0, 0)
    assert (request.time, request.caller) == ("9.517", "guest-311")


def test_members_that_cannot_be_read_are_said_and_not_zero():
    record = one("1.5 drive/7 kvm:kvm_vmgexit_enter(__probe_ip: 12, reason: high)")

    assert record.meaning == "its members cannot be read"
    assert "exit_code" not in record.fields


@pytest.mark.parametrize(
    ("columns", "shown"),
    [
        ("drive-190 [003] d..1. 9.398778: ", ("drive", 190, 3, "d..1.", "9.398778")),
        ("drive-190 (  189) [003] d..1. 9.398778: ", ("drive", 190, 3, "d..1.", "9.398778")),
        ("a b-1-190 3d..1. 9.398778123: ", ("a b-1", 190, 3, "d..1.", "9.398778123")),
        ("drive-190 [003]-0x24 9.398778: ", ("drive", 190, 3, "0x24", "9.398778")),
        ("CPU 0/KVM 4240/4242 [003] 9.398778: kvm:", ("CPU 0/KVM", 4240, 3, "", "9.398778")),
        ("drive 190 9.398778: kvm:", ("drive", 190, None, "", "9.398778")),
        ("drive-190 3d..1. 9398778us!: ", ("drive", 190, 3, "d..1.", "9398778us")),
        ("host: drive-190 [003] ..... 9.398778: ", ("drive", 190, 3, ".....", "9.398778")),
        ("drive-190 [003] 1180591620717: ", ("drive", 190, 3, "", "1180591620717")),
    ],
)
def test_columns_of_every_tool_are_read(columns, shown):
    record = one(f"{columns}kvm_vmgexit_enter: vcpu 0, exit_reason 72, exit_info1 0, exit_info2 0")

    fields = record.fields
    assert (*map(fields.get, ("task", "pid", "cpu", "flags")), record.time) == shown


@pytest.mark.parametrize(
    "line",
    ["CPU:3 [LOST 17 EVENTS]", "CPU:3 [17 EVENTS DROPPED]", "Lost 17 events", "LOST 17 events!"],
)
def test_lost_events_are_told(line):
    record = one(line)

    assert record.kind == "trace-loss"
    assert record.fields["count"] == 17
    assert record.remedy


# Pages


def printed_bytes(data):
    r"""Return the forms in which bpftrace prints bytes: %rh, %rx, and either in JSON."""
    escaped = "".join(f"\\x{byte:02x}" for byte in data)
    return [data.hex(" "), data.hex(), escaped]


@given(
    patch=st.binary(min_size=1, max_size=64), offset=st.integers(0, 4032), form=st.integers(0, 2)
)
def test_a_page_comes_back_from_each_form_of_its_bytes(patch, offset, form):
    data = bytearray(4096)
    data[offset : offset + len(patch)] = patch
    body = printed_bytes(data)[form]
    line = f"{PAGE_HEAD.format('ghcb in', 'vcpu=3')}{body}"
    wrapped = json.dumps({"type": "printf", "data": line + "\n"})

    plain, quoted = read(line, wrapped)

    assert plain.fields["data"] == quoted.fields["data"] == bytes(data)
    assert (plain.fields["way"], plain.fields["vcpu"], plain.fields["size"]) == ("in", 3, 4096)
    assert plain.consequence == ""


def test_a_page_in_the_form_that_mixes_letters_in_is_read_if_it_has_its_size():
    data = vector("guest-request.bin")
    mixed = "".join(chr(b) if 33 <= b <= 126 else f"\\x{b:02x}" for b in data)
    head = PAGE_HEAD.format("ghcb in", "vcpu=0")

    whole, short, strange = read(head + mixed, head + mixed[:-4], f"{head}\\x00\u00e9 A")

    assert whole.fields["data"] == data
    assert (whole.fields["form"], whole.consequence) == ("%r", "")
    assert whole.meaning.endswith("bytes read as %r")
    assert "no hex behind its first" in short.meaning
    assert "no hex behind its first" in strange.meaning


@pytest.mark.parametrize("width", [76, 200, 4000])
def test_a_page_that_a_terminal_has_wrapped_is_one_record(width):
    data = vector("guest-request.bin")
    line = PAGE_HEAD.format("ghcb in", "vcpu=0") + data.hex(" ")
    wrapped = textwrap.wrap(line, width)

    page, leak, cut = read(
        *wrapped, "SEV-SNP: Leaking PFN range 0x1-0x2", *wrapped[:2], "no bytes", "00 11"
    )

    assert page.fields["data"] == data
    assert (page.line, page.last) == (1, len(wrapped))
    assert (leak.kind, leak.line) == ("pages-leaked", len(wrapped) + 1)
    assert cut.meaning.startswith("cut off: ")
    assert cut.last == len(wrapped) + 3


def test_a_page_that_is_cut_ends_with_the_page_behind_it():
    cut, whole = read(
        "snp-page ghcb in t=1 vcpu=0: 00 11",
        PAGE_HEAD.format("ghcb out", "vcpu=0") + vector("cpuid-answer.bin").hex(" "),
    )

    assert (cut.fields["size"], cut.last) == (2, 1)
    assert (whole.fields["size"], whole.line) == (4096, 2)


@pytest.mark.parametrize("blank", ["\x1c", "\x1f", "\x85", "\u2003"])
def test_a_blank_that_is_none_of_ascii_ends_the_bytes_of_a_page(blank):
    found = page_line("ghcb", "in", f"vcpu=1: 00 11{blank}22")

    assert found.data == bytes.fromhex("0011")
    assert "behind its first 2 bytes" in found.problem


@given(st.text(max_size=200), st.sampled_from(["ghcb", "payload", "msr", "psc", "page"]))
def test_any_text_behind_the_head_is_a_page_or_a_problem(text, kind):
    found = page_line(kind, "in", text)

    assert found.problem or found.data or found.kind not in ("ghcb", "msr")
    assert pieces_page("in", text).data == bytes(4096) or "{" in text or "=" in text


@given(st.dictionaries(st.integers(0, 511), QUADWORDS, max_size=6))
def test_a_page_is_put_together_from_arrays(words):
    data = bytearray(4096)
    for index, word in words.items():
        data[8 * index : 8 * index + 8] = word.to_bytes(8, "little")
    quadwords = struct.unpack("<512Q", data)
    arrays = [
        f"at_{8 * at:x}={{{','.join(map(hex, quadwords[at : at + 64]))}}}"
        for at in range(0, 512, 64)
    ]

    found = pieces_page("in", " ".join(["vcpu=5", *arrays]))

    assert found.data == bytes(data)
    assert (found.absent, found.problem) == (frozenset(), "")
    assert found.names["vcpu"] == "5"


def test_what_a_probe_did_not_print_is_absent_and_what_is_cut_off_is_said():
    found = pieces_page("out", "vcpu=0 cpl=0x3 rax=0x1ff at_390={0x72,0x0,0x0} at_800={0x1,0x2")

    page = Page.parse(found.data)
    assert (page.cpl, page.rax, page.sw_exit_code, found.early) == (3, 0x1FF, 0x72, True)
    assert {"rcx", "sw_scratch", "shared_buffer", "valid_bitmap"} <= found.absent
    assert not {"cpl", "rax", "sw_exit_code", "sw_exit_info_2"} & found.absent
    assert found.problem == "cut off within at_800"


@pytest.mark.parametrize(
    "pieces",
    [
        "cpl=0x1ff",
        "buffer={0x1,0x2}",
        "at_ff8={0x1,0x2}",
        "at_fff={0x1}",
        "at_390={zz}",
        "at_390={0x",
        "other=0x5",
    ],
)
def test_pieces_that_do_not_fit_are_left_out(pieces):
    found = pieces_page("in", pieces)

    assert len(found.data) == 4096
    assert found.absent >= {"cpl", "sw_exit_code"}


def test_a_request_shows_its_exit_its_operands_and_the_registers_that_it_needs():
    record = page_of("ghcb", "in", vector("cpuid.bin"))

    assert record.text.startswith("-> vcpu 0  ghcb  exit 0x72 CPUID  info1 0x0  info2 0x0")
    assert record.fields["registers"]["rax"] == 0x8000_001F
    assert record.fields["not_valid"] == []
    assert (record.time, record.caller) == ("81.000000100", "pid-4242")


def test_a_request_that_does_not_mark_what_it_needs_says_so():
    page = Page.parse(vector("cpuid.bin"))

    record = page_of("ghcb", "in", page.replace(valid_bitmap=0).build())

    assert "rax" in record.fields["not_valid"]
    assert "not marked valid, though this exit needs it: sw_exit_code" in record.meaning


def test_a_page_state_change_shows_its_extent_and_its_first_page():
    inside = page_of("ghcb", "in", vector("psc.bin"))
    page = Page.parse(vector("psc.bin")).replace(sw_scratch=0x4000_0000)
    outside = page_of("ghcb", "in", page.build())

    assert inside.meaning.endswith("3 entries, the first GFN 0x12345 4K PRIVATE")
    assert outside.meaning.endswith("its entries are not in the page, but at 0x40000000")


def test_a_page_state_change_that_is_half_done_says_how_far():
    page = Page.parse(vector("psc.bin"))
    buffer = (2).to_bytes(2, "little") + page.shared_buffer[2:]

    done = page_of("ghcb", "out", page.replace(shared_buffer=buffer).build())
    bare = page.replace(
        shared_buffer=bytes(len(page.shared_buffer)), sw_scratch=page.sw_scratch + 0x7E8
    )
    short = page_of("ghcb", "in", bare.build())

    assert "3 entries, 2 done, the first GFN" in done.meaning
    assert short.meaning.endswith("1 entry")


def test_a_message_shows_what_its_header_says_and_an_empty_page_that_there_is_none():
    sealed = page_of("message", "in", vector("message-request.bin"), "context=0x5dad000")
    none = page_of("message", "out", bytes(4096), "context=0x5dad000 ret=-16")
    odd = MessagePage.parse(vector("message-request.bin"))
    header = odd.header.replace(msg_type=200)
    unknown = page_of("message", "in", odd.replace(header=header).build())

    assert "REPORT_REQ  number 1" in sealed.text
    assert sealed.to_plain()["fields"]["context"] == "0x5dad000"
    assert none.meaning == "no message was written to the page; failed with -16: -16 EBUSY, in use"
    assert unknown.meaning == "no message that is known"


def test_a_save_area_and_a_cpuid_page_show_what_is_launched():
    vmsa = page_of("vmsa", "in", vector("vmsa.bin").ljust(4096, b"\0"), "type=2")
    cpuid = page_of("cpuid", "in", vector("cpuid-page.bin"), "type=6")

    assert "rip 0x" in vmsa.text
    assert vmsa.meaning.startswith("SEV_FEATURES snp_active")
    assert re.search(r"cpuid  \d+ functions", cpuid.text)


@pytest.mark.parametrize(
    ("operand", "meaning"),
    [
        ("0000204000000000 01 00 00 00 07000000", "the page is given to ASID 7"),
        ("0000204000000000 01 01 01 00 00000000", "the page is given to the firmware, immutable"),
        ("0000000000000000 00 00 00 00 00000000", "the page is made the hypervisor's"),
    ],
)
def test_an_operand_of_rmpupdate_says_to_whom_a_page_goes(operand, meaning):
    record = page_of("rmpupdate", "in", bytes.fromhex(operand), "pfn=0x1a8601")
    without = page_of("rmpupdate", "in", bytes.fromhex(operand), "pid=1")

    assert record.meaning == without.meaning == meaning
    assert "PFN 0x1a8601" in record.text
    assert "PFN" not in without.text


def test_a_payload_is_of_the_kind_that_its_message_has_and_a_key_in_it_is_not_shown():
    request = page_of("payload", "in", vector("report-req.bin"), "type=5 version=1 size=96")
    key = page_of("payload", "out", vector("key-rsp.bin"), "type=4 version=1 size=64")
    none = page_of("payload", "in", b"\1\2", "type=250 version=1")
    words = page_of("payload", "in", b"\1\2", "type=five")

    assert request.fields["page"] == "report-req"
    assert key.fields["page"] == "key-rsp"
    assert "data" not in key.fields
    assert "it holds a key, which is not shown" in key.meaning
    assert vector("key-rsp.bin").hex()[64:128] not in json.dumps(key.to_plain())
    assert [r.meaning for r in (none, words)] == ["no kind has this name"] * 2


def test_other_kinds_show_their_first_fields():
    report = page_of("report", "out", vector("report-genoa.bin"))
    psc = page_of("psc", "in", vector("psc-buffer.bin"))

    assert "version 0x" in report.meaning
    assert report.fields["data"] == vector("report-genoa.bin")
    assert "end_entry 0x" in psc.meaning


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ghcb in t=1: 00 11", "cut off: 2 bytes of 4096"),
        (f"ghcb in t=1: {bytes(1024).hex(' ')}", "cut off: 1024 bytes of 4096; raise max_strlen"),
        (f"ghcb in t=1: {bytes(4097).hex(' ')}", "4097 bytes, which is no ghcb"),
        ("ghcb in t=1: 00 11 zz", "no hex behind its first 2 bytes: print it with %rh"),
        ("ghcb in t=1", "cut off: 0 bytes of 4096"),
        ("msr in t=1: 0x10000000000000000", "no number of 64 bits"),
        ("msr in t=1: word", "no number of 64 bits"),
        ("ghcb in t=1: 00\u202800 11", "no hex behind its first 1 bytes"),
        ("msr in t=1: 0x1_0", "no number of 64 bits"),
    ],
)
def test_a_page_that_is_not_whole_is_said_to_be_cut(line, problem):
    record = one(f"snp-page {line}")

    assert problem in record.meaning
    assert record.consequence == "what was not captured is missing, not zero"


def test_a_word_of_the_msr_is_read_as_a_tracepoint_of_it():
    page = one("snp-page msr out t=5 cpu=0 pid=1 vcpu=2 result=1: 0x0000000000003081")
    event = one("kvm_vmgexit_msr_protocol_exit: vcpu 2, ghcb_gpa 0000000000003081, result 1")
    bare = one("snp-page msr sideways t=x: 0x80")

    assert (page.text, page.meaning) == (event.text, event.meaning)
    assert (bare.text[:9], bare.time) == ("sideways ", "")


def test_commands_say_what_became_of_them():
    done, failed, odd = read(
        "snp-command t=1000000000 cpu=0 pid=1 id=0x94 ret=0",
        "snp-command t=1 cpu=0 pid=1 id=0x94 ret=-5",
        "snp-command t=1 cpu=0 pid=1 id=0xfff ret=0",
    )

    assert (done.text, done.time) == ("<- command 0x94 SNP_GUEST_REQUEST  ret 0", "1.000000000")
    assert failed.meaning.endswith("failed: -5 EIO, the other side failed")
    assert odd.meaning == "no source names this command"


# Dumps of VMCBs

VMCB = ["VMCB 00000000a4006788, last attempted VMRUN on CPU 3", "VMCB Control Area:"]


def test_a_dump_is_one_record_with_exit_ghcb_word_and_save_area():
    record = one(
        *VMCB,
        "asid:   5",
        "exit_code:          80000011",
        "exit_info1: 1000",
        "exit_info2: 2000",
        "ghcb: 1000000",
        "vmsa_pa: 5d35c0000",
        "VMCB State Save Area:",
        "rip: 0000000000000050 rflags: 0000000000000002",
    )

    shown = record.to_plain()["fields"]
    assert (record.line, record.last) == (1, 10)
    assert (shown["exit"], shown["asid"], shown["cpu"]) == ("SNP_GUEST_REQUEST", 5, 3)
    assert shown["ghcb"] == "0x0000000001000000"
    assert shown["save"] == {"rip": "0x50", "rflags": "0x2"}
    assert "for a guest with encrypted registers the save area says nothing" in record.meaning


@pytest.mark.parametrize(
    ("code", "name"),
    [("ffffffff", "INVALID_VMCB"), ("ff" * 8, "INVALID_VMCB"), ("fffffffe", "VMSA_BUSY")],
)
def test_an_exit_of_a_failed_vmrun_has_a_cause_and_a_remedy(code, name):
    record = one(
        "SEV-SNP vCPU1 " + VMCB[0],
        VMCB[1],
        f"exit_code: {code}",
        "allowed_sev_features:8000000000000001",
        "guest_sev_features: 0000000000000009",
        "VMCB State Save Area:",
        "sev_features    0000000000000009",
    )

    assert record.fields["exit"] == name
    assert record.fields["vcpu"] == 1
    assert f"hardware error 0x{code}" in record.consequence
    assert record.cause.endswith("SEV_FEATURES that are not allowed: restricted_injection")
    assert record.remedy
    assert "encrypted registers" not in record.meaning


def test_a_dump_without_an_exit_code_is_not_whole():
    record = one(*VMCB, "asid: 5", *["noise"] * 9)

    assert record.meaning == "not whole: it has no exit_code"


def test_a_word_of_the_msr_protocol_in_a_dump_is_named():
    record = one(*VMCB, "exit_code: 403", "ghcb: 0000000000000004")

    assert "GHCB MSR CPUID_REQ" in record.meaning


def test_two_dumps_in_one_another_are_said_to_be_mixed():
    record, second = read(*VMCB, "asid: 5", "exit_code: 400", "asid: 6", "exit_code: 72", *VMCB)

    assert "asid, exit_code came twice: two dumps may be mixed" in record.meaning
    assert record.fields["asid"] == 5
    assert second.line == 7


def test_dumps_of_kernels_without_a_first_line_are_told_apart_by_the_area_s():
    first, second = read(
        "SVM: VMCB Control Area:",
        "SVM: exit_code: 00000078",
        "SVM: VMCB Control Area:",
        "SVM: exit_code: 00000072",
    )

    assert [r.fields["exit"] for r in (first, second)] == ["HLT", "CPUID"]
    assert [(r.line, r.last) for r in (first, second)] == [(1, 2), (3, 4)]


def test_segments_intercepts_and_filters_are_fields_of_a_dump():
    record = one(
        *VMCB,
        "intercepts: bccc8007 0111ce43",
        "pause filter count: 3000",
        "pause filter threshold:128",
        "exit_code: 78",
        "VMCB State Save Area:",
        "cs:   s: f000 a: 009b l: 0000ffff b: 00000000ffff0000",
        "vmpl: 0   cpl:  3               efer: 0000000000001000",
    )

    control, save = record.fields["control"], record.fields["save"]
    assert control["intercepts"] == [0xBCCC8007, 0x0111CE43]
    assert (control["pause_filter_count"], control["pause_filter_threshold"]) == (3000, 128)
    assert save["cs"] == {
        "selector": 0xF000,
        "attributes": 0x9B,
        "limit": 0xFFFF,
        "base": 0xFFFF0000,
    }
    assert (save["vmpl"], save["cpl"], save["efer"]) == (0, 3, 0x1000)


# Real outputs

TOML = real("capture") / "capture.toml"
FILES = tomllib.loads(TOML.read_text())["file"] if TOML.is_file() else []
OF_LOGS = [row for row in FILES if row["command"].startswith("snpwire log")]


@needed
@pytest.mark.parametrize("row", OF_LOGS, ids=[row["name"] for row in OF_LOGS])
def test_what_tools_print_on_real_kernels_is_read_as_it_comes(row):
    output, errors, code = call(["log", "--json", str(real("capture") / row["name"])])
    text, _, _ = call(["log", str(real("capture") / row["name"])])

    objects = [json.loads(line) for line in output.splitlines()]
    found = [thing for thing in objects if thing["schema"] == "log/1"]
    said = (output + text).decode().lower()
    assert code == 0, errors
    assert len(found) == row.get("records", len(found)) > 0
    assert [fact for fact in row.get("facts", ()) if fact.lower() not in said] == []
