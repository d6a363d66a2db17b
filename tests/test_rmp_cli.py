"""``snpwire rmp`` on images and logs: whole, in parts, sparse, broken."""

import gzip
import io
import json
import os
import pty
import resource
import signal
import struct
import subprocess
import sys
import time

import make_rmp
import pytest
from conftest import COMMAND, heeds_interrupts, surroundings
from test_cli_errors import judged
from test_startup import COSTLY, imported
from transcripts import call

from snpwire.cli.progress import Meter
from snpwire.cli.rmp import input as rmp_input
from snpwire.cli.rmp.mapped_file import NEAR, data_spans, merge_spans
from snpwire.cli.rmp.options import RmpOptions
from snpwire.rmp.page_ranges import PageRanges
from snpwire.rmp.search import SearchFilter, page_runs
from snpwire.rmp.table import Table
from snpwire.wire.rmp import RmpHi, RmpLo, RmpState

PAGES_12T = 3 << 30
LOG = b"""\
[  812.1] SEV-SNP: PFN 0x40fdf36, RMP entry: [0x6010fffffffff001 - 0x000000000000001f]
[  812.2] PFN 0x56605 unassigned, dumping non-zero entries in 2M PFN region: [0x56600 - 0x56800]
[  812.3] SEV-SNP: PFN: 0x56600, [0x8000000000000015 - 0x0000000000000000]
[  812.4] SEV-SNP: PFN: 0x56601, [0x8000000000000005 - 0x0000000000000000]
[  812.5] SEV-SNP: PFN: 0x56602, [0x8000000000000005 - 0x0000000000000000]
[  812.6] systemd[1]: Started a unit that has nothing to do with it.
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Return the file of the made-up host."""
    file = tmp_path_factory.mktemp("rmp") / "host.rmp"
    file.write_bytes(make_rmp.image(make_rmp.table()))
    return str(file)


def rmp(*words, given=b"", code=0):
    """Run a command; return what it prints, and says."""
    output, errors, ended = call(["rmp", *map(str, words)], given)

    assert ended == code, errors
    return output.decode(), errors.decode()


def worded(value):
    """Return the words of a command line as the name of a case."""
    return " ".join(value) if isinstance(value, list) and isinstance(value[0], str) else ""


def refused(*words, given=b"", code=3):
    return judged(*call(["rmp", *map(str, words)], given), code)


def plain(*words, **options):
    return json.loads(rmp(*words, "--json", **options)[0])


def lines(*words, **options):
    return [json.loads(line) for line in rmp(*words, "--json", **options)[0].splitlines()]


# -- summary


def test_a_summary_counts_what_the_table_has(host):
    found = plain("summary", host)

    assert found["schema"] == "rmp-summary/1"
    assert (found["pages"], found["first"], found["last"]) == (3072, "0x0", "0xbff")
    assert found["states"]["GUEST_VALID"] == 1025 + 258 + 48
    assert sum(found["states"].values()) == sum(found["owners"].values()) == 3072
    assert found["guests"][1] == {
        "asid": 2,
        "pages": 386,
        "large": 0,
        "valid": 258,
        "invalid": 128,
        "held": 0,
        "save_areas": 2,
    }
    assert found["counters"] == {
        "values": {"1": 1025, "2": 386, "7": 64},
        "a_2m_page_counts": "as 512",
    }
    assert found["table"] == {"first": "0xa00", "last": "0xa0f", "told": False}
    assert found["findings"] == {"rmp-reclaim-left": 1}


def test_what_the_image_begins_with_is_said_with_the_reason(host):
    _, said = rmp("summary", host)
    _, told = rmp("summary", host, "--counters")
    without, other = rmp("summary", host, "--no-counters")

    assert said.startswith("note: 16 KiB of ASID counters, then entries: 0x40 at 0x38 has bits")
    assert "counters" not in told + other
    assert without.startswith(f"{host}  4,096 pages")


def test_entries_without_counters_are_seen_to_have_none(tmp_path):
    table = make_rmp.table()
    (tmp_path / "bare").write_bytes(table.entries.tobytes())

    output, said = rmp("summary", tmp_path / "bare", "--base", hex(make_rmp.BASE))

    assert said.startswith("note: entries from the first byte on, no counters: ")
    assert "page 0xa00, the table's own" in said
    assert "3,072 pages" in output
    assert "\ncounters" not in output


