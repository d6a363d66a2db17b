"""A machine under a test, with what watches it and what is told when the test fails."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..engine.faults.catalogue import FAULTS
from ..engine.invariants import Watch, ownership_breaches, reclaim_breaches
from ..engine.machine import Machine, load_vlek
from ..engine.simulation import seconds
from ..engine.trace import Trace
from ..engine.trace_text import describe

if TYPE_CHECKING:
    from ..engine.guest.guest import Guest
    from ..engine.trace import TraceStep
    from .fault_plan import Plan
    from .machine_config import Scene

KEPT = 1000
"""Steps that are kept."""
TOLD = 24
"""Steps that a failed test shows: one request and what came before it."""


class Rig:
    """One machine. Its rules are checked on every step."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.steps: deque[TraceStep] = deque(maxlen=KEPT)
        self.struck: set[str] = set()
        self._faults: tuple[str, ...] = ()
        self._watch = Watch()
        trace = Trace(self.steps.append, self._watch, self._strike, keep=False)
        self.machine = Machine(scene.profile, seed=scene.seed, trace=trace)
        if scene.vlek:
            load_vlek(self.machine)

    def _strike(self, step: TraceStep) -> None:
        if step.action == "fault":
            self.struck.add(step.facts["fault"])

    def launch(self, plan: Plan) -> Guest:
        """Launch the guest and let the faults strike at it. Raises UsageError and EngineError.

        What the launch took is no step of the test.
        """
        self.scene = self.scene.fitting(plan.injections)
        guest = self.machine.add(
            policy=self.scene.policy, vcpus=self.scene.vcpus, image=self.scene.image
        )
        plan.arm(self.machine, guest)
        self._faults = plan.texts
        self.steps.clear()
        return guest

    def breaches(self) -> list[str]:
        """Return the rules that were broken, but for those that a fault breaks by itself."""
        allowed = {FAULTS[name].breaks for name in self.struck}
        found = [
            *self._watch.breaches,
            *ownership_breaches(self.machine),
            *reclaim_breaches(self.machine),
        ]
        return [f"{row.rule}: {row.text}" for row in found if row.rule not in allowed]

    def story(self) -> str:
        """Return the scene and the last steps, a line each."""
        last = list(self.steps)[-TOLD:]
        left_out = len(self.steps) - len(last)
        before = [f"... {left_out} steps before"] if left_out else []
        named = ", ".join(map(repr, self._faults))
        faults = [f"@pytest.mark.snp_fault({named})"] if named else []
        return "\n".join([str(self.scene), *faults, *before, *map(line, last)])


def line(step: TraceStep) -> str:
    """Return a step as a line: time, actor, VM and processor, what was done."""
    who = f"{step.actor} {step.vm}/{step.vcpu}" if step.vm else step.actor
    return f"{seconds(step.time):>8}  {who:<16}  {describe(step)}"
