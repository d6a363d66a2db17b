"""Whatever is wrong with the input: one clear line, the exit code of its class, no traceback."""

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import COMMAND, heeds_interrupts, surroundings
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import json_values
from transcripts import call

import snpwire.__main__ as entry
from snpwire.cli import app as commands
from snpwire.cli.output import SaveFolder, write_file
from snpwire.wire import RECORDS, kind

ZEROS = bytes(4096)
XXD = [f"{at:08x}: " + " ".join(["0011"] * 8) + "  ................" for at in range(0, 4096, 16)]
PLAIN = ["00 " * 16 for _ in range(256)]


def refused(words, given=b"", code=3):
    """Return what a command says that fails: one line, and perhaps one of help."""
    output, errors, ended = call(words, given)
    return judged(output, errors, ended, code)


def judged(output, errors, ended, code):
    lines = errors.decode().splitlines()

    assert (output, ended) == (b"", code), errors
    assert lines[0].startswith("snpwire: ")
    assert [line[:6] for line in lines[1:]] in ([], ["help: "])
    assert all(line.isprintable() for line in lines)
    return "\n".join(lines)


def text(lines):
    return "\n".join(lines).encode()


INPUTS = {
    "empty": (b"", "expected 4096 bytes, got 0"),
    "a byte long": (ZEROS + b"\0", "expected 4096 bytes, got 4097\nhelp: --page N takes"),
    "an odd digit": (b"00 11 2", "line 1: an odd number of hex digits, 1, column 7"),
    "no hex digit": (b"00 11 2g 33 44 55", "'g' is not a hex digit"),
    "a text": (b"zebra, and no more", "expected 4096 bytes, got 18"),
    "a dump with a line missing": (text(XXD[:7] + XXD[8:]), "line 8"),
    "a dump with a line repeated": (text(XXD[:7] + XXD[6:]), "line 8"),
    "mixed dumps": (text([*XXD[:7], *PLAIN]), "line 8"),
    "base64 with a stranger": (b"AAAAAAAAAAAAAAAAAAAA*AAAAAAAAAAAAAAAAAAA", "'*'"),
    "base64 without its padding": (b"QUJDREVGR0hJSktMTU5PUA", "do not end a byte"),
    "a log cut short": (b"GHCB (GPA=1000) snapshot:\n", "has no sw_exit_code"),
}


@pytest.mark.parametrize(("given_", "expected"), INPUTS.values(), ids=INPUTS)
def test_input_that_is_no_page_is_refused(given_, expected):
    said = refused(["decode", "ghcb"], given_)

    assert said.startswith("snpwire: <stdin>: ")
    assert expected in said


@pytest.mark.parametrize(
    ("given_", "size"), [(ZEROS[1:], 4095), (b"00" * 64, 64), (ZEROS[:1], 1)], ids=str
)
@pytest.mark.parametrize("words", [["--strict"], ["--fail-on", "error"]], ids=" ".join)
def test_input_that_is_cut_is_refused_where_it_has_to_be_whole(given_, size, words):
    said = refused(["decode", "ghcb", *words], given_)

    assert said == f"snpwire: <stdin>: Page: expected 4096 bytes, got {size}"


def test_input_that_only_base64_would_explain_is_read_so():
    said = refused(["decode", "ghcb", "--from", "base64"], b"!!!")

    assert "'!' does not belong" in said