def test_the_address_of_the_table_is_held_against_its_entries(host):
    told = plain("summary", host, "--base", "0xa00000")
    wrong = plain("check", host, "--base", "0x300000")

    beyond = plain("check", host, "--base", "0xbff000")
    assert "15 pages of the table itself, which it has no entries for" in str(beyond["findings"])
    assert told["table"] == {"first": "0xa00", "last": "0xa0f", "told": True}
    assert wrong["counts"]["rmp-own-pages"] == 1
    assert "16 pages of the table itself, yet HYPERVISOR" in str(wrong["findings"])


# -- find


@pytest.mark.parametrize(
    ("words", "pages"),
    [
        (["--state", "CONTEXT"], [("0x200", 3)]),
        (["--state", "pre-guest", "--state", "reclaim"], [("0x205", 1), ("0x9f0", 16)]),
        (["--asid", "7"], [("0x9c0", 48), ("0x9f0", 16)]),
        (["--asid", "1", "--gpa", "0x205000"], [("0x605", 1)]),
        (["--gpa", "0x100000-0x101fff"], [("0x500", 2), ("0x800", 2)]),
        (["--gpa", "0x125fff"], [("0x525", 1), ("0x825", 1)]),
        (["--where", "gpa=0x125"], [("0x525", 1), ("0x825", 1)]),
        (["--pages", "0x9f-0xa0"], [("0x9f", 1), ("0xa0", 1)]),
        (["--pages", "512"], [("0x200", 1)]),
        (["--size", "2m"], [("0x400", 1024)]),
        (["--size", "4k", "--asid", "1"], [("0x220", 1)]),
        (
            ["--where", "vmsa=1", "--where", "validated=1"],
            [("0x220", 1), ("0x221", 1), ("0x222", 1)],
        ),
        (["--rights", "1:write"], [("0x800", 256)]),
        (["--rights", "1:read,exec_user", "--pages", "0x801"], [("0x801", 1)]),
        (["--state", "HYPERVISOR", "--pages", "0x990-0xbff"], [("0x990", 48)]),
    ],
    ids=worded,
)
def test_find_gives_neighbours_that_are_alike_as_one(host, words, pages):
    found = lines("find", host, *words)

    assert [(row["first"], row["pages"]) for row in found] == pages


def test_only_the_pages_asked_for_are_looked_at(host):
    given = rmp_input.read(RmpOptions((str(host),)))
    looked = []

    found = list(
        page_runs(given.dump, SearchFilter(), PageRanges.of([(0x6FF, 0x701)]), looked.append)
    )

    assert [(stretch.start, stretch.stop) for stretch in found] == [(0x6FF, 0x701)]
    assert sum(looked) == 512


def test_a_stretch_says_all_of_its_first_page(host):
    (row,) = lines("find", host, "--asid", "1", "--gpa", "0x205000-0x3fffff")

    assert row == {
        "first": "0x605",
        "last": "0x7ff",
        "address": "0x605000",
        "pages": 507,
        "size": "2M",
        "state": "GUEST_VALID",
        "asid": 1,
        "gpa": "0x205000",
        "vmsa": 0,
        "rights": {
            "vmpl0": ["read", "write", "exec_user", "exec_supervisor", "sss"],
            "vmpl1": [],
            "vmpl2": [],
            "vmpl3": [],
        },
        "lo": f"{RmpLo.of(assigned=1, page_size=1, asid=1, gpa=0x200, validated=1):#018x}",
        "hi": "0x000000000000001f",
    }


def test_stretches_are_all_pages_once(host):
    found = lines("find", host, "--limit", "0")

    ends = [(int(row["first"], 16), int(row["last"], 16) + 1) for row in found]
    assert [start for start, _ in ends] == [0, *(stop for _, stop in ends[:-1])]
    assert ends[-1][1] == 3072


def test_find_says_that_there_is_more(host):
    output, said = rmp("find", host, "--limit", "3")

    assert len(output.splitlines()) == 4
    assert "the first 3 lines, 512 pages; --limit 0 shows all" in said


