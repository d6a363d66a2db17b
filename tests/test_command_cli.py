"""``decode command`` and ``encode command``: the number of a command chooses the structure."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import patched
from transcripts import call

from snpwire import wire
from snpwire.wire.command_table import COMMANDS, OTHER_LAYOUTS, CommandId

BUFFERS = [
    (number, name)
    for number, command in COMMANDS.items()
    for name in (command.buffer, *OTHER_LAYOUTS.get(number, ()))
    if name
]
REQUEST = bytes.fromhex("000000010100000000200001010000000030000101000000")


def printed(*words, given=b"", code=0):
    """Return what a command prints that ends as expected."""
    output, errors, ended = call(list(words), given)

    assert ended == code, errors
    return output.decode()


def refused(*words, given=b"", code=2):
    """Return what a command says that is refused."""
    output, errors, ended = call(list(words), given)

    assert (output, ended) == (b"", code)
    assert b"Traceback" not in errors
    return errors.decode().splitlines()


@pytest.mark.parametrize(("number", "name"), BUFFERS, ids=lambda value: getattr(value, "name", ""))
def test_what_decode_prints_is_built_to_the_same_bytes(number, name):
    data = bytes(range(0x80, 0x80 + wire.kind(name).type.SIZE % 0x70)).ljust(
        wire.kind(name).type.SIZE, b"\x5a"
    )

    for form in ("--json", "--json=full"):
        text = printed("decode", "command", "--id", hex(number), form, given=data)
        assert call(["encode", "command", "--id", number.name], text.encode())[0] == data
        assert call(["encode", "command"], text.encode())[0] == data
        assert call(["encode", name], text.encode())[0] == data
    decisions = json.loads(text)["decisions"]
    assert {"what": "command", "choice": number.name, "reason": f"{number:#04x}, as asked for"} in (
        decisions
    )


@given(st.sampled_from(BUFFERS), st.data())
def test_any_bytes_of_the_right_number_come_back(buffer, data):
    number, name = buffer
    image = data.draw(patched(wire.kind(name).type.SIZE))

    text = printed("decode", "command", "--id", number.name.lower(), "--json", given=image)
    assert call(["encode", "command"], text.encode())[0] == image


@given(st.binary(max_size=64))
def test_a_buffer_that_is_not_declared_is_shown_as_bytes(image):
    text = printed("decode", "command", "--id", "0xd0", "--from", "raw", "--json", given=image)

    assert json.loads(text)["fields"] == {"bytes": image.hex()}
    assert call(["encode", "command"], text.encode())[0] == image


@pytest.mark.parametrize(
    "text", ["0x94", "148", "SNP_GUEST_REQUEST", "snp-guest-request", "SEV_CMD_SNP_GUEST_REQUEST"]
)
def test_a_command_goes_by_number_or_name(text):
    tree = printed("decode", "command", "--id", text, given=REQUEST).splitlines()

    assert tree[0] == (
        "cmd-guest-request  24 bytes  command 0x94 SNP_GUEST_REQUEST: process a guest message"
    )
    assert tree[1] == "command  SNP_GUEST_REQUEST: 0x94, as asked for"


@pytest.mark.parametrize(
    ("text", "said", "helped"),
    [
        ("0xc4", "no command has the number 0xc4", "0xc3 SNP_PAGE_MD_INIT and 0xc6 SNP_PAGE_SET_"),
        ("0", "no command has the number 0", "beside it: 0x01 INIT"),
        ("0x100", "no command has the number 0x100", "beside it: 0xd5 TIO_DEV_DISCONNECT"),
        ("-1", "no command has the number -1", "beside it: 0x01 INIT"),
        ("SNP_GUEST_REQUST", "there is no command 'SNP_GUEST_REQUST'", "SNP_GUEST_REQUEST?"),
        ("", "there is no command ''", "a number as in 0x94"),
        ("0x81", "0x81 SNP_INIT takes no buffer", "explain command SNP_INIT"),
        ("snp_dlfw_continue", "0xcc SNP_DLFW_CONTINUE takes no buffer", "explain command"),
    ],
)
@pytest.mark.parametrize("way", ["decode", "encode"])
def test_a_command_that_has_no_buffer_is_said_to_have_none(way, text, said, helped):
    lines = refused(way, "command", f"--id={text}", given=b"{}")

    assert lines[0] == f"snpwire: {said}"
    assert helped in lines[1]


@pytest.mark.parametrize("way", ["decode", "encode"])
def test_a_command_has_to_be_named(way):
    lines = refused(way, "command", given=b"{}")

    assert "which command is it?" in lines[0]
    assert lines[1] == "help: --id 0x94, or --id SNP_GUEST_REQUEST"


@pytest.mark.parametrize("size", [0, 23, 25, 4096])
def test_a_capture_that_is_cut_or_too_long_is_refused(size):
    words = ["decode", "command", "--id", "0x94", "--from", "raw", "--strict"]
    lines = refused(*words, given=bytes(size), code=3)

    assert lines[0] == f"snpwire: <stdin>: GuestRequest: expected 24 bytes, got {size}"
    assert lines[1:] == ["help: --length 24 takes as many from the beginning"] * (size > 24)


@pytest.mark.parametrize(
    ("tail", "how"), [(bytes(4072), "all of them zero"), (b"x" * 4072, "not all of them zero")]
)
def test_a_buffer_at_the_beginning_of_a_page_is_read_and_what_follows_told(tail, how):
    output, errors, code = call(["decode", "command", "--id", "0x94"], REQUEST + tail)

    assert code == 0
    assert "request_paddr   0x0000000101002000" in output.decode()
    assert f"note: 4072 bytes follow the 24 of cmd-guest-request, {how}" in errors.decode()


def test_the_beginning_of_a_buffer_is_read():
    output, errors, code = call(["decode", "command", "--id", "0x94"], REQUEST[:12])

    assert code == 0
    assert "12 of 24 bytes  command 0x94" in output.decode()
    assert "note: 12 of 24 bytes: what is from 0x00c on is not there" in errors.decode()


def test_a_piece_of_a_page_is_as_long_as_the_buffer():
    page = bytes(0x100) + REQUEST + bytes(0x1000)

    tree = printed("decode", "command", "--id", "0x94", "--offset", "0x100", given=page)

    assert "24 bytes at 0x100  command 0x94" in tree
    assert "request_paddr   0x0000000101002000" in tree


@pytest.mark.parametrize(("size", "layout"), [(12, ""), (16, "cmd-activate-padded")])
def test_activate_is_taken_as_linux_and_as_the_firmware_have_it(size, layout):
    given = (0x10_1000).to_bytes(8, "little") + (5).to_bytes(size - 8, "little")
    shown = json.loads(printed("decode", "command", "--id", "0x91", "--json", given=given))

    assert shown["fields"] == {"gctx_paddr": "0x0000000000101000", "asid": 5}
    assert [d["choice"] for d in shown["decisions"] if d["what"] == "layout"] == [layout] * bool(
        layout
    )


def test_json_of_another_command_is_refused():
    text = printed("decode", "command", "--id", "0x94", "--json", given=REQUEST)

    lines = refused("encode", "command", "--id", "0xa0", given=text.encode(), code=3)
    assert lines == [
        'snpwire: <stdin>: "schema" is \'cmd-guest-request/1\', expected "cmd-launch-start/1"'
    ]


@pytest.mark.parametrize("json", ["{}", "[]", "1", '{"schema": 1}', '{"schema": "report/1"}'])
def test_json_of_no_command_needs_a_number(json):
    assert "Nothing says" in refused("encode", "command", given=json.encode())[0]


def test_only_a_command_has_a_number():
    assert "--id is for a command" in refused("decode", "msr", "--id", "0x94")[0]
    assert "--id is for a command" in refused("encode", "msr", "--id", "0x94")[0]
    assert "guest messages" in refused("encode", "command", "--id=3", "--corrupt", "list")[0]
    assert refused("layout", "command") == [
        "snpwire: a command is of many kinds",
        "help: decode, encode and diff take it with --id; each buffer is a kind, cmd-..., too",
    ]


def test_two_buffers_of_one_command_are_compared(tmp_path):
    for name, last in (("a", 0x30), ("b", 0x31)):
        (tmp_path / name).write_bytes(REQUEST[:17] + bytes([last]) + REQUEST[18:])
    files = [str(tmp_path / name) for name in "ab"]

    assert "response_paddr" in printed("diff", "command", *files, "--id", "0x94", code=1)


def test_every_command_of_sev_tio_is_told_of_as_not_declared():
    for number in CommandId:
        if number.name.startswith("TIO_"):
            tree = printed("decode", "command", "--id", number.name, given=b"\0\1\2\3")
            assert "layout  unknown: the buffers of SEV-TIO are not declared" in tree
            assert tree.splitlines()[-1].split() == ["0x000", "00", "01", "02", "03", "bytes"]
