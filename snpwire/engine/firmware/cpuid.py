"""MSG_CPUID_REQ: check CPUID values against the policy, and say which would do.

A request that is refused whole answers a count of 0; one with a value that will not do answers all
values as they would, and the count of those that were checked. The answer is as long as the request
(AMD-ASPFW sev_mcmd.c, cpuid_lookup.c).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ...wire.cpuid import MAX_FUNCTIONS, CpuidFunction, CpuidReqHead
from ...wire.status import Status

if TYPE_CHECKING:
    from .context import Sender
    from .processor import Processor

_HEAD = Struct("<LLQ")


def response(fw: Processor, _asker: Sender, payload: bytes) -> bytes:
    """Return the answer, which says itself how it went."""
    size = len(payload)
    most = CpuidReqHead.SIZE + MAX_FUNCTIONS * CpuidFunction.SIZE
    whole = payload[:most].ljust(most, b"\0")
    count, low, high = _HEAD.unpack_from(whole)
    if low or high or count > MAX_FUNCTIONS:
        return _HEAD.pack(Status.INVALID_PARAM, 0, 0).ljust(size, b"\0")[:size]
    functions = whole[CpuidReqHead.SIZE : CpuidReqHead.SIZE + count * CpuidFunction.SIZE]
    better, checked, held = fw.cpuid.check(functions, count)
    status = Status.SUCCESS if held else Status.INVALID_PARAM
    return (_HEAD.pack(status, checked, 0) + better).ljust(size, b"\0")[:size]