def test_find_exits_with_1_where_there_is_nothing(host):
    output, said = rmp("find", host, "--asid", "99", code=1)

    assert output == ""
    assert "note: 0 pages" in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--state", "VALID"], "--state: 'VALID' is no RmpState; did you mean INVALID?"),
        (["--state", "DEFAULT"], "--state DEFAULT: no entry is in it"),
        (["--gpa", "zero"], "--gpa 'zero' is neither a number nor a range"),
        (["--gpa", "2-1"], "--gpa 2-1 ends before it begins"),
        (["--pages", "0x8000000000"], "is past the last possible, 0x7fffffffff"),
        (["--gpa", "0-0x8000000000000"], "is past the last possible, 0x7ffffffffffff"),
        (["--rights", "4:read"], "--rights '4:read' is no VMPL:RIGHT"),
        (["--rights", "1:reed"], "--rights: 'reed' is no bit of VmplMask; did you mean read?"),
        (["--where", "vmsaa=1"], "--where 'vmsaa=1' is no FIELD=N of an entry\nhelp: did you"),
        (["--where", "vmsa"], "--where 'vmsa' is no FIELD=N of an entry\nhelp: --where vmsa=1"),
        (["--where", "vmsa=2"], "RmpLo.vmsa: 0x2 does not fit 1 bits"),
        (["--where", "gpa=12"], "--where gpa: 12 can be read as two numbers\nhelp: write 0x12"),
        (["--where", "gpa=0x8000000000"], "--where gpa: the last frame is 0x7fffffffff"),
        (["--where", "gpa=1", "--gpa", "1"], "--gpa and --where gpa say the same"),
        (["--where", "asid=x"], "--where asid: 'x' is no number"),
        (["--asid", "1024"], "RmpLo.asid: 0x400 does not fit 10 bits"),
        (["--size", "1g"], "'1g' is not one of 4k, 2m"),
    ],
    ids=worded,
)
def test_a_question_that_cannot_be_asked_is_refused(host, words, expected):
    assert expected in refused("find", host, *words, code=2)


# -- check


def test_findings_decide_the_exit_code(host, tmp_path):
    table = make_rmp.table()
    make_rmp.FAULTS["rmp-vmsa-writeable"](table)
    file = tmp_path / "wrong.rmp"
    file.write_bytes(make_rmp.image(table))

    output, said = rmp("check", file)
    rmp("check", file, "--fail-on", "error")
    rmp("check", file, "--fail-on", "warning", code=1)
    rmp("check", host, "--fail-on", "warning")
    rmp("check", host, "--fail-on", "note", code=1)

    assert (
        "warning  0x6210  page 0x221: a VMSA that a less privileged VMPL may write to: " in output
    )
    assert said.endswith("note: findings: 1 warning, 1 note\n")


def test_findings_beyond_the_limit_are_counted(tmp_path):
    table = make_rmp.table()
    for page in make_rmp.SMALL[:30]:
        make_rmp.change(table, page, lock=1)
    file = tmp_path / "many.rmp"
    file.write_bytes(make_rmp.image(table))

    output, said = rmp("check", file, "--limit", "2")
    found = plain("check", file, "--limit", "0")

    assert output.count("[rmp-lock; ") == 2
    assert "         28 more  [rmp-lock]\n" in output
    assert "31 notes" in said
    assert found["counts"]["rmp-lock"] == 30
    assert sum(f["code"] == "rmp-lock" for f in found["findings"]) == 30


# -- input


def test_a_sparse_image_of_12_tib_is_summarised_without_being_read(tmp_path):
    """48 GiB and 16 KiB of which four pieces are there; all else is a hole."""
    file = tmp_path / "12t.rmp"
    large = RmpLo.of(assigned=1, page_size=1, validated=1, asid=5)
    with file.open("wb") as stream:
        stream.truncate(0x4000 + 16 * PAGES_12T)
        stream.seek(8 * 5)
        stream.write(struct.pack("<Q", 512 * 1000 + 1))
        for number in range(1000):
            page = (PAGES_12T - (1 << 20)) + 512 * number
            stream.seek(0x4000 + 16 * page)
            stream.write(struct.pack("<QQ", large.replace(gpa=512 * number), 0x1F))
        stream.seek(0x4000 + 16 * 0x1234)
        lo = RmpLo.of(assigned=1, immutable=1, lock=1, vmsa=1)
        stream.write(struct.pack("<QQ", lo, 0))
        stream.seek(0x4000 + 16 * (PAGES_12T - 1))
        lo = RmpLo.of(assigned=1, validated=1, asid=5, gpa=1 << 30)
        stream.write(struct.pack("<QQ", lo, 0x1F))
    assert file.stat().st_blocks * 512 < 16 << 20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    found = plain("summary", file)

    assert found["pages"] == PAGES_12T
    assert found["states"] == {
        "HYPERVISOR": PAGES_12T - 512_000 - 2,
        "CONTEXT": 1,
        "GUEST_VALID": 512_001,
    }
    assert found["findings"] == {"rmp-subpage-count": 2}  # those of the two single pages' regions
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 256 << 10
    (row,) = lines("find", file, "--asid", "5", "--gpa", hex(1 << 42))
    assert row["first"] == f"{PAGES_12T - 1:#x}"
    free = lines("find", file, "--state", "HYPERVISOR", "--limit", "2")
    assert [row["pages"] for row in free] == [0x1234, PAGES_12T - (1 << 20) - 0x1235]
    rmp("plot", file, "-o", tmp_path / "12t.svg")
    assert (tmp_path / "12t.svg").stat().st_size < 100_000


