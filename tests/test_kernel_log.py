"""A log becomes records: each format, each prefix, lines that mail has broken, any bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.capture.kernel_log import Reader, records, rmp_entries
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


def test_entries_are_given_with_their_page():
    log = f"{SAVE_AREA}\nRMPEntry paddr 0x20cee00000 000000000000000f 8000000000000ffd\n"

    assert list(rmp_entries([log.encode()])) == [
        (0x40FDF36, 0x6010FFFFFFFFF001, 0x1F, 1),
        (0x20CEE00, 0x8000000000000FFD, 0xF, 2),
    ]


LOG = f"""hello
[   12.345678] {SAVE_AREA}
> RMPEntry paddr 0x20cee00000 [assigned=1 immutable=1 pagesize=0 gpa=0x0
> asid=0 vmsa=0 validated=0]
SEV-SNP: PFN: 0x56600, [0x80000000000007fd - 0x0000000000000000]
the end""".encode()


@given(st.lists(st.integers(0, len(LOG)), max_size=6))
def test_where_a_log_is_cut_changes_nothing(cuts):
    places = [0, *sorted(cuts), len(LOG)]
    reader = Reader()

    found = [record for start, end in pairwise(places) for record in reader.feed(LOG[start:end])]
    found += reader.close()

    assert found == read(LOG)
    assert (reader.lines, reader.known, reader.passed) == (6, 4, 2)


@given(st.binary(max_size=200), st.sampled_from([b"", b"RMPEntry paddr 0x", b"\xff\xfe", b"PFN "]))
def test_any_bytes_are_read(data, head):
    reader = Reader()

    found = [*reader.feed(head + data), *reader.close()]

    assert reader.passed + sum(r.last - r.line + 1 for r in found) == reader.lines


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "latin-1"])
def test_a_log_in_another_encoding_is_read(codec):
    (record,) = read(f"caf\N{LATIN SMALL LETTER E WITH ACUTE}\n{SAVE_AREA}\n".encode(codec))

    assert (record.kind, record.line) == ("rmp-entry", 2)
