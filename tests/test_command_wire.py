"""What the commands of the firmware take and give, and what the firmware itself made of them."""

import hashlib
import re

import pytest
import realfiles

from snpwire import wire
from snpwire.block import Block
from snpwire.wire import buffer_kind, launch_commands, mailbox, migration, platform
from snpwire.wire.command_table import COMMANDS, OTHER_LAYOUTS, CommandId, Transfer
from snpwire.wire.status import Status

commands = pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda c: c.id.name)


@commands
def test_every_address_in_a_buffer_is_told_of(command):
    fields = wire.kind(command.buffer).type.FIELDS if command.buffer else ()
    addresses = [field.path for field in fields if re.search(r"(^|_)(paddr|ptr)$", field.path)]

    assert [pointer.field for pointer in command.pointers] == addresses


@commands
def test_what_a_command_points_to_is_a_kind(command):
    kinds = [pointer.kind for pointer in command.pointers if pointer.kind]

    assert {*kinds, *command.responses} <= wire.RECORDS.keys()
    assert command.source


def test_no_command_of_snp_writes_back_its_buffer():
    snp = [command for number, command in COMMANDS.items() if number.name.startswith("SNP_")]

    assert {command.direction for command in snp} == {Transfer.IN}
    assert COMMANDS[CommandId.PLATFORM_STATUS].responses == ("sev-platform-status",)


def test_every_command_but_those_of_sev_tio_has_a_row():
    left = {number for number in CommandId if number.name.startswith("TIO_")}

    assert set(CommandId) - COMMANDS.keys() == left


def test_every_buffer_that_is_a_kind_belongs_to_a_command():
    buffers = {name for name in wire.RECORDS if name.startswith("cmd-")}
    used = {command.buffer for command in COMMANDS.values()}
    used |= {kind for kinds in OTHER_LAYOUTS.values() for kind in kinds}
    used |= {pointer.kind for command in COMMANDS.values() for pointer in command.pointers}

    assert buffers <= used


@pytest.mark.parametrize(
    ("number", "size", "kind"),
    [
        (0x94, None, "cmd-guest-request"),
        (0x94, 7, "cmd-guest-request"),
        (0x91, None, "cmd-activate"),
        (0x91, 0xC, "cmd-activate"),
        (0x91, 0x10, "cmd-activate-padded"),
        (0xB0, None, "cmd-dbg"),
        (0xB1, None, "cmd-dbg"),
    ],
)
def test_the_number_of_a_command_tells_the_kind_of_its_buffer(number, size, kind):
    assert buffer_kind(number, size) == wire.kind(kind)


@pytest.mark.parametrize("number", [0x81, 0x84, 0xCC, 0xC4, 0x7FF, -1])
def test_a_command_without_a_buffer_has_no_kind(number):
    assert buffer_kind(number) is None


@commands
def test_a_command_fits_the_register(command):
    word = mailbox.CommandRequest.of(command_id=int(command.id), int_on_complete=1)

    assert word == int(command.id) << 16 | 1
    assert word.command_id is command.id


@pytest.mark.parametrize(
    ("value", "status"),
    [(0x8000_0000, Status.SUCCESS), (0x8000_0019, Status.INVALID_PAGE_SIZE), (0, Status.SUCCESS)],
)
def test_a_response_says_when_it_is_done_and_how(value, status):
    word = mailbox.CommandResponse(value)

    assert word.status is status
    assert word.response == value >> 31


def test_a_register_keeps_the_bits_that_one_reader_knows_alone():
    assert mailbox.CommandRequest(0x0794_0000).unknown == 0x0700_0000


def test_a_range_list_counts_what_it_holds():
    ranges = [platform.Range(base=0xFD00_0000, page_count=n) for n in (1, 0, 512)]
    value = platform.RangeList(elements=ranges)

    assert value.head.n == 3
    assert len(value.build()) == 8 + 3 * 16
    assert issubclass(wire.kind("range-list").type, Block)
    assert 8 + platform.MAX_RANGES * 16 <= 0x1000 < 8 + (platform.MAX_RANGES + 1) * 16


