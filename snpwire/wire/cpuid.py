"""CPUID values that the firmware checks: functions, the CPUID page and the guest message."""

from __future__ import annotations

from construct import Int32ul, Int64ul

from ..block import Block
from ..codec import array, as_enum
from ..layout import Record, at, nested
from .status import Status

SPEC = "56860, CPUID page (AMD-ASPFW sev_rmp.h, Linux sev.h, coconut-svsm)"
MAX_FUNCTIONS = 64


class CpuidFunction(Record, size=0x30, spec=SPEC):
    """CPUID function: leaf, subleaf and the registers it returns."""

    eax_in: int = at(0x00, Int32ul, "CPUID leaf: EAX before the instruction")
    ecx_in: int = at(0x04, Int32ul, "CPUID subleaf: ECX before the instruction")
    xcr0_in: int = at(0x08, Int64ul, "XCR0 that the result is for; only leaf 0xD needs it")
    xss_in: int = at(0x10, Int64ul, "IA32_XSS that the result is for; only leaf 0xD needs it")
    eax: int = at(0x18, Int32ul, "EAX returned by CPUID")
    ebx: int = at(0x1C, Int32ul, "EBX returned by CPUID")
    ecx: int = at(0x20, Int32ul, "ECX returned by CPUID")
    edx: int = at(0x24, Int32ul, "EDX returned by CPUID")


class CpuidPage(Record, size=0x1000, spec=SPEC):
    """CPUID page: values that the firmware checked at the launch."""

    count: int = at(0x000, Int32ul, "Number of CPUID functions in use, at most 64")
    functions: tuple[CpuidFunction, ...] = at(
        0x010,
        array(MAX_FUNCTIONS, nested(CpuidFunction)),
        "CPUID functions; those in use come first",
    )


MESSAGE_SPEC = "56860, MSG_CPUID_REQ and MSG_CPUID_RSP (AMD-ASPFW sev_rmp.h)"


class CpuidReqHead(Record, size=0x10, spec=MESSAGE_SPEC):
    """Head of a CPUID request."""

    count: int = at(0x0, Int32ul, "Number of CPUID functions to check, at most 64")


class CpuidRspHead(Record, size=0x10, spec=MESSAGE_SPEC):
    """Head of a CPUID response."""

    status: Status = at(0x0, as_enum(Status, Int32ul), "INVALID_PARAM if a value was replaced")
    count: int = at(0x4, Int32ul, "Number of CPUID functions that were checked")


class CpuidReq(
    Block,
    head=CpuidReqHead,
    element=("functions", nested(CpuidFunction), "CPUID function with the values to check"),
    count="count",
    limit=MAX_FUNCTIONS,
    spec=MESSAGE_SPEC,
):
    """CPUID request: values to be checked."""


class CpuidRsp(
    Block,
    head=CpuidRspHead,
    element=(
        "functions",
        nested(CpuidFunction),
        "CPUID function with values that the firmware accepts",
    ),
    count="count",
    limit=MAX_FUNCTIONS,
    spec=MESSAGE_SPEC,
):
    """CPUID response: the values, as accepted by the firmware."""


KINDS = {
    "cpuid": CpuidPage,
    "cpuid-req": CpuidReq,
    "cpuid-rsp": CpuidRsp,
}
