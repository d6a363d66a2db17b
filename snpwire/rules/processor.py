"""What can be wrong with what a guest asks about processors and their interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.address import LARGE_PAGE, PAGE
from ..wire.operands import ApCreationRequest, DoorbellRequest, SecureAvicRequest
from .access import HANDLE
from .ghcb_page import INVALID_INPUT, GhcbCheck, GhcbRule

if TYPE_CHECKING:
    from ..finding import Findings

INFO1, INFO2 = "sw_exit_info_1", "sw_exit_info_2"
LOW_HALF = 0xFFFF_FFFF
AP_CREATION = "Linux 6.12 sev_snp_ap_creation"
DOORBELL = "newer Linux, coconut-svsm"
APIC_IDS = "newer Linux, edk2, linux-svsm"
AVIC = "newer Linux, secure AVIC"


def jump_table(check: GhcbCheck) -> Findings:
    """Expect the table to be set or queried (KVM refuses anything else with reason 5)."""
    value = check.page.sw_exit_info_1
    if check.known(INFO1) and value > 1:
        text = f"sw_exit_info_1 is {value:#x}, a jump table is set (0) or asked for (1)"
        yield check.error("jump-table-request", INFO1, text, HANDLE, INVALID_INPUT)


def creation(check: GhcbCheck) -> Findings:
    """Expect a processor to be created, on INIT or at once, or destroyed (KVM)."""
    if not check.known(INFO1):
        return
    low = check.page.sw_exit_info_1 & LOW_HALF
    request = ApCreationRequest(low & 0xFFFF)
    if not request.known:
        text = f"request {int(request)} in sw_exit_info_1 is none: there are 0 to 2"
        yield check.error("ap-request", INFO1, text, AP_CREATION, INVALID_INPUT)
        return
    if low >> 16:
        text = (
            f"the low half of sw_exit_info_1 is {low:#x}, VMPL {low >> 16 & 0xF}: KVM 6.12"
            " takes the whole half for the request; coconut-svsm and newer KVM have a VMPL here"
        )
        yield check.warning("ap-vmpl", INFO1, text, AP_CREATION, INVALID_INPUT)
    if request is not ApCreationRequest.DESTROY and check.known(INFO2):
        yield from _vmsa(check)


def _vmsa(check: GhcbCheck) -> Findings:
    vmsa = check.page.sw_exit_info_2
    if vmsa == 0:
        problem = "there is no VMSA"
    elif vmsa % PAGE:
        problem = "the VMSA does not start on 4 KiB"
    elif vmsa % LARGE_PAGE == 0:
        problem = "the VMSA starts a 2 MiB page, which KVM refuses for a processor erratum"
    else:
        return
    text = f"sw_exit_info_2 is {vmsa:#x}: {problem}"
    yield check.error("ap-vmsa", INFO2, text, AP_CREATION, INVALID_INPUT)


def doorbell(check: GhcbCheck) -> Findings:
    """Expect one of four requests, and a page where it sets one (newer Linux)."""
    if not check.known(INFO1):
        return
    request = DoorbellRequest(check.page.sw_exit_info_1)
    page = check.page.sw_exit_info_2
    if not request.known:
        text = f"sw_exit_info_1 is {int(request):#x}, doorbell requests are 0 to 3"
        yield check.error("doorbell-request", INFO1, text, DOORBELL)
    elif not check.known(INFO2):
        return
    elif request is DoorbellRequest.SET and page % PAGE:
        text = f"sw_exit_info_2 is {page:#x}: the doorbell page does not start on 4 KiB"
        yield check.error("doorbell-page", INFO2, text, DOORBELL)
    elif request is not DoorbellRequest.SET and page:
        text = f"sw_exit_info_2 is {page:#x}, only SET has a use for it"
        yield check.note("operand-not-zero", INFO2, text, DOORBELL)


def apic_ids(check: GhcbCheck) -> Findings:
    """Expect a buffer and its pages, or neither (newer Linux, edk2, linux-svsm)."""
    buffer, room = check.page.sw_exit_info_1, check.page.rax
    if not check.known(INFO1):
        return
    if buffer % PAGE:
        text = f"sw_exit_info_1 is {buffer:#x}: the buffer does not start on 4 KiB"
        yield check.warning("apic-id-buffer", INFO1, text, APIC_IDS)
    if check.holds("rax") and bool(buffer) != bool(room):
        text = f"sw_exit_info_1 is {buffer:#x} and rax {room:#x}: both or neither"
        yield check.warning("apic-id-buffer", INFO1, text, APIC_IDS)


def run_vmpl(check: GhcbCheck) -> Findings:
    """Expect a privilege level of 0 to 3, in the low half."""
    value = check.page.sw_exit_info_1
    if check.known(INFO1) and value > 3:
        text = f"sw_exit_info_1 is {value:#x}, a VMPL is 0 to 3"
        yield check.warning("run-vmpl", INFO1, text, "56421, SNP run VMPL; Linux, coconut-svsm")


def secure_avic(check: GhcbCheck) -> Findings:
    """Expect a backing page to be registered or released (newer Linux)."""
    if not check.known(INFO1):
        return
    request = SecureAvicRequest(check.page.sw_exit_info_1)
    if not request.known:
        text = f"sw_exit_info_1 is {int(request):#x}, a page is registered (0) or given up (1)"
        yield check.error("secure-avic-request", INFO1, text, AVIC)
    elif request is SecureAvicRequest.REGISTER_GPA and check.holds("rbx") and check.page.rbx % PAGE:
        text = f"rbx is {check.page.rbx:#x}: the APIC backing page does not start on 4 KiB"
        yield check.error("secure-avic-page", "rbx", text, AVIC)


def vector(check: GhcbCheck) -> Findings:
    """Expect a vector of at most 255 (draft)."""
    value = check.page.sw_exit_info_1
    if check.known(INFO1) and value > 0xFF:
        text = f"sw_exit_info_1 is {value:#x}, a vector is at most 0xff"
        yield check.warning("vector", INFO1, text, "coconut-svsm, draft")


CODES: dict[int, tuple[GhcbRule, ...]] = {
    0x8000_0005: (jump_table,),
    0x8000_0013: (creation,),
    0x8000_0014: (doorbell,),
    0x8000_0017: (apic_ids,),
    0x8000_0018: (run_vmpl,),
    0x8000_001A: (secure_avic,),
    0x8000_001B: (vector,),
}
