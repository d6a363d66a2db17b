"""Faults that are injected into a run: how they are named and when they act.

``NAME[*N][@STEP]``: the fault called NAME acts N times, once by default, beginning with the STEP-th
time that its point is passed. Points are passed once for each exit, so a request that is sent again
passes them again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

from ...bits import nearest
from ...errors import UsageError, shown
from .catalogue import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..simulation import Party, Point, Simulation, Subject
    from .fault import AnyFault, Fault

MOST = 1_000_000
"""Highest number of times, and of steps."""


class Injection(NamedTuple):
    """A fault that is to act, and when."""

    fault: AnyFault
    times: int = 1
    step: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NAME[*N][@STEP]``. Raises UsageError, with the nearest name."""
        rest, _, step = text.partition("@")
        name, _, times = rest.partition("*")
        fault = FAULTS.get(name)
        if fault is None:
            hint = nearest(name, FAULTS) or "--inject list prints them"
            raise UsageError(f"there is no fault {shown(name)}", help=hint)
        at = _number(text, step) if "@" in text else fault.first
        return cls(fault, _number(text, times) if "*" in rest else 1, at)


def _number(text: str, digits: str) -> int:
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits[:9]) <= MOST:
        hint = "NAME, NAME*3 for three times, NAME@2 from the second time on"
        raise UsageError(f"{shown(text)}: {shown(digits)} is no number from 1 on", help=hint)
    return int(digits)


class ArmedFault:
    """An injection, how often its point was passed, and how often it acted."""

    __slots__ = ("fault", "hits", "passes", "steps")

    def __init__(self, injection: Injection) -> None:
        self.fault = injection.fault
        self.steps = range(injection.step, injection.step + injection.times)
        self.passes = self.hits = 0

    def due(self) -> bool:
        """Count that the point is passed, and return whether the fault acts."""
        self.passes += 1
        if self.passes not in self.steps:
            return False
        self.hits += 1
        return True


class Injections:
    """All faults of a run."""

    def __init__(self, simulation: Simulation, injections: Iterable[Injection]) -> None:
        self._simulation = simulation
        self.armed = [ArmedFault(injection) for injection in injections]
        self._hits: list[Fault[Any, Any]] = []
        self._undo: list[Fault[Any, Any]] = []

    def fire(self, point: Point[Party, Subject], party: Party, subject: Subject) -> None:
        """Let the faults of a point act that are due, each once however often it was named.

        All faults of a point take the party and the subject that pass it: see ``fault``.
        """
        with self._simulation.lock:
            passing = [armed for armed in self.armed if armed.fault.point == point]
            due = {armed.fault.name: armed.fault for armed in passing if armed.due()}
            for fault in due.values():
                self._act(cast("Fault[Party, Subject]", fault), party, subject)
            if point == "result":
                self._restore(party, subject)

    def _act(self, fault: Fault[Party, Subject], party: Party, subject: Subject) -> None:
        self._hits.append(fault)
        if fault.undo is not None:
            self._undo.append(fault)
        if self._simulation.trace:
            self._simulation.note(fault.actor, "", 0, "fault", fault=fault.name, help=fault.help)
        fault.act(party, subject)

    def _restore(self, party: object, subject: object) -> None:
        """Undo what has to be as before once an exchange is over."""
        while self._undo:
            undo = self._undo.pop().undo
            if undo is not None:
                undo(party, subject)

    def drain(self) -> list[Fault[Any, Any]]:
        """Return the faults that acted since the last call."""
        hits, self._hits = self._hits, []
        return hits
