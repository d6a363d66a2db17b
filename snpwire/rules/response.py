"""What can be wrong with a hypervisor's response, as the guests see it.

A response has no reason codes: a guest that cannot use it terminates, or raises an error
in the kernel. KVM clears the bitmap when it takes a request and marks rax, rbx, rcx, rdx and both
operands valid when it responds, whether or not the exit returns them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import OpenEnum, Word
from ..context import operands
from ..finding import Findings, Severity
from ..wire.event import Zero
from ..wire.ghcb import SPEC, Page
from ..wire.operands import Action, EventInject, EventType, GuestRequestResult, HvFeatures, VmmError
from ..wire.status import Status
from . import record
from .features import without_support
from .scratch import shared_psc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .ghcb_page import GhcbCheck

INFO1, INFO2 = "sw_exit_info_1", "sw_exit_info_2"
EXCEPTION = "Linux 6.12 verify_exception_info"
ISSUE = "Linux 6.12 snp_issue_guest_request"
GUESTS = "Linux, edk2, coconut-svsm"
GP, UD = 13, 6
EXT_GUEST_REQUEST = 0x8000_0012
HV_FEATURES = 0x8000_FFFD


def _action(check: GhcbCheck) -> Action | None:
    """Return the action that the response asks of the guest, or None if it is not known."""
    return Action(check.page.sw_exit_info_1 & 0xFFFF_FFFF) if check.known(INFO1) else None


def action(check: GhcbCheck) -> Findings:
    """Expect an action that guests know (56421 rev 2.03, 4.1)."""
    asked = _action(check)
    if asked is not None and not asked.known:
        text = f"the action in sw_exit_info_1 is {int(asked):#x}, guests know 0 to 2"
        yield check.error("answer-action", INFO1, text, "Linux 6.12; 56421 rev 2.03 4.1")


def operand_marks(check: GhcbCheck) -> Findings:
    """Expect both operands to be marked valid (KVM does so)."""
    for field in (INFO1, INFO2):
        if check.lacks(field):
            text = f"{field} is not marked valid, an answer speaks through it"
            yield check.warning("answer-not-marked", field, text, "Linux 6.12 KVM")


def returned_registers(check: GhcbCheck) -> Findings:
    """Expect the registers that the exit returns to be marked valid (guests look).

    Where an exit code has several rows, and the request's operand that chose is gone, only what all
    of them return is asked for. The extended guest request returns rbx in one check alone.
    """
    if _action(check) is not Action.NO_ACTION or not check.rows or check.code == EXT_GUEST_REQUEST:
        return
    common = set.intersection(*(set(row.returns) for row in check.rows))
    for field in sorted(common - {INFO1, INFO2}):
        if check.lacks(field):
            text = f"{field} is not marked valid, this exit returns it"
            severity = Severity.ERROR if check.served else Severity.NOTE
            yield check.finding("answer-not-returned", severity, field, text, GUESTS)


def exception(check: GhcbCheck) -> Findings:
    """Expect an exception that a guest raises when asked to: #GP or #UD (Linux)."""
    if _action(check) is not Action.ISSUE_EXCEPTION or not check.known(INFO2):
        return
    event = EventInject(check.page.sw_exit_info_2)
    for problem in _exception_problems(event):
        text = f"sw_exit_info_2 is {int(event):#x}: {problem}"
        yield check.error("exception", INFO2, text, EXCEPTION)
    if event.vector == UD and event.error_code_valid:
        text = f"sw_exit_info_2 is {int(event):#x}: #UD has no error code"
        yield check.warning("exception-error-code", INFO2, text, "APM volume 2, #UD")
    if event.vector == GP and not event.error_code_valid:
        text = f"sw_exit_info_2 is {int(event):#x}: #GP without an error code; KVM sends it so"
        yield check.note("exception-error-code", INFO2, text, "Linux 6.12 KVM")
    if event.error_code and not event.error_code_valid:
        text = f"error code {event.error_code:#x} is there but bit 11 does not mark it valid"
        yield check.warning("exception-error-code", INFO2, text, EXCEPTION)


def _exception_problems(event: EventInject) -> Iterator[str]:
    kind = EventType(event.type)
    if not event.valid:
        yield "bit 31, valid, is not set"
    if kind is not EventType.EXCEPTION:
        yield f"the type is {int(kind)}, guests accept 3 (exception) alone"
    if event.vector not in (GP, UD):
        yield f"the vector is {event.vector}, guests accept 13 (#GP) and 6 (#UD) alone"


