"""Exits through the page other than guest requests, once the rules have passed them.

A machine without devices: ports and MMIO read as ones, what is written to them is lost, and an MSR
that does not exist raises #GP in the guest, encoded as by KVM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import StoppedError
from ...rmp.entry import ASSIGNED, IMMUTABLE, VALIDATED, VMSA
from ...wire.address import IN_PAGE, LARGE_PAGE, PAGE
from ...wire.event import Gpa
from ...wire.exits import ExitCode
from ...wire.ghcb import SHARED_END
from ...wire.operands import Action, ApCreationInfo, ApCreationRequest, SevFeatures, TermInfo
from ..trace import HYPERVISOR, TraceBytes
from .page_state import change_all
from .vm import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...wire.ghcb import Page
    from .host import Host
    from .vm import Vcpu

    Response = tuple[int, int, tuple[int, int, int, int]]
    """Both operands, and rax, rcx, rdx and rbx."""

NONE = (0, 0, 0, 0)
EXCEPTION, MALFORMED = int(Action.ISSUE_EXCEPTION), int(Action.MALFORMED_INPUT)
INVALID_SCRATCH_AREA, INVALID_INPUT = 3, 5
GENERAL_PROTECTION = 0x8000_030D
ALL_ONES = (1 << 64) - 1
INJECTION = SevFeatures.restricted_injection.mask | SevFeatures.alternate_injection.mask
"""Ways of injecting interrupts that these VMs do not have."""


def response(host: Host, vcpu: Vcpu, page: Page) -> Response:
    """Do what a page asks for and return the response. Raises StoppedError."""
    code = int(page.sw_exit_code)
    serve = SERVED.get(code)
    return CONSTANT.get(code, NOTHING) if serve is None else serve(host, vcpu, page)


def _time(host: Host, vcpu: Vcpu, page: Page) -> Response:
    """Return the time stamp counter, which counts the machine's nanoseconds."""
    now = host.simulation.clock.now
    return 0, 0, (now & 0xFFFF_FFFF, 0, now >> 32, 0)


def _page_states(host: Host, vcpu: Vcpu, page: Page) -> Response:
    """Change the states that a buffer in the page itself asks for.

    The rules let a page of protocol 1 have its scratch area elsewhere; a request of protocol 2, as
    this one is, cannot (56421).
    """
    if page.sw_scratch >> 12 != vcpu.msr >> 12:
        return MALFORMED, INVALID_SCRATCH_AREA, NONE
    ghcb = host.page(vcpu.vm.map[vcpu.msr >> 12])
    before = bytes(ghcb) if host.simulation.trace else b""
    result = change_all(host, vcpu.vm, ghcb, page.sw_scratch)
    if host.simulation.trace:
        at = page.sw_scratch & IN_PAGE
        written = (
            TraceBytes("psc", page.sw_scratch, bytes(ghcb[at:SHARED_END]), before[at:SHARED_END]),
        )
        host.simulation.note(HYPERVISOR, vcpu.vm.name, vcpu.apic_id, "page-states", written)
    return 0, result, NONE


def _create(host: Host, vcpu: Vcpu, page: Page) -> Response:
    """Start or stop a processor on a VMSA, as far as its page goes (KVM sev_snp_ap_creation).

    KVM refuses a VMSA at a multiple of 2 MiB, which a processor's erratum forbids, and another way
    of injecting interrupts than the VM has. What VMRUN checks of the page is checked here, so that
    a processor that could not run is reported.
    """
    info = ApCreationInfo(page.sw_exit_info_1)
    gpa = page.sw_exit_info_2
    target = next((c for c in vcpu.vm.vcpus if c.apic_id == info.apic_id), None)
    request = ApCreationRequest(page.sw_exit_info_1 & 0xFFFF_FFFF)  # KVM leaves the VMPL in
    if target is None or not request.known:
        return MALFORMED, INVALID_INPUT, NONE
    if request is ApCreationRequest.DESTROY:
        target.vmsa_gpa, target.running = None, False
    elif gpa % PAGE or not gpa % LARGE_PAGE or gpa >> 12 not in vcpu.vm.map or page.rax & INJECTION:
        return MALFORMED, INVALID_INPUT, NONE
    else:
        target.vmsa_gpa = gpa
        target.running = can_run(host, target)
    if host.simulation.trace:
        facts = {"request": request, "vmsa": Gpa(gpa), "runs": target.running}
        host.simulation.note(
            HYPERVISOR, vcpu.vm.name, target.apic_id, "ap-creation", (), (), **facts
        )
    return 0, 0, NONE


def can_run(host: Host, vcpu: Vcpu) -> bool:
    """Return whether VMRUN accepts a processor's VMSA: its page is the guest's, and a VMSA page."""
    if vcpu.vmsa_gpa is None:
        return False
    lo = host.table.entry(vcpu.vm.map[vcpu.vmsa_gpa >> 12])[0]
    wanted = ASSIGNED | VMSA | VALIDATED
    return lo & (wanted | IMMUTABLE) == wanted


def _end(host: Host, vcpu: Vcpu, page: Page) -> Response:
    info = TermInfo(page.sw_exit_info_1)
    reason = f"it ended itself: {int(info.reason_set):#x}:{info.reason_code:#x}"
    raise StoppedError(vcpu.vm.name, reason)


def _unsupported(host: Host, vcpu: Vcpu, page: Page) -> Response:
    reason = f"KVM_RUN fails with EINVAL: unsupported event {page.sw_exit_info_1:#x}"
    raise StoppedError(vcpu.vm.name, reason)


SERVED: dict[int, Callable[[Host, Vcpu, Page], Response]] = {
    int(ExitCode.RDTSC): _time,
    int(ExitCode.RDTSCP): _time,
    int(ExitCode.SNP_PAGE_STATE_CHANGE): _page_states,
    int(ExitCode.SNP_AP_CREATION): _create,
    int(ExitCode.TERM_REQUEST): _end,
    int(ExitCode.UNSUPPORTED_EVENT): _unsupported,
}
"""What serves each exit that does something, or depends on something."""
NOTHING: Response = (0, 0, NONE)
CONSTANT: dict[int, Response] = {
    int(ExitCode.IOIO): (0, 0, (0xFFFF_FFFF, 0, 0, 0)),
    int(ExitCode.MSR): (EXCEPTION, GENERAL_PROTECTION, NONE),
    int(ExitCode.HV_FEATURES): (0, int(FEATURES), NONE),
}
"""The response to each other exit, if not zeros: those of CPUID are in the guest's CPUID page."""
