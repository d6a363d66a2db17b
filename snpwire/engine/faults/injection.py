"""Faults that are put into a run: how they are named and when they strike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ...bits import nearest
from ...errors import UsageError, shown
from .catalogue import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..simulation import Simulation
    from .fault import Fault

MOST = 1_000_000
"""Highest number of times, and of steps."""


class Injection(NamedTuple):
    """A fault that is to strike, and when."""

    fault: Fault
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
    """An injection, and how often its point was passed."""

    __slots__ = ("fault", "passed", "steps", "struck")

    def __init__(self, injection: Injection) -> None:
        self.fault = injection.fault
        self.steps = range(injection.step, injection.step + injection.times)
        self.passed = self.struck = 0

    def due(self) -> bool:
        """Count that the point is passed, and tell whether the fault strikes."""
        self.passed += 1
        if self.passed not in self.steps:
            return False
        self.struck += 1
        return True


class Injections:
    """All faults of a run."""

    def __init__(self, simulation: Simulation, armed: Iterable[Injection]) -> None:
        self._simulation = simulation
        self.armed = [ArmedFault(injection) for injection in armed]
        self._struck: list[Fault] = []
        self._undo: list[Fault] = []

    def fire(self, point: str, who: Any, what: Any) -> None:
        """Let the faults of a point strike that are due, each once however often it was named."""
        with self._simulation.lock:
            passing = [armed for armed in self.armed if armed.fault.point == point]
            due = {armed.fault.name: armed.fault for armed in passing if armed.due()}
            for fault in due.values():
                self._strike(fault, who, what)
            if point == "result":
                while self._undo:
                    fault = self._undo.pop()
                    if fault.undo is not None:
                        fault.undo(who, what)

    def _strike(self, fault: Fault, who: Any, what: Any) -> None:
        self._struck.append(fault)
        if fault.undo is not None:
            self._undo.append(fault)
        if self._simulation.trace:
            self._simulation.note(fault.actor, "", 0, "fault", fault=fault.name, help=fault.help)
        fault.act(who, what)

    def struck(self) -> list[Fault]:
        """Return the faults that struck since this was asked last."""
        found, self._struck = self._struck, []
        return found
