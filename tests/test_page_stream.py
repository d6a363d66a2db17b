"""Pages that a capture script prints, decoded as they come."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import tracemalloc
from pathlib import Path

import pytest
from conftest import COMMAND, heeds_interrupts, surroundings
from transcripts import call

from snpwire.capture.kernel_log import Reader
from snpwire.capture.page_line import page_line
from snpwire.cli import page_head

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "tests/logs/pages.log"
PROBES = ROOT / "tests/logs/probes.log"
VECTORS = ROOT / "tests/vectors"


def decoded(*words, given=b"", code=0):
    output, errors, ended = call(["decode", *words], given)

    assert ended == code, errors
    return output.decode(), errors.decode()


def objects(*words, given=b""):
    output, _ = decoded("--json", *words, given=given)
    return [json.loads(line) for line in output.splitlines()]


def page(kind, way, data):
    return f"snp-page {kind} {way} t=1 cpu=0 pid=7 vcpu=0: {data.hex(' ')}\n".encode()


def test_every_page_stands_below_a_line_that_names_it():
    output, errors = decoded("auto", str(PAGES))

    headings = [line.split() for line in output.splitlines() if line.startswith("-- ")]
    assert [(words[2], *words[4:6]) for words in headings[:3]] == [
        ("2", "ghcb", "in"),
        ("3", "message", "in"),
        ("4", "message", "out"),
    ]
    assert "-- line 5 81.004000300 command-end" in output
    assert "sw_exit_code      0x80000011          SNP_GUEST_REQUEST: guest request" in output
    assert "header.msg_type     0x5                 REPORT_REQ" in output
    assert "note: line 12: events lost  12" in errors
    assert (
        "note: 14 lines: 10 pages (ghcb 4, message 2, msr 2, rmpupdate 1, vmsa 1), 2 not whole;"
        in errors
    )


def test_a_kind_selects_its_pages():
    output, errors = decoded("message", "-", given=PAGES.read_bytes())

    assert output.count("-- line") == output.count("header.msg_type") == 2
    assert "2 pages (message 2); 11 other records" in errors


def test_json_is_a_line_a_page_and_encode_takes_it_back():
    whole = objects("ghcb", str(PAGES))
    first, *_, last = objects("ghcb", str(PROBES))

    built, _, code = call(["encode", "ghcb"], json.dumps(whole[0]).encode())
    assert (code, built) == (0, (VECTORS / "guest-request.bin").read_bytes())
    assert first["capture"] == {
        "line": 5,
        "time": "1234.567890",
        "way": "in",
        "cpu": 3,
        "vcpu": 0,
        "pid": 4242,
        "task": "CPU 0/KVM",
    }
    assert (last["schema"], last["capture"]["way"]) == ("ghcb/1", "out")


def test_words_and_ends_of_commands_are_records_of_the_log():
    found = objects("auto", str(PAGES))

    logged = [thing for thing in found if thing["schema"] == "log/1"]
    assert [thing["kind"] for thing in logged] == [
        "command-end", "page", "page", "page", "page", "command-end",
    ]  # fmt: skip
    assert logged[1]["fields"]["message"] == "HV_FEATURES_REQ"


def test_hex_and_all_are_as_of_one_page():
    dump, _ = decoded("ghcb", "--hex", str(PROBES))
    whole, _ = decoded("ghcb", "--all", str(PROBES))
    full = objects("ghcb", "--json=full", str(PROBES))

    assert "0x390  72 00 00 00 00 00 00 00" in dump
    assert "0x308    8  rcx" in whole
    assert full[0]["fields"]["rax"]["offset"] == 0x1F8


def test_a_page_state_change_of_probes_shows_its_entries():
    output, _ = decoded("ghcb", "-", given=page("ghcb", "in", (VECTORS / "psc.bin").read_bytes()))

    assert "PRIVATE" in output


def test_keys_are_redacted_where_that_is_asked_for_and_not_printed_otherwise():
    key = (VECTORS / "key-rsp.bin").read_bytes()
    line = page("payload", "out", key).replace(b"vcpu=0", b"type=4 version=1")

    output, errors = decoded("auto", "--redact", "-", given=line)

    assert "it holds a key, which is not shown" in output
    assert key[32:64].hex(" ") not in output
    assert "1 page (key-rsp 1)" in errors


def test_a_finding_decides_the_exit_code_and_a_page_that_is_cut_passes_no_check():
    bad = page("ghcb", "in", (VECTORS / "malformed.bin").read_bytes())

    _, errors = decoded("auto", "--fail-on", "error", "-", given=bad, code=1)
    _, cut = decoded("auto", "--fail-on", "error", str(PAGES), code=3)
    decoded("auto", "--fail-on", "error", str(PROBES))

    assert "error" in errors
    assert "pages that are not whole pass no check: 2" in cut


@pytest.mark.parametrize(
    ("words", "given", "code", "reason"),
    [
        (("report", str(PROBES)), b"", 3, "no page of kind report in 10 lines"),
        (("auto", "-"), b"Attaching 9 probes...\n", 3, "no page in 1 line"),
        (("auto", "-"), b'{"type": "attached_probes", "data": {"probes": 9}}\n', 3, "no page in"),
        (("ghcb", "--fields", "rax", str(PROBES)), b"", 2, "--fields is for one value"),
    ],
)
def test_what_cannot_be_done_is_said(words, given, code, reason):
    _, errors = decoded(*words, given=given, code=code)

    assert reason in errors


def test_a_page_of_no_kind_is_shown_as_the_log_shows_it():
    output, errors = decoded("auto", "-", given=page("mystery", "in", b"\1\2"))

    assert "mystery  2 bytes   no kind has this name" in output
    assert "1 page (unknown 1)" in errors


@pytest.mark.parametrize(
    "data", [b"", bytes(4096), b"snp-page of a kind\n", b"GHCB (GPA=1)\n", b"attached_probes"]
)
def test_no_other_input_is_taken_for_pages(data, tmp_path, monkeypatch):
    file = tmp_path / "input"
    file.write_bytes(data)

    piece = type("Piece", (), {"form": "auto", "offset": None, "length": None, "page": None})
    assert not page_head.begins_with_pages(str(file), piece)
    assert not page_head.begins_with_pages(str(tmp_path / "missing"), piece)
    assert not page_head.begins_with_pages(str(tmp_path), piece)
    piece.offset = 0
    assert not page_head.begins_with_pages(str(PAGES), piece)


def test_a_file_that_cannot_be_read_is_left_to_whoever_reads_it(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    file = tmp_path / "input"
    file.write_bytes(b"")
    monkeypatch.setattr(page_head.Path, "open", refuse)

    piece = type("Piece", (), {"form": "auto", "offset": None, "length": None, "page": None})
    assert not page_head.begins_with_pages(str(file), piece)


def test_a_long_stream_takes_no_more_memory_than_a_short_one():
    def peak(count):
        lines = page("ghcb", "in", (VECTORS / "psc.bin").read_bytes())
        reader = Reader()
        tracemalloc.start()
        for number in range(count):
            for record in reader.feed(lines.replace(b"ghcb", b"kind-%d" % number)):
                assert record.kind == "page"
            list(reader.feed(lines))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(20)

    assert peak(200) < 1.2 * peak(20)


# A pipe that goes on


@pytest.fixture
def pipe():
    """Return what starts a command whose standard input stays open."""
    started = []

    def start(*words):
        child = subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=surroundings(),
            preexec_fn=heeds_interrupts,  # noqa: PLW1509 - no thread runs here
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


@pytest.mark.parametrize("words", [("decode", "auto", "-"), ("log", "--follow", "-")])
def test_a_page_is_printed_before_the_next_one_comes(pipe, words):
    child = pipe(*words)
    child.stdin.write(b"Attaching 9 probes...\n")
    child.stdin.flush()
    time.sleep(0.1)

    for name in ("guest-request.bin", "psc.bin"):
        child.stdin.write(page("ghcb", "in", (VECTORS / name).read_bytes()))
        child.stdin.flush()
        os.set_blocking(child.stdout.fileno(), True)
        first = child.stdout.readline()
        while b"SNP_" not in first:
            first = child.stdout.readline()
        assert b"SNP_" in first


def test_an_interrupt_ends_a_stream_with_its_count(pipe):
    child = pipe("decode", "auto", "-")
    child.stdin.write(page("ghcb", "in", (VECTORS / "psc.bin").read_bytes()))
    child.stdin.flush()
    while b"protocol_version" not in child.stdout.readline():
        pass

    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=20)

    assert child.returncode in (130, -signal.SIGINT)
    assert b"note: 1 line: 1 page (ghcb 1); findings:" in errors


@pytest.mark.parametrize(
    "rest", ["vcpu=0: 00 01 0", "vcpu=0: \\x00\\x01\\x0", "vcpu=0: \\x00\\x01\\"]
)
def test_a_line_that_ends_within_a_byte_is_cut_off_and_not_of_another_form(rest):
    page = page_line("ghcb", "in", rest)

    assert (page.data, page.is_cut) == (b"\0\1", True)
    assert page.problem == "cut off: 2 bytes of 4096"
