"""The guest's driver: how Linux has one message processed (sev-guest.c, core.c).

``exchange`` is a generator that yields how long the driver sleeps, in nanoseconds, so that many
guests can wait side by side; ``run`` lets the machine's time pass instead.

* BUSY: the same bytes again after 2 seconds, until more than 60 have passed since the first time.
* A certificate buffer that is too small: the same bytes again as a plain request, so that both
  sides count on, then EIO with the number of pages needed. The key is kept, also where the second
  attempt fails, contrary to a comment in Linux.
* Any other failure: the key is wiped, as it is unknown whether the number was used.
* A status inside the response is no failure: the caller gets the payload.

The number moves on by 2 whatever the result.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from ...errors import AccessError, DriverError, ExitError, StoppedError
from ...wire.address import PAGE
from ...wire.event import Gpa, Value
from ...wire.exits import ExitCode
from ...wire.message import PAYLOAD_MAX, MsgType, payload_kind
from ..ghcb import RBX, RBX_AT
from ..outcome import BUSY, INVALID_LEN, NO_RESPONSE
from ..simulation import SECOND, Point
from ..trace import GUEST, TraceBytes
from .request import Request, Response
from .vmgexit import fill_in, issue

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..guest_layout import Buffers
    from ..hypervisor.vm import Vcpu
    from ..hypervisor.vmgexit import Hypervisor
    from ..simulation import Simulation
    from .channel import VmpckChannel
    from .memory import GuestMemory

RETRY_DELAY, RETRY_LIMIT = 2 * SECOND, 60 * SECOND
EXITS = {int(code): code for code in (ExitCode.SNP_GUEST_REQUEST, ExitCode.SNP_EXT_GUEST_REQUEST)}
PLAIN, EXTENDED = EXITS
kind_of, type_of = lru_cache(maxsize=1024)(payload_kind), lru_cache(maxsize=1024)(MsgType)
"""Each looked up once: to make a member of an enumeration of a number takes long."""
BLANK = bytes(PAGE)
PREPARE: Point[Driver, Request] = Point("prepare")
EXIT: Point[Driver, Request] = Point("exit")
"""Points that a request passes: before it is sealed, and before the first exit."""


class Driver:
    """One driver: one processor's GHCB, one set of buffers, one key."""

    def __init__(
        self,
        simulation: Simulation,
        hypervisor: Hypervisor,
        memory: GuestMemory,
        vcpu: Vcpu,
        buffers: Buffers,
        channel: VmpckChannel,
    ) -> None:
        self._simulation = simulation
        self._hypervisor = hypervisor
        self._memory = memory
        self._vcpu = vcpu
        self.buffers = self.named = buffers
        self.channel = channel
        self._lock = Lock()
        self._needed = 0
        """How many pages the certificates take, as the hypervisor reported last."""
        self._request_size = PAGE
        """Bytes of the request page that may not be zero."""

    def run(self, request: Request) -> Response:
        """Send a request and return the response. Raises DriverError and StoppedError."""
        with self._lock:
            steps = self.exchange(request)
            try:
                while True:
                    self._simulation.wait(next(steps))
            except StopIteration as end:
                response: Response = end.value
                return response

    def exchange(self, request: Request) -> Generator[int, None, Response]:
        """Send a request and return the response, sleeping where Linux does.

        Raises DriverError, StoppedError, and AccessError if its own pages were taken from it: then
        the guest stops as well, and seals nothing more.
        """
        channel, faults = self.channel, self._simulation.faults
        if self._vcpu.vm.stopped:
            raise StoppedError(self._vcpu.vm.name, self._vcpu.vm.stopped)
        if len(request.payload) > PAYLOAD_MAX or request.pages is not None:
            self._check(request)
        self.named = self.buffers
        if faults is not None:
            faults.fire(PREPARE, self, request)
        number = channel.next_number()
        message = self._sealed(request, number)
        try:
            self._put(message)
            if faults is not None:
                faults.fire(EXIT, self, request)
            began, needed = self._simulation.clock.now, None
            result = self._exit(request.pages)
            if result:
                result, needed = yield from self._again(request, result, began)
            channel.number = number + 1
            if result or needed is not None:
                raise _failed(request, result, needed)
            payload = channel.open(request, number, self._memory.readable(self.buffers.response))
        except AccessError as exc:
            self._vcpu.vm.stopped = str(exc)
            raise
        except DriverError as exc:
            if not (exc.errno == "EIO" and exc.exitinfo2 == INVALID_LEN):
                self._disable(exc)
            raise
        if self._simulation.trace:
            self._note_open(request, number, payload)
        return Response(payload, self._data(request.pages) if request.pages else b"")

    def _check(self, request: Request) -> None:
        """Raise DriverError for a request that has no room in the driver's buffers."""
        size, pages, room = len(request.payload), request.pages, self.buffers.pages
        if size > PAYLOAD_MAX:
            reason = f"a payload has at most {PAYLOAD_MAX} bytes, got {size}"
            raise DriverError("EINVAL", reason)
        if pages is not None and not 0 <= pages <= room:
            raise DriverError("EINVAL", f"certificates get 0 to {room} pages, not {pages}")

    def _again(
        self, request: Request, result: int, began: int
    ) -> Generator[int, None, tuple[int, int | None]]:
        """Send the same bytes again where Linux does; they were sent first when it *began*.

        Return the last result, and how many pages the certificates need if there were too few.
        """
        clock = self._simulation.clock
        pages: int | None = request.pages
        needed: int | None = None
        while True:
            if result == BUSY and clock.now - began <= RETRY_LIMIT:
                self._note("wait", nanoseconds=RETRY_DELAY)
                yield RETRY_DELAY
            elif result == INVALID_LEN and pages is not None:
                needed = self._needed
                self._note("again-plain", needed=needed)
                pages = None
            else:
                return result, needed
            result = self._exit(pages)

    def _put(self, message: bytes) -> None:
        """Write a message to the request page, and clear the response page."""
        buffers, shared = self.buffers, self._memory.shared
        shared(buffers.response)[:] = BLANK
        page, size = shared(buffers.request), len(message)
        page[:size] = message
        if size < self._request_size:
            page[size : self._request_size] = bytes(self._request_size - size)
        self._request_size = size

    def seal_only(self, request: Request) -> bytes:
        """Seal a message under the next number, without sending it. Raises DriverError."""
        return self._sealed(request, self.channel.next_number())

    def _sealed(self, request: Request, number: int) -> bytes:
        message = self.channel.seal(request.type, request.version, request.payload, number)
        if self._simulation.trace:
            self._note_seal(request, number, message)
        return message

    def send_once(self, request: Request) -> int:
        """Send a message without counting it, as a program that holds no lock; return the result.

        Raises DriverError and StoppedError.
        """
        self._put(self.seal_only(request))
        return self._exit(request.pages)

    def rest(self) -> None:
        """Sleep as long as Linux does after BUSY."""
        self._simulation.wait(RETRY_DELAY)

    def unregister(self) -> None:
        """Use another page as the GHCB from now on, without registering it."""
        self._vcpu.msr = self.buffers.data

    def _exit(self, pages: int | None) -> int:
        """Exit and return ``sw_exit_info_2``.

        Where the hypervisor refuses the exit that is what it was before, as in Linux. Drivers of
        one processor share its GHCB, which is why the lock is held from the first byte on.
        """
        vcpu, code, registers = self._vcpu, PLAIN, None
        with self._simulation.lock:
            buffers, ghcb = self.named, self._memory.shared(vcpu.msr)
            if pages is not None:
                code, registers = EXTENDED, {"rax": buffers.data, "rbx": pages}
            fill_in(ghcb, code, buffers.request, buffers.response, registers)
            if self._simulation.trace:
                self._note_exit(code, ghcb)
            try:
                result = issue(self._hypervisor, vcpu, ghcb)
            except ExitError:
                return NO_RESPONSE
            if result == INVALID_LEN:
                self._needed = RBX.unpack_from(ghcb, RBX_AT)[0]
        return result

    def _data(self, pages: int) -> bytes:
        start = self.buffers.data
        return b"".join(bytes(self._memory.shared(start + n * PAGE)) for n in range(pages))

    def _disable(self, error: DriverError) -> None:
        self.channel.disable()
        if self._simulation.trace:
            exitinfo2, vmpck = Value(error.exitinfo2), self.channel.vmpck
            reason = error.reason
            self._note("disable", vmpck=vmpck, errno=error.errno, exitinfo2=exitinfo2, why=reason)

    def _note_exit(self, code: int, ghcb: bytearray) -> None:
        where = (TraceBytes("ghcb", self._vcpu.msr, bytes(ghcb)),)
        request, response = Gpa(self.named.request), Gpa(self.named.response)
        self._note("exit", where, code=EXITS[code], request=request, response=response)

    def _note_seal(self, request: Request, number: int, message: bytes) -> None:
        kind = kind_of(request.type, request.version)
        page = message.ljust(PAGE, b"\0")
        written = (
            TraceBytes(kind, None, request.payload),
            TraceBytes("message", self.buffers.request, page),
        )
        facts = {"type": type_of(request.type), "version": request.version}
        self._note("seal", written, vmpck=self.channel.vmpck, number=number, **facts)

    def _note_open(self, request: Request, number: int, payload: bytes) -> None:
        response = bytes(self._memory.readable(self.buffers.response))
        written = (
            TraceBytes(kind_of(request.type + 1), None, payload),
            TraceBytes("message", self.buffers.response, response),
        )
        self._note("open", written, number=number + 1, vmpck=self.channel.vmpck)

    def _note(self, action: str, written: tuple[TraceBytes, ...] = (), **facts: object) -> None:
        vcpu = self._vcpu
        self._simulation.note(GUEST, vcpu.vm.name, vcpu.apic_id, action, written, (), **facts)


def _failed(request: Request, result: int, needed: int | None) -> DriverError:
    """Return the error of a request that ended with *result*, or with too few pages.

    Linux reports the pages whatever the result of the second attempt.
    """
    errno = "ETIMEDOUT" if result == BUSY else "EIO"
    if needed is not None:
        reason = f"the certificates take {needed} pages, there is room for {request.pages}"
        return DriverError(errno, reason, exitinfo2=INVALID_LEN, pages=needed)
    if result == BUSY:
        return DriverError(errno, "BUSY for more than a minute", exitinfo2=result)
    if result == NO_RESPONSE:
        return DriverError(errno, "the hypervisor refused the exit", exitinfo2=result)
    fw_error, vmm_error = result & 0xFFFF_FFFF, result >> 32
    errors = f"firmware {fw_error:#x}, hypervisor {vmm_error:#x}"
    return DriverError(errno, f"the request failed: {errors}", exitinfo2=result)