def test_reclaim_puts_size_and_address_into_one_word():
    reclaim = wire.kind("cmd-page-reclaim").type

    value = reclaim.parse((0x1200001).to_bytes(8, "little"))

    assert (value.page.page_paddr << 12, value.page.page_size.name) == (0x1200000, "SIZE_2M")


def test_a_measured_page_has_the_places_of_the_firmware():
    info = launch_commands.PageInfo(length=0x70, page_type=1, vmpl1_perms=1, vmpl3_perms=3)

    assert info.build()[0x60:0x68].hex() == "7000010000010003"
    assert launch_commands.PageInfo.SIZE == 0x70


# What the firmware did


@realfiles.needed
@pytest.mark.parametrize("name", ["SNP_LAUNCH_START", "SNP_LAUNCH_FINISH"])
def test_buffers_given_to_the_firmware_read_as_they_were_meant(name):
    buffer = wire.kind(COMMANDS[CommandId[name]].buffer).type
    given = [row["input"] for row in realfiles.rows("commands") if row["command"] == name]
    same = [path for path in ("gctx_paddr", "policy", "ma_gctx_paddr") if path in buffer._INDEX]

    for row in given:
        value = buffer.parse(bytes.fromhex(row["cmdbuf"]))
        bits = {bit: row[bit] for bit in value.flags.BITS if bit in row}

        assert value.build().hex() == row["cmdbuf"]
        assert {p: getattr(value, p) for p in same if p in row} == {
            p: row[p] for p in same if p in row
        }
        assert {bit: value.flags.BITS[bit].value(value.flags) for bit in bits} == bits


@realfiles.needed
def test_pages_given_to_a_launch_read_as_they_were_meant():
    steps = [step for row in realfiles.rows("launch_digest") for step in row["steps"]]

    for step in steps:
        value = launch_commands.LaunchUpdate.parse(bytes.fromhex(step["cmdbuf"]))

        assert value.page.page_type == step["page_type"]
        assert value.page.page_size == step["cmd_page_size"]
        assert value.page.imi_page == step["imi_page"]
        assert value.page_paddr == step["page_paddr"]
        for vmpl in (1, 2, 3):
            assert getattr(value.perms, f"vmpl{vmpl}_perms") == step[f"vmpl{vmpl}_perms"]


@realfiles.needed
def test_the_digest_of_a_launch_is_that_of_the_firmware():
    zero, compared, rights = bytes(48), 0, 0
    for row in realfiles.rows("launch_digest"):
        digest = bytes.fromhex(row["gctx"]["ld"])
        for step in row["steps"]:
            kind = launch_commands.LaunchPageType(step["page_type"])
            plain = kind.name in ("ZERO", "UNMEASURED", "SECRETS", "CPUID")
            after = bytes.fromhex(step["ld_after"])
            if step["status"] == 0 and plain and not step["page_size"]:
                perms = {f"vmpl{n}_perms": step[f"vmpl{n}_perms"] for n in (1, 2, 3)}
                info = launch_commands.PageInfo(
                    digest_cur=digest,
                    contents=zero,
                    length=launch_commands.PageInfo.SIZE,
                    page_type=kind,
                    flags=step["imi_page"],
                    gpa=step["gpa"],
                    **perms,
                )
                compared, rights = compared + 1, rights + any(perms.values())

                assert hashlib.sha384(info.build()).digest() == after, row["name"]
            digest = after

    assert compared
    assert rights  # or the order of the permissions would not show


def test_a_guest_status_shares_its_words_with_report_and_context():
    status = launch_commands.GuestStatus(policy=0x3_0000, state=2, asid=5)

    assert status.state is migration.GuestState.RUNNING
    assert status.policy.smt == 1
