"""A guest without a driver, for tests of another driver.

It has the secrets page with its keys, two shared pages, and VMGEXIT. The driver under test seals,
counts, repeats, opens and gives up by itself. Faults of hypervisor and firmware are injected here
too; those of the guest are up to the driver. A nonce that it uses for two messages is a breach that
``snp_machine`` reports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..engine.guest.boot import leave
from ..engine.guest_layout import LAYOUT, buffers_of
from ..engine.simulation import SECOND
from ..engine.trace import GUEST, Written
from ..errors import UsageError
from ..wire.address import PAGE
from ..wire.event import Gpa
from ..wire.exits import ExitCode
from ..wire.ghcb import Page
from ..wire.message import HEADER_SIZE, VMPCKS, Header

if TYPE_CHECKING:
    from ..engine.guest.guest import Guest
    from ..engine.machine import Machine


class ExitResult(NamedTuple):
    """The result of one VMGEXIT with a message."""

    exitinfo2: int
    """SW_EXITINFO2: the firmware's error in the low half, the hypervisor's in the high half."""
    response: bytes
    """The whole response page."""
    certificates: bytes = b""
    """The whole certificate buffer."""
    pages_needed: int = 0
    """Pages that the certificates need, if the hypervisor reports that they do not fit."""


class Port:
    """One VCPU of a guest, and the shared pages of one VMPCK."""

    def __init__(self, machine: Machine, guest: Guest, vmpck: int = 0) -> None:
        if vmpck not in range(VMPCKS):
            raise UsageError(f"a guest has keys 0 to {VMPCKS - 1}, got {vmpck}")
        self.vmpck = vmpck
        self.buffers = buffers_of(vmpck)
        self._machine = machine
        self._space = guest.space
        self._vcpu = guest.vm.vcpus[vmpck % len(guest.vm.vcpus)]

    @property
    def secrets(self) -> bytes:
        """Return the secrets page, of 4096 bytes."""
        return self._space.read(LAYOUT.secrets, PAGE)

    def send(self, message: bytes, *, pages: int | None = None) -> ExitResult:
        """Issue VMGEXIT with a message of up to 4096 bytes; the response page is zeroed before.

        With *pages* it is an extended request with that many certificate pages. Raises UsageError,
        StoppedError if the guest is not resumed, and AccessError if the exit is refused or a page
        was taken from the guest.
        """
        if len(message) > PAGE:
            raise UsageError(f"a message has at most {PAGE} bytes, got {len(message)}")
        if pages is not None and pages not in range(self.buffers.pages + 1):
            raise UsageError(f"there are 0 to {self.buffers.pages} pages, got {pages}")
        self._write_request(message.ljust(PAGE, b"\0"))
        exitinfo2 = self._leave(pages)
        response = bytes(self._space.seen(self.buffers.response))
        if pages is None:
            return ExitResult(exitinfo2, response)
        needed = Page.parse(self._space.shared(self._vcpu.msr)).rbx
        return ExitResult(exitinfo2, response, self._certificates(pages), needed)

    def sleep(self, seconds: float) -> None:
        """Advance the machine's virtual time."""
        nanoseconds = round(seconds * SECOND)
        self._note("wait", nanoseconds=nanoseconds)
        self._machine.world.wait(nanoseconds)

    def _write_request(self, message: bytes) -> None:
        request, response = self.buffers.request, self.buffers.response
        self._space.shared(response)[:] = bytes(PAGE)
        self._space.shared(request)[:] = message
        header = Header.parse(message[:HEADER_SIZE])
        sealed = message[HEADER_SIZE : HEADER_SIZE + header.msg_size]
        self._note(
            "seal",
            (Written("", request + HEADER_SIZE, sealed), Written("message", request, message)),
            vmpck=header.msg_vmpck,
            number=header.msg_seqno,
            type=header.msg_type,
            version=header.msg_version,
        )

    def _leave(self, pages: int | None) -> int:
        code, registers = ExitCode.SNP_GUEST_REQUEST, {}
        if pages is not None:
            code = ExitCode.SNP_EXT_GUEST_REQUEST
            registers = {"rax": self.buffers.data, "rbx": pages}
        request, response = self.buffers.request, self.buffers.response
        self._note("exit", code=code, request=Gpa(request), response=Gpa(response))
        hypervisor = self._machine.hypervisor
        return leave(hypervisor, self._space, self._vcpu, code, request, response, **registers)

    def _note(self, action: str, written: tuple[Written, ...] = (), **facts: object) -> None:
        vcpu = self._vcpu
        self._machine.world.note(GUEST, vcpu.vm.name, vcpu.apic_id, action, written, (), **facts)

    def _certificates(self, pages: int) -> bytes:
        start = self.buffers.data
        return b"".join(bytes(self._space.seen(start + n * PAGE)) for n in range(pages))
