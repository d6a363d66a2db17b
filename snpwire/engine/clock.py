"""Virtual time: a minute of retries takes no time at all, and the same run takes the same time.

Whole nanoseconds, so that adding them up is exact. The one who lets time pass is the one who waits:
a guest that sleeps, a hypervisor that waits for the secure processor. ``schedule`` runs several
guests side by side by setting the clock to each one's own time.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


class Clock:
    """What time it is, in nanoseconds since the machine was made."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = 0

    def pass_by(self, nanoseconds: int) -> None:
        """Let time pass."""
        self.now += nanoseconds


def schedule(clock: Clock, processes: Iterable[Generator[int, None, None]]) -> None:
    """Run *processes* side by side to their ends; each yields how long it sleeps, in nanoseconds.

    Whoever is earliest goes on, at equal times the one who came first. What a process does between
    two sleeps begins at its own time and may let time pass, which is then its own as well.
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
    """Return a time as people read it: ``62 s``, ``0.2 s``, ``1.000000001 s``."""
    whole, part = divmod(nanoseconds, SECOND)
    return f"{whole}.{part:09d}".rstrip("0").rstrip(".") + " s"
