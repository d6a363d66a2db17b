"""What can be wrong with a guest request, and with a guest's last words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import OpenEnum
from ..wire.address import PAGE
from ..wire.exits import ExitCode
from ..wire.operands import SevTioAction, SevTioOpInfo, TermInfo, TermSet
from .case import INVALID_INPUT, MISSING_INPUT, VALIDATE, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..finding import Finding

INFO1, INFO2 = "sw_exit_info_1", "sw_exit_info_2"
WITH_PAGES = (0x8000_0011, 0x8000_0012, 0x8000_0020)
EXTENDED = "Linux 6.12 snp_handle_ext_guest_req"
RFC = "Linux SEV-TIO series, draft"


def pages(case: Case) -> Iterator[Finding]:
    """Expect two pages (KVM checks them beside the inputs, hence its reason 4)."""
    if not case.known("sw_exit_code") or case.code not in WITH_PAGES:
        return
    source = VALIDATE if case.served else RFC
    places = {INFO1: "request", INFO2: "response"}
    for field, name in places.items():
        value = getattr(case.page, field)
        if case.known(field) and value % PAGE:
            text = f"{field} is {value:#x}: the {name} page does not start on 4 KiB"
            yield case.error("page-unaligned", field, text, source, MISSING_INPUT)
    request, response = case.page.sw_exit_info_1, case.page.sw_exit_info_2
    if case.known(INFO1, INFO2) and request == response:
        text = f"sw_exit_info_1 and sw_exit_info_2 are both {request:#x}: request and response"
        text += " are two pages"
        yield case.error("pages-equal", INFO2, text, source, MISSING_INPUT)


def certificate_buffer(case: Case) -> Iterator[Finding]:
    """Expect room for certificates (KVM asks for it where the message is a report request)."""
    for field in ("rax", "rbx"):
        if case.lacks(field):
            text = (
                f"{field} is not marked valid; KVM needs it if the message is MSG_REPORT_REQ,"
                " which stands in the request page and not here"
            )
            yield case.warning("certificate-buffer", field, text, EXTENDED, INVALID_INPUT)
    rax = case.page.rax
    if case.holds("rax") and rax % PAGE:
        text = f"rax is {rax:#x}: the certificate buffer does not start on 4 KiB"
        text += ", which KVM refuses for MSG_REPORT_REQ"
        yield case.error("certificate-buffer", "rax", text, EXTENDED, INVALID_INPUT)


def termination(case: Case) -> Iterator[Finding]:
    """Expect a reason out of a set of codes that somebody defines."""
    if not case.known(INFO1):
        return
    info = TermInfo(case.page.sw_exit_info_1)
    owner, reason = TermSet(info.reason_set), info.reason
    source = "56421, termination; Linux, linux-svsm"
    if not owner.known:
        text = f"reason set {int(owner)} is none that is known: 0, 1 and 15 are"
        yield case.note("termination-set", INFO1, text, source)
    elif isinstance(reason, OpenEnum) and not reason.known:
        text = f"reason {int(reason)} is none of the codes of set {int(owner)} ({owner.doc})"
        yield case.note("termination-reason", INFO1, text, source)


def unsupported(case: Case) -> Iterator[Finding]:
    """Expect an exit code, as a #VC has it (edk2 sends the exception's data instead)."""
    value = case.page.sw_exit_info_1
    if case.known(INFO1) and not ExitCode(value).known:
        text = f"sw_exit_info_1 is {value:#x}, no exit code; edk2 sends the exception's data here"
        yield case.note("vc-error-code", INFO1, text, "edk2")


def device_operation(case: Case) -> Iterator[Finding]:
    """Expect one of four device operations (draft)."""
    action = SevTioAction(SevTioOpInfo(case.page.sw_exit_info_1).action)
    if case.known(INFO1) and not action.known:
        text = f"action {int(action)} in sw_exit_info_1 is none: there are 0 to 3"
        yield case.warning("device-operation", INFO1, text, RFC)


CODES: dict[int, tuple[Callable[[Case], Iterator[Finding]], ...]] = {
    0x8000_0012: (certificate_buffer,),
    0x8000_0021: (device_operation,),
    0x8000_FFFE: (termination,),
    0x8000_FFFF: (unsupported,),
}
