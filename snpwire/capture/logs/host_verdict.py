"""The verdict on a host: whether SNP is up there, and if it is not, at which step it stopped.

Yes needs a line that says so and none behind it that says otherwise: the firmware's version under
SNP's name, which the driver prints after SNP_INIT alone, or KVM's own word. What a log does not
hold is said to be missing; lines that contradict each other decide nothing. Of several boots the
last one counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .record import LogRecord

STEPS = ("processor", "IOMMU", "RMP", "firmware", "SNP_INIT", "KVM")
"""What has to go well, in this order."""
OK, FAILED, MISSING = "ok", "failed", "not in this log"

BEARING: dict[str, tuple[str, str]] = {
    "rmp-table": ("RMP", OK),
    "rmp-missing": ("RMP", FAILED),
    "rmp-short": ("RMP", FAILED),
    "rmp-segment-invalid": ("RMP", FAILED),
    "firmware-version": ("firmware", OK),
    "init-failed": ("SNP_INIT", FAILED),
    "kvm-snp": ("KVM", OK),
}
"""The step and the state that a kind of record tells of."""


class Step(NamedTuple):
    """A step of a host's start, as a log tells it."""

    name: str
    state: str = MISSING
    line: int = 0
    text: str = ""

    def words(self) -> str:
        """Return the step on one line."""
        where = f"  line {self.line}: {self.text}" if self.line else ""
        return f"  {self.name:<10}{self.state}{where}"


class HostVerdict:
    """Whether SNP is up on a host, as its log tells."""

    kind = "host_verdict"
    family = "boot"
    kinds = frozenset(BEARING)

    def __init__(self) -> None:
        self._steps = {name: Step(name) for name in STEPS}

    def feed(self, record: LogRecord) -> None:
        """Take a record of the host's start."""
        name, state = BEARING[record.kind]
        self._steps[name] = Step(name, state, record.line, record.text)

    @property
    def answer(self) -> str:
        """Return yes, no or not told."""
        states = {step.state for step in self._steps.values()}
        if FAILED in states:
            return "no"
        return "yes" if self._steps["KVM"].state == OK else "not told"

    def lines(self) -> list[str]:
        """Return the answer, then each step; nothing if no line tells of one."""
        steps = self._steps.values()
        if all(step.state == MISSING for step in steps):
            return []
        return [f"SNP on this host: {self.answer}", *(step.words() for step in steps)]

    def to_plain(self) -> dict[str, Any]:
        """Return answer and steps."""
        return {
            "answer": self.answer,
            "steps": [step._asdict() for step in self._steps.values()],
        }