def test_one_page_is_no_pages(tmp_path):
    file = tmp_path / "one.rmp"
    file.write_bytes(bytes(16))

    output, _ = rmp("summary", file)

    assert output.startswith(f"{file}  1 page  4 KiB  0x0 .. 0xfff\n")


def test_a_part_of_a_table_has_the_pages_it_is_said_to_have(tmp_path):
    table = make_rmp.table()
    (tmp_path / "part").write_bytes(table.entries[0x801:0xA01].tobytes())

    found = plain("summary", tmp_path / "part", "--first", "0x801")
    (row,) = lines("find", tmp_path / "part", "--first", "0x801", "--pages", "0x900")

    assert (found["first"], found["last"], found["pages"]) == ("0x801", "0xa00", 0x200)
    assert found["findings"] == {}
    assert row["gpa"] == "0x200000"


def test_a_piece_of_a_file_is_taken(host):
    whole = plain("summary", host)

    piece = plain("summary", host, "--offset", "0x4000", "--no-counters")
    few = plain("summary", host, "--offset", 0x4000 + 16 * 0x800, "--length", 16, "--first", 0x800)

    assert piece["states"] == whole["states"]
    assert few["states"] == {"GUEST_VALID": 1}


def test_numbers_are_read_as_they_are_printed_and_it_is_said(host):
    found, said = rmp("find", host, "--asid", 1, "--gpa", "20f000")
    _, pages = rmp("find", host, "--pages", "5ff")
    _, placed = rmp("summary", f"{host}@00001000")

    assert "0x60f" in found
    assert "note: 20f000 is read as 0x20f000: hex, without 0x" in said
    assert "note: 5ff is read as 0x5ff" in pages
    assert "note: 00001000 is read as 0x1000: hex, without 0x, by its leading zeros" in placed
    assert "205000 can be read as two numbers" in refused("find", host, "--gpa", "205000", code=2)


def test_several_images_lie_side_by_side(tmp_path):
    table = make_rmp.table()
    names = []
    for first, stop in ((0x800, 0xC00), (0, 0x400)):
        file = tmp_path / f"{first:x}.seg"
        file.write_bytes(table.entries[first:stop].tobytes())
        names.append(f"{file}@{first << 12:#x}")

    found = plain("summary", *names)
    free = lines("find", *names, "--state", "HYPERVISOR", "--pages", "0x3f0-0x9a0")

    assert found["pages"] == 0x800
    assert found["guests"][1]["pages"] == 386
    assert [(row["first"], row["last"]) for row in free] == [
        ("0x3f0", "0x3ff"),
        ("0x980", "0x9a0"),
    ]
    assert "each of several images needs the address where its memory begins" in refused(
        "summary", names[0], names[1].split("@")[0], code=2
    )
    assert "begins at 0x0, but" in refused("summary", names[1], names[1], code=2)
    assert "0x123 is not the address of a page" in refused("summary", f"{names[0]}@0x123", code=2)


