"""The hypervisor: what it does when a guest leaves, and the one place where it answers.

Exits are validated as KVM of Linux 6.12 does, by ``rules.ghcb``; a guest request that is well
formed beyond doubt skips the rules, which would take longer than all the rest of it. What KVM fails
KVM_RUN for stops the guest here.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ...context import Direction, context_of
from ...errors import StoppedError
from ...rmp.entry import ASSIGNED
from ...rules.ghcb import refusal
from ...wire.address import PAGE
from ...wire.event import Gpa, Value
from ...wire.exits import ExitCode
from ...wire.ghcb import Page
from ...wire.operands import Action
from ..ghcb import BITMAP_AT, EXIT_AT, EXIT_BITS, INFO_AT, RAX_AT, RAX_BIT, RCX_AT, RESPONSE_BITS
from ..trace import HYPERVISOR, TraceBytes
from . import exits
from . import msr_protocol as msr
from .guest_request import REPORT_REQ, TYPE_AT, Exchange, GuestRequests

if TYPE_CHECKING:
    from .host import Host
    from .vm import Vcpu

EXIT = Struct("<3Q 72x 2Q 3068x I")
"""Exit code and operands, the valid bitmap, and at the end of the page its usage."""
WORD, PAIR, TRIPLE = Struct("<Q"), Struct("<2Q"), Struct("<3Q")
REQUEST, EXTENDED = int(ExitCode.SNP_GUEST_REQUEST), int(ExitCode.SNP_EXT_GUEST_REQUEST)
BUFFER_RULE = "certificate-buffer"
MALFORMED = int(Action.MALFORMED_INPUT)
NOTHING = (0, 0, 0, 0)
"""What rax, rcx, rdx and rbx are where nothing comes back in them: KVM marks them valid too."""


class Hypervisor:
    """Answers exits."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.simulation = host.simulation
        self.requests = GuestRequests(host)

    def vmgexit(self, vcpu: Vcpu) -> None:
        """Do what the guest left for. Raises StoppedError if the guest does not run on."""
        vm = vcpu.vm
        with self.simulation.lock:
            if vm.stopped:
                raise StoppedError(vm.name, vm.stopped)
            try:
                if vcpu.msr & 0xFFF:
                    msr.response(self.host, vcpu)
                else:
                    self._response(vcpu, self._ghcb(vcpu))
            except StoppedError as exc:
                vm.stopped = exc.reason
                if self.simulation.trace:
                    self._say(vcpu, "stop", reason=exc.reason)
                raise

    def _response(self, vcpu: Vcpu, ghcb: bytearray) -> None:
        code, info1, info2, _, marked, usage = EXIT.unpack_from(ghcb, EXIT_AT)
        aligned = not (info1 | info2) & PAGE - 1 and info1 != info2
        if code == REQUEST and aligned and marked & EXIT_BITS == EXIT_BITS and not usage:
            result = self.requests.serve(Exchange(vcpu, info1, info2))
            self.write(vcpu, ghcb, 0, result, NOTHING)
        else:
            self._checked(vcpu, ghcb)

    def _ghcb(self, vcpu: Vcpu) -> bytearray:
        """Return the page that the guest speaks through. Raises StoppedError."""
        vm, gpa = vcpu.vm, vcpu.msr
        known = vm.views.get(gpa)
        if gpa != vcpu.ghcb_gpa or known is None:
            self._registered(vcpu)
        page, ghcb = known or self.requests.view(vm, gpa)
        if self.host.table.entry(page)[0] & ASSIGNED:
            reason = "KVM_RUN fails with EFAULT: the GHCB at"
            raise StoppedError(vm.name, f"{reason} {gpa:#x} is a private page")
        return ghcb

    @staticmethod
    def _registered(vcpu: Vcpu) -> None:
        """Raise StoppedError unless the page is there and is the one that the guest registered."""
        vm, gpa = vcpu.vm, vcpu.msr
        if gpa >> 12 not in vm.map:
            raise StoppedError(vm.name, f"no GHCB can be mapped at {gpa:#x}")
        if gpa != vcpu.ghcb_gpa:
            registered = "none" if vcpu.ghcb_gpa is None else f"{vcpu.ghcb_gpa:#x}"
            reason = f"KVM_RUN fails with EINVAL: the GHCB is at {gpa:#x}, registered is"
            raise StoppedError(vm.name, f"{reason} {registered}")

    def _checked(self, vcpu: Vcpu, ghcb: bytearray) -> None:
        """Let the rules judge the page, then do what it asks for."""
        page = Page.parse(ghcb)
        context = context_of(page, direction=Direction.REQUEST, gpa=vcpu.msr)
        found = refusal(page, context)
        asked = page.sw_exit_code == EXTENDED
        if asked and found and found.code == BUFFER_RULE and not self._for_report(vcpu, page):
            found = None  # KVM looks at rax and rbx only where the message is a report request
        if found:
            if self.simulation.trace:
                self._say(vcpu, "refuse", reason=found.reason, why=found.text)
            self.write(vcpu, ghcb, MALFORMED, found.reason)
        elif page.sw_exit_code in (REQUEST, EXTENDED):
            x = Exchange(vcpu, page.sw_exit_info_1, page.sw_exit_info_2)
            x.extended, x.data_gpa, x.data_pages = asked, page.rax, page.rbx
            result = self.requests.serve(x)
            back = (page.rax, 0, 0, x.pages_needed or page.rbx) if asked else NOTHING
            self.write(vcpu, ghcb, 0, result, back)
        else:
            info1, info2, registers = exits.response(self.host, vcpu, page)
            self.write(vcpu, ghcb, info1, info2, registers)

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
        """Write an answer: both operands, and rax, rcx, rdx and rbx, all marked valid as by KVM.

        This is the only place that writes one to a page.
        """
        traced = self.simulation.trace is not None
        before = bytes(ghcb) if traced else None
        rax, rcx, rdx, rbx = registers
        WORD.pack_into(ghcb, RAX_AT, rax)
        TRIPLE.pack_into(ghcb, RCX_AT, rcx, rdx, rbx)
        PAIR.pack_into(ghcb, INFO_AT, info1, info2)
        PAIR.pack_into(ghcb, BITMAP_AT, RAX_BIT, RESPONSE_BITS)
        if traced:
            written = (TraceBytes("ghcb", vcpu.msr, bytes(ghcb), before),)
            facts = {"info1": Value(info1), "info2": Value(info2), "ghcb": Gpa(vcpu.msr)}
            self.simulation.note(
                HYPERVISOR, vcpu.vm.name, vcpu.apic_id, "resume", written, (), **facts
            )

    def _say(self, vcpu: Vcpu, action: str, **facts: object) -> None:
        self.simulation.note(HYPERVISOR, vcpu.vm.name, vcpu.apic_id, action, (), (), **facts)
