"""What the commands print, where they write it, and how they end."""

import io
import json
import os
import pty
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import COMMAND, surroundings
from transcripts import call

from snpwire.cli import encode
from snpwire.cli.output import terminal_style, write_file
from snpwire.errors import UsageError
from snpwire.view.style import COLOUR, PLAIN
from snpwire.wire import RECORDS
from snpwire.wire.cpuid import CpuidReq
from snpwire.wire.exits import ExitCode
from snpwire.wire.ghcb import Page, ValidBitmap
from snpwire.wire.psc import PscBuffer, PscEntry

ZEROS = bytes(4096)
MARKED = {"valid_bitmap": ["sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", "rax"]}
CPUID = Page.from_plain({"sw_exit_code": "CPUID", "rax": 1, **MARKED}).build()
ENTRIES = [PscEntry.of(gfn=gfn, operation="PRIVATE") for gfn in (0x10, 0x20, 0x30)]
CHANGE = Page(
    sw_exit_code=ExitCode.from_plain("SNP_PAGE_STATE_CHANGE"),
    sw_scratch=0x5800,
    valid_bitmap=ValidBitmap.from_plain(
        ["sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", "sw_scratch"]
    ),
    shared_buffer=PscBuffer(elements=ENTRIES).build().ljust(0x7F0, b"\0"),
).build()


def printed(*words, given=b"", code=0):
    """Return what a command prints that ends as expected."""
    output, errors, ended = call(list(words), given)

    assert ended == code, errors
    return output.decode()


def decoded(*words, given, code=0):
    return json.loads(printed("decode", *words, "--json", given=given, code=code))


