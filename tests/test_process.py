"""What only a process of its own can show: who reads it, what signals it, how much it may have."""

import os
import resource
import signal
import subprocess
import time
from xml.etree.ElementTree import parse

import pytest
from conftest import COMMAND, ROOT, heeds_interrupts, surroundings
from fuzz_process import STARTED
from transcripts import call

from snpwire.cli import scratch

EITHER = bytes(4096)
OTHER = b"\1" * 4096
MESSAGES = ROOT / "tests" / "messages"


def unread(words, given=b"", **changes):
    """Run a command that nobody reads; return what it says and how it ends."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*COMMAND, *words],
            input=given,
            stdout=writer,
            stderr=subprocess.PIPE,
            env=surroundings(**changes),
            check=False,
            timeout=60,
        )
    finally:
        os.close(writer)
    return done.stderr.decode(), done.returncode


@pytest.fixture
def files(tmp_path):
    """Return a folder with two pages, and a message under another key than that of the tests."""
    words = ["seal", "tsc-info-req", "--seqno", "1", "--key-file", str(MESSAGES / "key.bin")]
    (tmp_path / "sealed").write_bytes(call(words)[0])
    (tmp_path / "zeros").write_bytes(EITHER)
    (tmp_path / "ones").write_bytes(OTHER)
    return tmp_path


ANSWERS = {
    "diff": (["diff", "ghcb", "{0}/zeros", "{0}/ones"], 1),
    "no difference": (["diff", "ghcb", "{0}/zeros", "{0}/zeros"], 0),
    "decode --fail-on": (["decode", "ghcb", "{0}/ones", "--fail-on", "note"], 1),
    "decode": (["decode", "ghcb", "{0}/ones", "--all"], 0),
    "identify": (["identify", "{0}/ones"], 1),
    "verify": (["verify", "{1}/report.bin", "{1}/vcek.der", "--at", "2000-01-01"], 1),
    "open": (["open", "{0}/sealed", "--key-file", "{1}/vmpck.txt"], 1),
    "rmp check": (["rmp", "check", "{0}/ones", "--fail-on", "note", "--from", "image"], 1),
    "rmp find": (["rmp", "find", "{0}/zeros", "--asid", "9", "--no-counters"], 1),
    "request": (["request", "report", "--inject", "alter-answer@9"], 4),
}


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("what", ANSWERS)
def test_an_answer_that_nobody_reads_decides_the_exit_code(what, unbuffered, files):
    words, code = ANSWERS[what]
    given = [word.format(files, MESSAGES) for word in words]
    said, ended = unread(given, PYTHONUNBUFFERED=unbuffered)

    assert ended == code
    assert "Traceback" not in said


@pytest.mark.parametrize("end", ["> >(exec true)", "| true; exit ${PIPESTATUS[0]}", "| head -c 9"])
def test_an_answer_in_a_shell_is_no_success(end, files):
    command = subprocess.list2cmdline([*COMMAND, "diff", "ghcb", "zeros", "ones"])
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{command} {end}"],
        cwd=files,
        capture_output=True,
        env=surroundings(),
        check=False,
        timeout=60,
    )

    assert done.returncode == 1


def test_what_is_asked_for_is_saved_though_nobody_reads(tmp_path):
    folder, file = tmp_path / "pages", tmp_path / "report"
    _, code = unread(["request", "report", "--save", str(folder), "-o", str(file)])

    assert code == 0
    assert (folder / "report.bin").read_bytes() == file.read_bytes()
    assert (folder / "rmp.bin").exists()


def test_standard_error_decides_nothing(files):
    words = [*COMMAND, "diff", "ghcb", str(files / "zeros"), str(files / "ones")]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(words, stdout=-1, stderr=full, env=surroundings(), check=False)

    assert done.returncode == 1
    assert done.stdout


def test_a_pipe_named_as_output_that_nobody_reads_is_an_error(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    words = ["request", "report", "--save", str(tmp_path / "pages"), "-o", str(fifo)]
    with subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings()
    ) as child:
        with open(fifo, "rb"):
            pass  # it is opened for writing, and then there is no reader
        _, said = child.communicate(timeout=60)

    if child.returncode:  # the few bytes may have been in the pipe before its reader left
        assert (said, child.returncode) == (f"snpwire: {fifo}: Broken pipe\n".encode(), 3)


@pytest.mark.parametrize("moment", [0.05, 0.1, 0.15, 0.2, 0.4])
def test_an_interrupt_at_any_moment_of_ours_is_130_and_silence(moment, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with subprocess.Popen(
        [COMMAND[0], "-c", STARTED, "decode", "ghcb", str(tmp_path / "fifo")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(),
        preexec_fn=heeds_interrupts,  # noqa: PLW1509 - no thread runs beside it
    ) as child:
        assert child.stdout.read(1) == b"x"  # before that it is Python's own affair
        time.sleep(moment / 4)
        child.send_signal(signal.SIGINT)
        output, said = child.communicate(timeout=60)

    assert (output, said, child.returncode) == (b"", b"", 130)


def saving(folder, number):
    """Run a long command that saves pages, end it by a signal; return its exit code."""
    words = ["request", "report", "--count", "100000", "--save", str(folder / "pages")]
    with subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(),
        preexec_fn=heeds_interrupts,  # noqa: PLW1509 - no thread runs beside it
    ) as child:
        child.stdout.read(1)  # it has begun to save
        assert any(folder.glob(".snpwire-*"))
        child.send_signal(number)
        _, said = child.communicate(timeout=60)
    assert said == b""
    return child.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_command_that_is_terminated_leaves_nothing(number, tmp_path):
    assert saving(tmp_path, number) == -number
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_command_left_is_removed_by_the_next(tmp_path, process):
    other = tmp_path / ".snpwire-notes"
    other.write_text("somebody's own")
    saving(tmp_path, signal.SIGKILL)
    left = set(tmp_path.iterdir()) - {other}
    done = process("request", "report", "--save", str(tmp_path / "pages"))

    assert len(left) == 1
    assert done.returncode == 0
    assert set(tmp_path.iterdir()) == {other, tmp_path / "pages"}


def test_what_another_command_still_makes_is_left_alone(tmp_path, process):
    ours = scratch.Scratch.folder(tmp_path)
    done = process("request", "report", "--save", str(tmp_path / "pages"))

    assert done.returncode == 0
    assert ours.path.exists()
    ours.discard()


def test_what_is_left_is_removed_only_by_its_owners_name(tmp_path):
    named = tmp_path / ".snpwire-0123456789abcdef.unfinished"
    kept = tmp_path / "kept"
    kept.mkdir()
    named.symlink_to(kept)
    scratch.discard_left(tmp_path)

    assert named.is_symlink()
    assert kept.is_dir()
    scratch.discard_left(tmp_path / "none")


def test_all_that_is_unfinished_is_removed_at_the_end(tmp_path):
    folder, file = scratch.Scratch.folder(tmp_path), scratch.Scratch.file(tmp_path)
    (folder.path / "page").write_bytes(b"key")
    scratch.discard_all()

    assert list(tmp_path.iterdir()) == []
    os.close(folder.fd)
    os.close(file.fd)


# Names of files are somebody else's text

NAMES = ["a\x1b[31m\nsnpwire: b", "\u202egpj\x9b31m\u2028\xe9", "\udcff\udcfe"]


def judged(data):
    """Expect that nothing in the bytes of some output moves a terminal."""
    for line in data.decode("utf-8").split("\n"):
        assert line.isprintable()


COMMANDS = [
    ["rmp", "summary"],
    ["rmp", "summary", "--json"],
    ["rmp", "check"],
    ["rmp", "check", "--json"],
    ["rmp", "find"],
    ["identify"],
    ["decode", "ghcb"],
    ["decode", "msr"],
    ["compare-policies"],
    ["log"],
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_name_of_a_file_is_escaped_everywhere(name, tmp_path, process):
    image, policy = tmp_path / name, tmp_path / f"{name}.toml"
    image.write_bytes(OTHER[:4000] + bytes(0x5000))
    policy.write_text('second = "wait"\n')
    for number, words in enumerate(COMMANDS):
        file = str(policy if words[0] == "compare-policies" else image)
        for env in ({"PYTHONIOENCODING": "utf-8:strict"}, {"FORCE_COLOR": "1"})[: 1 + number % 2]:
            done = process(*words, file, env=env)
            said = done.stdout + done.stderr
            for code in (b"\x1b[2m", b"\x1b[1m", b"\x1b[32m", b"\x1b[33m", b"\x1b[31m", b"\x1b[0m"):
                said = said.replace(code, b"") if "FORCE_COLOR" in env else said
            judged(said)
            assert done.returncode in (0, 1, 3)
            assert b"Traceback" not in said


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_name_of_a_file_is_escaped_in_a_picture(name, tmp_path, process):
    (tmp_path / name).write_bytes(bytes(0x5000))
    done = process("rmp", "plot", str(tmp_path / name), "-o", str(tmp_path / "map.svg"))

    assert done.returncode == 0
    judged((tmp_path / "map.svg").read_bytes())
    parse(tmp_path / "map.svg")
    said = process("rmp", "plot", "--title", name, str(tmp_path / name), "-o", "/dev/stdout")
    judged(said.stdout)


# Input is bounded

ENDLESS = [
    (["decode", "ghcb", "/dev/zero"], 3),
    (["decode", "auto", "/dev/zero"], 3),
    (["decode", "certs", "/dev/zero"], 3),
    (["decode", "ghcb", "/dev/zero", "--page", "7"], 0),
    (["decode", "ghcb", "/dev/zero", "--page", "7", "--length", "99999999999"], 3),
    (["decode", "ghcb", "/dev/zero", "--offset", "7", "--from", "raw"], 0),
    (["identify", "/dev/zero"], 1),
    (["encode", "ghcb", "/dev/zero"], 3),
    (["encode", "ghcb", "--set", "shared_buffer=@/dev/zero"], 3),
    (["verify", "/dev/zero", "/dev/zero"], 3),
    (["open", "/dev/zero", "--key-file", "/dev/zero"], 3),
    (["seal", "raw", "--type", "1", "--payload", "/dev/zero", "--seqno", "1"], 3),
    (["request", "report", "--policy", "/dev/zero"], 3),
    (["rmp", "summary", "--segments", "/dev/zero", "x"], 3),
]


@pytest.mark.parametrize(
    ("words", "code"),
    ENDLESS,
    ids=lambda given: " ".join(map(str, given)) if isinstance(given, list) else "",
)
def test_no_more_is_read_than_is_needed(words, code, process):
    started = time.monotonic()
    done = process(
        *words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30,) * 2)
    )

    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert time.monotonic() - started < 10


def test_a_large_file_is_not_read(tmp_path, process):
    big = tmp_path / "big"
    with big.open("wb") as stream:
        stream.truncate(1 << 40)
    done = process("identify", str(big))

    assert done.returncode == 1
    assert b"it has 1099511627776 bytes, more than the 16777216 that are read" in done.stdout
    assert process("decode", "ghcb", str(big), "--page", "9999999").returncode == 0
    said = process("decode", "ghcb", str(big)).stderr
    assert b"it has 1099511627776 bytes, more than the 65536 that are read\nhelp: --page" in said


def test_text_that_is_too_long_is_refused(process):
    done = process("decode", "ghcb", given=b"00 " * (1 << 21))

    assert done.returncode == 3
    assert b"it has 6291456 bytes, more than the 4194304 that are read" in done.stderr


CUTS = """
import os, sys
import snpwire.__main__ as entry
import snpwire.cli.rmp.mapped_file as files

