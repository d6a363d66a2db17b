"""The TSC request and its response, for guests with a secure TSC."""

from __future__ import annotations

from construct import Int32ul, Int64ul

from ..codec import as_enum
from ..layout import Record, at
from .status import Status

SPEC = "56860, MSG_TSC_INFO_REQ and MSG_TSC_INFO_RSP (AMD-ASPFW sev_rmp.h:578, Linux sev.h)"


class TscInfoReq(Record, size=0x80, spec=SPEC):
    """TSC request: all bytes must be zero."""


class TscInfoRsp(Record, size=0x80, spec=SPEC):
    """TSC response."""

    status: Status = at(0x00, as_enum(Status, Int32ul), "Status of the TSC request")
    guest_tsc_scale: int = at(0x08, Int64ul, "Guest TSC scale, 32 of its bits are fraction")
    guest_tsc_offset: int = at(0x10, Int64ul, "Guest TSC offset")
    tsc_factor: int = at(0x18, Int32ul, "Decrease of the TSC frequency, in units of 0.00001")


KINDS = {"tsc-req": TscInfoReq, "tsc-rsp": TscInfoRsp}