def test_segments_lie_where_the_segment_table_says(tmp_path):
    """Segments of 1 GiB: the first is whole, the second not used, the third half of one."""
    first, third = Table.blank(1 << 18, counters=False), Table.blank(1 << 18, counters=False)
    first.set(5, RmpLo.of(assigned=1), 0)
    third.set(7, RmpLo.of(immutable=1), 0)
    (tmp_path / "rst").write_bytes(struct.pack("<4Q", 1 << 20 | 1, 0, 2 << 20 | 1, 0))
    for name, table in (("a", first), ("c", third)):
        (tmp_path / name).write_bytes(table.entries.tobytes())
    words = [tmp_path / "a", tmp_path / "c", "--segments", tmp_path / "rst", "--shift", 30]

    found = plain("summary", *words)
    fixed = lines("find", *words, "--state", "HV_FIXED")

    assert found["pages"] == 2 << 18
    assert found["states"]["RECLAIM"] == 1
    assert fixed[0]["first"] == f"{(2 << 18) + 7:#x}"
    assert "read as those of Milan and Genoa" in found["notes"][0]
    assert "rst has 2 segments, but there are 1 images" in refused(
        "summary", tmp_path / "a", "--segments", tmp_path / "rst", "--shift", 30, code=2
    )
    (tmp_path / "c").write_bytes(bytes(4096))
    assert "segments[2]: expected 4194304 bytes, got 4096" in refused("summary", *words)
    (tmp_path / "rst").write_bytes(bytes(5000))
    assert "up to 4096 bytes, in eights, got 5000" in refused("summary", *words)


def test_an_image_may_come_through_a_pipe_or_as_standard_input(host, process):
    whole = rmp("summary", host)[0].replace(host, "<stdin>")
    with open(host, "rb") as stream:
        data = stream.read()

    piped = process("rmp", "summary", "-", given=data)
    here = rmp("summary", "-", given=data)[0]
    with open(host, "rb") as stream:
        done = subprocess.run(
            [*COMMAND, "rmp", "summary", "-"], stdin=stream, capture_output=True, check=True,
            env=surroundings(),
        )  # fmt: skip

    assert piped.stdout.decode() == here == done.stdout.decode() == whole


BAD = {
    "empty": (b"", [], "Table.entries at 0x000: expected at least one entry, got none"),
    "not a multiple of 16": (bytes(65530), [], "Table: expected a multiple of 16 bytes, got 65530"),
    "too short for its counters": (
        bytes(0x1000),
        ["--counters"],
        "Table.counters at 0x000: expected 16384 bytes, got 4096",
    ),
    "counters alone": (
        bytes(0x4000),
        ["--counters"],
        "Table.entries at 0x4000: expected at least one entry, got none",
    ),
    "past the end": (
        bytes(64),
        ["--offset", "80"],
        "0 bytes at 0x50 go past the end, which is 0x40",
    ),
    "a piece past the end": (
        bytes(64),
        ["--offset", "16", "--length", "64"],
        "64 bytes at 0x10 go past the end, which is 0x40",
    ),
    "text without entries": (b"nothing\n", [], "no line shows an entry of the reverse map table"),
    "an image called a log": (bytes(64), ["--from", "log"], "no line shows an entry"),
}


@pytest.mark.parametrize(("data", "words", "expected"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("command", ["summary", "find", "check", "plot"])
def test_an_input_that_is_no_table_is_refused(tmp_path, command, data, words, expected):
    file = tmp_path / "bad"
    file.write_bytes(data)
    out = ["-o", tmp_path / "x.svg"] if command == "plot" else []

    said = refused(command, file, *words, *out)

    assert said.startswith(f"snpwire: {file}: ")
    assert expected in said
    assert not (tmp_path / "x.svg").exists()


def test_files_that_cannot_be_read_are_named(tmp_path):
    assert refused("summary", tmp_path) == f"snpwire: {tmp_path}: Is a directory"
    assert refused("check", tmp_path / "no") == f"snpwire: {tmp_path}/no: No such file or directory"
    assert "expected at least one entry" in refused("summary", "/dev/null")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--base", "0x123"], "--base 0x123 is not the address of a page"),
        (["--first", "1", "--counters"], "--first is for part of a table, which has no counters"),
        (["--first", "1", "--base", "0x1000"], "--first is for part of a table, --base for a"),
        (["--shift", "30"], "--shift needs the segment table"),
        (["--from", "text"], "'text' is not one of auto, image, log"),
        (["--first", "0x7fffffffff"], "is no range of pages"),
        (["--first", "0x8000000000"], "--first 0x8000000000 is not a page number"),
        (["--base", "0x8000000000000"], "is not the address of a page"),
    ],
    ids=worded,
)
def test_options_that_contradict_are_refused(host, words, expected):
    assert expected in refused("summary", host, *words, code=2)


