"""What can be wrong with a GHCB page, whichever way it travels.

The rules of a request stand in the order of KVM's own checks, so the first finding with a reason is
why KVM 6.12 refuses the page: ``refusal`` returns it. KVM checks neither ``protocol_version`` nor
reserved bytes; those rules come last and carry no reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context import BARE, Direction, completed
from ..finding import Finding, Findings, Severity, as_far, bit_list
from ..wire.ghcb import SPEC, HypervPage, Page, Usage
from . import record
from .ghcb_page import INVALID_USAGE, VALIDATE, GhcbCheck, GhcbRule

if TYPE_CHECKING:
    from ..context import Context

VENDOR_LAYOUT = (Usage.HYPERV_HYPERCALL, Usage.HYPERV_VTL_RETURN)
DISPUTED = ("rip", "rsp")
COCONUT_BITS = 0b11 << 126
SNP_CODES = range(0x8000_0010, 0x8000_0022)


def usage(check: GhcbCheck) -> Findings:
    """Expect usage 0: it alone has this layout, and KVM takes no other."""
    value = check.page.ghcb_usage
    if not check.known("ghcb_usage") or value == Usage.STANDARD:
        return
    text = f"ghcb_usage is {int(value):#x}, KVM takes 0 alone"
    if value in VENDOR_LAYOUT:
        text += f"; {value.name} has a layout of its own, the page is not judged further"
    if check.context.direction is Direction.REQUEST:
        yield check.finding(
            "usage", Severity.ERROR, "ghcb_usage", text, VALIDATE, reason=INVALID_USAGE
        )
    else:
        yield check.finding("usage", Severity.WARNING, "ghcb_usage", text, VALIDATE)


def protocol_version(check: GhcbCheck) -> Findings:
    """Expect protocol version 1 or 2 (OpenVMM refuses others, KVM does not look)."""
    version = check.page.protocol_version
    if not check.known("protocol_version"):
        return
    if version not in (1, 2):
        text = f"protocol_version is {version}, there are 1 and 2; OpenVMM refuses it, KVM does not"
        yield check.warning("protocol-version", "protocol_version", text, "OpenVMM, MSHV backend")
    elif version == 1 and check.known("sw_exit_code") and check.code in SNP_CODES:
        text = "protocol_version is 1, SNP exits belong to 2; linux-svsm writes 1 all the same"
        yield check.note("protocol-version", "protocol_version", text, "AMDESE linux-svsm")


def bitmap(check: GhcbCheck) -> Findings:
    """Expect bits that stand for a field (56421, valid bitmap)."""
    valid = check.page.valid_bitmap
    if not check.known("valid_bitmap"):
        return
    own = valid.unknown & COCONUT_BITS
    if own:
        text = (
            f"{bit_list(own)} of valid_bitmap stand for the bitmap itself;"
            " coconut-svsm sets them, Linux does not"
        )
        yield _in_bitmap(own, "bitmap-own-bits", Severity.NOTE, text, "coconut-svsm")
    other = valid.unknown & ~COCONUT_BITS
    if other:
        text = f"{bit_list(other)} of valid_bitmap stand for no field"
        text += "; bit 100 is secure_avic_ctl to Xen alone" if other >> 100 & 1 else ""
        yield _in_bitmap(other, "bitmap-no-field", Severity.WARNING, text, SPEC)
    for name in DISPUTED:
        if valid.has(name):
            mask = valid.BITS[name].mask
            text = f"{name} is marked valid; only Linux and OpenVMM have it, and nobody reads it"
            yield _in_bitmap(mask, "disputed-field", Severity.NOTE, text, "Linux struct ghcb")


def _in_bitmap(mask: int, code: str, severity: Severity, text: str, source: str) -> Finding:
    """Return a finding at the byte of the bitmap that holds the lowest bit of *mask*."""
    lowest = (mask & -mask).bit_length() - 1
    return Finding(code, severity, "valid_bitmap", 0x3F0 + lowest // 8, text, source)


def x87_state(check: GhcbCheck) -> Findings:
    """Find an address of x87 state, which the bitmap cannot mark (56421, valid bitmap)."""
    value = check.page.x87_state_gpa
    if value and check.known("x87_state_gpa"):
        text = f"x87_state_gpa is {value:#x}: no bit of valid_bitmap can mark it valid"
        yield check.note("no-valid-bit", "x87_state_gpa", text, SPEC)


def reserved(check: GhcbCheck) -> Findings:
    """Expect reserved bytes to be zero (56421, GHCB page layout; KVM does not look)."""
    yield from record.reserved(check.page, check.context)


BOTH = (protocol_version, bitmap, x87_state, reserved)
"""Rules for either direction, behind those of the direction itself."""


def _rules(direction: Direction | None) -> tuple[GhcbRule, ...]:
    if direction is Direction.REQUEST:
        from . import request

        return (*request.RULES, *BOTH)
    from . import response

    return (*response.RULES, *BOTH)


def judge(page: Page, context: Context = BARE) -> Findings:
    """Yield the findings of a page in the order in which KVM makes its checks."""
    check = GhcbCheck(page, completed(page, context))
    yield from as_far(usage, check)
    if check.known("ghcb_usage") and page.ghcb_usage in VENDOR_LAYOUT:
        return
    for rule in _rules(check.context.direction):
        yield from as_far(rule, check)


def refusal(page: Page, context: Context = BARE) -> Finding | None:
    """Return the finding for which KVM 6.12 refuses the page as malformed, or None.

    Findings that are warnings or notes count where they carry a reason: KVM 6.12 does refuse them.
    What the page cannot show is taken as in order (is the guest SNP, is the page registered), and
    the message of an extended guest request for a report request.
    """
    return next((finding for finding in judge(page, context) if finding.reason), None)


def hyperv(page: HypervPage, context: Context) -> Findings:
    """Expect a hypercall page to say so in its usage (OpenVMM)."""
    if page.ghcb_usage != Usage.HYPERV_HYPERCALL:
        text = f"ghcb_usage is {int(page.ghcb_usage):#x}, a hypercall page has 1"
        yield Finding("usage", Severity.WARNING, "ghcb_usage", 0xFFC, text, page.SPEC)
    if page.protocol_version not in (1, 2):
        text = f"protocol_version is {page.protocol_version}, there are 1 and 2; OpenVMM refuses it"
        source = "OpenVMM, MSHV backend"
        yield Finding("protocol-version", Severity.WARNING, "protocol_version", 0xFFA, text, source)


RULES = {
    Page: (judge,),
    HypervPage: (hyperv, record.reserved),
}