JSONS = {
    "no JSON": (b"{", "not JSON"),
    "nothing": (b"", "line 1: not JSON"),
    "an unknown field": (b'{"raxx": 1}', "Page.raxx: no such field\nhelp: did you mean rax?"),
    "too large": (b'{"rax": 18446744073709551616}', "does not fit 8 bytes"),
    "negative": (b'{"rax": -1}', "does not fit 8 bytes"),
    "a string": (b'{"rax": "zzz"}', "Page.rax at 0x1f8: expected a number, got 'zzz'"),
    "null": (b'{"rax": null}', "expected a number, got None"),
    "a list": (b'{"rax": [1]}', "expected a number, got [1]"),
    "an object": (b'{"rax": {"a": 1}}', "expected a number, got {'a': 1}"),
    "a bool": (b'{"rax": true}', "expected a number, got True"),
    "a float": (b'{"rax": 1.5}', "expected a number, got 1.5"),
    "NaN": (b'{"rax": NaN}', "NaN is no number"),
    "infinity": (b'{"rax": -Infinity}', "-Infinity is no number"),
    "1e400": (b'{"rax": 1e400}', "got inf"),
    "twice": (b'{"rax": 1, "rcx": 2, "rax": 3}', "'rax' appears twice"),
    "twice within": (b'{"schema": "ghcb/1", "fields": {"a": 1, "a": 1}}', "'a' appears twice"),
    "deep lists": (b"[" * 100_000, "nested too deeply"),
    "deep lists that end": (b"[" * 700 + b"]" * 700, "nested too deeply"),
    "deep objects": (b'{"a":' * 600 + b"1" + b"}" * 600, "nested too deeply"),
    "a deep value": (b'{"rax": ' + b"[" * 200 + b"]" * 200 + b"}", "expected a number"),
    "many digits": (b'{"rax": ' + b"1" * 5000 + b"}", "not JSON: Exceeds the limit"),
    "many hex digits": (b'{"rax": "0x' + b"f" * 9000 + b'"}', "does not fit 8 bytes"),
    "invalid UTF-8": (b'{"rax": "\xff"}', "not UTF-8 at byte 0x9, so not JSON"),
    "a surrogate": (b'{"rax": "\\ud800"}', "got '\\ud800'"),
    "a surrogate as a name": (b'{"\\ud800": 1}', "no such field"),
    "an odd name": (b'{"a\\u001b[31m\\n": 1}', "no such field"),
    "a long name": (b'{"' + b"r" * 10_000 + b'": 1}', "no such field"),
    "a list of fields": (b"[1, 2]", "expected a JSON object of fields"),
    "a number": (b"7", "expected a JSON object of fields"),
    "another kind": (b'{"schema": "psc/1", "fields": {}}', "\"schema\" is 'psc/1', expected"),
    "a list for a schema": (b'{"schema": [1]}', '"schema" is [1], expected "ghcb/1"'),
    "a schema without fields": (b'{"schema": "ghcb/1"}', "expected a JSON object of fields"),
    "absent": (
        b'{"schema": "ghcb/1", "absent": ["rax"], "fields": {}}',
        "no whole ghcb: absent are ['rax']\nhelp: ",
    ),
    "a number for absent": (b'{"schema": "ghcb/1", "absent": 5, "fields": {}}', "absent are 5"),
    "bytes too long": (b'{"shared_buffer": "' + b"00" * 3000 + b'"}', "at most 2032 bytes"),
    "bytes of no hex": (b'{"shared_buffer": "0g"}', "hex digits, two for a byte, got '0g'"),
    "bytes as a list": (b'{"shared_buffer": [1]}', "got [1]"),
    "a bit without a name": (b'{"valid_bitmap": ["raxx"]}', "did you mean rax?"),
    "a code without a name": (b'{"sw_exit_code": "CPUUID"}', "did you mean CPUID?"),
}


@pytest.mark.parametrize(("given_", "expected"), JSONS.values(), ids=JSONS)
def test_json_that_is_no_page_is_refused(given_, expected):
    said = refused(["encode", "ghcb"], given_)

    assert said.startswith("snpwire: <stdin>: ")
    assert expected in said
    assert len(said) < 500


@settings(max_examples=150)
@given(plain=json_values(["rax", "schema", "fields", "absent", "ghcb/1", "valid_bitmap"]))
def test_any_json_is_built_or_refused(plain):
    try:
        text = json.dumps(plain)
    except ValueError:  # an integer of more digits than Python prints
        text = "9" * 5000
    output, errors, code = call(["encode", "ghcb"], text.encode())

    if code:
        judged(output, errors, code, 3)
    else:
        assert len(output) == 4096