class TestDecode:
    def test_tree_shows_what_is_set(self):
        tree = printed("decode", "ghcb", given=CPUID)

        assert tree.startswith("ghcb  4096 bytes  request: ")
        assert "direction  request: sw_exit_code is marked valid" in tree
        assert "0x1f8  8  rax  " in " ".join(tree.split("\n")).replace("   8", "  8")
        assert "  rcx  " not in tree

    def test_all_shows_what_is_zero_too(self):
        tree = printed("decode", "ghcb", "--all", given=CPUID)

        assert [tile.path for tile in Page.TILES if f"  {tile.path} " not in tree] == []

    def test_findings_are_counted_on_standard_error(self):
        _, errors, _ = call(["decode", "ghcb"], ZEROS)

        assert errors.startswith(b"note: findings: ")
        assert errors.count(b"\n") == 1

    def test_nothing_to_say_is_said(self):
        _, errors, code = call(["decode", "ap-jump-table", "--fail-on", "note"], b"\0\0\x10\0")

        assert (errors, code) == (b"note: findings: none\n", 0)

    @pytest.mark.parametrize(
        ("severity", "code"), [("note", 1), ("warning", 1), ("error", 1), (None, 0)]
    )
    def test_fail_on_turns_findings_into_an_exit_code(self, severity, code):
        broken = Page.from_plain({"ghcb_usage": 7, "sw_exit_code": "CPUID"}).build()
        words = ["--fail-on", severity] if severity else []

        found = decoded("ghcb", *words, given=broken, code=code)["findings"]

        assert "error" in {finding["severity"] for finding in found}

    def test_fail_on_lets_lesser_findings_pass(self):
        found = decoded("ghcb", given=CPUID)["findings"]
        worst = {finding["severity"] for finding in found}

        assert "error" not in worst or found
        for severity in ("note", "warning", "error"):
            order = ["note", "warning", "error"]
            reached = any(order.index(w) >= order.index(severity) for w in worst)
            assert call(["decode", "ghcb", "--fail-on", severity], CPUID)[2] == int(reached)

    @pytest.mark.parametrize("way", ["request", "answer"])
    def test_direction_is_taken_as_asked(self, way):
        said = decoded("ghcb", "--direction", way, given=CPUID)

        assert said["decisions"] == [{"what": "direction", "choice": way, "reason": "as asked for"}]
        assert f"direction  {way}: as asked for" in printed(
            "decode", "ghcb", "--direction", way, given=CPUID
        )

    def test_gpa_is_what_rules_compare_with(self):
        def codes(*words):
            return {found["code"] for found in decoded("ghcb", *words, given=CHANGE)["findings"]}

        assert codes("--gpa", "0x5000") != codes("--gpa", "0x9000")

    def test_fields_select(self):
        tree = printed("decode", "ghcb", "--fields", "rax,sw_exit_code", given=CPUID)

        assert [line.split()[2] for line in tree.splitlines()] == ["rax", "sw_exit_code"]

    def test_fields_select_in_json(self):
        said = decoded("ghcb", "--fields", "rax", given=CPUID)

        assert said["fields"] == {"rax": "0x0000000000000001"}

    def test_fields_select_in_hex(self):
        rows = printed("decode", "ghcb", "--hex", "--fields", "rax", given=CPUID)

        assert rows.split() == ["0x1f8", "01", *["00"] * 7, "rax"]

    def test_fields_reach_into_elements(self):
        held = PscBuffer(elements=ENTRIES).build()

        said = decoded("psc", "--fields", "entries[1],end_entry", given=held)

        assert said["fields"]["end_entry"] == 2
        assert said["fields"]["entries"] == [{}, ENTRIES[1].to_plain()]
        tree = printed("decode", "psc", "--fields", "entries", given=held)
        assert [f"entries[{n}]" in tree for n in range(4)] == [True, True, True, False]

    def test_fields_reach_into_records(self):
        said = decoded("certs", "--fields", "entries[0].guid", given=bytes(23) + b"\1" + bytes(24))

        assert list(said["fields"]["entries"][0]) == ["guid"]

    def test_page_state_change_is_read_in_its_page(self):
        tree = printed("decode", "ghcb", given=CHANGE)

        assert "psc.entries[2]" in tree
        assert "0x818" in tree
        inner = decoded("ghcb", given=CHANGE)["inner"]
        assert inner[0]["offset"] == 0x800
        assert inner[0]["fields"]["entries"] == [entry.to_plain() for entry in ENTRIES]

    @pytest.mark.parametrize("scratch", [0x57F8, 0x5FF0, 0x5000])
    def test_scratch_that_points_elsewhere_is_not_followed(self, scratch):
        page = Page.parse(CHANGE).replace(sw_scratch=scratch).build()

        assert "inner" not in decoded("ghcb", given=page)

    def test_scratch_at_the_last_header_is_followed(self):
        page = Page.parse(CHANGE).replace(sw_scratch=0x5FE8).build()

        assert decoded("ghcb", given=page)["inner"][0]["offset"] == 0xFE8

    def test_auto_takes_the_likeliest(self):
        output, errors, code = call(["decode", "auto"], CPUID)

        assert code == 0
        assert output.startswith(b"ghcb  4096 bytes")
        assert b"note: taken as ghcb: " in errors

    def test_msr_is_read_by_its_low_bits(self):
        tree = printed("decode", "msr", given=bytes.fromhex("0101000000000000"))

        assert tree.startswith("msr  8 bytes")

    def test_json_is_one_object_whatever_is_found(self):
        for name, kind in RECORDS.items():
            said = decoded(name, "--from", "raw", given=bytes(kind.type.SIZE))
            assert said["schema"] == f"{name}/1"


