"""What everybody in one machine shares: time, chance, the trace, and one lock."""

from __future__ import annotations

from random import Random
from threading import RLock
from typing import TYPE_CHECKING, Any, Protocol

from .clock import Clock
from .trace import Step

if TYPE_CHECKING:
    from .trace import Moved, Trace, Written


class Faults(Protocol):
    """What goes wrong at a point of a request's path, if anything is to."""

    def fire(self, point: str, who: Any, what: Any) -> None:
        """Let what is due at a point strike."""


class World:
    """Made once for a machine. The lock is held while a processor is outside its guest.

    It stands for Linux's mutexes: the one of each VM's guest requests, and the one of the mailbox.
    """

    __slots__ = ("clock", "faults", "lock", "random", "trace")

    def __init__(self, seed: int, trace: Trace | None = None) -> None:
        self.clock = Clock()
        self.random = Random(seed)
        self.trace = trace
        self.faults: Faults | None = None
        """What goes wrong, if anything is to."""
        self.lock = RLock()

    def note(
        self,
        actor: str,
        vm: str,
        vcpu: int,
        action: str,
        written: tuple[Written, ...] = (),
        moved: tuple[Moved, ...] = (),
        **facts: object,
    ) -> None:
        """Add a step to the trace. Ask ``trace`` first: making the facts is what costs.

        Those who listen hear one step at a time, whichever thread takes it.
        """
        if self.trace is not None:
            with self.lock:
                now = self.clock.now
                self.trace.add(Step(now, actor, vm, vcpu, action, facts, written, moved))

    def wait(self, nanoseconds: int) -> None:
        """Let time pass for somebody who holds no lock."""
        with self.lock:
            self.clock.pass_by(nanoseconds)
