"""What only a process of its own can show: who reads it, what signals it, how much it may have."""

import os
import signal
import subprocess
import time

import pytest
from conftest import COMMAND, surroundings

from snpwire.cli import unfinished

EITHER = bytes(4096)
OTHER = b"\1" * 4096


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
    """Return a folder with two pages and an entry of the reverse map table that is wrong."""
    (tmp_path / "zeros").write_bytes(EITHER)
    (tmp_path / "ones").write_bytes(OTHER)
    return tmp_path


ANSWERS = {
    "diff": (["diff", "ghcb", "{0}/zeros", "{0}/ones"], 1),
    "no difference": (["diff", "ghcb", "{0}/zeros", "{0}/zeros"], 0),
    "decode --fail-on": (["decode", "ghcb", "{0}/ones", "--fail-on", "note"], 1),
    "decode": (["decode", "ghcb", "{0}/ones", "--all"], 0),
    "identify": (["identify", "{0}/ones"], 1),
    "rmp check": (["rmp", "check", "{0}/ones", "--fail-on", "note", "--from", "image"], 1),
    "rmp find": (["rmp", "find", "{0}/zeros", "--asid", "9", "--no-counters"], 1),
    "request": (["request", "report", "--inject", "alter-answer@9"], 4),
}


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("what", ANSWERS)
def test_an_answer_that_nobody_reads_decides_the_exit_code(what, unbuffered, files):
    words, code = ANSWERS[what]
    said, ended = unread([word.format(files) for word in words], PYTHONUNBUFFERED=unbuffered)

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


def interrupted(words, number, moment, **options):
    """Run a command, send it a signal after *moment* seconds; return what it says and its end."""
    with subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        **options,
    ) as child:
        time.sleep(moment)
        child.send_signal(number)
        output, said = child.communicate(timeout=60)
    return output, said, child.returncode


@pytest.mark.parametrize("moment", [0.05, 0.1, 0.15, 0.2, 0.4])
def test_an_interrupt_at_any_moment_of_ours_is_130_and_silence(moment, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    started = "import signal, snpwire.__main__ as entry; print(end='x', flush=True); entry.run()"
    with subprocess.Popen(
        [COMMAND[0], "-c", started, "decode", "ghcb", str(tmp_path / "fifo")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=surroundings(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as child:
        assert child.stdout.read(1) == b"x"  # Python itself has started
        time.sleep(moment / 4)
        child.send_signal(signal.SIGINT)
        output, said = child.communicate(timeout=60)

    assert (output, said, child.returncode) == (b"", b"", 130)


def saving(folder, number):
    """Run a long command that saves pages, end it by a signal; return its exit code."""
    words = ["request", "report", "--count", "100000", "--save", str(folder / "pages")]
    with subprocess.Popen(
        [*COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=surroundings()
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
    ours = unfinished.Unfinished.folder(tmp_path)
    done = process("request", "report", "--save", str(tmp_path / "pages"))

    assert done.returncode == 0
    assert ours.path.exists()
    ours.discard()


def test_what_is_left_is_removed_only_by_its_owners_name(tmp_path):
    named = tmp_path / ".snpwire-0123456789abcdef.unfinished"
    kept = tmp_path / "kept"
    kept.mkdir()
    named.symlink_to(kept)
    unfinished.discard_left(tmp_path)

    assert named.is_symlink()
    assert kept.is_dir()
    unfinished.discard_left(tmp_path / "none")


def test_all_that_is_unfinished_is_removed_at_the_end(tmp_path):
    folder, file = unfinished.Unfinished.folder(tmp_path), unfinished.Unfinished.file(tmp_path)
    (folder.path / "page").write_bytes(b"key")
    unfinished.discard_all()

    assert list(tmp_path.iterdir()) == []
    os.close(folder.fd)
    os.close(file.fd)