def test_a_device_of_zeroes_ends():
    found = plain("summary", "/dev/zero", "--length", "0x4000", "--no-counters")

    assert found["findings"] == {"rmp-all-zero": 1}
    assert "cannot be mapped" in refused("summary", "/dev/null", "--length", 16)


def test_the_parts_of_a_file_that_hold_data_are_told(tmp_path):
    file = tmp_path / "sparse"
    with file.open("wb") as stream:
        stream.truncate(1 << 20)
        stream.seek(0x40000)
        stream.write(b"x" * 10)
    with file.open("rb") as stream:
        held = list(data_spans(stream.fileno(), 0, 1 << 20))
        part_ = list(data_spans(stream.fileno(), 0x40004, 0x40006))
        none = list(data_spans(stream.fileno(), 0x80000, 1 << 20))
    end, other = os.pipe()

    assert len(held) == 1
    assert held[0][0] <= 0x40000
    assert 0x4000A <= held[0][1] < 1 << 20
    assert part_ == [(0x40004, 0x40006)]
    assert none == []
    assert list(data_spans(end, 0, 64)) == [(0, 64)]  # a pipe has no places
    os.close(end)
    os.close(other)


def test_small_holes_are_read_along():
    spans = [(0, 10), (20, 30), (30 + NEAR, 50 + NEAR), (60 + 3 * NEAR, 61 + 3 * NEAR)]

    assert list(merge_spans(spans)) == [(0, 50 + NEAR), (60 + 3 * NEAR, 61 + 3 * NEAR)]
    assert list(merge_spans([(5 * NEAR, 6 * NEAR)])) == [(5 * NEAR, 6 * NEAR)]
    assert list(merge_spans([])) == []


def test_a_part_or_a_segment_that_is_broken_is_named(tmp_path):
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.write_bytes(bytes(8))
    good.write_bytes(bytes(16))
    (tmp_path / "rst").write_bytes(struct.pack("<Q", 1 << 20 | 1))

    several = refused("summary", f"{good}@0x1000", f"{bad}@0x2000")
    segment = refused("summary", bad, "--segments", tmp_path / "rst", "--shift", 30)

    assert several == segment == f"snpwire: {bad}: Table: expected a multiple of 16 bytes, got 8"
    assert "good@zz: No such file" in refused("summary", f"{good}@zz")


def test_zeroes_and_random_bytes_are_findings(tmp_path):
    for code in ("rmp-all-zero", "rmp-unlike-a-table"):
        table = make_rmp.table()
        make_rmp.FAULTS[code](table)
        file = tmp_path / code
        file.write_bytes(make_rmp.image(table))

        found = plain("check", file, "--counters")

        assert found["counts"][code] == 1
        rmp("plot", file, "-o", tmp_path / "x.svg", "--counters")
        rmp("find", file, "--state", "INVALID", "--counters", code=int(code == "rmp-all-zero"))
        rmp("summary", file, "--counters")


def test_random_bytes_of_any_kind_end_without_a_traceback(tmp_path):
    random = os.urandom(1 << 16)
    file = tmp_path / "random"
    file.write_bytes(random)

    for words in (["summary"], ["check"], ["find"], ["plot", "-o", tmp_path / "r.svg"]):
        output, errors, code = call(["rmp", words[0], str(file), *map(str, words[1:])])
        assert code == 0, errors
        assert b"Traceback" not in output + errors


# -- logs


def test_a_log_is_read_for_the_entries_that_it_shows(tmp_path):
    file = tmp_path / "kern.log"
    file.write_bytes(LOG)

    found = plain("summary", file)

    assert found["kind"] == "log"
    assert found["states"] == {"HYPERVISOR": 509, "FIRMWARE": 3, "GUEST_VALID": 1}
    assert found["guests"][0]["save_areas"] == 1
    assert found["findings"] == {}
    assert found["notes"] == [
        "a log: only the entries in it are counted, 4 entries on 4 lines and the zero entries "
        "of 1 region of 2 MiB"
    ]
    row = lines("find", file, "--asid", "2")[0]
    assert (row["first"], row["gpa"], row["vmsa"]) == ("0x40fdf36", "0xfffffffff000", 1)
    rmp("plot", file, "-o", tmp_path / "log.svg")
    assert "only what the log shows" in (tmp_path / "log.svg").read_text()


