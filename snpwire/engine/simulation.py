"""What all parties of one machine share: time, chance, the trace, and one lock."""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random
from threading import RLock
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from .trace import TraceStep

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from .trace import StateChange, Trace, TraceBytes


Party = TypeVar("Party")
Subject = TypeVar("Subject")


class Point(str, Generic[Party, Subject]):
    """A point of a request's path where faults act: on the party that passes it, and on what."""

    __slots__ = ()


class FaultSource(Protocol):
    """What goes wrong at the points of a request's path."""

    def fire(self, point: Point[Party, Subject], party: Party, subject: Subject) -> None:
        """Let the faults act that are due at a point."""


class Simulation:
    """What parties share. The lock is held while a processor is outside its guest.

    It stands for Linux's mutexes: that of each VM's guest requests, and that of the mailbox.
    """

    __slots__ = ("clock", "faults", "lock", "random", "trace")

    def __init__(self, seed: int, trace: Trace | None = None) -> None:
        self.clock = Clock()
        self.random = Random(seed)
        self.trace = trace
        self.faults: FaultSource | None = None
        """What goes wrong, if anything does."""
        self.lock = RLock()

    def note(
        self,
        actor: str,
        vm: str,
        vcpu: int,
        action: str,
        written: tuple[TraceBytes, ...] = (),
        moved: tuple[StateChange, ...] = (),
        **facts: object,
    ) -> None:
        """Add a step to the trace. Check ``trace`` first: making the facts is what costs.

        Listeners get one step at a time, whichever thread takes it.
        """
        trace = self.trace
        if trace is not None:
            with self.lock:
                now = self.clock.now
                trace.add(TraceStep(now, actor, vm, vcpu, action, facts, written, moved))

    def wait(self, nanoseconds: int) -> None:
        """Let time pass; the caller holds no lock."""
        with self.lock:
            self.clock.pass_by(nanoseconds)


SECOND = 1_000_000_000
MILLISECOND = 1_000_000


class Clock:
    """The time in nanoseconds since the machine was made."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0

    def pass_by(self, nanoseconds: int) -> None:
        """Let time pass."""
        self.now += nanoseconds


def schedule(clock: Clock, processes: Iterable[Generator[int, None, None]]) -> None:
    """Run *processes* side by side to their ends; each yields how long it sleeps, in nanoseconds.

    The earliest goes on, at equal times the one that came first. What a process does between two
    sleeps begins at its own time and may let time pass, which then counts for it alone.
    """
    start = clock.now
    waiting: list[tuple[int, int, Generator[int, None, None]]] = []
    for number, process in enumerate(processes):
        heappush(waiting, (start, number, process))
    last, count = start, len(waiting)
    while waiting:
        clock.now, _, process = heappop(waiting)
        for pause in process:
            heappush(waiting, (clock.now + pause, count, process))
            count += 1
            break
        last = max(last, clock.now)
    clock.now = last


def seconds(nanoseconds: int) -> str:
    """Return a time in seconds: ``62 s``, ``0.2 s``, ``1.000000001 s``."""
    whole, part = divmod(nanoseconds, SECOND)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".") + " s"
