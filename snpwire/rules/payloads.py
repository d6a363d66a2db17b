"""What can be wrong with the payload of a guest message, outside of migration.

What AMD-ASPFW (Genoa) refuses is an error, and its text has the status that comes back inside the
answer: the sequence number is used up then, unlike after a refusal of the message itself. Which of
the four keys sealed a request is not known here, so that its VMPL is held against 0 to 3 alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..finding import Finding, Severity
from ..wire.cpuid import MAX_FUNCTIONS
from ..wire.key import KeySel, RootKeySelect
from ..wire.report import REPORT_SIZE
from ..wire.status import Status
from . import record
from . import report as reports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..context import Context
    from ..wire.cpuid import CpuidReq, CpuidRsp
    from ..wire.key import KeyReq, KeyReqV2, KeyRsp
    from ..wire.report import ReportReq, ReportRsp
    from ..wire.tsc import TscInfoRsp

VMPLS = 4
LEAVES = ((0x0, 0xFFFF), (0x8000_0000, 0x8000_FFFF))
"""The CPUID leaves that the firmware checks."""


def refused(
    value: Any, code: str, field: str, text: str, status: Status, *, place: int | None = None
) -> Finding:
    """Return a finding about what the firmware refuses, with the status it answers."""
    said = f"{text}; the firmware answers {status.name}"
    offset = place_of(value, field) if place is None else place
    return Finding(code, Severity.ERROR, field, offset, said, value.SPEC)


def place_of(value: Any, field: str) -> int:
    """Return the offset of a field of a record, or of a block's head."""
    tile = getattr(value, "HEAD", value).tile(field)
    return tile.offset if tile else 0


def noted(value: Any, code: str, severity: Severity, field: str, text: str) -> Finding:
    """Return a finding about a field that the firmware does not refuse."""
    return Finding(code, severity, field, place_of(value, field), text, value.SPEC)


def strict(value: Any, context: Context) -> Iterator[Finding]:
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


def status(value: Any, context: Context) -> Iterator[Finding]:
    """Find that the firmware refused."""
    value = getattr(value, "head", value)
    found: Status = value.status
    if found:
        text = f"status is {found:#x} {found.name}: {found.doc or 'no source names it'}"
        yield noted(value, "payload-status", Severity.WARNING, "status", text)


def _vmpl(request: KeyReq | KeyReqV2 | ReportReq) -> Iterator[Finding]:
    if request.vmpl >= VMPLS:
        text = (
            f"vmpl is {request.vmpl:#x}, there are 0 to 3;"
            " AMD-ASPFW takes any number that is not below that of the message's key"
        )
        yield noted(request, "payload-vmpl", Severity.WARNING, "vmpl", text)


def _key_sel(request: KeyReq | KeyReqV2 | ReportReq, code: str) -> Iterator[Finding]:
    key = KeySel(request.select.key_sel)
    if not key.known:
        text = f"select.key_sel is {key:d}, which is reserved"
        yield refused(request, code, "select", text, Status.INVALID_KEY)


def key_request(request: KeyReq | KeyReqV2, context: Context) -> Iterator[Finding]:
    """Expect a root key that there is, a VMPL, and no value that is not asked for."""
    yield from _vmpl(request)
    if request.select.root_key_select == RootKeySelect.VCEK_OR_VLEK:
        yield from _key_sel(request, "payload-key-sel-derived")
    chosen = request.guest_field_select
    for name in ("guest_svn", "tcb_version", "launch_mit_vector"):
        value = getattr(request, name, 0)
        if value and not chosen.has(name):
            text = f"{name} is {value:#x}, and guest_field_select does not ask for it: not mixed in"
            yield noted(request, "payload-not-mixed", Severity.NOTE, name, text)


def vector_bit(request: KeyReq, context: Context) -> Iterator[Finding]:
    """Expect no launch_mit_vector in version 1, which has no field for it."""
    if request.guest_field_select.has("launch_mit_vector"):
        text = "guest_field_select asks for launch_mit_vector, which version 2 has"
        field = "guest_field_select"
        yield refused(request, "payload-fields-version", field, text, Status.INVALID_PARAM)


