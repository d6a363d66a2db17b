"""What can be wrong with a hypervisor's answer, as the guests see it.

An answer has no reason codes of its own: a guest that cannot use it ends itself, or raises an error
in the kernel. KVM clears the bitmap when it takes a request and marks rax, rbx, rcx, rdx and both
operands valid when it answers, whether or not the exit returns them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import OpenEnum, Word
from ..context import operands
from ..finding import Finding, Severity
from ..wire.event import Zero
from ..wire.ghcb import SPEC, Page
from ..wire.operands import Action, EventInject, EventType, GuestRequestResult, HvFeatures, VmmError
from ..wire.status import Status
from . import record
from .features import without_support
from .scratch import shared_psc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .case import Case

INFO1, INFO2 = "sw_exit_info_1", "sw_exit_info_2"
EXCEPTION = "Linux 6.12 verify_exception_info"
ISSUE = "Linux 6.12 snp_issue_guest_request"
GUESTS = "Linux, edk2, coconut-svsm"
GP, UD = 13, 6
EXT_GUEST_REQUEST = 0x8000_0012
HV_FEATURES = 0x8000_FFFD


def _action(case: Case) -> Action | None:
    """Return what the answer asks of the guest, or None if that is not known."""
    return Action(case.page.sw_exit_info_1 & 0xFFFF_FFFF) if case.known(INFO1) else None


def action(case: Case) -> Iterator[Finding]:
    """Expect an action that guests know (56421 rev 2.03, 4.1)."""
    asked = _action(case)
    if asked is not None and not asked.known:
        text = f"the action in sw_exit_info_1 is {int(asked):#x}, guests know 0 to 2"
        yield case.error("answer-action", INFO1, text, "Linux 6.12; 56421 rev 2.03 4.1")


def marked(case: Case) -> Iterator[Finding]:
    """Expect both operands to be marked valid (KVM does so)."""
    for field in (INFO1, INFO2):
        if case.lacks(field):
            text = f"{field} is not marked valid, an answer speaks through it"
            yield case.warning("answer-not-marked", field, text, "Linux 6.12 KVM")


def returned(case: Case) -> Iterator[Finding]:
    """Expect the registers that the exit returns to be marked valid (guests look).

    Where an exit code has several rows, and the request's operand that chose is gone, only what all
    of them return is asked for. The extended guest request returns rbx in one case alone.
    """
    if _action(case) is not Action.NO_ACTION or not case.rows or case.code == EXT_GUEST_REQUEST:
        return
    common = set.intersection(*(set(row.returns) for row in case.rows))
    for field in sorted(common - {INFO1, INFO2}):
        if case.lacks(field):
            text = f"{field} is not marked valid, this exit returns it"
            severity = Severity.ERROR if case.served else Severity.NOTE
            yield case.finding("answer-not-returned", severity, field, text, GUESTS)


def exception(case: Case) -> Iterator[Finding]:
    """Expect an exception that a guest raises when asked to: #GP or #UD (Linux)."""
    if _action(case) is not Action.ISSUE_EXCEPTION or not case.known(INFO2):
        return
    event = EventInject(case.page.sw_exit_info_2)
    for problem in _exception_problems(event):
        text = f"sw_exit_info_2 is {int(event):#x}: {problem}"
        yield case.error("exception", INFO2, text, EXCEPTION)
    if event.vector == UD and event.error_code_valid:
        text = f"sw_exit_info_2 is {int(event):#x}: #UD has no error code"
        yield case.warning("exception-error-code", INFO2, text, "APM volume 2, #UD")
    if event.vector == GP and not event.error_code_valid:
        text = f"sw_exit_info_2 is {int(event):#x}: #GP without an error code; KVM sends it so"
        yield case.note("exception-error-code", INFO2, text, "Linux 6.12 KVM")
    if event.error_code and not event.error_code_valid:
        text = f"error code {event.error_code:#x} is there but bit 11 does not mark it valid"
        yield case.warning("exception-error-code", INFO2, text, EXCEPTION)


def _exception_problems(event: EventInject) -> Iterator[str]:
    kind = EventType(event.type)
    if not event.valid:
        yield "bit 31, valid, is not set"
    if kind is not EventType.EXCEPTION:
        yield f"the type is {int(kind)}, guests accept 3 (exception) alone"
    if event.vector not in (GP, UD):
        yield f"the vector is {event.vector}, guests accept 13 (#GP) and 6 (#UD) alone"


