"""What can be wrong with a request: the exit code, what must come with it, what should not.

``RULES`` stands in KVM's order: exit fields, inputs, operands that KVM checks with them, the exit
code, and then what the exit itself finds out.
"""

from __future__ import annotations

from ..bits import Word
from ..context import operands
from ..finding import Findings, Severity
from ..wire.event import Zero
from ..wire.exits import ExitCode
from ..wire.ghcb import SPEC, Page
from . import record
from .access import CODES as ACCESS
from .ghcb_page import INVALID_EVENT, MISSING_INPUT, VALIDATE, GhcbCheck
from .guest_request import CODES as GUEST
from .guest_request import pages
from .processor import CODES as PROCESSOR
from .scratch import scratch, shared_psc

EXIT_FIELDS = ("sw_exit_code", "sw_exit_info_1", "sw_exit_info_2")
AP_CREATION, AP_DESTROY = 0x8000_0013, 2
EXT_GUEST_REQUEST = 0x8000_0012
CPUID = 0x72
LEAF_D = 0xD

DRAFTS = {
    0x8000_0016: "no source seen says what it carries, and the number is not verified",
    0x8000_0019: "the number is taken, by what is not known",
    0x8000_001B: "coconut-svsm alone has it, as a draft",
    0x8000_001C: "coconut-svsm alone has it, as a draft",
    0x8000_001D: "coconut-svsm alone has it, as a draft",
    0x8000_0020: "posted Linux patches for SEV-TIO alone have it",
    0x8000_0021: "posted Linux patches for SEV-TIO alone have it",
}
"""Exit codes that no published revision is known to define, and what is known of them."""


def exit_fields(check: GhcbCheck) -> Findings:
    """Expect the code and both operands to be marked valid (KVM, second check)."""
    for field in EXIT_FIELDS:
        if check.lacks(field):
            text = f"{field} is not marked valid, every exit needs it"
            yield check.finding(
                "exit-field-missing", Severity.ERROR, field, text, VALIDATE, reason=MISSING_INPUT
            )


def inputs(check: GhcbCheck) -> Findings:
    """Expect the fields an exit needs to be marked valid (56421; KVM)."""
    for field in needs(check):
        if check.lacks(field):
            text = f"{field} is not marked valid, this exit needs it"
            source = VALIDATE if check.served else check.rows[0].source
            yield check.error("missing-input", field, text, source, MISSING_INPUT)


def needs(check: GhcbCheck) -> tuple[str, ...]:
    """Return the fields that the exit needs for certain.

    Where the first operand is not known, that is what all rows of the exit code have in common. The
    certificate buffer of an extended guest request is checked by ``guest_request``.
    """
    if not check.rows or check.code == EXT_GUEST_REQUEST:
        return ()
    if not check.known("sw_exit_info_1"):
        common = set.intersection(*(set(row.required) for row in check.rows))
        return () if check.code == AP_CREATION else tuple(sorted(common))
    if check.code == AP_CREATION and check.page.sw_exit_info_1 & 0xFFFF_FFFF == AP_DESTROY:
        return ()
    return check.context.event.required if check.context.event else ()


def extended_state(check: GhcbCheck) -> Findings:
    """Expect XCR0 and IA32_XSS with CPUID leaf 0xD (KVM needs the first, newer KVM reads both)."""
    if not check.known("sw_exit_code") or check.code != CPUID or not check.holds("rax"):
        return
    rax = check.page.rax
    if rax == LEAF_D and check.lacks("xcr0"):
        text = "xcr0 is not marked valid, CPUID leaf 0xd needs it"
        yield check.error("missing-input", "xcr0", text, reason=MISSING_INPUT)
    if rax != LEAF_D and rax & 0xFFFF_FFFF == LEAF_D:
        text = f"rax is {rax:#x}: KVM compares all 64 bits, so it does not ask xcr0 for this leaf"
        yield check.note("cpuid-leaf", "rax", text, VALIDATE)
    if rax == LEAF_D and check.lacks("xss") and _version(check) == 2:
        text = "xss is not marked valid; protocol 2 has it for CPUID leaf 0xd, newer KVM uses it"
        yield check.note("xss-missing", "xss", text, "56421, CPUID; newer KVM")


def _version(check: GhcbCheck) -> int:
    return check.page.protocol_version if check.known("protocol_version") else 0


def exit_code(check: GhcbCheck) -> Findings:
    """Expect an exit that KVM serves (its last check; the list is that of Linux 6.12)."""
    if not check.known("sw_exit_code"):
        return
    code, source = check.code, VALIDATE
    name = ExitCode(code).name
    draft = DRAFTS.get(code)
    if check.served:
        return
    if check.rows or draft:
        text = f"exit {code:#x} ({name}) is known, but KVM 6.12 does not take it"
        severity = Severity.NOTE
    elif ExitCode(code).known:
        text = f"exit {code:#x} ({name}) is the processor's own, no guest sends it through the page"
        severity = Severity.ERROR
    else:
        text = f"exit {code:#x} is none that is known"
        severity = Severity.ERROR
    kind = "event-not-served" if severity is Severity.NOTE else "event-unknown"
    yield check.finding(kind, severity, "sw_exit_code", text, source, reason=INVALID_EVENT)
    if draft:
        text = f"exit {code:#x} is in no published revision that is known: {draft}"
        yield check.note("event-draft", "sw_exit_code", text, "draft")


BY_CODE = {**ACCESS, **GUEST, **PROCESSOR}
"""What the exits find out for themselves."""


def exit_rules(check: GhcbCheck) -> Findings:
    """Check the operands by the rules of the exit."""
    if check.known("sw_exit_code"):
        for rule in BY_CODE.get(check.code, ()):
            yield from rule(check)


def meanings(check: GhcbCheck) -> Findings:
    """Expect zero in operands without a use, and in bits without a name."""
    if not check.known("sw_exit_code", "sw_exit_info_1"):
        return
    for field, operand in operands(check.page, check.context).items():
        if not check.known(field) or (field not in EXIT_FIELDS and check.lacks(field)):
            continue
        value = operand.type(getattr(check.page, field))
        if isinstance(value, Zero) and value:
            text = f"{field} is {int(value):#x}, this exit has no use for it"
            yield check.note("operand-not-zero", field, text, SPEC)
        elif isinstance(value, Word):
            yield from record.unknown_bits(value, field, Page.place(field), value.SPEC)


def leftovers(check: GhcbCheck) -> Findings:
    """Find values that are not marked valid (Linux leaves what earlier exits wrote)."""
    judged = {*EXIT_FIELDS, *needs(check), *(name for row in check.rows for name in row.required)}
    for name in check.page.valid_bitmap.BITS:
        value = getattr(check.page, name)
        if value and check.known(name) and check.lacks(name) and name not in judged:
            text = f"{name} is {value:#x} and not marked valid: Linux leaves stale registers"
            yield check.note("not-marked-valid", name, text, "Linux 6.12 vc_ghcb_invalidate")


RULES = (
    exit_fields,
    inputs,
    extended_state,
    pages,
    exit_code,
    exit_rules,
    scratch,
    shared_psc,
    meanings,
    leftovers,
)