USAGE = {
    "no command": (["decod"], "No such command 'decod'. Did you mean 'decode'"),
    "no kind": (["decode"], "KIND"),
    "an unknown kind": (
        ["decode", "gchb"],
        "no kind 'gchb', nor a file of that name\nhelp: did you mean ghcb?",
    ),
    "a kind like none": (["decode", "xyzzy"], "help: kinds are: ghcb"),
    "an unknown option": (["decode", "ghcb", "--jsno"], "--jsno"),
    "two files": (["decode", "ghcb", "a", "b"], "unexpected extra argument"),
    "a form of JSON": (["decode", "ghcb", "--json=huge"], "'huge' is not one of plain, full"),
    "a value for a flag": (["diff", "ghcb", "a", "b", "--json=full"], "does not take a value"),
    "an unknown form": (["decode", "ghcb", "--from", "nope"], "is not one of auto, raw, hex"),
    "a direction": (["decode", "ghcb", "--direction", "up"], "'up' is not one of request, answer"),
    "a severity": (["decode", "ghcb", "--fail-on", "bad"], "'bad' is not one of note, warning"),
    "page and offset": (["decode", "ghcb", "--page", "1", "--offset", "2"], "both say where"),
    "a negative page": (["decode", "ghcb", "--page", "-1"], "-1' is negative"),
    "a junk offset": (["decode", "ghcb", "--offset", "0xz"], "'0xz' is no number"),
    "a float": (["decode", "ghcb", "--length", "1.5"], "'1.5' is no number"),
    "nothing for a number": (["decode", "ghcb", "--gpa", ""], "'' is no number"),
    "many digits": (["decode", "ghcb", "--gpa", "9" * 5000], "is no number"),
    "a setting without value": (["encode", "ghcb", "--set", "rax"], "'rax' has no value"),
    "an empty step": (["encode", "ghcb", "--set", "a..b=1"], "'a..b' is no path"),
    "no path": (["encode", "ghcb", "--set", "=1"], "'' is no path"),
    "a word for an index": (["encode", "psc", "--set", "entries[x]=1"], "is no path"),
    "an open bracket": (["encode", "psc", "--set", "entries[1=1"], "is no path"),
    "a negative index": (["encode", "psc", "--set", "entries[-1]=1"], "is no path"),
    "a long index": (["encode", "psc", "--set", f"entries[{'9' * 5000}]=1"], "is no path"),
    "a far index": (["encode", "psc", "--set", "entries[999999]=1"], "too far behind the end"),
    "an index of the whole": (["encode", "psc", "--set", "[0]=1"], "before [0] is not a list"),
    "a name in a list": (["encode", "psc", "--set", "a[0]=1", "--set", "a.b=1"], "not an object"),
    "an index in an object": (["encode", "psc", "--set", "a.b=1", "--set", "a[0]=1"], "not a list"),
    "a format": (["layout", "ghcb", "--format", "yaml"], "formats are: text json c ksy"),
    "nothing to explain": (["explain", "exti", "0"], "did you mean exit"),
    "nothing like it": (["explain", "xyzzy", "0"], "explain --help lists what there is"),
    "no value to explain": (["explain", "rmp"], "needs a value"),
}


@pytest.mark.parametrize(("words", "expected"), USAGE.values(), ids=USAGE)
def test_a_wrong_command_line_is_refused(words, expected):
    said = refused(words, code=2)

    assert expected in said
    assert len(said) < 500


def test_a_name_in_a_list_is_a_name_of_nothing():
    assert "no such field" in refused(["encode", "psc", "--set", "nothing[0].a=1"])


def test_fields_that_are_not_there_are_refused():
    assert "no field 'raxx'\nhelp: did you mean rax?" in refused(
        ["decode", "ghcb", "--fields", "rax,raxx"], ZEROS, 2
    )
    assert "no field ''" in refused(["decode", "ghcb", "--fields", ""], ZEROS, 2)


