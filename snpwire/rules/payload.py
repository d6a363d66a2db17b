"""Rules that payloads of guest messages share.

What AMD-ASPFW (Genoa) refuses is an error, and its text has the status inside the response: the
sequence number is used up then, unlike after a refusal of the message itself. Which of the four
keys sealed a request is not known here, so that its VMPL is compared with 0 to 3 alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..finding import Finding, Findings, Severity
from ..wire.key import KeySel
from ..wire.status import Status
from . import record

if TYPE_CHECKING:
    from ..context import Context
    from ..wire.key import KeyReq, KeyReqV2
    from ..wire.report import ReportReq

VMPLS = 4


def refusal(
    value: Any, code: str, field: str, text: str, status: Status, *, place: int | None = None
) -> Finding:
    """Return a finding about what the firmware refuses, with the status that it returns."""
    said = f"{text}; the firmware answers {status.name}"
    offset = place_of(value, field) if place is None else place
    return Finding(code, Severity.ERROR, field, offset, said, value.SPEC)


def place_of(value: Any, field: str) -> int:
    """Return the offset of a field of a record, or of a block's head."""
    tile = getattr(value, "HEAD", value).tile(field)
    return tile.offset if tile else 0


def remark(value: Any, code: str, severity: Severity, field: str, text: str) -> Finding:
    """Return a finding about a field that the firmware does not refuse."""
    return Finding(code, severity, field, place_of(value, field), text, value.SPEC)


def request_reserved(value: Any, context: Context) -> Findings:
    """Expect reserved bytes and bits of a request to be zero: the firmware looks at them."""
    status = Status.INVALID_PARAM
    for finding in (*record.reserved(value), *record.unknown(value)):
        if "." in finding.path or finding.code == "unknown-code":
            yield finding
        else:
            text = f"{finding.path}: {finding.text}; the firmware answers {status.name}"
            bits = "payload-fields" if finding.path == "guest_field_select" else "payload-bits"
            code = "payload-reserved" if finding.code == "reserved-not-zero" else bits
            yield finding._replace(code=code, severity=Severity.ERROR, text=text)


def status(value: Any, context: Context) -> Findings:
    """Find that the firmware refused."""
    value = getattr(value, "head", value)
    found: Status = value.status
    if found:
        text = f"status is {found:#x} {found.name}: {found.doc or 'no source names it'}"
        yield remark(value, "payload-status", Severity.WARNING, "status", text)


def vmpl(request: KeyReq | KeyReqV2 | ReportReq) -> Findings:
    """Expect a VMPL of 0 to 3."""
    if request.vmpl >= VMPLS:
        text = (
            f"vmpl is {request.vmpl:#x}, there are 0 to 3;"
            " AMD-ASPFW takes any number that is not below that of the message's key"
        )
        yield remark(request, "payload-vmpl", Severity.WARNING, "vmpl", text)


def key_sel(request: KeyReq | KeyReqV2 | ReportReq, code: str) -> Findings:
    """Expect a key that there is."""
    key = KeySel(request.select.key_sel)
    if not key.known:
        text = f"select.key_sel is {key:d}, which is reserved"
        yield refusal(request, code, "select", text, Status.INVALID_KEY)


RESPONSE = (status, *record.RULES)
