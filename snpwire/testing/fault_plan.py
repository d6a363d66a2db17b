"""Faults that a test injects, and their expected outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import nearest
from ..engine.faults.catalogue import FAULTS
from ..engine.faults.injection import Injection
from ..engine.hypervisor.policy import Policy
from ..engine.outcome import Outcome, outcome_of
from ..errors import EngineError, UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..engine.faults.injection import Armed
    from ..engine.guest.guest import Guest
    from ..engine.machine import Machine

ACTORS = ("guest", "hypervisor", "firmware")
IN_DRIVER = ("prepare", "exit")
"""Points in the guest driver."""


class FaultPlan:
    """The faults of one test, injected into the requests of the guest armed with them."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(texts)
        self.injections = tuple(injection(text) for text in self.texts)
        self.policy = Policy()
        self._armed: list[Armed] | None = None

    def arm(self, machine: Machine, guest: Guest) -> None:
        """Inject the faults from now on, after the earlier requests that some of them need.

        Raises UsageError for a fault that cannot happen on this machine.
        """
        self.policy = guest.vm.policy
        for _ in range(max((requests_before(text) for text in self.texts), default=0)):
            guest.key()
        ready = [
            row._replace(step=1) if requests_before(text) else row
            for text, row in zip(self.texts, self.injections, strict=True)
        ]
        self._armed = machine.inject(*ready).armed if ready else []

    @property
    def faults(self) -> list[str]:
        """Return the names of the faults."""
        return [row.fault.name for row in self.injections]

    def expected(self, name: str = "", *, extended: bool = False) -> Outcome:
        """Return the expected outcome of the request with the fault called *name*.

        With one fault its name may be omitted; with none the request must succeed. Raises
        UsageError for any other name.
        """
        if not self.injections:
            return Outcome()
        if not name and len(self.injections) > 1:
            raise UsageError(f"several faults: which of {', '.join(self.faults)} is meant?")
        for row in self.injections:
            if name in ("", row.fault.name):
                return row.fault.leads_to(self.policy, extended=extended, times=row.times)
        raise UsageError(f"the test has no fault {shown(name)}", help=nearest(name, self.faults))

    def missed(self) -> str:
        """Return a text on the faults that were never triggered, empty if all were."""
        if self._armed is None:
            return "the faults are injected into requests of snp_guest, which the test does not use"
        missed = [
            f"{text}: its point was passed {row.passed} times"
            for text, row in zip(self.texts, self._armed, strict=True)
            if not row.struck
        ]
        return f"faults that were never triggered: {'; '.join(missed)}" if missed else ""

    def __repr__(self) -> str:
        return f"FaultPlan({', '.join(self.texts)})"


def injection(text: object) -> Injection:
    """Read ``NAME[*N][@STEP]``. Raises UsageError, with the nearest name."""
    if not isinstance(text, str):
        raise UsageError(f"a fault is a text such as 'busy*2', got {shown(text)}")
    return Injection.parse(text)


def requests_before(text: str) -> int:
    """Return how many earlier requests a fault without ``@STEP`` needs."""
    return 0 if "@" in text else injection(text).fault.first - 1


def every_fault(actors: object = ACTORS, but: object = (), *, port: bool = False) -> list[str]:
    """Return the names of the faults of *actors*, but not *but*. Raises UsageError.

    With *port* those in the driver of this package's own guest are omitted.
    """
    wanted = _names("actors", actors, ACTORS)
    left_out = _names("but", but, FAULTS)
    rows = [row for row in FAULTS.values() if row.actor in wanted and row.name not in left_out]
    return [row.name for row in rows if not (port and row.point in IN_DRIVER)]


def _names(part: str, value: object, known: Iterable[str]) -> list[str]:
    """Return one name or several as a list. Raises UsageError."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple | set | frozenset):
        raise UsageError(f"{part}: expected names, got {shown(value)}")
    for word in words:
        if word not in known:
            hint = nearest(str(word), known) or f"known are: {', '.join(known)}"
            raise UsageError(f"{part}: there is no {shown(word)}", help=hint)
    return list(words)


def call_outcome(guest: Guest, call: Callable[[], object], *, vmpck: int = 0) -> Outcome:
    """Make a call that issues a request with a key of the guest; return the outcome."""
    try:
        call()
    except EngineError as exc:
        return outcome_of(exc, alive=guest.drivers[vmpck].stream.alive)
    return Outcome()
