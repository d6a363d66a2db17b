"""MSG_CPUID_REQ: check CPUID values against the CPUID policy, and return accepted ones.

A request refused as a whole gets a count of 0. One with an unacceptable value gets all values as
they would be accepted, and the count of those checked. The response is as long as the request
(AMD-ASPFW sev_mcmd.c, cpuid_lookup.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.cpuid import MAX_FUNCTIONS, CpuidFunction, CpuidReqHead, CpuidRspHead
from ...wire.status import Status

if TYPE_CHECKING:
    from .context import Sender
    from .processor import Processor

_REQUEST, _RESPONSE = CpuidReqHead.ENGINE, CpuidRspHead.ENGINE
_LARGEST = CpuidReqHead.SIZE + MAX_FUNCTIONS * CpuidFunction.SIZE


def response(fw: Processor, _sender: Sender, payload: bytes) -> bytes:
    """Return the response, status included."""
    size = len(payload)
    whole = payload[:_LARGEST].ljust(_LARGEST, b"\0")
    count, reserved = _REQUEST.unpack_from(whole)
    if any(reserved) or count > MAX_FUNCTIONS:
        return _RESPONSE.pack(Status.INVALID_PARAM, 0, b"").ljust(size, b"\0")[:size]
    functions = whole[CpuidReqHead.SIZE : CpuidReqHead.SIZE + count * CpuidFunction.SIZE]
    accepted, checked, valid = fw.cpuid.check(functions, count)
    status = Status.SUCCESS if valid else Status.INVALID_PARAM
    return (_RESPONSE.pack(status, checked, b"") + accepted).ljust(size, b"\0")[:size]
