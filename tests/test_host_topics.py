"""What ``explain`` says of commands, the mailbox, and what is around the reverse map table."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transcripts import call

from snpwire.view.explain import TOPICS
from snpwire.wire.command_table import COMMANDS, CommandId
from snpwire.wire.mailbox import REGISTERS, causes

HOST = [
    *("command", "cmdresp", "cmdbuf", "error-stack", "mailbox", "rb-control", "rb-head", "rb-tail"),
    *("rmp", "rmp-base", "rmp-end", "rmp-cfg", "rst", "npf", "pf", "rmpadjust", "vmpl-mask"),
    *("rmpupdate-result", "psmash-result", "pvalidate-result", "rmpadjust-result"),
]


def explained(topic, text, *options):
    output, errors, code = call(["explain", topic, text, "--json", *options])

    assert (code, errors) == (0, b"")
    return {row["name"]: (row.get("value", ""), row.get("text", "")) for row in rows_of(output)}


def rows_of(output):
    return json.loads(output)["rows"]


@given(st.sampled_from(HOST), st.one_of(st.text(max_size=20), st.integers().map(hex)))
def test_every_topic_answers_or_refuses_in_words(topic, text):
    output, errors, code = call(["explain", "--", topic, text])

    assert topic in TOPICS
    assert code in (0, 2)
    assert b"Traceback" not in errors
    assert bool(output) == (code == 0)


@pytest.mark.parametrize("number", CommandId, ids=lambda number: number.name)
def test_every_command_is_explained(number):
    rows = explained("command", number.name.lower())
    command = COMMANDS.get(number)

    assert rows[f"{number:#04x}"] == (number.name, number.doc)
    assert rows["buffer"][0] == (command.buffer or "none" if command else "unknown") or (
        number is CommandId.SNP_ACTIVATE
    )
    for pointer in command.pointers if command else ():
        assert rows[pointer.field][0] == pointer.kind or not pointer.kind


def test_what_is_written_back_is_told():
    rows = explained("command", "0x06")

    assert rows["buffer"] == (
        "cmd-sev-pek-csr",
        "0xc bytes; the firmware reads it and writes it back",
    )
    assert "INVALID_LENGTH" in rows["written back"][1]
    assert "64 more" in rows["its page"][1]
    assert "written back" not in explained("command", "GUEST_STATUS")
    assert "its page" not in explained("command", "0x94")


@pytest.mark.parametrize(
    ("text", "options", "way", "why"),
    [
        ("0x940001", (), "a command as it is written", "bit 31 is clear"),
        ("0x80000000", (), "a command that ended", "bit 31 is set"),
        ("0x16", ("--answer",), "a command that ended", "as asked for"),
    ],
)
def test_the_command_register_is_read_by_its_bit(text, options, way, why):
    rows = explained("cmdresp", text, *options)

    assert rows["read as"] == (way, why)
    assert ("not done" in rows) == (options != ())


@given(st.lists(st.integers(1, 100), max_size=6))
def test_causes_come_latest_first(numbers):
    stack = 0
    for number in numbers:
        stack = stack << 10 | number

    assert causes(stack & (1 << 64) - 1) == numbers[::-1]
    halves = f"{stack >> 32:#x}:{stack & 0xFFFFFFFF:#x}"
    rows = explained("cmdbuf", halves, "--answer")
    assert [rows[str(n)][0] for n in range(len(numbers))] == [str(n) for n in numbers[::-1]]
    assert explained("error-stack", hex(stack)) == rows


@pytest.mark.parametrize("row", REGISTERS, ids=lambda row: row.role)
def test_a_register_is_found_by_its_names_and_places(row):
    for text in (row.name, row.role.upper(), hex(row.naples), hex(row.later)):
        assert explained("mailbox", text)[row.role] == (row.name, row.doc)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("0x4", "nested page table"),
        ("rmp,vmpl,sizem", "permissions"),
        ("rmp,sizem", "page size"),
        ("rmp,enc", "owner"),
        ("rmp", "shared page"),
    ],
)
def test_a_nested_page_fault_has_a_cause(text, cause):
    assert explained("npf", text)["cause"][0] == cause


def test_bits_of_registers_go_by_name_too():
    assert explained("pf", "rmp,write")["cause"][0] == "RMP violation"
    assert "cause" not in explained("pf", "write")
    assert explained("rmp-cfg", "segmented_rmp_en")["a segment covers"][0] == "1 byte"


# Registers that BIOSes were seen to set, and what Linux printed of one that has segments.
@pytest.mark.parametrize(
    ("base", "end", "mib"),
    [
        (0x60_1D20_0000, 0x60_7DAF_FFFF, 1545),
        (0x1150_0000, 0x51DF_FFFF, 1033),
        (0x1F_E4F5_00000, 0x20_04FA_FFFFF, 8198),
    ],
)
def test_a_table_that_a_bios_reserved_is_explained(base, end, mib):
    begins = explained("rmp-base", hex(base))["table begins"]
    behind = explained("rmp-end", hex(end))["first byte after"]

    assert begins == (hex(base), "a multiple of 1 MiB, as the firmware requires")
    assert int(behind[0], 16) - base == mib << 20


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("0x8800022", "34 GiB, entries at 0x8800000..0x10ffffff (136 MiB)"),
        ("0x55b00080", "128 GiB, entries at 0x55b00000..0x75afffff (512 MiB)"),
        ("0x35a00080", "128 GiB, entries at 0x35a00000..0x559fffff (512 MiB)"),
        ("0x100000", "none"),
    ],
)
def test_a_segment_is_where_linux_finds_it(entry, text):
    assert explained("rst", entry)["segment"][0] == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("255", "Linux"),
        ("0x10", "coconut-svsm"),
        ("6", "FAIL_SIZEMISMATCH"),
        ("success", "SUCCESS"),
    ],
)
def test_pvalidate_has_results_of_its_own_and_made_up_ones(text, value):
    assert value in {row[0] for row in explained("pvalidate-result", text).values()}
