"""VMGEXIT in the hypervisor: what it does on an exit, and the one place where it responds.

Exits are validated as KVM of Linux 6.12 does, by ``rules.ghcb``; a guest request that is well
formed beyond doubt skips the rules, which would take longer than all the rest of it. What KVM fails
KVM_RUN for stops the guest here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...context import Direction, context_of
from ...errors import StoppedError
from ...rmp.entry import ASSIGNED
from ...rules.ghcb import refusal
from ...wire.address import IN_PAGE
from ...wire.event import Gpa, Value
from ...wire.exits import ExitCode
from ...wire.ghcb import Page
from ...wire.operands import Action
from ..ghcb import (
    BITMAP,
    BITMAP_AT,
    EXIT_BITMAP,
    EXIT_FIELDS,
    INFO,
    INFO_AT,
    RAX,
    RAX_AT,
    bitmap_of,
)
from ..trace import HYPERVISOR, TraceBytes
from . import exits
from . import msr_protocol as msr
from .exchange import Exchange
from .guest_request import REPORT_REQ, TYPE_AT, GuestRequests

if TYPE_CHECKING:
    from ...finding import Finding
    from .host import Host
    from .vm import Vcpu

READ_AT, READ = Page.place("sw_exit_code"), Page.struct(*EXIT_FIELDS, "valid_bitmap", "ghcb_usage")
RCX_AT, RCX_RDX_RBX = Page.place("rcx"), Page.struct("rcx", "rdx", "rbx")
RESPONSE_BITMAP = bitmap_of("rax", "rcx", "rdx", "rbx", "sw_exit_info_1", "sw_exit_info_2")
"""What KVM marks valid, whatever it responds."""
REQUEST, EXTENDED = int(ExitCode.SNP_GUEST_REQUEST), int(ExitCode.SNP_EXT_GUEST_REQUEST)
MALFORMED = int(Action.MALFORMED_INPUT)
NOTHING = (0, 0, 0, 0)
"""rax, rcx, rdx and rbx where they return nothing: KVM marks them valid too."""


class Hypervisor:
    """Responds to exits."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.simulation = host.simulation
        self.requests = GuestRequests(host)

    def vmgexit(self, vcpu: Vcpu) -> None:
        """Do what the guest exits for. Raises StoppedError if the guest does not run on."""
        vm = vcpu.vm
        with self.simulation.lock:
            if vm.stopped:
                raise StoppedError(vm.name, vm.stopped)
            try:
                if vcpu.msr & 0xFFF:
                    msr.response(self.host, vcpu)
                else:
                    self._respond(vcpu, self._ghcb(vcpu))
            except StoppedError as exc:
                vm.stopped = exc.reason
                if self.simulation.trace:
                    self._note(vcpu, "stop", reason=exc.reason)
                raise

    def _respond(self, vcpu: Vcpu, ghcb: bytearray) -> None:
        """Do what a page asks for, and write the response to it."""
        code, info1, info2, bitmap, usage = READ.unpack_from(ghcb, READ_AT)
        aligned = not (info1 | info2) & IN_PAGE and info1 != info2
        if code == REQUEST and aligned and bitmap == EXIT_BITMAP and not usage:
            self.write(vcpu, ghcb, 0, self.requests.serve(Exchange(vcpu, info1, info2)))
            return
        page = Page.parse(ghcb)
        finding = self._refusal(vcpu, page)
        if finding:
            self.write(vcpu, ghcb, MALFORMED, finding.reason)
        elif code == REQUEST:
            self.write(vcpu, ghcb, 0, self.requests.serve(Exchange(vcpu, info1, info2)))
        elif code == EXTENDED:
            self._respond_extended(vcpu, ghcb, page)
        else:
            self.write(vcpu, ghcb, *exits.response(self.host, vcpu, page))

    def _respond_extended(self, vcpu: Vcpu, ghcb: bytearray, page: Page) -> None:
        """Serve a request for a report and certificates, which *page* has room for."""
        x = Exchange(vcpu, page.sw_exit_info_1, page.sw_exit_info_2)
        x.data_gpa, x.data_pages = page.rax, page.rbx
        result = self.requests.serve(x)
        self.write(vcpu, ghcb, 0, result, (page.rax, 0, 0, x.pages_needed or page.rbx))

    def _ghcb(self, vcpu: Vcpu) -> bytearray:
        """Return the GHCB of a processor. Raises StoppedError."""
        vm, gpa = vcpu.vm, vcpu.msr
        known = vm.views.get(gpa)
        if gpa != vcpu.ghcb_gpa or known is None:
            self._check_registered(vcpu)
        page, ghcb = known or self.requests.view(vm, gpa)
        if self.host.table.entry(page)[0] & ASSIGNED:
            reason = "KVM_RUN fails with EFAULT: the GHCB at"
            raise StoppedError(vm.name, f"{reason} {gpa:#x} is a private page")
        return ghcb

    @staticmethod
    def _check_registered(vcpu: Vcpu) -> None:
        """Raise StoppedError unless the page is there and is the one that the guest registered."""
        vm, gpa = vcpu.vm, vcpu.msr
        if gpa >> 12 not in vm.map:
            raise StoppedError(vm.name, f"no GHCB can be mapped at {gpa:#x}")
        if gpa != vcpu.ghcb_gpa:
            registered = "none" if vcpu.ghcb_gpa is None else f"{vcpu.ghcb_gpa:#x}"
            reason = f"KVM_RUN fails with EINVAL: the GHCB is at {gpa:#x}, registered is"
            raise StoppedError(vm.name, f"{reason} {registered}")

    def _refusal(self, vcpu: Vcpu, page: Page) -> Finding | None:
        """Return the finding for which KVM refuses a page, if there is one.

        KVM takes an extended request for a plain one where its message is no report request.
        """
        if page.sw_exit_code == EXTENDED and not self._for_report(vcpu, page):
            page = page.replace(sw_exit_code=REQUEST)
        finding = refusal(page, context_of(page, direction=Direction.REQUEST, gpa=vcpu.msr))
        if finding and self.simulation.trace:
            self._note(vcpu, "refuse", reason=finding.reason, why=finding.text)
        return finding

    def _for_report(self, vcpu: Vcpu, page: Page) -> bool:
        place = vcpu.vm.map.get(page.sw_exit_info_1 >> 12)
        return place is None or self.host.page(place)[TYPE_AT] == REPORT_REQ

    def write(
        self,
        vcpu: Vcpu,
        ghcb: bytearray,
        info1: int,
        info2: int,
        registers: tuple[int, int, int, int] = NOTHING,
    ) -> None:
        """Write a response: both operands, and rax, rcx, rdx and rbx, all marked valid as by KVM.

        This is the only place that writes one to a page.
        """
        before = None if self.simulation.trace is None else bytes(ghcb)
        rax, rcx, rdx, rbx = registers
        RAX.pack_into(ghcb, RAX_AT, rax)
        RCX_RDX_RBX.pack_into(ghcb, RCX_AT, rcx, rdx, rbx)
        INFO.pack_into(ghcb, INFO_AT, info1, info2)
        BITMAP.pack_into(ghcb, BITMAP_AT, RESPONSE_BITMAP)
        if before is not None:
            written = (TraceBytes("ghcb", vcpu.msr, bytes(ghcb), before),)
            facts = {"info1": Value(info1), "info2": Value(info2), "ghcb": Gpa(vcpu.msr)}
            self.simulation.note(
                HYPERVISOR, vcpu.vm.name, vcpu.apic_id, "resume", written, (), **facts
            )

    def _note(self, vcpu: Vcpu, action: str, **facts: object) -> None:
        self.simulation.note(HYPERVISOR, vcpu.vm.name, vcpu.apic_id, action, (), (), **facts)
