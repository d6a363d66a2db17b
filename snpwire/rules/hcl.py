"""What can be wrong with the blob of a guest on Hyper-V, and with the claims in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity
from ..wire.hcl import (
    BITMAP_SIZE,
    REPORT_OFFSET,
    REQUEST_SIZE,
    SIGNATURE,
    SPEC,
    HclBlob,
    HclHead,
    HclReportType,
)
from . import record
from .report import empty

if TYPE_CHECKING:
    from ..context import Context

VERSIONS = (1, 2)


def _finding(code: str, severity: Severity, field: str, text: str) -> Finding:
    return Finding(code, severity, field, HclHead.place(field), text, SPEC)


def header(blob: HclBlob, context: Context) -> Findings:
    """Expect the letters HCLA, versions that are known, and no error."""
    head = blob.head
    if head.signature != SIGNATURE:
        text = f"signature is {head.signature.hex()}, not the letters HCLA, {SIGNATURE.hex()}"
        yield _finding("hcl-signature", Severity.ERROR, "signature", text)
    for field in ("version", "request_version"):
        number = getattr(head, field)
        if number not in VERSIONS:
            text = f"{field} is {number}, known are 1 and 2"
            yield _finding("hcl-version", Severity.WARNING, field, text)
    if head.status:
        text = f"status is {head.status:#x}: the host reports an error"
        yield _finding("hcl-status", Severity.WARNING, "status", text)


def sizes(blob: HclBlob, context: Context) -> Findings:
    """Expect sizes that agree, and claims that are all there."""
    head, claims = blob.head, blob.claims
    room = head.data_size - head.variable_data_size
    if room not in (REQUEST_SIZE, REQUEST_SIZE + BITMAP_SIZE):
        text = (
            f"data_size is {head.data_size}, with {head.variable_data_size} bytes of claims;"
            f" it has to be {REQUEST_SIZE} or {REQUEST_SIZE + BITMAP_SIZE} more"
        )
        yield _finding("hcl-size", Severity.WARNING, "data_size", text)
    if len(claims.data) < claims.size:
        text = (
            f"variable_data_size announces {claims.size} bytes of claims at {claims.offset:#x},"
            f" {len(claims.data)} are there"
        )
        yield _finding("hcl-cut", Severity.ERROR, "variable_data_size", text)


def vouching(blob: HclBlob, context: Context) -> Findings:
    """Expect that report_data is the hash of the claims."""
    claims = blob.claims
    if blob.head.report_type is HclReportType.SNP and claims.fits is False:
        text = f"report.report_data is not {claims.hash} of the claims: the report does not vouch"
        yield _finding("hcl-claims", Severity.ERROR, "report.report_data", f"{text} for them")
    if claims.size and not claims.hash:
        text = f"report_data_hash_type is {int(blob.head.report_data_hash_type)}, known are 1 to 3"
        yield _finding("hcl-hash", Severity.WARNING, "report_data_hash_type", text)


def report(blob: HclBlob, context: Context) -> Findings:
    """Expect a report of SEV-SNP, checked like one by itself."""
    kind = blob.head.report_type
    if kind is not HclReportType.SNP:
        name = kind.doc if kind.known else "no type that is known"
        text = f"report_type is {int(kind)}, {name}: the bytes at 0x20 are not read"
        yield _finding("hcl-report-type", Severity.WARNING, "report_type", text)
        return
    for found in empty(blob.head.report, context):
        yield found._replace(path=f"report.{found.path}", offset=REPORT_OFFSET + found.offset)


def reserved(blob: HclBlob, context: Context) -> Findings:
    """Find reserved bytes of the header, and bits of the bitmap without a name."""
    yield from (row for row in record.reserved(blob) if not row.path.startswith("report."))
    for index, bits in enumerate(blob.elements):
        offset = HclBlob.SIZE
        yield from record.unknown_bits(bits, f"capabilities[{index}]", offset, SPEC)


RULES = {HclBlob: (header, sizes, vouching, report, reserved)}
