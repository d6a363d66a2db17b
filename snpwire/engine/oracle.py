"""What must come of a request, checked against what did: its outcome, and what must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import EngineError
from ..wire.address import PAGE
from ..wire.message import PAYLOAD_MAX, PAYLOAD_UNIT, MsgType
from ..wire.status import Status
from .guest.channel import LAST
from .hypervisor.guest_request import REPORT_REQ
from .invariants import Breach, Watch, breaches_of
from .outcome import SHORT, STOPPED, Outcome, outcome_of

if TYPE_CHECKING:
    from .faults.fault import Fault
    from .faults.injection import Injections
    from .guest.driver import Driver
    from .guest.guest import Guest
    from .guest.request import Request, Response
    from .machine import Machine

NOT_TAKEN = Outcome("EIO", int(Status.INVALID_PARAM), alive=False)
NO_KEY = Outcome("ENOTTY", alive=False)
NO_NUMBER = Outcome("EIO", alive=True)
NO_ROOM = Outcome("EINVAL", alive=True)
MINUTE = 60_000_000_000
CHANGES_GUESTS = {int(MsgType.EXPORT_REQ), int(MsgType.ABSORB_NOMA_REQ)}
"""Messages after which a guest may be another, or none."""


class Check(NamedTuple):
    """What came of one request, and what had to."""

    attempt: Attempted
    faults: tuple[Fault[Any, Any], ...]
    """The faults that the request met."""
    expected: Outcome | None
    """The outcome that it must have; None where that is unknown, as after two faults at once."""
    breaches: tuple[Breach, ...]
    """Broken invariants, without those that the faults break by themselves."""

    @property
    def broken(self) -> bool:
        """Return whether the outcome is wrong or an invariant is broken."""
        wrong = self.expected is not None and self.attempt.outcome != self.expected
        return wrong or bool(self.breaches)


class Oracle:
    """Checks the requests of one guest. *watch* must listen to the machine's trace."""

    def __init__(self, machine: Machine, guest: Guest, watch: Watch, faults: Injections) -> None:
        self._machine = machine
        self._guest = guest
        self._watch = watch
        self._faults = faults
        self._excused: set[str] = set()
        """Rules that an earlier fault broke, for good."""
        self._open = False
        """An earlier fault left a state that is impossible without one."""

    def check(self, driver: Driver, request: Request) -> Check:
        """Make a request and check it."""
        before = self._usual(driver, request)
        tried = attempt(driver, request)
        faults = tuple(self._faults.drain())
        expected = self._expected(request, faults, before)
        if faults and (tried.outcome.errno or any(fault.breaks for fault in faults)):
            self._open = True
        return Check(tried, faults, expected, self._breaches(faults))

    def _usual(self, driver: Driver, request: Request) -> Outcome | None:
        """Return the outcome that a request must have without a fault."""
        vm = self._guest.vm
        unsent = self._unsent(driver, request)
        if vm.stopped:
            return Outcome(STOPPED)
        if unsent is not None:
            return unsent
        limit = vm.policy.throttle
        exits = 1 if request.pages is None else 2  # each may have to wait until the limit is over
        if self._open or (limit is not None and limit.interval * exits >= MINUTE):
            return None
        if not self._offered(request):
            return NOT_TAKEN
        if request.type in CHANGES_GUESTS:
            return None
        policy = vm.policy.certificates
        table = self._machine.hypervisor.requests.table(vm) if policy.chain else b""
        needed = max(-(-len(table) // PAGE), policy.pages)
        short = request.pages is not None and needed > request.pages
        return SHORT if short and request.type == REPORT_REQ else Outcome()

    @staticmethod
    def _unsent(driver: Driver, request: Request) -> Outcome | None:
        """Return the outcome of a request that the driver does not send, if it is one."""
        channel, pages = driver.channel, request.pages or 0
        if len(request.payload) > PAYLOAD_MAX or not 0 <= pages <= driver.buffers.pages:
            return NO_ROOM._replace(alive=channel.alive)
        if not channel.alive:
            return NO_KEY
        return NO_NUMBER if channel.number + 1 >= LAST else None

    def _offered(self, request: Request) -> bool:
        """Return whether the firmware takes a message of this type, version and size."""
        known, size = self._machine.profile.takes(request.type), len(request.payload)
        return known and request.version == 1 and size > 0 and not size % PAYLOAD_UNIT

    def _expected(
        self, request: Request, faults: tuple[Fault[Any, Any], ...], usual: Outcome | None
    ) -> Outcome | None:
        if not faults:
            return usual
        fault = faults[0]
        if any(other is not fault for other in faults) or usual != Outcome():
            return None
        extended = request.pages is not None
        policy = self._guest.vm.policy
        return fault.leads_to(policy, extended=extended, times=len(faults))

    def _breaches(self, faults: tuple[Fault[Any, Any], ...]) -> tuple[Breach, ...]:
        found = breaches_of(self._machine, self._watch)
        self._watch.breaches.clear()
        self._excused |= {fault.breaks for fault in faults}
        return tuple(breach for breach in found if breach.rule not in self._excused)


class Attempted(NamedTuple):
    """A request that was made: its outcome, and the response or the error."""

    outcome: Outcome
    response: Response | None = None
    error: EngineError | None = None


def attempt(driver: Driver, request: Request) -> Attempted:
    """Make a request; return its outcome instead of raising."""
    try:
        response = driver.run(request)
    except EngineError as exc:
        return Attempted(outcome_of(exc, alive=driver.channel.alive), error=exc)
    return Attempted(Outcome(), response)