whole = files._map

def cut(*given):
    piece = whole(*given)
    os.truncate(sys.argv[-1], {left})
    return piece

files._map = cut
entry.run()
"""


@pytest.mark.parametrize("words", [["summary"], ["check"], ["find", "--asid", "7"], ["plot"]])
def test_an_image_that_is_cut_while_it_is_read_is_one_line(words, tmp_path):
    image = tmp_path / "image"
    output = ["-o", str(tmp_path / "map.svg")] if words == ["plot"] else []
    for left, said in ((0x1000, "was cut while"), (0x2FFF8, "a file was cut to 0x2fff8 bytes")):
        image.write_bytes(b"\1".ljust(16, b"\0") * 0x3000)
        command = [COMMAND[0], "-c", CUTS.format(left=left), "rmp", *words, *output]
        done = subprocess.run(
            [*command, "--no-counters", str(image)],
            capture_output=True,
            env=surroundings(),
            check=False,
            timeout=60,
        )

        assert done.returncode == 3
        assert done.stderr.decode().startswith(f"snpwire: {image}: {said}")
        assert len(done.stderr.splitlines()) == 1


def test_a_signal_to_the_parent_ends_the_child(tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for number, code in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)):
        with (
            subprocess.Popen(
                [*COMMAND, "rmp", "summary", str(fifo)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=surroundings(),
                preexec_fn=heeds_interrupts,  # noqa: PLW1509 - no thread runs beside it
            ) as child,
            fifo.open("wb"),
        ):  # returns when it is opened to be read
            child.send_signal(number)
            output, said = child.communicate(timeout=60)

        assert (output, said, child.returncode) == (b"", b"", code)


HUNGRY = [
    ["rmp", "check", "{0}/big", "--no-counters"],
    ["identify", "{0}/big"],
    ["decode", "certs", "{0}/text"],
    ["diff", "ghcb", "{0}/zeros", "{0}/zeros"],
]


@pytest.mark.parametrize("words", HUNGRY, ids=lambda words: words[0])
def test_too_little_memory_is_one_line(words, files, process):
    with (files / "big").open("wb") as stream:
        stream.truncate(1 << 28)
    (files / "text").write_bytes(b"00 " * (1 << 20))
    for megabytes in (40, 60, 160, 220):
        limit = (megabytes << 20,) * 2
        done = process(
            *(word.format(files) for word in words),
            preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_AS, limit),
        )

        assert done.returncode in (0, 1, 3), done.stderr
        if done.returncode == 3:
            wrong = [line for line in done.stderr.splitlines() if line.startswith(b"snpwire: ")]
            assert len(wrong) == 1
        assert b"Traceback" not in done.stderr


def test_a_closed_output_keeps_the_answer_and_what_is_saved(tmp_path):
    """``>&-`` is an output that nobody can have: never a success, and nothing else is lost."""
    (tmp_path / "page").write_bytes(b"\x01" * 4096)

    def code(*words):
        line = f"{subprocess.list2cmdline([*COMMAND, *words])} >&-"
        return subprocess.run(
            line, shell=True, cwd=tmp_path, stderr=subprocess.PIPE, env=surroundings(), check=False
        ).returncode

    assert code("request", "report", "--save", "out") == 3
    assert (tmp_path / "out" / "rmp.bin").stat().st_size
    assert code("decode", "ghcb", "page", "--fail-on", "note") == 1
    assert code("decode", "ghcb", "page") == 3