def test_what_is_wrong_in_a_log_is_found(tmp_path):
    log = LOG.replace(b"0x8000000000000015", b"0x80000000000007fd")

    found = plain("check", "-", given=log)

    assert [(f["code"], f["path"]) for f in found["findings"]] == [
        ("rmp-subpage-count", "page 0x56600")
    ]
    assert "subpage_count is 255, but 2 of the other 511 pages are assigned" in str(found)


def test_lines_that_disagree_are_told(tmp_path):
    again = b"SEV-SNP: PFN 0x40fdf36, RMP entry: [0x6010fffffffff005 - 0x000000000000001f]\n"
    early = b"RMPEntry paddr 0x1000 [assigned=1 immutable=1 pagesize=0 gpa=0x0 asid=0 vmsa=0 "
    early += b"validated=0]\n"

    found = plain("summary", "-", given=LOG + again + early)

    assert found["states"]["PRE_SWAP"] == 1
    assert found["states"]["FIRMWARE"] == 4
    assert found["notes"][1:] == [
        "1 line shows an entry differently from an earlier line; the last is used",
        "of 1 page the log has only fields: permissions and sub-page counts are unknown",
    ]


def test_the_two_quadwords_count_where_fields_are_shown_as_well():
    """Kernels before SNP was merged print both, in either order."""
    fields = b"RMPEntry paddr 0x1000 [assigned=1 immutable=1 pagesize=0 gpa=0x0 asid=0 vmsa=0 "
    fields += b"validated=0]\n"
    words = b"RMPEntry paddr 0x1000 000000000000000f 8000000000000ffd\n"

    for log in (fields + words, words + fields):
        (row,) = lines("find", "-", given=log)
        assert (row["lo"], row["hi"]) == ("0x8000000000000ffd", "0x000000000000000f")


def test_a_region_without_entries_is_the_hypervisors():
    log = b"SEV-SNP: No populated RMP entries in the 2MB region containing PFN 0x1234\n"

    (row,) = lines("find", "-", given=log)

    assert (row["first"], row["last"], row["state"]) == ("0x1200", "0x13ff", "HYPERVISOR")


@pytest.mark.parametrize(
    "log",
    [LOG + bytes(4096), LOG.decode().encode("utf-16"), b"\xef\xbb\xbf" + LOG, gzip.compress(LOG)],
    ids=["zeroes at the end", "UTF-16", "a mark", "gzip"],
)
def test_a_log_is_known_for_one(tmp_path, log):
    file = tmp_path / "log"
    file.write_bytes(log)

    output, errors, code = call(["rmp", "summary", str(file)])

    if log.startswith(b"\x1f\x8b"):  # no log before it is unpacked
        assert code in (0, 3)
    else:
        assert b"a log: only the entries in it are counted, 4 entries" in errors
    assert b"Traceback" not in output + errors


# -- plot, progress, being stopped


@pytest.mark.parametrize("name", ["x.png", "x.jpg"])
def test_plot_writes_svg_alone(host, tmp_path, name):
    said = refused("plot", host, "-o", tmp_path / name, code=2)

    assert f"{name}: the map is SVG, so name it .svg" in said
    assert "Missing option" in refused("plot", host, code=2)
    absent = tmp_path / "no" / "x.svg"
    said = refused("plot", host, "--counters", "-o", absent)
    assert said == f"snpwire: {absent}: No such file or directory"


def test_help_imports_nothing_that_costs():
    for words in (["rmp", "--help"], ["rmp", "summary", "--help"], ["rmp", "plot", "--help"]):
        modules = imported(*words)

        assert modules & COSTLY == set()
        assert not [name for name in modules if name.startswith(("construct", "snpwire.rmp"))]


def test_rmp_alone_prints_its_help():
    output, _, code = call(["rmp"])

    assert code == 2
    assert b"summary" in output


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Return a file of 256 MiB that takes seconds: one page of one guest, everywhere."""
    file = tmp_path_factory.mktemp("big") / "big.rmp"
    lo = RmpLo.of(assigned=1, asid=1, gpa=5)
    block = struct.pack("<QQ", lo, RmpHi.of(vmpl0=2)) * 65536
    with file.open("wb") as stream:
        for _ in range(256):
            stream.write(block)
    yield str(file)
    file.unlink()


def interrupted(*words):
    """Run a command on a terminal, interrupt it when it shows how far it is; return what it did."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=follower,
        env=surroundings(),
        preexec_fn=heeds_interrupts,  # noqa: PLW1509 - no thread runs beside it
    )
    os.close(follower)
    seen, deadline = b"", time.monotonic() + 50
    while b"%" not in seen and time.monotonic() < deadline:
        seen += os.read(leader, 4096)
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate(timeout=50)
    try:
        while more := os.read(leader, 4096):
            seen += more
    except OSError:  # the other end is closed
        pass
    os.close(leader)
    return child.returncode, output, seen


