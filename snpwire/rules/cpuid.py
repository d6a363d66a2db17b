"""What can be wrong with a CPUID page, and with a CPUID request and its response."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity
from ..wire.cpuid import MAX_FUNCTIONS, SPEC, CpuidFunction, CpuidPage, CpuidReq, CpuidRsp
from ..wire.status import Status
from . import record
from .payload import refusal, remark, request_reserved, status

if TYPE_CHECKING:
    from ..context import Context

FIRST = 0x10
XSAVE_LEAF = 0xD
LINUX = "Linux snp_cpuid, setup_cpuid_table"
LEAVES = ((0x0, 0xFFFF), (0x8000_0000, 0x8000_FFFF))
"""The CPUID leaves that the firmware checks."""


def count(page: CpuidPage, context: Context) -> Findings:
    """Expect 1 to 64 functions."""
    if page.count > MAX_FUNCTIONS:
        text = (
            f"count is {page.count}, there are at most {MAX_FUNCTIONS};"
            " the firmware answers INVALID_PARAM, Linux ends itself"
        )
        yield Finding("cpuid-count", Severity.ERROR, "count", 0, text, SPEC)
    elif not page.count:
        text = "count is 0: Linux takes it that there is no CPUID page"
        yield Finding("cpuid-count", Severity.WARNING, "count", 0, text, LINUX)


def functions(page: CpuidPage, context: Context) -> Findings:
    """Expect each function once, and nothing behind the last."""
    seen: dict[tuple[int, ...], int] = {}
    for index, function in enumerate(page.functions):
        path, place = f"functions[{index}]", FIRST + CpuidFunction.SIZE * index
        if index >= page.count:
            if any(function.build()):
                text = f"{path} is not zero, and count is {page.count}: nobody looks at it"
                yield Finding("cpuid-behind", Severity.NOTE, path, place, text, SPEC)
            continue
        asked = (function.eax_in, function.ecx_in, function.xcr0_in, function.xss_in)
        first = seen.setdefault(asked, index)
        if first != index and any(function.build()):
            text = f"{path} repeats functions[{first}], leaf {asked[0]:#x} subleaf {asked[1]:#x}"
            yield Finding("cpuid-repeated", Severity.WARNING, path, place, text, LINUX)
        if function.eax_in != XSAVE_LEAF and (function.xcr0_in or function.xss_in):
            text = f"{path} has XCR0 or XSS for leaf {asked[0]:#x}: leaf 0xd alone needs them"
            yield Finding("cpuid-xcr0", Severity.NOTE, path, place, text, LINUX)


def cpuid_request(request: CpuidReq, context: Context) -> Findings:
    """Expect at most 64 functions, all of them there, of leaves that are checked."""
    head = request.head
    if head.count > MAX_FUNCTIONS:
        text = f"count is {head.count}, there are at most {MAX_FUNCTIONS}"
        yield refusal(request, "cpuid-count", "count", text, Status.INVALID_PARAM)
    elif head.count > len(request.elements):
        yield from record.cut_short(request)
    elif not head.count:
        text = "count is 0: nothing is asked"
        yield remark(request, "cpuid-count", Severity.NOTE, "count", text)
    for index, function in enumerate(request.elements):
        leaf = function.eax_in
        if not any(first <= leaf <= last for first, last in LEAVES):
            place, path = request.SIZE + 0x30 * index, f"functions[{index}].eax_in"
            text = f"{path} is {leaf:#x}, a leaf that the firmware does not check"
            yield Finding("cpuid-leaf", Severity.NOTE, path, place, text, request.SPEC)


def cpuid_response(response: CpuidRsp, context: Context) -> Findings:
    """Expect as many functions as are counted; a value that was replaced makes it an error."""
    yield from record.cut_short(response)
    if response.head.status == Status.INVALID_PARAM and response.head.count:
        text = "status is INVALID_PARAM with functions behind it: at least one value was replaced"
        yield remark(response, "cpuid-replaced", Severity.NOTE, "status", text)


RULES = {
    CpuidPage: (count, functions, *record.RULES),
    CpuidReq: (request_reserved, cpuid_request, record.rest),
    CpuidRsp: (status, cpuid_response, *record.RULES, record.rest),
}
