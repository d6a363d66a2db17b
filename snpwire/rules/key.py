"""What can be wrong with a key request and its response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Findings, Severity
from ..wire.key import KeyReq, KeyReqV2, KeyRsp, RootKeySelect
from ..wire.status import Status
from .payload import RESPONSE, key_sel, refusal, remark, request_reserved, vmpl

if TYPE_CHECKING:
    from ..context import Context


def key_request(request: KeyReq | KeyReqV2, context: Context) -> Findings:
    """Expect a root key that there is, a VMPL, and no value that is not asked for."""
    yield from vmpl(request)
    if request.select.root_key_select == RootKeySelect.VCEK_OR_VLEK:
        yield from key_sel(request, "payload-key-sel-derived")
    chosen = request.guest_field_select
    for name in ("guest_svn", "tcb_version", "launch_mit_vector"):
        value = getattr(request, name, 0)
        if value and not chosen.has(name):
            text = f"{name} is {value:#x}, and guest_field_select does not ask for it: not mixed in"
            yield remark(request, "payload-not-mixed", Severity.NOTE, name, text)


def vector_bit(request: KeyReq, context: Context) -> Findings:
    """Expect no launch_mit_vector in version 1, which has no field for it."""
    if request.guest_field_select.has("launch_mit_vector"):
        text = "guest_field_select asks for launch_mit_vector, which version 2 has"
        field = "guest_field_select"
        yield refusal(request, "payload-fields-version", field, text, Status.INVALID_PARAM)


def key_response(response: KeyRsp, context: Context) -> Findings:
    """Expect a key after success, and none after an error."""
    there = any(response.derived_key)
    if there == bool(response.status):
        text = "derived_key is zero, and status is SUCCESS"
        if there:
            text = f"derived_key is not zero, and status is {response.status.name}"
        yield remark(response, "payload-key", Severity.WARNING, "derived_key", text)


RULES = {
    KeyReq: (request_reserved, key_request, vector_bit),
    KeyReqV2: (request_reserved, key_request),
    KeyRsp: (key_response, *RESPONSE),
}
