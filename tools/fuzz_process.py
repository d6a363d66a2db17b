"""The command line in a process of its own, as a target of the fuzzer.

What a process can meet and a function cannot: a reader that goes away, the names that files may
have, too little memory, a file that is cut while it is read, a signal at any moment, a device
without an end. The first byte of an input says which of them, the next two how, the rest is a file.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz_properties import expect, file_of
from transcripts import call

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parent.parent
COMMAND = [sys.executable, "-m", "snpwire"]
STARTED = """
import os, snpwire.__main__ as entry

own = entry.signal.signal

def tell(*given):
    entry.signal.signal = own
    own(*given)
    os.write(1, b"x")

entry.signal.signal = tell
entry.run()
"""
"""A program that tells when our own handling of signals begins, which is the first thing we do."""
PATIENCE = 60
"""Seconds that a command may take; it takes a fraction of one."""
CUT = 0.4
"""Seconds until a file is cut, at most."""

ANSWERS = (
    ["diff", "ghcb", "{file}", "/dev/null"],
    ["diff", "msr", "{file}", "{file}", "--length", "8"],
    ["identify", "{file}"],
    ["decode", "auto", "{file}", "--fail-on", "note"],
    ["decode", "ghcb", "{file}", "--fail-on", "error", "--json"],
    ["rmp", "check", "{file}", "--fail-on", "note", "--from", "image"],
    ["rmp", "find", "{file}", "--asid", "3", "--from", "image"],
    ["verify", "{file}", "{file}"],
    ["open", "{file}", "--key-file", "{file}"],
    ["request", "key", "--inject", "alter-answer", "--policy", "{file}"],
)
STREAMS = (
    ["layout", "ghcb"],
    ["log", "{file}"],
    ["rmp", "summary", "{file}"],
    ["encode", "ghcb", "{file}"],
    ["compare-policies", "{file}"],
)
EVERY = (*ANSWERS, *STREAMS)


def _words(rows: tuple[list[str], ...], how: int, file: str) -> list[str]:
    return [word.replace("{file}", file) for word in rows[how % len(rows)]]


def _ended(
    words: list[str], *, output: int = subprocess.PIPE, limit: int = 0
) -> tuple[bytes, bytes, int]:
    """Run a command; return output, errors and code."""

    def bound() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    done = subprocess.run(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        env=_surroundings(),
        preexec_fn=bound,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout or b"", done.stderr, done.returncode


def _surroundings() -> dict[str, str]:
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8:strict",
    }


def _told(verb: str, errors: bytes, code: int) -> None:
    """Expect errors to be lines of ours, one of them about what went wrong."""
    lines = errors.decode().split("\n")[:-1]
    expect(all(map(str.isprintable, lines)), f"{verb}: an unprintable line")
    wrong = [line for line in lines if line.startswith("snpwire: ")]
    expect(
        code < 2 or code == 4 or len(wrong) == 1, f"{verb}: exit code {code}, {len(wrong)} lines"
    )
    expect(b"Traceback" not in errors, f"{verb}: a traceback")


def unread(how: int, some: int, body: bytes) -> None:
    """Have nobody read the answer: it is the same, or the end is that of SIGPIPE."""
    file = file_of("unread", body)
    words = _words(EVERY, how, file)
    code = call(words)[2]
    if some % 3:
        reader, writer = os.pipe()
        os.close(reader)
        try:
            _, errors, ended = _ended(words, output=writer)
        finally:
            os.close(writer)
    else:
        line = f"{subprocess.list2cmdline([*COMMAND, *words])} > >(exec true)"
        done = subprocess.run(
            ["bash", "-c", line],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_surroundings(),
            timeout=PATIENCE,
            check=False,
        )
        errors, ended = done.stderr, done.returncode
    gone = (-signal.SIGPIPE, 128 + signal.SIGPIPE)
    expect(ended in (code, *gone), f"{words[0]}: {code} has become {ended}")
    expect(b"Traceback" not in errors, f"{words[0]}: a traceback")


def named(how: int, some: int, body: bytes) -> None:
    """Give a file any name."""
    raw = body[:60].replace(b"/", b"_").replace(b"\0", b"_").lstrip(b"-@") or b"\x1b"
    folder = Path(file_of("folder", b"")).parent
    path = os.path.join(os.fsencode(folder), b"n" + raw)
    Path(os.fsdecode(path)).write_bytes(body[60:].ljust(some * 16, b"\1"))
    try:
        words = _words(EVERY, how, os.fsdecode(path))
        output, errors, code = _ended(words)
    finally:
        os.unlink(path)
    expect(-1 < code < 5, f"{words[0]}: exit code {code}")
    _told(words[0], errors, code)
    if words[0] != "encode":
        text = output.decode().replace("\t", " ")
        expect(all(map(str.isprintable, text.split("\n"))), f"{words[0]}: unprintable output")


def hungry(how: int, some: int, body: bytes) -> None:
    """Leave too little memory, or enough."""
    words = _words(EVERY, how, file_of("hungry", body * (1 + some * 8)))
    _, errors, code = _ended(words, limit=(48 + 2 * some) << 20)
    expect(-1 < code < 5, f"{words[0]}: exit code {code}")
    expect(b"Traceback" not in errors, f"{words[0]}: a traceback")


def cut(how: int, some: int, body: bytes) -> None:
    """Cut a file while it is read."""
    file = file_of("cut", (body or b"\1").ljust(16, b"\0") * 4096)
    words = _words(EVERY, how, file)
    with subprocess.Popen(
        [*COMMAND, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_surroundings(),
    ) as child:
        time.sleep(CUT * some / 255)
        os.truncate(file, len(body))
        _, errors = child.communicate(timeout=PATIENCE)
    expect(-1 < child.returncode < 5, f"{words[0]}: exit code {child.returncode}")
    _told(words[0], errors, child.returncode)


def signalled(how: int, some: int, body: bytes) -> None:
    """Send a signal at any moment: the answer, 130 for an interrupt, or death by the signal."""
    number = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[some % 3]
    words = _words(EVERY, how, file_of("signalled", body))
    with subprocess.Popen(
        [sys.executable, "-c", STARTED, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_surroundings(),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as child:
        child.stdout.read(1)  # type: ignore[union-attr]
        time.sleep(CUT * some / 255)
        child.send_signal(number)
        _, errors = child.communicate(timeout=PATIENCE)
    code = child.returncode
    expect(code in {0, 1, 2, 3, 4, 130, -number}, f"{words[0]}: exit code {code}")
    expect(code != 130 or number == signal.SIGINT, f"{words[0]}: 130 for signal {number}")
    expect(b"Traceback" not in errors, f"{words[0]}: a traceback")
    expect(code not in (130, -number) or b"snpwire: " not in errors, f"{words[0]}: not silent")


def endless(how: int, some: int, body: bytes) -> None:
    """Read a device that has no end, or none that comes."""
    words = _words(EVERY, how, ("/dev/zero", "/dev/zero", "/dev/null")[some % 3])
    if words[0] in ("log", "rmp") or (words[:2] == ["decode", "auto"] and body[:1] == b"p"):
        return  # a log goes on as long as its file does
    _, errors, code = _ended(words, limit=1 << 30)
    expect(-1 < code < 5, f"{words[0]}: exit code {code}")
    _told(words[0], errors, code)


def dotted(how: int, some: int, body: bytes) -> None:
    """Repeat a piece of TOML until it is as long as a file of ours never is."""
    text = body[:20] * (1 + 100_000 // max(1, len(body[:20]))) + body[20:]
    words = [["request", "key", "--policy"], ["compare-policies"]][how % 2]
    _, errors, code = _ended([*words, file_of("dots.toml", text if some % 4 else body)])
    expect(-1 < code < 4, f"{words[0]}: exit code {code}")
    _told(words[0], errors, code)


WAYS: tuple[Callable[[int, int, bytes], None], ...] = (
    *(unread, unread, named, hungry, cut, signalled, endless, dotted),
)


def process(data: bytes) -> None:
    """Run one command in a process, in the way that the first bytes say."""
    way, how, some = data[:3].ljust(3, b"\0")
    WAYS[way % len(WAYS)](how, some, data[3:])


def process_seeds() -> list[bytes]:
    """Return an input of each way, with each kind of command."""
    page = b"\1" + bytes(4095)
    bodies = {
        **dict.fromkeys(WAYS, page),
        named: b"a\x1b[31m\n\xe2\x80\xae\xff",
        dotted: b"a.a.",
        unread: b'second = "wait"\n',
    }
    return [
        bytes([number, 7 * number + turn, 80 * turn]) + bodies[way]
        for turn in range(3)
        for number, way in enumerate(WAYS)
    ]