def key_response(response: KeyRsp, context: Context) -> Iterator[Finding]:
    """Expect a key after success, and none after an error."""
    there = any(response.derived_key)
    if there == bool(response.status):
        text = "derived_key is zero, and status is SUCCESS"
        if there:
            text = f"derived_key is not zero, and status is {response.status.name}"
        yield noted(response, "payload-key", Severity.WARNING, "derived_key", text)


def report_request(request: ReportReq, context: Context) -> Iterator[Finding]:
    """Expect a key that there is, and a VMPL."""
    yield from _vmpl(request)
    yield from _key_sel(request, "payload-key-sel")


def report_response(response: ReportRsp, context: Context) -> Iterator[Finding]:
    """Expect a report after success, judged as one that stands alone, and none after an error."""
    if response.report_size != REPORT_SIZE:
        text = f"report_size is {response.report_size:#x}, a report has {REPORT_SIZE:#x} bytes"
        yield noted(response, "payload-size", Severity.WARNING, "report_size", text)
    place = place_of(response, "report")
    if not response.status:
        for rule in reports.RULES:
            for found in rule(response.report, context):
                yield found._replace(path=f"report.{found.path}", offset=place + found.offset)
    elif any(response.report.build()):
        text = f"report is not zero, and status is {response.status.name}"
        yield noted(response, "payload-report", Severity.WARNING, "report", text)


def outside(response: ReportRsp, context: Context) -> Iterator[Finding]:
    """Find reserved bytes of the answer itself; the report has a rule for its own."""
    return (found for found in record.reserved(response) if not found.path.startswith("report."))


def cpuid_request(request: CpuidReq, context: Context) -> Iterator[Finding]:
    """Expect at most 64 functions, all of them there, of leaves that are checked."""
    head = request.head
    if head.count > MAX_FUNCTIONS:
        text = f"count is {head.count}, there are at most {MAX_FUNCTIONS}"
        yield refused(request, "cpuid-count", "count", text, Status.INVALID_PARAM)
    elif head.count > len(request.elements):
        yield from record.cut_short(request)
    elif not head.count:
        text = "count is 0: nothing is asked"
        yield noted(request, "cpuid-count", Severity.NOTE, "count", text)
    for index, function in enumerate(request.elements):
        leaf = function.eax_in
        if not any(first <= leaf <= last for first, last in LEAVES):
            place, path = request.SIZE + 0x30 * index, f"functions[{index}].eax_in"
            text = f"{path} is {leaf:#x}, a leaf that the firmware does not check"
            yield Finding("cpuid-leaf", Severity.NOTE, path, place, text, request.SPEC)


def cpuid_response(response: CpuidRsp, context: Context) -> Iterator[Finding]:
    """Expect as many functions as are counted; a value that was replaced makes it an error."""
    yield from record.cut_short(response)
    if response.head.status == Status.INVALID_PARAM and response.head.count:
        text = "status is INVALID_PARAM with functions behind it: at least one value was replaced"
        yield noted(response, "cpuid-replaced", Severity.NOTE, "status", text)


def tsc_response(response: TscInfoRsp, context: Context) -> Iterator[Finding]:
    """Expect a scale after success."""
    if not response.status and not response.guest_tsc_scale:
        text = "guest_tsc_scale is 0, and status is SUCCESS: the TSC would stand still"
        yield noted(response, "payload-tsc", Severity.WARNING, "guest_tsc_scale", text)


ANSWERED = (status, *record.RULES)
KEY_REQ = (strict, key_request, vector_bit)
KEY_REQ_V2 = (strict, key_request)
KEY_RSP = (key_response, *ANSWERED)
REPORT_REQ = (strict, report_request)
REPORT_RSP = (status, report_response, outside)
CPUID_REQ = (strict, cpuid_request, record.rest)
CPUID_RSP = (status, cpuid_response, *record.RULES, record.rest)
TSC_REQ = (strict,)
TSC_RSP = (tsc_response, *ANSWERED)