def test_long_work_shows_how_far_it_is_and_can_be_stopped(big):
    for _ in range(5):  # on a busy machine it may be through before the signal reaches it
        code, output, seen = interrupted("rmp", "check", big)
        if code:
            break

    assert code == 130
    assert output == b""
    assert b"\rcounting: " in seen or b"\rchecking: " in seen
    assert b"Traceback" not in seen


def test_a_meter_shows_parts_on_a_terminal_and_cleans_up(monkeypatch):
    shown = io.StringIO()
    shown.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr("snpwire.cli.progress.PATIENCE", 0)
    monkeypatch.setattr("snpwire.cli.progress.PAUSE", 0)

    with Meter("counting", 200) as meter:
        meter(50)
        meter(150)
        meter(10)

    parts = "\rcounting:  25% \rcounting: 100% \rcounting: 100% "
    assert shown.getvalue() == f"{parts}\r\x1b[K"


def test_what_was_read_of_an_image_leaves_memory_again(big):
    """Peak memory does not grow with the image: 256 MiB here, gone through once."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, big], capture_output=True, env=surroundings(), check=True
    )

    shared = [int(line) for line in done.stdout.split()]
    assert max(shared) < 160 << 10


WATCHED = """
import re, sys
from snpwire.cli import progress
from snpwire.cli.rmp import input as rmp_input
from snpwire.cli.rmp.options import RmpOptions
from snpwire.rmp.chunks import chunks
given = rmp_input.read(RmpOptions((sys.argv[1],), counters=False))
meter = progress.Meter("reading", given.dump.pages, given.release)
for tile in chunks(given.dump.extents, None, progress=meter):
    tile.words.max()
    print(re.search(r"RssFile:\\s+([0-9]+)", open("/proc/self/status").read())[1])
"""


def test_entries_strewn_over_an_image_bring_no_hole_into_memory(tmp_path):
    """4,000 entries, one in each MiB; the system would map at least 64 KiB around each."""
    file = tmp_path / "strewn.rmp"
    with file.open("wb") as stream:
        stream.truncate(4000 << 20)
        for number in range(4000):
            stream.seek(number << 20)
            stream.write(struct.pack("<QQ", RmpLo.of(assigned=1, asid=1, gpa=number), 0))
    watched = WATCHED.replace("extents, None", "extents, given.dump.data")

    done = subprocess.run(
        [sys.executable, "-c", watched, str(file)],
        capture_output=True,
        env=surroundings(),
        check=True,
    )

    shared = [int(line) for line in done.stdout.split()]
    assert len(shared) == 4000
    assert max(shared) - shared[0] < 64 << 10


def test_parts_however_small_let_go_of_what_was_read():
    told = []

    with Meter("reading", 1 << 20, lambda: told.append(1)) as meter:
        for _ in range(2048):
            meter(1)

    assert len(told) == 3  # once at the end


def test_a_meter_is_silent_elsewhere_and_where_work_is_short(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    with Meter("counting", 0) as meter:
        meter(50)
    shown.isatty = lambda: True
    with Meter("counting", 100) as meter:
        meter(50)

    assert shown.getvalue() == ""


def test_the_note_of_the_firmware_is_listed(host):
    output, _ = rmp("find", host, "--state", "METADATA", "--state", "FIRMWARE_IOMMU")

    assert "METADATA             gpa field 0x1000000200\n" in output
    assert "FIRMWARE_IOMMU       gpa field 0x2000000001\n" in output


def test_a_listing_into_a_closed_pipe_is_quiet(host):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m snpwire rmp find '{host}' --limit 0 | head -n 1"],
        capture_output=True,
        env=surroundings(),
        check=True,
    )

    assert b"Traceback" not in done.stderr
    assert b"Broken" not in done.stderr


def test_states_that_find_takes_are_those_of_an_entry(host):
    for state in RmpState:
        if state not in (RmpState.DEFAULT, RmpState.INVALID, RmpState.PRE_SWAP):
            assert lines("find", host, "--state", state.name.lower())
