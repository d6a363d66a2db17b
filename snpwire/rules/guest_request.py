"""What can be wrong with guest requests and with a guest's termination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import OpenEnum
from ..wire.address import PAGE
from ..wire.exits import ExitCode
from ..wire.operands import SevTioAction, SevTioOpInfo, TermInfo, TermSet
from .ghcb_page import INVALID_INPUT, MISSING_INPUT, VALIDATE, GhcbCheck, GhcbRule

if TYPE_CHECKING:
    from ..finding import Findings

INFO1, INFO2 = "sw_exit_info_1", "sw_exit_info_2"
WITH_PAGES = (0x8000_0011, 0x8000_0012, 0x8000_0020)
EXTENDED = "Linux 6.12 snp_handle_ext_guest_req"
RFC = "Linux SEV-TIO series, draft"


def pages(check: GhcbCheck) -> Findings:
    """Expect two pages (KVM checks them with the inputs, hence its reason 4)."""
    if not check.known("sw_exit_code") or check.code not in WITH_PAGES:
        return
    source = VALIDATE if check.served else RFC
    places = {INFO1: "request", INFO2: "response"}
    for field, name in places.items():
        value = getattr(check.page, field)
        if check.known(field) and value % PAGE:
            text = f"{field} is {value:#x}: the {name} page does not start on 4 KiB"
            yield check.error("page-unaligned", field, text, source, MISSING_INPUT)
    request, response = check.page.sw_exit_info_1, check.page.sw_exit_info_2
    if check.known(INFO1, INFO2) and request == response:
        text = f"sw_exit_info_1 and sw_exit_info_2 are both {request:#x}: request and response"
        text += " are two pages"
        yield check.error("pages-equal", INFO2, text, source, MISSING_INPUT)


def certificate_buffer(check: GhcbCheck) -> Findings:
    """Expect room for certificates (KVM asks for it where the message is a report request)."""
    for field in ("rax", "rbx"):
        if check.lacks(field):
            text = (
                f"{field} is not marked valid; KVM needs it if the message is MSG_REPORT_REQ,"
                " which stands in the request page and not here"
            )
            yield check.warning("certificate-buffer", field, text, EXTENDED, INVALID_INPUT)
    rax = check.page.rax
    if check.holds("rax") and rax % PAGE:
        text = f"rax is {rax:#x}: the certificate buffer does not start on 4 KiB"
        text += ", which KVM refuses for MSG_REPORT_REQ"
        yield check.error("certificate-buffer", "rax", text, EXTENDED, INVALID_INPUT)


def termination(check: GhcbCheck) -> Findings:
    """Expect a reason out of a set of codes that somebody defines."""
    if not check.known(INFO1):
        return
    info = TermInfo(check.page.sw_exit_info_1)
    owner, reason = TermSet(info.reason_set), info.reason
    source = "56421, termination; Linux, linux-svsm"
    if not owner.known:
        text = f"reason set {int(owner)} is none that is known: 0, 1 and 15 are"
        yield check.note("termination-set", INFO1, text, source)
    elif isinstance(reason, OpenEnum) and not reason.known:
        text = f"reason {int(reason)} is none of the codes of set {int(owner)} ({owner.doc})"
        yield check.note("termination-reason", INFO1, text, source)


def unsupported(check: GhcbCheck) -> Findings:
    """Expect an exit code, as a #VC has it (edk2 sends the exception's data instead)."""
    value = check.page.sw_exit_info_1
    if check.known(INFO1) and not ExitCode(value).known:
        text = f"sw_exit_info_1 is {value:#x}, no exit code; edk2 sends the exception's data here"
        yield check.note("vc-error-code", INFO1, text, "edk2")


def device_operation(check: GhcbCheck) -> Findings:
    """Expect one of four device operations (draft)."""
    action = SevTioAction(SevTioOpInfo(check.page.sw_exit_info_1).action)
    if check.known(INFO1) and not action.known:
        text = f"action {int(action)} in sw_exit_info_1 is none: there are 0 to 3"
        yield check.warning("device-operation", INFO1, text, RFC)


CODES: dict[int, tuple[GhcbRule, ...]] = {
    0x8000_0012: (certificate_buffer,),
    0x8000_0021: (device_operation,),
    0x8000_FFFE: (termination,),
    0x8000_FFFF: (unsupported,),
}
