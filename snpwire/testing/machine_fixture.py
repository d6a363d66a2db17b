"""A machine under a test: its invariants are checked, its last steps are kept for a failure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..engine.faults.catalogue import FAULTS
from ..engine.invariants import Watch, breaches_of
from ..engine.machine import Machine, load_vlek
from ..engine.simulation import seconds
from ..engine.trace import Trace
from ..engine.trace_text import describe

if TYPE_CHECKING:
    from ..engine.guest.guest import Guest
    from ..engine.trace import TraceStep
    from .fault_plan import FaultPlan
    from .machine_config import MachineConfig

STEPS_KEPT = 1000
"""Number of steps kept."""
STEPS_SHOWN = 24
"""Steps that a failed test shows: about one request."""


class MachineFixture:
    """One machine whose invariants are checked on every step."""

    def __init__(self, config: MachineConfig) -> None:
        self.config = config
        self.steps: deque[TraceStep] = deque(maxlen=STEPS_KEPT)
        self.triggered: set[str] = set()
        self._faults: tuple[str, ...] = ()
        self._watch = Watch()
        trace = Trace(self.steps.append, self._watch, self._note_fault, keep=False)
        self.machine = Machine(config.profile, seed=config.seed, trace=trace)
        if config.vlek:
            load_vlek(self.machine)

    def _note_fault(self, step: TraceStep) -> None:
        if step.action == "fault":
            self.triggered.add(step.facts["fault"])

    def launch(self, plan: FaultPlan) -> Guest:
        """Launch the guest and inject the faults. Raises UsageError and EngineError.

        The steps of the launch are not those of the test.
        """
        self.config = self.config.fitting(plan.injections)
        guest = self.machine.add(
            policy=self.config.policy, vcpus=self.config.vcpus, image=self.config.image
        )
        plan.arm(self.machine, guest)
        self._faults = plan.texts
        self.steps.clear()
        return guest

    def breaches(self) -> list[str]:
        """Return the invariants that were broken, except those that a fault breaks by itself."""
        allowed = {FAULTS[name].breaks for name in self.triggered}
        breaches = breaches_of(self.machine, self._watch)
        return [f"{row.rule}: {row.text}" for row in breaches if row.rule not in allowed]

    def failure_text(self) -> str:
        """Return the markers of the test and its last steps, a line each."""
        last = list(self.steps)[-STEPS_SHOWN:]
        left_out = len(self.steps) - len(last)
        before = [f"... {left_out} steps before"] if left_out else []
        named = ", ".join(map(repr, self._faults))
        faults = [f"@pytest.mark.snp_fault({named})"] if named else []
        return "\n".join([str(self.config), *faults, *before, *map(step_line, last)])


def step_line(step: TraceStep) -> str:
    """Return a step as a line: time, actor, VM and processor, what was done."""
    who = f"{step.actor} {step.vm}/{step.vcpu}" if step.vm else step.actor
    return f"{seconds(step.time):>8}  {who:<16}  {describe(step)}"
