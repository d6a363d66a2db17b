"""What the bytes around a report are: a blob of Hyper-V, an answer of the driver, certificates."""

from __future__ import annotations

from typing import Any

from ..wire.hcl import (
    BITMAP_SIZE,
    REPORT_OFFSET,
    REQUEST_OFFSET,
    REQUEST_SIZE,
    SIGNATURE,
    HclBlob,
    HclHead,
    HclReportType,
    runtime_claims,
)
from ..wire.report import REPORT_SIZE
from .certificate_search import GUID
from .content import EvidencePart

ANSWER = 4000
"""Bytes of the kernel's answer to SNP_GET_REPORT."""
ANSWER_HEAD = 0x20
MANY = 0x100
"""More than the versions of a blob will be."""


def surroundings(data: bytes, start: int) -> dict[str, Any]:
    """Return form, kind, claims, parts and notes of the report at *start*, as far as known."""
    for reader in (_blob, _answer, _table, _request):
        if found := reader(data, start):
            return found
    if len(data) == REPORT_SIZE:
        return {}
    before, end = start, start + REPORT_SIZE
    return {"parts": _parts(("other bytes", 0, before), _behind(data, end))}


def _parts(*rows: tuple[str, int, int]) -> tuple[EvidencePart, ...]:
    return tuple(EvidencePart(*row) for row in rows if row[2] > 0)


def _behind(data: bytes, start: int) -> tuple[str, int, int]:
    """Return what follows the last part that is known."""
    name = "other bytes" if any(data[start:]) else "zeros"
    return name, start, len(data) - start


def _blob(data: bytes, start: int) -> dict[str, Any] | None:
    """Read the blob of Hyper-V that has the report at *start*."""
    base = start - REPORT_OFFSET
    if base < 0 or data[base : base + 4] != SIGNATURE or len(data) - base < HclBlob.SIZE:
        return None
    blob = HclBlob.parse(data[base:])
    claims = blob.claims
    end = base + claims.offset + len(claims.data)
    request = claims.offset - REQUEST_OFFSET
    kind = blob.head.report_type
    odd = "" if kind is HclReportType.SNP else f"report_type is {_type(kind)}"
    return {
        "form": "HCL blob",
        "kind": "hcl" if not base else "",
        "claims": claims._replace(offset=base + claims.offset),
        "parts": _parts(
            ("other bytes", 0, base),
            ("header", base, REPORT_OFFSET),
            ("report", start, REPORT_SIZE),
            ("header of the runtime data", base + REQUEST_OFFSET, request),
            ("runtime claims", base + claims.offset, len(claims.data)),
            _behind(data, end),
        ),
        "notes": (f"{odd}, and the report is SEV-SNP's",) if odd else (),
    }


def _type(kind: HclReportType) -> str:
    return f"{int(kind)}, {kind.doc}" if kind.known else str(int(kind))


def _answer(data: bytes, start: int) -> dict[str, Any] | None:
    """Read the driver's answer, or the firmware's response, that has the report at *start*."""
    base = start - ANSWER_HEAD
    if base < 0 or data[base + 4 : start] != REPORT_SIZE.to_bytes(4, "little") + bytes(24):
        return None
    whole = not base and len(data) == ANSWER
    return {
        "form": "answer of SNP_GET_REPORT" if whole else "report response",
        "kind": "report-rsp" if not base and len(data) == 0x4C0 else "",
        "parts": _parts(
            ("other bytes", 0, base),
            ("status and size", base, ANSWER_HEAD),
            ("report", start, REPORT_SIZE),
            _behind(data, start + REPORT_SIZE),
        ),
    }


def _table(data: bytes, start: int) -> dict[str, Any] | None:
    """Find a certificate table right behind the report."""
    end = start + REPORT_SIZE
    if not GUID.match(data, end):
        return None
    return {
        "form": "report and certificate table",
        "parts": _parts(
            ("other bytes", 0, start),
            ("report", start, REPORT_SIZE),
            ("certificate table", end, len(data) - end),
        ),
    }


def _request(data: bytes, start: int) -> dict[str, Any] | None:
    """Read the header of runtime data behind a report, as programs cut it out of a blob."""
    end = start + REPORT_SIZE
    if start or not REQUEST_SIZE <= len(data) - end <= REQUEST_SIZE + BITMAP_SIZE:
        return None
    head = HclHead.parse(bytes(REPORT_OFFSET) + data[: end + REQUEST_SIZE])
    if head.report_type is not HclReportType.SNP or head.data_size < REQUEST_SIZE:
        return None
    claims = runtime_claims(head, bytes(REPORT_OFFSET) + data[:end])
    size = head.variable_data_size
    note = (
        f"{size} bytes of runtime claims are cut off behind it" if size else "no claims follow it"
    )
    return {
        "form": "report and the header of runtime data",
        "claims": claims._replace(offset=claims.offset - REPORT_OFFSET) if size else None,
        "parts": _parts(
            ("report", 0, REPORT_SIZE), ("header of the runtime data", end, len(data) - end)
        ),
        "notes": (note,),
    }


def blob_report(data: bytes) -> list[int]:
    """Return where the blob of Hyper-V *data* has its report, whatever that looks like."""
    whole = data[:4] == SIGNATURE and len(data) >= HclBlob.SIZE and not unfit_blob(data)
    return [REPORT_OFFSET] if whole else []


def unfit_blob(data: bytes) -> str:
    """Return why a blob of Hyper-V has no report, or not all of it; empty if it has, or is none."""
    if data[:4] != SIGNATURE or not 0 < int.from_bytes(data[4:8], "little") < MANY:
        return ""
    size = len(data)
    if size < HclBlob.SIZE:
        there = max(min(size - REPORT_OFFSET, REPORT_SIZE), 0)
        if there == REPORT_SIZE:
            return ""
        return f"the HCL blob is cut at {size} bytes: its report has {there} of {REPORT_SIZE} bytes"
    head = HclHead.parse(data[: HclHead.SIZE])
    kind = head.report_type
    if kind is HclReportType.SNP:
        return "" if any(head.report.build()) else "the report of the HCL blob is all zero"
    return f"the HCL blob is not of an SEV-SNP guest: report_type is {_type(kind)}"
