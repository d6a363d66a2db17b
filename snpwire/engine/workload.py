"""Several guests at once, each asking at its own pace: what a policy does to all of them.

Every guest is a process of its own in virtual time. The secure processor does one thing at a time,
so what one guest asks for is what another waits for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import EngineError
from ..wire.key import KeyReq
from ..wire.message import MsgType
from .clock import schedule
from .driver import Request
from .outcome import outcome_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from .driver import Driver
    from .machine import Machine
    from .policy import Policy

ASK = Request(int(MsgType.KEY_REQ), KeyReq(vmpl=3).build())
"""What is asked: a key, which any of the four keys may."""


class Load(NamedTuple):
    """What one guest does: one process for each of its streams."""

    name: str
    requests: int
    """How many each stream makes."""
    pause: int = 0
    """Nanoseconds between an answer and the next request."""
    streams: int = 1
    """How many of its four keys it uses, side by side."""
    policy: Policy | None = None


class Tally(NamedTuple):
    """What became of one guest."""

    name: str
    asked: int
    served: int
    throttled: int
    """Times that its limit kept it out."""
    retried: int
    """Times that it sent a request again."""
    keys_lost: int
    longest: int
    """Nanoseconds from a request to its end, the longest."""
    total: int
    """Nanoseconds until its last request ended."""


class _Count:
    """What is counted of one guest while it runs."""

    def __init__(self) -> None:
        self.asked = self.served = self.retried = self.longest = self.total = 0


def run(machine: Machine, loads: list[Load]) -> list[Tally]:
    """Run the guests side by side on a machine of theirs; return what became of each."""
    counts = {load.name: _Count() for load in loads}
    processes: list[Generator[int, None, None]] = []
    for load in loads:
        guest = machine.add(load.name, vcpus=load.streams, policy=load.policy)
        drivers, count = guest.drivers[: load.streams], counts[load.name]
        processes += [_process(machine, driver, load, count) for driver in drivers]
    began = machine.clock.now
    schedule(machine.clock, processes)
    return [_tally(machine, load, counts[load.name], began) for load in loads]


def _process(
    machine: Machine, driver: Driver, load: Load, count: _Count
) -> Generator[int, None, None]:
    """Ask, and ask again after a pause, until all is asked or the key is lost."""
    clock = machine.clock
    for _ in range(load.requests):
        yield load.pause
        began = clock.now
        count.asked += 1
        try:
            yield from _counted(driver, count)
            count.served += 1
        except EngineError as exc:
            outcome_of(exc, alive=driver.stream.alive)
        count.longest = max(count.longest, clock.now - began)
        count.total = max(count.total, clock.now)
        if not driver.stream.alive:
            return


def _counted(driver: Driver, count: _Count) -> Generator[int, None, None]:
    steps = driver.exchange(ASK)
    for pause in steps:
        count.retried += 1
        yield pause


def _tally(machine: Machine, load: Load, count: _Count, began: int) -> Tally:
    guest = machine.guests[load.name]
    lost = sum(not driver.stream.alive for driver in guest.drivers)
    throttled = guest.vm.throttled
    return Tally(
        load.name,
        count.asked,
        count.served,
        throttled,
        count.retried,
        lost,
        count.longest,
        max(count.total - began, 0),
    )