class TestEncode:
    def test_settings_alone_make_a_value(self):
        words = ["encode", "ghcb", "--set", "rax=0x12", "--set", "sw_exit_code=CPUID"]
        output, errors, code = call([*words, "--set", "valid_bitmap=rax, sw_exit_code"])

        assert (errors, code) == (b"", 0)
        page = Page.parse(output)
        assert (page.rax, page.sw_exit_code) == (0x12, ExitCode(0x72))
        assert page.valid_bitmap.names() == ["rax", "sw_exit_code"]

    def test_settings_change_what_was_read(self):
        output, _, _ = call(["encode", "ghcb", "-", "--set", "rax=2"], b'{"rax": 1, "rcx": 3}')

        assert (Page.parse(output).rax, Page.parse(output).rcx) == (2, 3)

    def test_digits_that_a_register_is_set_to_are_decimal_which_is_said(self):
        output, errors, code = call(["encode", "ghcb", "--set", "rax=100", "--set", "rcx=7"])

        assert (Page.parse(output).rax, Page.parse(output).rcx, code) == (100, 7, 0)
        assert errors == b"note: --set rax=100 is read as decimal, 0x64\n"

    def test_a_setting_takes_the_bytes_of_a_file(self, tmp_path):
        (tmp_path / "held").write_bytes(b"\1\2\3")

        output, _, _ = call(["encode", "ghcb", "--set", f"shared_buffer=@{tmp_path}/held"])

        assert Page.parse(output).shared_buffer == b"\1\2\3".ljust(0x7F0, b"\0")

    def test_a_setting_may_be_a_list_or_an_object(self):
        words = ["--set", 'functions=[{"eax_in": 1}, {"eax_in": 13, "xcr0_in": "0x7"}]']
        output, errors, code = call(["encode", "cpuid-req", *words])

        assert (errors, code) == (b"", 0)
        value = CpuidReq.parse(output)
        assert [row.eax_in for row in value.elements] == [1, 13]
        assert (value.head.count, value.elements[1].xcr0_in) == (2, 7)

    def test_a_list_that_breaks_off_is_said(self):
        _, errors, code = call(["encode", "cpuid-req", "--set", 'functions=[{"eax_in": 1'])

        assert code == 3
        assert errors.startswith(b"snpwire: --set: line 1: not JSON: Expecting")

    def test_a_byte_order_mark_does_not_count(self):
        assert call(["encode", "msr"], b'\xef\xbb\xbf{"value": 1}')[0] == b"\1" + bytes(7)

    def test_hex_is_lines_of_32_bytes(self):
        lines = printed("encode", "ghcb", "--hex", "--set", "rax=1").splitlines()

        assert {len(line) for line in lines} == {64}
        assert bytes.fromhex("".join(lines)) == Page(rax=1).build()

    def test_output_goes_to_a_file(self, tmp_path):
        file = tmp_path / "out"

        assert printed("encode", "msr", "--set", "value=1", "-o", str(file)) == ""
        assert file.read_bytes() == b"\1" + bytes(7)
        assert printed("encode", "msr", "--set", "value=1", "--hex", "-o", str(file)) == ""
        assert file.read_text() == "0100000000000000\n"

    def test_output_of_a_dash_is_standard_output(self):
        output, _, _ = call(["encode", "msr", "--set", "value=1", "-o", "-"])

        assert output == b"\1" + bytes(7)

    def test_a_new_file_has_the_usual_mode(self, tmp_path):
        mask = os.umask(0o027)
        try:
            printed("encode", "msr", "--set", "value=1", "-o", str(tmp_path / "out"))
        finally:
            os.umask(mask)

        assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o640

    def test_an_old_file_keeps_its_mode(self, tmp_path):
        file = tmp_path / "out"
        file.write_bytes(b"old")
        file.chmod(0o604)

        printed("encode", "msr", "--set", "value=1", "-o", str(file))

        assert file.read_bytes() == b"\1" + bytes(7)
        assert stat.S_IMODE(file.stat().st_mode) == 0o604
        assert list(tmp_path.iterdir()) == [file]

    def test_a_link_stays_a_link(self, tmp_path):
        (tmp_path / "link").symlink_to("out")

        printed("encode", "msr", "--set", "value=1", "-o", str(tmp_path / "link"))

        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "out").read_bytes() == b"\1" + bytes(7)

    @pytest.mark.parametrize("words", [["--set", "value=-1"], ["--set", "valeu=1"], ["/missing"]])
    def test_what_does_not_build_leaves_the_file_alone(self, words, tmp_path):
        file = tmp_path / "out"
        file.write_bytes(b"old")

        assert call(["encode", "msr", *words, "-o", str(file)])[2] == 3

        assert file.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [file]

    def test_a_write_that_fails_leaves_no_trace(self, tmp_path, monkeypatch):
        file = tmp_path / "out"
        file.write_bytes(b"old")

        def fail(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "replace", fail)
        words = ["encode", "msr", "--set", "value=1", "-o", str(file)]

        assert call(words) == (b"", f"snpwire: {file}: No space left on device\n".encode(), 3)
        assert file.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [file]

    @pytest.mark.parametrize("name", ["/dev/stdout", "/proc/self/fd/1"])
    @pytest.mark.parametrize("mode", ["pipe", "wb", "ab"])
    def test_output_named_as_a_device_is_standard_output(self, name, mode, tmp_path):
        file, words = tmp_path / "out", ["encode", "msr", "--set", "value=1", "-o", name]
        file.write_bytes(b"old")
        if mode == "pipe":
            made = subprocess.run(
                [*COMMAND, *words], stdout=subprocess.PIPE, env=surroundings(), check=True
            ).stdout
        else:
            with file.open(mode) as stream:
                subprocess.run([*COMMAND, *words], stdout=stream, env=surroundings(), check=True)
            made = file.read_bytes()

        assert made == (b"old" if mode == "ab" else b"") + b"\1" + bytes(7)
        assert Path("/dev/stdout").is_symlink()

    def test_output_to_a_pipe_that_closed_is_quiet(self):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*COMMAND, "encode", "msr", "--set", "value=1", "-o", "/dev/stdout"],
            stdout=writer,
            stderr=subprocess.PIPE,
            env=surroundings(),
            check=False,
        )
        os.close(writer)

        assert (done.stderr, done.returncode) == (b"", -signal.SIGPIPE)