def _result(case: Case) -> GuestRequestResult | None:
    """Return the result of a guest request, if the page is one and says so."""
    if _action(case) is not Action.NO_ACTION or not case.known(INFO2) or not case.rows:
        return None
    if case.rows[0].result.type is not GuestRequestResult:
        return None
    return GuestRequestResult(case.page.sw_exit_info_2)


def guest_request(case: Case) -> Iterator[Finding]:
    """Expect one side or the other to fail, with codes that the guest knows (Linux)."""
    result = _result(case)
    if result is None:
        return
    vmm, firmware = VmmError(result.vmm_error), Status(result.fw_error)
    shown = f"sw_exit_info_2 is {int(result):#018x}"
    if not vmm.known:
        text = f"{shown}: hypervisor error {int(vmm):#x} is none that is known; Linux drops its key"
        yield case.warning("guest-request-vmm", INFO2, text, ISSUE)
    if not firmware.known:
        text = f"{shown}: firmware status {int(firmware):#x} is none that is known"
        yield case.note("guest-request-firmware", INFO2, text, "Linux psp-sev.h")
    if vmm in (VmmError.BUSY, VmmError.INVALID_LEN) and firmware:
        text = (
            f"{shown}: {vmm.name} beside firmware status {int(firmware):#x}; Linux compares the"
            " whole quadword, takes it for a failure and drops its key"
        )
        yield case.warning("guest-request-mixed", INFO2, text, ISSUE)
    if vmm is VmmError.INVALID_LEN:
        yield from _too_short(case)


def _too_short(case: Case) -> Iterator[Finding]:
    """Expect INVALID_LEN to say in rbx how many pages are needed."""
    if case.code != EXT_GUEST_REQUEST:
        text = "INVALID_LEN answers a request that brings no certificate buffer"
        yield case.warning("guest-request-length", INFO2, text, ISSUE)
    elif case.lacks("rbx"):
        text = "rbx is not marked valid, beside INVALID_LEN it says how many pages are needed"
        yield case.warning("guest-request-length", "rbx", text, ISSUE)
    elif case.known("rbx") and not case.page.rbx:
        text = "rbx is 0, beside INVALID_LEN it says how many pages are needed"
        yield case.warning("guest-request-length", "rbx", text, ISSUE)


def features(case: Case) -> Iterator[Finding]:
    """Expect each feature beside those it needs (56421, hypervisor features)."""
    served = case.known("sw_exit_code", INFO2) and case.code == HV_FEATURES
    if served and _action(case) is Action.NO_ACTION:
        for sentence in without_support(HvFeatures(case.page.sw_exit_info_2)):
            yield case.warning("feature-dependency", INFO2, sentence, HvFeatures.SPEC)


def meanings(case: Case) -> Iterator[Finding]:
    """Expect a meaning in all that is set: a name for each code and bit, a use for a number.

    ``sw_exit_info_2`` is left alone where the exit's rows differ over it: the operand that chose
    among them is gone.
    """
    if not case.known("sw_exit_code", INFO1):
        return
    for field, operand in operands(case.page, case.context).items():
        if not case.known(field) or case.lacks(field) or (field == INFO2 and _ambiguous(case)):
            continue
        value = operand.type(getattr(case.page, field))
        tile = Page.tile(field)
        offset = tile.offset if tile else 0
        if isinstance(value, Word):
            yield from record.unknown_bits(value, field, offset, value.SPEC)
        elif isinstance(value, OpenEnum):
            yield from record.unknown_code(value, field, offset, SPEC)
        elif isinstance(value, Zero) and value:
            text = f"{field} is {int(value):#x}, this exit returns nothing in it"
            yield case.note("operand-not-zero", field, text, SPEC)


def _ambiguous(case: Case) -> bool:
    if _action(case) is not Action.NO_ACTION:
        return False
    return not case.rows or len({row.result for row in case.rows}) > 1


def page_states(case: Case) -> Iterator[Finding]:
    """Judge the buffer that a page state change leaves, if it was not refused."""
    if _action(case) is Action.NO_ACTION and case.known(INFO2) and not case.page.sw_exit_info_2:
        yield from shared_psc(case)


RULES = (action, marked, returned, exception, guest_request, features, meanings, page_states)