def _result(check: GhcbCheck) -> GuestRequestResult | None:
    """Return the result of a guest request, if the page is one and says so."""
    if _action(check) is not Action.NO_ACTION or not check.known(INFO2) or not check.rows:
        return None
    if check.rows[0].result.type is not GuestRequestResult:
        return None
    return GuestRequestResult(check.page.sw_exit_info_2)


def guest_request(check: GhcbCheck) -> Findings:
    """Expect one side or the other to fail, with codes that the guest knows (Linux)."""
    result = _result(check)
    if result is None:
        return
    vmm, firmware = VmmError(result.vmm_error), Status(result.fw_error)
    shown = f"sw_exit_info_2 is {int(result):#018x}"
    if not vmm.known:
        text = f"{shown}: hypervisor error {int(vmm):#x} is none that is known; Linux drops its key"
        yield check.warning("guest-request-vmm", INFO2, text, ISSUE)
    if not firmware.known:
        text = f"{shown}: firmware status {int(firmware):#x} is none that is known"
        yield check.note("guest-request-firmware", INFO2, text, "Linux psp-sev.h")
    if vmm in (VmmError.BUSY, VmmError.INVALID_LEN) and firmware:
        text = (
            f"{shown}: {vmm.name} beside firmware status {int(firmware):#x}; Linux compares the"
            " whole quadword, takes it for a failure and drops its key"
        )
        yield check.warning("guest-request-mixed", INFO2, text, ISSUE)
    if vmm is VmmError.INVALID_LEN:
        yield from _too_short(check)


def _too_short(check: GhcbCheck) -> Findings:
    """Expect INVALID_LEN to say in rbx how many pages are needed."""
    if check.code != EXT_GUEST_REQUEST:
        text = "INVALID_LEN answers a request that brings no certificate buffer"
        yield check.warning("guest-request-length", INFO2, text, ISSUE)
    elif check.lacks("rbx"):
        text = "rbx is not marked valid, beside INVALID_LEN it says how many pages are needed"
        yield check.warning("guest-request-length", "rbx", text, ISSUE)
    elif check.known("rbx") and not check.page.rbx:
        text = "rbx is 0, beside INVALID_LEN it says how many pages are needed"
        yield check.warning("guest-request-length", "rbx", text, ISSUE)


def features(check: GhcbCheck) -> Findings:
    """Expect each feature with those that it needs (56421, hypervisor features)."""
    served = check.known("sw_exit_code", INFO2) and check.code == HV_FEATURES
    if served and _action(check) is Action.NO_ACTION:
        for sentence in without_support(HvFeatures(check.page.sw_exit_info_2)):
            yield check.warning("feature-dependency", INFO2, sentence, HvFeatures.SPEC)


def meanings(check: GhcbCheck) -> Findings:
    """Expect a meaning in all that is set: a name for each code and bit, a use for a number.

    ``sw_exit_info_2`` is left alone where the exit's rows differ over it: the operand that chose
    among them is gone.
    """
    if not check.known("sw_exit_code", INFO1):
        return
    for field, operand in operands(check.page, check.context).items():
        if not check.known(field) or check.lacks(field) or (field == INFO2 and _ambiguous(check)):
            continue
        value = operand.type(getattr(check.page, field))
        offset = Page.place(field)
        if isinstance(value, Word):
            yield from record.unknown_bits(value, field, offset, value.SPEC)
        elif isinstance(value, OpenEnum):
            yield from record.unknown_code(value, field, offset, SPEC)
        elif isinstance(value, Zero) and value:
            text = f"{field} is {int(value):#x}, this exit returns nothing in it"
            yield check.note("operand-not-zero", field, text, SPEC)


def _ambiguous(check: GhcbCheck) -> bool:
    if _action(check) is not Action.NO_ACTION:
        return False
    return not check.rows or len({row.result for row in check.rows}) > 1


def page_states(check: GhcbCheck) -> Findings:
    """Check the buffer that a page state change leaves, if it was not refused."""
    if _action(check) is Action.NO_ACTION and check.known(INFO2) and not check.page.sw_exit_info_2:
        yield from shared_psc(check)


RULES = (
    action,
    operand_marks,
    returned_registers,
    exception,
    guest_request,
    features,
    meanings,
    page_states,
)
