"""What happened, step by step: who did what, to which bytes, and which pages changed their state.

A step is added where it is done, by the party that does it, and only if there is a trace: without
one a step costs one comparison. With one thread the same seed gives the same
trace, byte for byte, so a trace holds nothing from outside: no date, no address of an object.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import OpenEnum, Word
from ..wire.event import Gpa, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

GUEST, HYPERVISOR, FIRMWARE = "guest", "hypervisor", "firmware"
"""The actors. The machine is none: it does what these three order."""


class TraceBytes(NamedTuple):
    """Bytes that a step wrote, or carried from one party to another."""

    kind: str
    """What ``snpwire decode`` takes them for; empty for bytes of no known kind."""
    address: int | None
    """Guest-physical if a guest wrote them, else physical; None for a payload in the guest's own
    memory."""
    data: bytes
    before: bytes | None = None
    """The bytes there before, where that is of interest."""

    def __repr__(self) -> str:
        return f"<TraceBytes {self.kind} of {len(self.data)} bytes>"  # a page may hold keys


class StateChange(NamedTuple):
    """One page whose state in the reverse map table changed."""

    page: int
    """Number of the physical page."""
    before: str
    after: str


class TraceStep(NamedTuple):
    """One thing that an actor did."""

    time: int
    """Virtual time in nanoseconds."""
    actor: str
    vm: str
    vcpu: int
    action: str
    """A stable name, such as ``seal``."""
    facts: Mapping[str, Any]
    """Details by name."""
    written: tuple[TraceBytes, ...] = ()
    moved: tuple[StateChange, ...] = ()

    def to_plain(self, *, whole: bool = False) -> dict[str, Any]:
        """Return the step in JSON's terms; bytes by their digest, or *whole*."""
        plain: dict[str, Any] = {
            "time": self.time,
            "actor": self.actor,
            "vm": self.vm,
            "vcpu": self.vcpu,
            "action": self.action,
            **{name: plain_fact(fact) for name, fact in self.facts.items()},
        }
        if self.written:
            plain["written"] = [_written(item, whole) for item in self.written]
        if self.moved:
            plain["moved"] = [
                {"page": f"{item.page:#x}", "before": item.before, "after": item.after}
                for item in self.moved
            ]
        return plain


def plain_fact(fact: object) -> object:
    """Return a fact in JSON's terms: addresses and words in hex, codes by name, counts as such."""
    if isinstance(fact, OpenEnum | Word):
        return fact.to_plain()
    if isinstance(fact, Gpa | Value):
        return f"{int(fact):#x}"
    return fact.hex() if isinstance(fact, bytes) else fact


def _written(item: TraceBytes, whole: bool) -> dict[str, Any]:
    plain: dict[str, Any] = {"kind": item.kind}
    if item.address is not None:
        plain["address"] = f"{item.address:#x}"
    shown = _hex if whole else _digest
    plain["data" if whole else "sha256"] = shown(item.data)
    if item.before is not None:
        plain["before"] = shown(item.before)
    return plain


def _hex(data: bytes) -> str:
    return data.hex()


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()


class Trace:
    """The steps of a machine, in a list, passed on to listeners, or both."""

    def __init__(self, *listeners: Callable[[TraceStep], object], keep: bool = True) -> None:
        self.steps: list[TraceStep] = []
        self._listeners = (self.steps.append, *listeners) if keep else listeners

    def add(self, step: TraceStep) -> None:
        """Take a step."""
        for listener in self._listeners:
            listener(step)

    def lines(self, *, whole: bool = False) -> list[str]:
        """Return the steps in the list as JSON Lines."""
        import json

        return [json.dumps(step.to_plain(whole=whole)) for step in self.steps]
