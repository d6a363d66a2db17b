"""What can be wrong with the messages of migration agents, and with a guest's exported context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..finding import Findings, Severity
from ..wire import migration as wire
from ..wire.address import PAGE
from ..wire.status import Status
from . import record
from .payload import RESPONSE, place_of, refusal, remark, request_reserved
from .policy import policy_findings

if TYPE_CHECKING:
    from ..context import Context

KEYS = 4


def context_address(request: Any, context: Context) -> Findings:
    """Expect the address of a page."""
    if request.gctx_paddr % PAGE:
        text = f"gctx_paddr is {request.gctx_paddr:#x}, no page starts there"
        yield refusal(request, "payload-address", "gctx_paddr", text, Status.INVALID_PARAM)


def incoming_context(request: Any, context: Context) -> Findings:
    """Expect a context of the one size and version that is known."""
    for field, wanted in (
        ("in_gctx_size", wire.CONTEXT_SIZE),
        ("in_gctx_version", wire.CONTEXT_VERSION),
    ):
        value = getattr(request, field)
        if value != wanted:
            text = f"{field} is {value:#x}, it has to be {wanted:#x}"
            code = f"payload-context-{field.rpartition('_')[2]}"
            yield refusal(request, code, field, text, Status.INVALID_PARAM)
    yield from _inner_context(request, "incoming_gctx", request.incoming_gctx, context)


def root_entry(request: wire.ImportReq, context: Context) -> Findings:
    """Expect an import to bring the root of its swapped pages."""
    if not request.incoming_gctx.root_md_entry.mdata.valid:
        path = "incoming_gctx.root_md_entry.mdata"
        text = f"{path} is not valid: an import needs the root of the swapped pages"
        code, place = "payload-root", 0x20 + 0x1E0 + 0x20
        yield refusal(request, code, path, text, Status.INVALID_MDATA_ENTRY, place=place)


def exported_context(response: wire.ExportRsp, context: Context) -> Findings:
    """Expect a context of the one size and version that is known."""
    for field, wanted in (("gctx_size", wire.CONTEXT_SIZE), ("gctx_version", wire.CONTEXT_VERSION)):
        value = getattr(response, field)
        if value != wanted:
            text = f"{field} is {value:#x}, {wanted:#x} is known; it is set after an error too"
            code = f"payload-context-{field.rpartition('_')[2]}"
            yield remark(response, code, Severity.WARNING, field, text)
    if not response.status:
        yield from _inner_context(response, "gctx", response.gctx, context)


def root_key(request: wire.VmrkReq, context: Context) -> Findings:
    """Expect a key that is not zero."""
    if not any(request.vmrk):
        yield remark(request, "payload-key", Severity.WARNING, "vmrk", "vmrk is zero")


def guest_context(value: wire.GuestContext, context: Context) -> Findings:
    """Expect even counts, and a policy that a launch would take; no import looks at it."""
    for index in range(KEYS):
        field = f"msg_count{index}"
        if getattr(value, field) % 2:
            text = f"{field} is {getattr(value, field):#x}, it is even between messages"
            yield remark(value, "context-count", Severity.WARNING, field, text)
    for found in policy_findings(value.policy, "policy", place_of(value, "policy")):
        yield found._replace(severity=min(found.severity, Severity.WARNING))


def _inner_context(outer: Any, field: str, inner: wire.GuestContext, context: Context) -> Findings:
    """Check a context inside a payload."""
    if any(inner.build()):
        for found in guest_context(inner, context):
            place = place_of(outer, field) + found.offset
            yield found._replace(path=f"{field}.{found.path}", offset=place)
    else:
        yield remark(outer, "payload-context", Severity.WARNING, field, f"{field} is all zero")


RULES = {
    wire.ExportReq: (request_reserved, context_address),
    wire.ExportRsp: (exported_context, *RESPONSE),
    wire.ImportReq: (request_reserved, context_address, incoming_context, root_entry),
    wire.AbsorbReq: (request_reserved, context_address, incoming_context),
    wire.AbsorbNomaReq: (request_reserved, incoming_context),
    wire.VmrkReq: (request_reserved, context_address, root_key),
    wire.StatusRsp: RESPONSE,
    wire.GuestContext: (guest_context, *record.RULES),
}
