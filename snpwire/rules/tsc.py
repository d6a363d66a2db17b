"""What can be wrong with a TSC request and its response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Findings, Severity
from ..wire.tsc import TscInfoReq, TscInfoRsp
from .payload import RESPONSE, remark, request_reserved

if TYPE_CHECKING:
    from ..context import Context


def tsc_response(response: TscInfoRsp, context: Context) -> Findings:
    """Expect a scale after success."""
    if not response.status and not response.guest_tsc_scale:
        text = "guest_tsc_scale is 0, and status is SUCCESS: the TSC would stand still"
        yield remark(response, "payload-tsc", Severity.WARNING, "guest_tsc_scale", text)


RULES = {TscInfoReq: (request_reserved,), TscInfoRsp: (tsc_response, *RESPONSE)}