class TestOthers:
    def test_equal_values_differ_in_nothing(self, tmp_path):
        (tmp_path / "a").write_bytes(CPUID)

        output, errors, code = call(["diff", "ghcb", str(tmp_path / "a"), "-"], CPUID)

        assert (output, code) == (b"", 0)
        assert errors.startswith(b"note: 0 of ")

    def test_a_difference_is_an_exit_code(self, tmp_path):
        (tmp_path / "a").write_bytes(ZEROS)
        words = ["diff", "ghcb", str(tmp_path / "a"), "-"]

        shown = printed(*words, given=CPUID, code=1)
        said = json.loads(printed(*words, "--json", given=CPUID, code=1))

        assert "rax" in shown
        assert said["schema"] == "diff-ghcb/1"
        assert [change["path"] for change in said["changes"]] == [
            "rax",
            "sw_exit_code",
            "valid_bitmap",
        ]

    def test_a_page_of_two_files_is_compared(self, tmp_path):
        for name, last in (("a", ZEROS), ("b", CPUID)):
            (tmp_path / name).write_bytes(ZEROS + last)

        words = ["diff", "ghcb", str(tmp_path / "a"), str(tmp_path / "b"), "--page", "1", "--json"]
        said = json.loads(printed(*words, code=1))

        assert said["changes"][0]["offset"] == 0x1F8

    def test_identify_names_the_likeliest_first(self):
        assert printed("identify", given=CPUID).split()[1] == "ghcb"
        assert json.loads(printed("identify", "--json", given=CPUID))[0]["kind"] == "ghcb"

    def test_identify_fails_where_nothing_tells(self):
        output, _, code = call(["identify"], ZEROS)

        assert b"unknown" in output
        assert code == 1

    @pytest.mark.parametrize("form", ["text", "json", "c", "ksy"])
    @pytest.mark.parametrize("name", RECORDS)
    def test_layout_of_every_kind(self, name, form):
        shown = printed("layout", name, "--format", form)

        assert shown
        if form == "json":
            assert json.loads(shown)["kind"] == name

    def test_explain_judges_a_value_of_the_msr(self):
        rows = json.loads(printed("explain", "msr", "0xfff", "--json"))

        assert rows["explain"] == "msr"
        assert rows["findings"]
        assert rows["findings"][0]["text"] in printed("explain", "msr", "0xfff")

    def test_explain_in_lines_and_as_json(self):
        assert "BUSY" in printed("explain", "exitinfo2", "0x200000000")
        rows = json.loads(printed("explain", "ghcb@0x390", "--json"))["rows"]
        assert rows[0]["name"] == "sw_exit_code"


