"""The CPUID request and its answer: a count and so many functions.

A value that the firmware does not accept is replaced in place by one that it does, and the status
of the whole answer says that there was one.
"""

from __future__ import annotations

from construct import Int32ul

from ..block import Block
from ..codec import as_enum
from ..layout import Record, at, nested
from .cpuid import MAX_FUNCTIONS, CpuidFunction
from .status import Status

SPEC = "56860, MSG_CPUID_REQ and MSG_CPUID_RSP (AMD-ASPFW sev_rmp.h)"


class CpuidReqHead(Record, size=0x10, spec=SPEC):
    """How many functions are asked about."""

    count: int = at(0x0, Int32ul, "Number of functions, at most 64")


class CpuidRspHead(Record, size=0x10, spec=SPEC):
    """How the check went."""

    status: Status = at(0x0, as_enum(Status, Int32ul), "INVALID_PARAM if a value was replaced")
    count: int = at(0x4, Int32ul, "Number of functions that were checked")


class CpuidReq(
    Block,
    head=CpuidReqHead,
    element=("functions", nested(CpuidFunction), "Values to check"),
    count="count",
    limit=MAX_FUNCTIONS,
    spec=SPEC,
):
    """CPUID values that a guest wants checked."""


class CpuidRsp(
    Block,
    head=CpuidRspHead,
    element=("functions", nested(CpuidFunction), "Values that would do"),
    count="count",
    limit=MAX_FUNCTIONS,
    spec=SPEC,
):
    """The values, each as it is or as it would be accepted."""