PIECES = {
    "page past the end": (["--page", "1", "--length", "1"], "1 bytes at 0x1000 go past the end"),
    "page far past the end": (["--page", "7"], "offset 0x7000 is past the end, which is 0x1000"),
    "offset past the end": (["--offset", "0x1001"], "offset 0x1001 is past the end"),
    "too long": (
        ["--offset", "1", "--strict"],
        "4096 bytes at 0x1 go past the end, which is 0x1000",
    ),
    "at the end": (["--offset", "4096"], "4096 bytes at 0x1000 go past the end"),
    "far too long": (["--length", str(10**15)], "go past the end"),
    "too long to count": (["--length", str(10**30)], "go past the end"),
    "too short": (["--length", "8", "--strict"], "expected 4096 bytes, got 8"),
    "none": (["--length", "0"], "expected 4096 bytes, got 0"),
}


@pytest.mark.parametrize(("words", "expected"), PIECES.values(), ids=PIECES)
@pytest.mark.parametrize("way", ["file", "stdin", "hex"])
def test_a_piece_that_is_not_there_is_refused(way, words, expected, tmp_path):
    file = tmp_path / "page"
    file.write_bytes(ZEROS)
    name, given_ = ("-", ZEROS) if way == "stdin" else (str(file), b"")
    if way == "hex":
        file.write_text(ZEROS.hex())

    said = refused(["decode", "ghcb", name, *words], given_)

    assert expected in said
    assert said.startswith(f"snpwire: {'<stdin>' if way == 'stdin' else name}: ")


def test_no_piece_is_cut_out_of_a_log(tmp_path):
    log = "GHCB (GPA=0000000000001000) snapshot:\n" + "".join(
        f"{name} 0000000000000000 is_valid: 0\n"
        for name in ("sw_exit_code", "sw_exit_info_1", "sw_exit_info_2", "sw_scratch")
    )
    log += "valid_bitmap 00000000,00000000,00000000,00000000\n"

    assert "no piece can be cut" in refused(["decode", "ghcb", "--page", "0"], log.encode())
    assert "not a psc" in refused(["decode", "psc", "--from", "kvm"], log.encode())


@pytest.mark.parametrize("command", [["decode", "ghcb"], ["encode", "ghcb"], ["identify"]])
def test_a_file_that_cannot_be_read_is_named(command, tmp_path):
    missing = str(tmp_path / "missing")

    assert refused([*command, missing]) == f"snpwire: {missing}: No such file or directory"
    folder = "the folder has no outblob: it is none of configfs-tsm"
    reason = folder if command == ["identify"] else "Is a directory"
    assert refused([*command, str(tmp_path)]) == f"snpwire: {tmp_path}: {reason}"
    assert refused([*command, ""]) == "snpwire: : Is a directory"


def test_a_file_for_a_value_that_cannot_be_read_is_named(tmp_path):
    said = refused(["encode", "ghcb", "--set", f"shared_buffer=@{tmp_path}/none"])

    assert said == f"snpwire: {tmp_path}/none: No such file or directory"


def test_a_setting_is_named_where_no_file_was_read():
    assert refused(["encode", "ghcb", "--set", "rax=-1"]).startswith(
        "snpwire: --set: Page.rax at 0x1f8: -0x1 does not fit 8 bytes"
    )


def test_nothing_tells_what_an_input_is():
    assert "nothing tells what this is" in refused(["decode", "auto"], b"\x05\x01\x00")


@pytest.mark.parametrize(
    "name", ["a\nb", "a\x1b[31m", "a\tb", "a b", "\u202egpj", os.fsdecode(b"\xff")]
)
def test_any_name_of_a_file_stays_on_one_line(name, tmp_path):
    said = refused(["decode", "ghcb", str(tmp_path / name)])

    assert len(said.splitlines()) == 1
    assert said.endswith(": No such file or directory")


def test_a_name_that_no_file_can_have_is_refused():
    assert "File name too long" in refused(["decode", "ghcb", "a" * 5000])