class TestSink:
    """What the processes below do, once more in this one."""

    class Screen(io.StringIO):
        """A standard output that is a terminal."""

        def isatty(self):
            return True

    @pytest.mark.parametrize(
        ("env", "screen", "expected"),
        [
            ({}, True, COLOUR),
            ({}, False, PLAIN),
            ({"NO_COLOR": "1"}, True, PLAIN),
            ({"FORCE_COLOR": "1"}, False, COLOUR),
            ({"FORCE_COLOR": "0"}, False, PLAIN),
        ],
    )
    def test_style(self, env, screen, expected, monkeypatch):
        for name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdout", self.Screen() if screen else io.StringIO())

        assert terminal_style() is expected

    def test_raw_bytes_are_not_for_a_screen(self, monkeypatch):
        monkeypatch.setattr(sys, "stdout", self.Screen())

        with pytest.raises(UsageError, match="this is a terminal"):
            encode.encode("msr", None, ["value=1"], output=None, as_hex=False)

    @pytest.mark.parametrize("name", ["/proc/self/fd/{}", "/dev/fd/{}"])
    def test_a_name_of_standard_output_is_written_to_it(self, name, tmp_path, monkeypatch):
        with (tmp_path / "out").open("w") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            write_file(name.format(stream.fileno()), b"data")
            monkeypatch.undo()

        assert (tmp_path / "out").read_bytes() == b"data"

    def test_a_closed_pipe_stays_one(self, monkeypatch):
        reader, writer = os.pipe()
        os.close(reader)
        with pytest.raises(BrokenPipeError):
            write_file(f"/proc/self/fd/{writer}", b"data")
        os.close(writer)

    def test_a_name_of_nothing_is_refused(self):
        with pytest.raises(FileNotFoundError):
            write_file("/proc/self/fd/no", b"data")


def terminal(*words, **env):
    """Return what a command prints on a terminal, and its exit code."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=subprocess.PIPE,
        env=surroundings(TERM="xterm", **env),
    )
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 1 << 16):
            shown += piece
    except OSError:  # Linux says so when the last writer is gone
        pass
    os.close(leader)
    errors = child.communicate()[1]
    return shown, errors, child.returncode


class TestTerminal:
    def test_raw_bytes_are_refused(self):
        shown, errors, code = terminal("encode", "msr", "--set", "value=1")

        assert (shown, code) == (b"", 2)
        assert errors.decode().splitlines() == [
            "snpwire: these are raw bytes, and this is a terminal",
            "help: -o FILE, or --hex",
        ]

    def test_hex_is_not(self):
        assert terminal("encode", "msr", "--set", "value=1", "--hex")[0].startswith(b"0100")

    @pytest.mark.parametrize(
        ("env", "coloured"),
        [
            ({}, True),
            ({"NO_COLOR": "1"}, False),
            ({"NO_COLOR": ""}, True),
            ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ],
    )
    def test_colour_is_for_terminals(self, env, coloured):
        shown, _, code = terminal("explain", "exit", "CPUID", **env)

        assert code == 0
        assert (b"\x1b[" in shown) == coloured

    def test_json_has_no_colour(self):
        shown, _, _ = terminal("explain", "exit", "CPUID", "--json", FORCE_COLOR="1")

        assert b"\x1b[" not in shown

    @pytest.mark.parametrize(
        ("value", "coloured"), [("1", True), ("3", True), ("0", False), ("", False)]
    )
    def test_colour_can_be_forced(self, value, coloured, process):
        def shown(*words):
            return process(*words, given=CPUID, env={"FORCE_COLOR": value}).stdout

        assert (b"\x1b[" in shown("decode", "ghcb")) == coloured
        assert (b"\x1b[" in shown("decode", "ghcb", "--hex")) == coloured
        assert b"\x1b[" not in shown("decode", "ghcb", "--json=full")

    def test_colour_marks_but_does_not_say(self, process):
        plain = process("decode", "ghcb", given=CPUID).stdout
        marked = process("decode", "ghcb", given=CPUID, env={"FORCE_COLOR": "1"}).stdout

        bare = re.sub(b"\x1b\\[[0-9]*m", b"", marked)
        assert [line.rstrip() for line in bare.splitlines()] == plain.splitlines()
