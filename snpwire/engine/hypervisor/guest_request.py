"""Guest requests in the hypervisor: one path, from the exit to the one place that responds.

``GuestRequests.serve`` takes every request through the same steps, and each step leaves what it
finds in the exchange: ``vmm`` is the hypervisor's own error, ``status`` the firmware's. The review
of 2021 asked for an order in which no path forgets the lock, the copy or the error. Here the lock
is held around all of it, pages are reclaimed before anything else is reported, and the caller
writes the response.

Two ways lead to the firmware. KVM of Linux 6.12 copies the guest's page to one of its own, gives
the firmware another of its own for the response, which stays firmware-owned for good, and copies
that to the guest. The patches of 2021 gave the firmware the guest's pages, and the one for the
response had to become firmware-owned and hypervisor-owned again for each request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import StoppedError
from ...rmp.entry import ASSIGNED
from ...wire.address import PAGE
from ...wire.certs import build_table
from ...wire.command_table import CommandId
from ...wire.launch_commands import GuestRequest
from ...wire.message import Header, MsgType
from ...wire.operands import VmmError
from ...wire.status import Status
from ..simulation import Point, seconds
from ..trace import FIRMWARE, HYPERVISOR, TraceBytes
from .policy import INSTANT, Pages, SecondRequest

if TYPE_CHECKING:
    from .exchange import Exchange
    from .host import Host
    from .vm import Vm

TYPE_AT, VMPCK_AT = Header.place("msg_type"), Header.place("msg_vmpck")
REPORT_REQ = int(MsgType.REPORT_REQ)
GUEST_REQUEST, COMMAND = CommandId.SNP_GUEST_REQUEST, GuestRequest.ENGINE
EMPTY_TABLE = bytes(24)
"""The certificate table without certificates: KVM writes its last entry and nothing else."""
BOUNCE, WAIT = Pages.BOUNCE, SecondRequest.WAIT
"""Members of an enumeration cost more to name, before Python 3.12, than to compare."""
OK, INVALID_LEN, BUSY = int(VmmError.NONE), int(VmmError.INVALID_LEN), int(VmmError.BUSY)

ARRIVE: Point[GuestRequests, Exchange] = Point("arrive")
SEND: Point[GuestRequests, Exchange] = Point("send")
ISSUE: Point[GuestRequests, Exchange] = Point("issue")
STATUS: Point[GuestRequests, Exchange] = Point("status")
RESPONSE: Point[GuestRequests, Exchange] = Point("answer")
RESULT: Point[GuestRequests, Exchange] = Point("result")
"""Points that a request passes, in this order."""


class GuestRequests:
    """Serves guest requests."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.simulation = host.simulation
        self.busy_until = 0
        """When the secure processor will be done; it does one thing at a time."""
        self.spare = host.allocate()
        """An empty hypervisor-owned page."""
        self.last: dict[str, Exchange] = {}
        """The last exchange of each VM with a response: a forger would record it."""

    def serve(self, x: Exchange) -> int:
        """Serve a request; return ``sw_exit_info_2``."""
        faults = self.simulation.faults
        x.watched = watched = faults is not None or self.simulation.trace is not None
        if faults is not None:
            faults.fire(ARRIVE, self, x)
        vm, vmm = x.vm, x.vmm
        if not vmm:
            page = (vm.views.get(x.request_gpa) or self.view(vm, x.request_gpa))[1]
            x.request = bytes(page) if watched else page
            vmm = x.vmm = self._admission(x)
        if not vmm and x.data_pages is not None:
            vmm = x.vmm = self._certificates(x, x.data_pages)
        if not vmm:
            if vm.policy.pages is BOUNCE:
                self._by_copies(x)
            else:
                self._by_own_pages(x)
        x.result = result = x.vmm << 32 | x.status
        if not watched:
            return result
        if faults is not None:
            faults.fire(RESULT, self, x)
        if not x.result:
            self.last[vm.name] = x
        return x.result

    def view(self, vm: Vm, gpa: int) -> tuple[int, bytearray]:
        """Return number and bytes of a guest's page. Raises StoppedError if it has none there."""
        known = vm.views.get(gpa)
        if known is None:
            page = self._page(vm, gpa)
            known = vm.views[gpa] = page, self.host.page(page)
        return known

    def _page(self, vm: Vm, gpa: int) -> int:
        page = vm.map.get(gpa >> 12)
        if page is None:
            raise StoppedError(vm.name, f"KVM_RUN fails with EIO: no memory at {gpa:#x}")
        return page

    def _admission(self, x: Exchange) -> int:
        """Return BUSY if the policy refuses the request, and else wait for its turn."""
        vm, clock = x.vm, self.simulation.clock
        policy, now = vm.policy, clock.now
        throttle, second = policy.throttle, policy.second
        if throttle is not None and not vm.window.admits(throttle, now):
            vm.throttled += 1
            within = seconds(throttle.interval)
            self._note(x, "throttle", self._message(x), burst=throttle.burst, interval=within)
            return BUSY
        if second is not WAIT:
            until = vm.busy_until
            if second is SecondRequest.BUSY_STREAM:
                until = vm.stream_until[x.request[VMPCK_AT] & 3]
            if now < until:
                self._note(x, "busy", self._message(x), until=until, per=str(second))
                return BUSY
        start = self.busy_until
        if start > now:
            self._note(x, "wait", nanoseconds=start - now)
            clock.now = start
        return OK

    @staticmethod
    def _message(x: Exchange) -> tuple[TraceBytes, ...]:
        return (TraceBytes("message", x.request_gpa, bytes(x.request)),)

    def _certificates(self, x: Exchange, room: int) -> int:
        """Copy the certificates to the guest, or report how many pages they take."""
        vm, policy = x.vm, x.vm.policy.certificates
        if x.request[TYPE_AT] != REPORT_REQ:
            return OK
        table = self.table(vm) if policy.chain else b""
        needed = max(-(-len(table) // PAGE), policy.pages)
        if needed > room:
            x.pages_needed = needed
            self._note(x, "certificates", needed=needed, given=room)
            return INVALID_LEN
        if room:
            data = (table or EMPTY_TABLE).ljust(needed * PAGE, b"\0") if needed else EMPTY_TABLE
            was = self._shared_bytes(vm, x.data_gpa, len(data)) if self.simulation.trace else None
            for start in range(0, len(data), PAGE):
                self._write(vm, x.data_gpa + start, data[start : start + PAGE])
            if self.simulation.trace:
                written = (TraceBytes("certs", x.data_gpa, data, was),)
                self._note(x, "certificates", written, needed=needed, given=room)
        return OK

    def table(self, vm: Vm) -> bytes:
        """Return the certificate table of a VM: its own, or that of the chip's key."""
        if vm.certificates is not None:
            return vm.certificates
        return build_table(list(self.host.firmware.chip.certificates().items()), pages=True)

    def _write(self, vm: Vm, gpa: int, data: bytes | bytearray) -> None:
        """Write to a guest's shared page. Raises StoppedError if the page is not shared."""
        page, view = vm.views.get(gpa) or self.view(vm, gpa)
        if self.host.table.entry(page)[0] & ASSIGNED:
            reason = f"KVM_RUN fails with EFAULT: #PF, RMP violation at {page << 12:#x}"
            raise StoppedError(vm.name, f"{reason}, a page of {self.host.owners.get(page, '?')}")
        view[: len(data)] = data

    def _shared_bytes(self, vm: Vm, gpa: int, size: int) -> bytes:
        """Return the bytes of a guest's shared pages from *gpa* on, the start of a page."""
        pages = range(gpa, gpa + size, PAGE)
        views = [(vm.views.get(page) or self.view(vm, page))[1] for page in pages]
        return b"".join(map(bytes, views))[:size]

    def _by_copies(self, x: Exchange) -> None:
        """Copy the request in, issue the command, copy the response out."""
        vm, host, watched = x.vm, self.host, x.watched
        known = host.memory.pages
        request, response = vm.bounce
        x.request_spa, x.response_spa = request << 12, response << 12
        if watched:
            self._fire(SEND, x)
        page = known.get(request) or host.page(request)
        was = bytes(page) if watched else None
        page[:] = x.request
        if watched:
            written = TraceBytes("message", x.request_spa, bytes(x.request), was)
            self._note(x, "copy-in", (written,))
        self._issue(x)
        if not x.status or vm.policy.copy_on_failure:
            response = x.response_spa >> 12
            page = known.get(response) or host.page(response)
            x.response = bytes(page) if watched else page
        if watched:
            self._fire(RESPONSE, x)
        if x.response is not None:
            was = self._shared_bytes(vm, x.response_gpa, PAGE) if watched else None
            self._write(vm, x.response_gpa, x.response)
            if watched:
                written = TraceBytes("message", x.response_gpa, bytes(x.response), was)
                self._note(x, "copy-out", (written,))

    def _fire(self, point: Point[GuestRequests, Exchange], x: Exchange) -> None:
        """Let the faults of a point act."""
        if self.simulation.faults is not None:
            self.simulation.faults.fire(point, self, x)

    def _by_own_pages(self, x: Exchange) -> None:
        """Make the guest's page firmware-owned, issue the command, and reclaim the page.

        A page that is not hypervisor-owned before is not touched; one that cannot be reclaimed is
        lost. Either way the guest gets INVALID_ADDRESS, as from the patches of 2021.
        """
        vm, host = x.vm, self.host
        request, response = self._page(vm, x.request_gpa), self._page(vm, x.response_gpa)
        x.request_spa, x.response_spa = request << 12, response << 12
        if self.simulation.faults is not None:
            self.simulation.faults.fire(SEND, self, x)
            host.page(request)[:] = x.request
        if host.is_ours(response):
            x.firmware_owned = not host.assign(response, f"firmware, for {vm.name}", fixed=True)
        if not x.firmware_owned:
            x.status = int(Status.INVALID_ADDRESS)
            return
        try:
            self._issue(x)
        finally:
            back = not x.reclaim or host.reclaim_or_leak(response)
        if not back:
            x.status = int(Status.INVALID_ADDRESS)
        elif self.simulation.faults is not None and x.reclaim:
            x.response = bytes(host.page(response))
            self.simulation.faults.fire(RESPONSE, self, x)
            self._write(vm, x.response_gpa, x.response)

    def _issue(self, x: Exchange) -> None:
        """Issue the command, and let the time pass that it takes. Raises StoppedError."""
        vm, clock = x.vm, self.simulation.clock
        if x.watched:
            self._fire(ISSUE, x)
            if not x.issue:
                if x.forged is not None:
                    self.host.page(x.response_spa >> 12)[:] = x.forged
                return
        if self.host.dead:
            raise StoppedError(vm.name, "KVM_RUN fails with EIO: the firmware does not answer")
        was = self.host.memory.read(x.response_spa & -PAGE, PAGE) if x.watched else b""
        x.status = self.issue_command(x)
        now = self.busy_until = vm.busy_until = clock.now
        vm.stream_until[x.request[VMPCK_AT] & 3] = now
        if x.watched:
            self._after_response(x, was)

    def _after_response(self, x: Exchange, was: bytes) -> None:
        """Trace the firmware's response, and let the faults act that are due after it."""
        if self.simulation.trace and not x.status:
            response = bytes(self.host.page(x.response_spa >> 12))
            written = (TraceBytes("message", x.response_spa, response, was),)
            self.simulation.note(FIRMWARE, x.vm.name, x.vcpu.apic_id, "answer", written)
        self._fire(STATUS, x)

    def issue_command(self, x: Exchange) -> int:
        """Issue the command for a request; return the status."""
        buffer, vm = COMMAND.pack(x.context_spa, x.request_spa, x.response_spa), x.vm
        latency = vm.policy.latency
        takes = latency.draw(self.simulation.random) if latency is not INSTANT else 0
        return self.host.command(GUEST_REQUEST, buffer, vm.name, takes)

    def another_request(self, vm: str) -> bytes | bytearray | None:
        """Return the last request of another VM, if there was one."""
        return next((x.request for name, x in self.last.items() if name != vm), None)

    def another_context(self, vm: Vm) -> int:
        """Return the address of another VM's context, or of none if there is no other."""
        owners = self.host.owners.items()
        mine = f"context of {vm.name}"
        others = (page for page, who in owners if who.startswith("context of ") and who != mine)
        return next(others, 0) << 12

    def _note(
        self, x: Exchange, action: str, written: tuple[TraceBytes, ...] = (), **facts: object
    ) -> None:
        """Add a step of the hypervisor's to the trace, if there is one."""
        if self.simulation.trace:
            self.simulation.note(
                HYPERVISOR, x.vm.name, x.vcpu.apic_id, action, written, (), **facts
            )
