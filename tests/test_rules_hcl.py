"""What is found in a blob of Hyper-V, and how it is read."""

import pytest
import wrappings

from snpwire.decode import document
from snpwire.wire.hcl import HclBlob

REPORT = wrappings.vouching()
BLOB = wrappings.hcl(REPORT)


def found(data):
    """Return the findings of a blob by code, but for what is said of its report."""
    rows = document("hcl", data).findings
    return {row.code: row for row in rows if row.code.startswith(("hcl", "reserved", "unknown"))}


def changed(offset, value, data=BLOB):
    return data[:offset] + value + data[offset + len(value) :]


def test_nothing_is_wrong_with_a_sound_blob():
    assert found(BLOB) == {}
    assert found(wrappings.hcl(REPORT, bitmap=1)) == {}


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (changed(0, b"ALCH"), "hcl-signature", "signature is 414c4348, not the letters HCLA"),
        (changed(4, b"\7"), "hcl-version", "version is 7, known are 1 and 2"),
        (changed(0x4C4, b"\7"), "hcl-version", "request_version is 7"),
        (changed(0x10, b"\5"), "hcl-status", "status is 0x5: the host reports an error"),
        (changed(0x4C0, b"\0\1"), "hcl-size", "it has to be 20 or 24 more"),
        (BLOB[:0x500], "hcl-cut", "announces 200 bytes of claims at 0x4d4, 44 are there"),
        (changed(0x4D4, b"["), "hcl-claims", "report.report_data is not sha256 of the claims"),
        (changed(0x4CC, b"\7"), "hcl-hash", "report_data_hash_type is 7, known are 1 to 3"),
        (changed(0x4C8, b"\4"), "hcl-report-type", "report_type is 4, Intel TDX: the bytes at"),
        (changed(0x4C8, b"\7"), "hcl-report-type", "report_type is 7, no type that is known"),
        (changed(0x14, b"\1"), "reserved-not-zero", "reserved bytes are not zero"),
        (wrappings.hcl(REPORT, bitmap=0x80), "unknown-bits", "bit 7 of 0x80 should be zero"),
    ],
    ids=range(12),
)
def test_each_fault_is_named(data, code, text):
    assert text in found(data)[code].text


def test_findings_of_the_report_have_their_place_in_the_blob():
    doc = document("hcl", changed(0x20, b"\1"))

    (row,) = [row for row in doc.findings if row.code == "report-version"]
    assert (row.path, row.offset) == ("report.version", 0x20)


def test_claims_and_layout_are_decided():
    doc = document("hcl", BLOB)

    assert [(row.what, row.choice) for row in doc.decisions] == [
        ("claims", "200 bytes of JSON at 0x4d4"),
        ("tcb layout", "classic"),
    ]
    assert doc.decisions[0].reason == "report_data is sha256(claims): yes"
    assert [(mark.start, mark.end) for mark in doc.marks] == [(0x4D4, 0x4D4 + 200)]
    assert "report.current_tcb" in doc.meanings


def test_claims_that_are_not_there_are_counted():
    doc = document("hcl", BLOB[:0x500])
    bare = document("hcl", changed(0x4C8, b"\4", BLOB[: HclBlob.SIZE]))

    assert doc.decisions[0].choice == "44 of 200 bytes of JSON at 0x4d4"
    assert doc.decisions[0].reason.endswith(": not known")
    assert bare.marks == ()
    assert [row.what for row in bare.decisions] == ["claims"]
