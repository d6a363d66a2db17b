"""What can be wrong with a CPUID page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Severity
from ..wire.cpuid import MAX_FUNCTIONS, SPEC, CpuidFunction
from . import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..context import Context
    from ..wire.cpuid import CpuidPage

FIRST = 0x10
XSAVE_LEAF = 0xD
LINUX = "Linux snp_cpuid, setup_cpuid_table"


def count(page: CpuidPage, context: Context) -> Iterator[Finding]:
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


def functions(page: CpuidPage, context: Context) -> Iterator[Finding]:
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


RULES = (count, functions, *record.RULES)
