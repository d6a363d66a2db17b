"""``snpwire log`` as a person meets it: output, notes, errors, and a file that goes on growing."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import COMMAND, surroundings
from transcripts import call, record_types, renewed

from snpwire.capture.kernel_log import FAMILIES
from snpwire.cli import commands, follow
from snpwire.cli.follow import FileEvent
from snpwire.cli.log import printable

LEAK = "SEV-SNP: Leaking PFN range 0x{:x}-0x{:x}\n"
ROOT = Path(__file__).parents[1]


def leak(number):
    return LEAK.format(number, number + 1)


def printed(*words, given=b"", code=0):
    output, errors, ended = call(["log", *words], given)

    assert ended == code, errors
    return output.decode(), errors.decode()


def test_text_is_a_line_for_each_record_and_a_note_counts():
    output, errors = printed(given=f"hello\n{leak(1)}{leak(2)}".encode())

    assert [line.split("   ")[0] for line in output.splitlines()] == [
        "PFN 0x1 leaked",
        "PFN 0x2 leaked",
    ]
    assert errors == "note: 3 lines: 2 records (rmp 2); 1 skipped\n"


def test_json_is_an_object_a_line_with_one_schema():
    output, _ = printed("--json", str(ROOT / "tests/logs/formats.log"))

    objects = [json.loads(line) for line in output.splitlines()]
    while objects[-1]["schema"] == "verdict/1":
        del objects[-1]
    keys = {frozenset(thing) - {"cause", "consequence", "remedy"} for thing in objects}
    assert len(objects) > 100
    assert {thing["schema"] for thing in objects} == {"log/1"}
    assert keys == {
        frozenset(
            "schema kind format family line last time caller fields text meaning".split()  # noqa: SIM905
        )
    }


def test_no_number_in_json_needs_more_than_53_bits():
    output, _ = printed("--json", str(ROOT / "tests/logs/formats.log"))

    def numbers(thing):
        if isinstance(thing, dict | list):
            for item in thing.values() if isinstance(thing, dict) else thing:
                yield from numbers(item)
        elif isinstance(thing, int):
            yield thing

    for line in output.splitlines():
        assert all(abs(number) < 1 << 53 for number in numbers(json.loads(line)))


def test_only_takes_families_and_counts_the_others():
    output, errors = printed("--only", "term, rmp", str(ROOT / "tests/logs/worked.log"))

    assert len(output.splitlines()) == 4 + 3  # a termination has consequence and remedy
    assert "(rmp 4, term 1), 4 of other types" in errors


def test_help_names_every_family_with_its_title():
    output, _ = printed("--help")

    for name, (title, _) in FAMILIES.items():
        assert f"{name:<7}{title}" in output


def test_a_log_that_is_compressed_is_not_read_as_one():
    _, errors = printed(given=gzip.compress(leak(1).encode()), code=3)

    assert errors == (
        "snpwire: <stdin>: this is gzip, not the text of a log\nhelp: zcat FILE | snpwire log\n"
    )


def test_binary_data_is_said_to_be_no_text_and_what_is_among_it_is_read():
    output, errors = printed(given=bytes(range(1, 32)) * 9 + b"\n" + leak(1).encode())

    assert output.startswith("PFN 0x1 leaked")
    assert "of its first" in errors
    assert "are no text" in errors


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (leak(1).encode("utf-16"), "note: read as UTF-16-LE"),
        (leak(1).encode("utf-16-be"), "note: read as UTF-16-BE"),
        (b"\xe9\xe8 " + leak(1).encode(), "note: 1 line no UTF-8: read as Latin-1"),
        (b"\0\0" + leak(1).encode(), "note: 1 line with zero bytes, which were dropped"),
        (
            leak(1).encode() + b"PFN " + bytes(b"x" * 70000),
            "note: 1 line longer than 32768 bytes: the rest was not read",
        ),
        (
            leak(1).encode() + b"SEV-SNP: PFN: 0x1, [0x00\n\n",
            "note: 1 line cut off within a known format, skipped: 2",
        ),
    ],
    ids=["utf-16", "utf-16-be", "latin-1", "zeros", "long", "broken"],
)
def test_what_was_odd_about_the_bytes_is_noted(data, note):
    output, errors = printed(given=data)

    assert output.startswith("PFN 0x1 leaked")
    assert note in errors.splitlines()


def test_many_broken_lines_are_named_by_the_first():
    _, errors = printed(given=b"SEV-SNP: PFN: 0x1, [0x00\n\n" * 30)

    assert "30 lines cut off" in errors
    assert errors.rstrip().endswith("37, 39, ...")


def test_what_a_log_says_cannot_move_the_cursor():
    line = "CPU\x1b]0;x\x07-12 [001] ..... 1.000001: kvm_vmgexit_enter: vcpu 0, exit_reason 72,"
    output, _ = printed("-n", given=f"{line} exit_info1 0, exit_info2 0\n".encode())

    assert output.rstrip("\n").isprintable()


def test_characters_that_the_output_lacks_are_escaped(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "ascii"))

    assert printable("caf\xe9 \x1b[31m") == "caf\\xe9 \\x1b[31m"


def test_a_log_is_read_without_what_it_does_not_need(process):
    code = (
        "import sys; from snpwire.__main__ import main; main(['log']);"
        "sys.stderr.write(chr(10) + ' '.join(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=leak(1).encode(),
        capture_output=True,
        env=surroundings(),
        check=True,
    )

    loaded = set(done.stderr.decode().split("\n")[-1].split())
    assert not loaded & {"numpy", "cryptography", "rich", "tempfile"}


@pytest.fixture
def interruptible():
    """Let children be interrupted, though a shell may have us ignore that."""
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, kept)


class Follower:
    """A process that follows a file."""

    def __init__(self, path, *words):
        self.output = path.with_suffix(".out")
        self.errors = path.with_suffix(".err")
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*COMMAND, "log", "--follow", *words, str(path)],
                stdout=output,
                stderr=errors,
                env=surroundings(),
            )

    def pages(self):
        return [line.split()[1] for line in self.output.read_text().splitlines()]

    def wait_for(self, *pages):
        for _ in range(150):
            if self.pages() == list(pages):
                return
            time.sleep(0.1)
        assert self.pages() == list(pages)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)


def put(path, text, mode="a"):
    with path.open(mode) as stream:
        stream.write(text)


def test_a_file_is_followed_through_growth_rotation_and_truncation(tmp_path, interruptible):
    path = tmp_path / "kern.log"
    put(path, leak(1) + leak(2)[:20], "w")
    follower = Follower(path)
    try:
        follower.wait_for("0x1")  # the half line is held
        put(path, leak(2)[20:])
        follower.wait_for("0x1", "0x2")

        old = path.rename(tmp_path / "kern.log.1")
        put(old, leak(3))  # the logger has not opened the new file yet
        put(path, leak(4), "w")
        follower.wait_for("0x1", "0x2", "0x3", "0x4")

        path.write_text("")
        time.sleep(1)
        put(path, leak(5))
        follower.wait_for("0x1", "0x2", "0x3", "0x4", "0x5")

        put(path, leak(6).rstrip("\n"))
        time.sleep(1)
        code = follower.interrupt()
    finally:
        follower.process.kill()

    errors = follower.errors.read_text()
    assert code == 130
    assert follower.pages()[-1] == "0x6"  # the half line at the end is not lost
    assert "another file has the name now; reading goes on after line 3" in errors
    assert "the file was truncated; reading goes on after line 4" in errors
    assert errors.splitlines()[-1] == "note: 6 lines: 6 records (rmp 6); 0 skipped"


def test_a_half_line_at_the_end_of_a_rotated_file_is_a_line(tmp_path, interruptible):
    path = tmp_path / "kern.log"
    put(path, leak(1).rstrip("\n"), "w")
    follower = Follower(path)
    try:
        time.sleep(1)
        path.rename(tmp_path / "kern.log.1")
        put(path, leak(2), "w")
        follower.wait_for("0x1", "0x2")
        assert follower.interrupt() == 130
    finally:
        follower.process.kill()


def test_a_pipe_is_read_line_by_line_while_it_is_open():
    process = subprocess.Popen(
        [*COMMAND, "log"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(),
    )
    watch = threading.Timer(20, process.kill)
    watch.start()
    try:
        process.stdin.write(leak(1).encode())
        process.stdin.flush()

        assert process.stdout.readline().startswith(b"PFN 0x1 leaked")
        process.communicate()
        assert process.returncode == 0
    finally:
        watch.cancel()


def test_a_pause_in_a_pipe_sets_free_what_waits_for_a_block():
    process = subprocess.Popen(
        [*COMMAND, "log"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(),
    )
    watch = threading.Timer(20, process.kill)
    watch.start()
    try:
        process.stdin.write(f"kvm_amd: GHCB (GPA=000000000123f000):\n{leak(1)}".encode())
        process.stdin.flush()

        assert process.stdout.readline().startswith(b"GHCB")
        assert process.stdout.readline().startswith(b"PFN 0x1 leaked")
        process.communicate()
        assert process.returncode == 0
    finally:
        watch.cancel()


def test_a_reader_that_has_enough_ends_the_command_quietly(tmp_path):
    path = tmp_path / "kern.log"
    path.write_text(leak(1) * 20000)
    command = " ".join([*COMMAND, "log", str(path), "| head -1"])

    done = subprocess.run(
        ["/bin/sh", "-c", command],
        capture_output=True,
        env=surroundings(),
        check=True,
        timeout=60,
    )

    assert done.stdout.startswith(b"PFN 0x1 leaked")
    assert b"Traceback" not in done.stderr


def test_a_pause_is_told_once(tmp_path):
    path = tmp_path / "kern.log"
    path.write_text(leak(1))
    pieces = iter(follow.follow(str(path), poll=0.001))

    assert next(pieces) == leak(1).encode()
    assert next(pieces) is FileEvent.PAUSE
    put(path, leak(2))
    assert next(pieces) == leak(2).encode()


def test_a_file_that_is_taken_away_is_waited_for(tmp_path):
    path = tmp_path / "kern.log"
    path.write_text(leak(1))
    pieces = iter(follow.follow(str(path), poll=0.001))
    next(pieces)
    path.unlink()

    assert next(pieces) is FileEvent.PAUSE
    path.write_text(leak(2))
    assert next(pieces) is FileEvent.REPLACED
    assert next(pieces) == leak(2).encode()


def test_what_cannot_be_followed_is_read_to_its_end(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=(leak(1),))
    writer.start()

    output, _ = printed("--follow", str(path))
    writer.join()

    assert output.startswith("PFN 0x1 leaked")


def test_a_file_that_cannot_be_followed_is_named(tmp_path):
    missing = tmp_path / "none.log"

    _, errors = printed("-f", str(missing), code=3)

    assert errors == f"snpwire: {missing}: No such file or directory\n"


def test_an_error_while_following_names_the_file(tmp_path, monkeypatch):
    path = tmp_path / "kern.log"
    path.write_text("")

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(follow, "_open", fail)

    with pytest.raises(OSError, match="Input/output error") as caught:
        list(follow.follow(str(path)))

    assert caught.value.filename == str(path)


def test_the_table_of_record_types_is_made_of_the_declarations():
    readme = (ROOT / "README.md").read_text()
    table = record_types()

    assert all(f"| `{name}` | {title} |" in table for name, (title, _) in FAMILIES.items())
    assert f"<!-- record types -->\n{table}\n<!-- /record types -->" in readme


def test_a_table_that_is_out_of_date_is_renewed():
    stale = "a\n<!-- record types -->\nold\n<!-- /record types -->\nb"

    assert renewed(stale) == stale.replace("old", record_types())
    assert renewed("no table") == "no table"


def test_families_in_the_help_are_those_there_are():
    text = Path(commands.__file__).read_text()

    assert all(title in text for title, _ in FAMILIES.values())
