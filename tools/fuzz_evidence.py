"""What the fuzzer tries with evidence: whatever wraps a report, changed, has that one or none."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from fuzz_properties import expect

from snpwire.errors import InputError
from snpwire.evidence import evidence, evidence_lines, members, report_text
from snpwire.evidence.claims import claims_checks
from snpwire.wire.report import REPORT_SIZE

SAMPLES = Path(__file__).parents[1] / "tests" / "messages"
NAMES = ("hcl.bin", "azure.json", "snp-evidence.json", "tsm.cbor", "snpguest.txt")


def wrapped(data: bytes) -> None:
    """Look for a report in any bytes: it lies where it is said to, and all of it can be shown."""
    report_text(data)
    try:
        found = evidence(data)
        rows = list(members(data))
    except InputError as exc:
        expect("\n" not in str(exc), "an error has more than a line")
        return
    places = [row for row in rows if row.offset is not None]
    expect(
        all(data[row.offset or 0 :][: len(row.data)] == row.data for row in places),
        "a member does not lie where it is said to",
    )
    if found is None:
        return
    report = found.report
    expect(report is None or len(report) == REPORT_SIZE, "a report has another size")
    if found.offset is not None and report:
        there = data[found.offset : found.offset + REPORT_SIZE]
        expect(there == report, "the report does not lie where it is said to")
    expect(all(map(str.isprintable, evidence_lines(found))), "a line cannot be shown")
    expect(len(claims_checks(found)) <= 1, "claims are checked twice")
    json.dumps(found.to_plain())


def wrapped_seeds() -> list[bytes]:
    """Return evidence of each form, and base64 and JSON around it."""
    files = [(SAMPLES / name).read_bytes() for name in NAMES]
    nested = [json.dumps({"a": [base64.b64encode(data).decode()]}).encode() for data in files]
    yaml = b"kind: x\nreport: " + base64.b64encode(files[0]) + b"\n"
    return [*files, *nested, yaml, b"\x0a\x03\x08\x01\x10\x12\x06" + files[0]]