@pytest.fixture
def locked(tmp_path):
    """Return a directory that nobody may enter, and a file in it that nobody may read."""
    call(
        ["encode", "msr", "--set", "value=1", "-o", str(tmp_path / "page")]
    )  # imports all it needs
    call(["decode", "msr", str(tmp_path / "page")])
    (tmp_path / "page").chmod(0)
    tmp_path.chmod(0o500 if os.geteuid() else 0o700)
    yield tmp_path
    tmp_path.chmod(0o700)


@pytest.fixture
def without_rights(locked):
    """Become nobody for a while, where the tests are run by root, whom no mode stops."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_without_permission_is_named(locked, without_rights):
    file = str(locked / "page")

    assert refused(["decode", "msr", file]) == f"snpwire: {file}: Permission denied"
    assert refused(["encode", "msr", file]) == f"snpwire: {file}: Permission denied"
    new = str(locked / "new")
    said = refused(["encode", "msr", "--set", "value=1", "-o", new])
    assert said == f"snpwire: {new}: Permission denied"


def test_an_output_that_cannot_be_written_is_named(tmp_path):
    words = ["encode", "msr", "--set", "value=1", "-o"]

    assert refused([*words, str(tmp_path)]) == f"snpwire: {tmp_path}: Is a directory"
    missing = str(tmp_path / "none" / "out")
    assert refused([*words, missing]) == f"snpwire: {missing}: No such file or directory"
    assert refused([*words, "/dev/full"]) == "snpwire: /dev/full: No space left on device"


FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@FULL
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words", [["layout", "ghcb"], ["encode", "ghcb"], ["decode", "ghcb", "--json"]]
)
def test_a_full_disk_is_told_once(words, unbuffered):
    given_ = b"{}" if words[0] == "encode" else ZEROS
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, *words],
            input=given_,
            stdout=full,
            stderr=subprocess.PIPE,
            env=surroundings(PYTHONUNBUFFERED=unbuffered),
            check=False,
        )

    assert done.stderr == b"snpwire: <stdout>: No space left on device\n"
    assert done.returncode == 3


@FULL
def test_an_output_named_as_a_device_that_is_full_is_standard_output(monkeypatch, capfd):
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        name = f"/proc/self/fd/{full.fileno()}"
        code = entry.main(["encode", "msr", "--set", "value=1", "-o", name])
        monkeypatch.undo()
        with suppress(OSError):  # what could not be written still is to be
            full.close()

    assert capfd.readouterr().err == "snpwire: <stdout>: No space left on device\n"
    assert code == 3


def test_a_file_that_cannot_be_finished_is_not_there(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, kept[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_file(str(file), ZEROS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)

    assert caught.value.filename == str(file)
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_whose_name_is_taken_meanwhile_is_not_there(tmp_path):
    target = tmp_path / "saved"
    folder = SaveFolder(str(target))
    folder.add("page", ZEROS)
    target.mkdir()
    (target / "other").write_bytes(b"somebody's own")
    with pytest.raises(OSError, match="not empty") as caught:
        folder.__exit__(None)

    assert caught.value.filename == str(target)
    assert list(tmp_path.rglob("*")) == [target, target / "other"]


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words",
    [
        ["layout", "ghcb"],
        ["layout", "ghcb", "--format", "json"],
        ["encode", "ghcb", "--hex", "--set", "rax=1"],
        ["encode", "ghcb", "--set", "rax=1"],
        ["explain", "exit", "CPUID"],
    ],
)
def test_a_command_without_an_answer_ends_as_by_sigpipe(words, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*COMMAND, *words],
            input=ZEROS,
            stdout=writer,
            stderr=subprocess.PIPE,
            env=surroundings(PYTHONUNBUFFERED=unbuffered),
            check=False,
        )
    finally:
        os.close(writer)

    assert (done.stderr, done.returncode) == (b"", -signal.SIGPIPE)


def test_a_reader_that_takes_one_line_is_enough():
    line = "{} | head -n 1"
    run = subprocess.list2cmdline([*COMMAND, "layout", "ghcb"])
    done = subprocess.run(
        line.format(run), shell=True, capture_output=True, env=surroundings(), check=True
    )

    assert done.stdout.startswith(b"ghcb  4096 bytes")
    assert (done.stdout.count(b"\n"), done.stderr) == (1, b"")


@pytest.mark.parametrize(
    ("closed", "output", "errors", "code"),
    [
        ("<&-", b"", b"snpwire: <stdin>: Page: expected 4096 bytes, got 0\n", 3),
        (">&-", b"", b"snpwire: <stdin>: Page: expected 4096 bytes, got 0\n", 3),
        ("2>&-", b"", b"", 3),
        ("<&- 2>&-", b"", b"", 3),
    ],
)
def test_a_closed_stream_is_no_surprise(closed, output, errors, code):
    run = subprocess.list2cmdline([*COMMAND, "decode", "ghcb"])
    done = subprocess.run(
        f"{run} {closed} </dev/null" if "<" not in closed else f"{run} {closed}",
        shell=True,
        capture_output=True,
        env=surroundings(),
        check=False,
    )

    assert (done.stdout, done.stderr, done.returncode) == (output, errors, code)


@pytest.mark.parametrize(
    ("error", "number", "said"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
        (OSError(errno.ENOSPC, "No space left on device"), 3, "snpwire: <stdout>: No space left"),
    ],
)
def test_output_that_failed_is_an_error(error, number, said, monkeypatch, capfd):
    def fail(*_):
        raise error

    monkeypatch.setattr("snpwire.cli.explain.write_lines", fail)
    code = entry.main(["layout", "msr"])

    assert code == number
    assert capfd.readouterr().err.startswith(said)


def test_interrupt_ends_with_130(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("snpwire.cli.explain.write_lines", interrupt)

    assert call(["layout", "msr"]) == (b"", b"", 130)


def test_interrupt_between_typer_and_here_ends_with_130(monkeypatch):
    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "app", interrupt)

    assert call(["layout", "msr"]) == (b"", b"", 130)


def test_exit_of_typer_is_the_exit_of_the_program(monkeypatch):
    def leave(**_):
        raise SystemExit(7)

    monkeypatch.setattr(commands, "app", leave)

    with pytest.raises(SystemExit) as ended:
        call(["layout", "msr"])

    assert ended.value.code == 7


def test_interrupt_while_waiting_for_input_is_quiet(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with (
        subprocess.Popen(
            [*COMMAND, "decode", "ghcb", str(fifo)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=surroundings(),
            preexec_fn=heeds_interrupts,  # noqa: PLW1509 - no thread runs beside it
        ) as child,
        fifo.open("wb"),
    ):  # returns when the child opens it to read
        child.send_signal(signal.SIGINT)
        output, errors = child.communicate(timeout=60)

    assert (output, errors, child.returncode) == (b"", b"", 130)


def test_help_and_version_are_no_errors():
    for words in (["--help"], ["-h"], ["decode", "--help"], ["explain", "-h"]):
        output, errors, code = call(words)
        assert (errors, code) == (b"", 0)
        assert b"Usage: snpwire" in output
    assert call(["--version"])[0].startswith(b"snpwire 0.")


def test_no_command_shows_the_help_and_fails():
    output, errors, code = call([])

    assert b"Usage: snpwire" in output
    assert (errors, code) == (b"", 2)


def test_help_lists_every_kind():
    output, _, _ = call(["decode", "--help"])

    assert [name for name in RECORDS if f"  {name}" not in output.decode()] == []


@settings(max_examples=60)
@given(
    name=st.sampled_from(list(RECORDS)),
    data=st.one_of(
        st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace"))
    ),
)
def test_no_input_makes_a_traceback(name, data):
    output, errors, code = call(["decode", name], data)

    if code:
        judged(output, errors, code, 3)
    else:
        assert output
        assert kind(name)
