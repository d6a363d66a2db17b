"""A log becomes records: each format, each prefix, lines that mail has broken, any bytes."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snpwire.capture.kernel_log import LIMIT, Reader, records
from snpwire.wire.rmp import RmpLo

SAVE_AREA = "SEV-SNP: PFN 0x40fdf36, RMP entry: [0x6010fffffffff001 - 0x000000000000001f]"


def read(text):
    data = text if isinstance(text, bytes) else text.encode()
    return list(records([data]))


def test_the_first_quadword_in_brackets_is_the_low_one():
    (record,) = read(SAVE_AREA)

    lo = RmpLo(record.fields["lo"])
    assert (lo.assigned, lo.address, lo.asid, lo.vmsa, lo.validated) == (
        1, 0xFFFFFFFFF000, 2, 1, 1,
    )  # fmt: skip
    assert record.fields["hi"] == 0x1F
    assert record.meaning == "a vCPU's save area"


def test_an_entry_has_its_page_and_both_quadwords_in_every_form():
    log = f"{SAVE_AREA}\nRMPEntry paddr 0x20cee00000 000000000000000f 8000000000000ffd\n"

    found = [[record.fields[name] for name in ("pfn", "lo", "hi")] for record in read(log)]

    assert found == [
        [0x40FDF36, 0x6010FFFFFFFFF001, 0x1F],
        [0x20CEE00, 0x8000000000000FFD, 0xF],
    ]


FILES = sorted((Path(__file__).parent / "logs").glob("*.log"))
TEXT = b"".join(path.read_bytes() for path in FILES)
WHOLE = read(TEXT)


@settings(max_examples=25)
@given(st.lists(st.integers(0, len(TEXT)), max_size=6))
def test_where_a_log_is_cut_changes_nothing(cuts):
    places = [0, *sorted(cuts), len(TEXT)]
    reader = Reader()

    found = [record for start, end in pairwise(places) for record in reader.feed(TEXT[start:end])]
    found += reader.close()

    assert found == WHOLE
    assert reader.lines == TEXT.count(b"\n")


@pytest.mark.parametrize("size", [1, 2, 7, 4096])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-16-be"])
def test_pieces_of_any_size_change_nothing(size, codec):
    data = TEXT.decode().encode(codec)
    pieces = [data[n : n + size] for n in range(0, len(data), size)]

    assert list(records(pieces)) == WHOLE


@settings(max_examples=200)
@given(data=st.data())
def test_any_bytes_are_read_and_every_line_is_counted(data):
    lines = data.draw(st.lists(st.sampled_from(TEXT.split(b"\n")), max_size=6))
    text = bytearray(b"\n".join(lines))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(text)))
        put = data.draw(st.binary(max_size=6) | st.sampled_from([b"\n", b"\r\n", b"\xff\xfe"]))
        text[at : at + data.draw(st.integers(0, 6))] = put
    reader = Reader()

    found = [*reader.feed(bytes(text)), *reader.close()]

    assert reader.lines == reader.known + reader.passed
    assert all(record.line <= record.last <= reader.lines for record in found)
    assert all(json.dumps(record.to_plain()) for record in found)


HEADS = (
    "", " ", "> ", "[  1.5] ", "[  1.5]", "[  1.5]  ", "[1.5] [T77] ", "<6>[ 1.5] ", "6,1,123,-;",
    "Nov 25 08:40:09 host kernel: ", "Nov 25 08:40:09 caf\xe9 kernel: ", "kvm_amd: ", "2PFN: 0x1, ",
    "2026-11-25T08:40:09+00:00 ho\0st kernel: ", "Nov 25 08:40:09 \x1b[1mhost kernel: ", "\t",
)  # fmt: skip
TAILS = ("", "\r", " ", "]", " (tainted)", "\r\r")
ENTRIES = (
    "PFN: 0x12ab, [0x6010000000fff001 - 0x000000000000001f]",
    "PFN 0x12AB, RMP entry: [0x8000000000000ffd - 0x0000000000000000]",
    "PFN 0x12ab, [0x8000000000000ffd - 0x0000000000000000]",
    "PFN: 0x12ab, [0x8000000000000ffd -  0x0000000000000000]",
    "PFN: 0x12ab, [0x80000000000",
    "RMPEntry paddr 0x12ab000 [assigned=1 immutable=0 pagesize=0 gpa=0xfff asid=2 vmsa=1 "
    "validated=1]",
    "RMPEntry paddr 0x12ab000 000000000000001f 6010000000fff001",
    "GHCB (GPA=0000000000001000):",
    "nothing",
)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(HEADS),
            st.sampled_from(["", "SEV-SNP: "]),
            st.sampled_from(ENTRIES) | st.just(ENTRIES[0]),
            st.sampled_from(TAILS) | st.just(""),
        ).map("".join),
        min_size=2,
        max_size=8,
    ),
    st.sampled_from(["utf-8", "latin-1"]),
)
def test_entries_in_a_row_are_what_each_would_be_alone(lines, codec):
    data = [f"{line}\n".encode(codec) for line in [ENTRIES[0], *lines]]
    whole, single = Reader(), Reader()

    found = [*whole.feed(b"\n" + b"".join(data)), *whole.close()]
    alone = [record for line in [b"\n", *data] for record in single.feed(line)]
    alone += single.close()

    assert [repr(record) for record in found] == [repr(record) for record in alone]
    assert (whole.lines, whole.known, whole.odd) == (single.lines, single.known, single.odd)


def test_a_dump_that_waits_is_given_up_among_entries_in_a_row():
    data = [f"{line}\n".encode() for line in ["GHCB (GPA=0000000000001000):", *[ENTRIES[0]] * 200]]
    single = Reader()

    found = list(Reader().feed(b"\n" + b"".join(data)))

    assert found[0].kind == "kvm-ghcb"
    assert [record.line for record in found] == sorted(record.line for record in found)
    assert found == [record for line in [b"\n", *data] for record in single.feed(line)]


def test_a_line_without_end_takes_no_memory():
    reader = Reader()
    for _ in range(100):
        assert list(reader.feed(b"x" * LIMIT)) == []

    found = list(reader.feed(f"\n{SAVE_AREA}\n".encode()))

    assert len(reader._rest) == 0
    assert [record.line for record in found] == [2]
    assert reader.lines == 2


@pytest.mark.parametrize("before", [0, 1, LIMIT - len(SAVE_AREA), LIMIT - len(SAVE_AREA) + 1])
@pytest.mark.parametrize("size", [1000, LIMIT, 1 << 20])
def test_a_format_far_along_a_line_counts_if_it_is_looked_at(before, size):
    data = b" " * before + SAVE_AREA.encode() + b"\n"
    pieces = [data[n : n + size] for n in range(0, len(data), size)]

    assert len(list(records(pieces))) == (before + len(SAVE_AREA) <= LIMIT)


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "latin-1"])
def test_a_log_in_another_encoding_is_read(codec):
    (record,) = read(f"caf\N{LATIN SMALL LETTER E WITH ACUTE}\n{SAVE_AREA}\n".encode(codec))

    assert (record.kind, record.line) == ("rmp-entry", 2)


@pytest.mark.parametrize(
    ("head", "then"),
    [
        ("SEV-SNP: PFN: 0x1, [0x0000000000000001 -", "[  1.0] 0x0000000000000000]"),
        ("SEV-SNP: PFN: 0x1, [0x0000000000000001 -", ""),
        ("SEV-SNP: PFN: 0x1, [0x0000000000000001 -", "0x00000000]"),
        ("SEV-SNP: PFN: 0x12345, [", "SEV-SNP: PFN: 0x1, [0x"),
    ],
    ids=["a line of its own", "an empty line", "too short a number", "another beginning"],
)
def test_what_does_not_go_on_is_not_joined(head, then):
    reader = Reader()

    found = [*reader.feed(f"{head}\n{then}\n{SAVE_AREA}\n".encode()), *reader.close()]

    assert [record.line for record in found] == [3]
    assert reader.broken[0] == 1
    assert reader.passed == 2


def test_a_broken_line_is_not_joined_to_one_that_is_whole():
    found = read(f"SEV-SNP: PFN: 0x1, [0x0000000000000001 -\n{SAVE_AREA}\n")

    assert [(record.line, record.last) for record in found] == [(2, 2)]
