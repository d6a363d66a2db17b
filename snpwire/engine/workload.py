"""Several guests at once, each with requests at its own pace: what a policy does to all of them.

Every guest is a process in virtual time. The secure processor does one thing at a time, so one
guest's request is another guest's wait. A workload is written as an object::

    {"guests": [{"name": "noisy", "requests": 50, "streams": 4},
                {"name": "victim", "requests": 10, "pause": 2}]}

``EXAMPLE`` is the case of the 2021 review: commands of 200 ms against Linux's default limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..bits import nearest
from ..errors import EngineError, UsageError, shown
from ..wire.key import KeyReq
from ..wire.message import VMPCKS, MsgType
from .guest.request import Request
from .hypervisor.policy import HypervisorPolicy, Latency, SecondRequest, Spread, Throttle
from .outcome import outcome_of
from .simulation import SECOND, schedule

if TYPE_CHECKING:
    from collections.abc import Generator

    from .guest.driver import Driver
    from .machine import Machine

REQUEST = Request(int(MsgType.KEY_REQ), KeyReq(vmpl=3).build())
"""The request of every guest: a derived key, allowed under each of the four VMPCKs."""


class Load(NamedTuple):
    """What one guest does: one process for each VMPCK that it uses."""

    name: str
    requests: int
    """Requests of each of its processes."""
    pause: int = 0
    """Nanoseconds between a response and the next request."""
    streams: int = 1
    """How many of its four VMPCKs it uses, side by side."""
    policy: HypervisorPolicy | None = None


def loads_of(plain: object) -> list[Load]:
    """Read a workload. Raises UsageError, which names the guest and the key."""
    guests = plain.get("guests") if isinstance(plain, dict) and len(plain) == 1 else None
    if not isinstance(guests, list) or not guests:
        raise UsageError(f"a workload is an object with a list of guests, got {shown(plain)}")
    loads = [_load(f"guests[{index}]", guest) for index, guest in enumerate(guests)]
    names = [load.name for load in loads]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"guests: two of them are called {shown(name)}")
    return loads


def _load(place: str, plain: object) -> Load:
    if not isinstance(plain, dict) or not {"name", "requests"} <= plain.keys():
        raise UsageError(f"{place}: expected an object with name and requests, got {shown(plain)}")
    known = ("name", "requests", "pause", "streams")
    for key in plain:
        if key not in known:
            hint = nearest(str(key), known) or f"a guest has: {', '.join(known)}"
            raise UsageError(f"{place}: there is no {shown(key)}", help=hint)
    name = plain["name"]
    if not isinstance(name, str) or not name.isprintable() or not 1 <= len(name) <= NAME_MOST:
        wanted = f"1 to {NAME_MOST} printable characters"
        raise UsageError(f"{place}.name: expected {wanted}, got {shown(name)}")
    pause = plain.get("pause", 0)
    if not isinstance(pause, int | float) or isinstance(pause, bool) or not 0 <= pause <= DAY:
        raise UsageError(f"{place}.pause: expected seconds from 0 to {DAY}, got {shown(pause)}")
    return Load(
        name,
        _count(place, "requests", plain["requests"], 1_000_000),
        round(pause * SECOND),
        _count(place, "streams", plain.get("streams", 1), VMPCKS),
    )


def _count(place: str, key: str, value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        wanted = f"a number from 1 to {most}"
        raise UsageError(f"{place}.{key}: expected {wanted}, got {shown(value)}")
    return value


DAY = 86_400
NAME_MOST = 40
EXAMPLE = [
    Load("neighbour", 50, streams=4),
    Load("another", 50, streams=4),
    Load("victim", 10, 2 * SECOND),
]
"""Two guests with requests as often as they can, and one with a request every other second."""
_SLOW = Latency(Spread.FIXED, SECOND // 5)
EXAMPLE_POLICIES = {
    "no limit": HypervisorPolicy(latency=_SLOW),
    "10 in 5 s": HypervisorPolicy(latency=_SLOW, throttle=Throttle(10, 5 * SECOND)),
    "2 in 2 s": HypervisorPolicy(latency=_SLOW, throttle=Throttle(2, 2 * SECOND)),
    "no limit, busy-vm": HypervisorPolicy(latency=_SLOW, second=SecondRequest.BUSY_VM),
}
"""No limit, Linux's default, the one proposed in 2022, and one request of a VM at a time."""


class Tally(NamedTuple):
    """The result of one guest."""

    name: str
    asked: int
    served: int
    throttled: int
    """Requests that its limit refused."""
    retried: int
    """Requests that it sent again."""
    keys_lost: int
    longest: int
    """Nanoseconds from a request to its end, at most."""
    total: int
    """Nanoseconds until its last request ended."""


class _Count:
    """Counts of one guest while it runs."""

    def __init__(self) -> None:
        self.asked = self.served = self.retried = self.longest = self.total = 0


def run(machine: Machine, loads: list[Load], policy: HypervisorPolicy | None = None) -> list[Tally]:
    """Run the guests side by side on a machine; return the result of each.

    *policy* holds for guests without one in their load.
    """
    counts = {load.name: _Count() for load in loads}
    processes: list[Generator[int, None, None]] = []
    for load in loads:
        own = load.policy or policy
        guest = machine.add(load.name, vcpus=load.streams, policy=own)
        drivers, count = guest.drivers[: load.streams], counts[load.name]
        processes += [_process(machine, driver, load, count) for driver in drivers]
    began = machine.clock.now
    schedule(machine.clock, processes)
    return [_tally(machine, load, counts[load.name], began) for load in loads]


def _process(
    machine: Machine, driver: Driver, load: Load, count: _Count
) -> Generator[int, None, None]:
    """Make requests with pauses between them, until all are made or the key is lost."""
    clock = machine.clock
    for _ in range(load.requests):
        yield load.pause
        began = clock.now
        count.asked += 1
        try:
            yield from _counted(driver, count)
            count.served += 1
        except EngineError as exc:
            outcome_of(exc, alive=driver.channel.alive)
        count.longest = max(count.longest, clock.now - began)
        count.total = max(count.total, clock.now)
        if not driver.channel.alive:
            return


def _counted(driver: Driver, count: _Count) -> Generator[int, None, None]:
    steps = driver.exchange(REQUEST)
    for pause in steps:
        count.retried += 1
        yield pause


def _tally(machine: Machine, load: Load, count: _Count, began: int) -> Tally:
    guest = machine.guests[load.name]
    lost = sum(not driver.channel.alive for driver in guest.drivers)
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
