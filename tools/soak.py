"""Run the engine for long with faults at random, and see that nothing is lost.

Guests come and go, policies change, faults strike. After every request its outcome has to be what
the fault says, or an answer that is right where there was none; no invariant may be broken.

    PYTHONPATH=. python tools/soak.py [--requests N] [--seed N] [--profile NAME]
"""

from __future__ import annotations

import argparse
import sys
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any

from snpwire.engine.faults.catalogue import FAULTS
from snpwire.engine.faults.injection import Injection
from snpwire.engine.guest.request import Request
from snpwire.engine.hypervisor.policy import (
    HostCertificates,
    HypervisorPolicy,
    Latency,
    Pages,
    SecondRequest,
    Spread,
    Throttle,
)
from snpwire.engine.invariants import Watch, ownership_breaches, reclaim_breaches
from snpwire.engine.machine import Machine
from snpwire.engine.oracle import attempt
from snpwire.engine.outcome import Outcome
from snpwire.engine.profile import profile_named
from snpwire.engine.simulation import MILLISECOND, SECOND
from snpwire.engine.trace import Trace
from snpwire.wire.key import KeyReq
from snpwire.wire.message import MsgType
from snpwire.wire.report import ReportRsp

if TYPE_CHECKING:
    from snpwire.engine.faults.fault import Fault
    from snpwire.engine.guest.driver import Driver
    from snpwire.engine.guest.guest import Guest
    from snpwire.engine.guest.request import Response

GUESTS = 3
FATAL = {"firmware-times-out", "firmware-dies"}
"""Faults after which the whole machine has to be made anew."""
EVERY = 100
"""Requests after which all pages are looked at."""


class Loss(Exception):  # noqa: N818 - what a soak looks for
    """Something came to another end than it should."""


class Soak:
    """One run: machines one after the other, with the same chance throughout."""

    def __init__(self, seed: int, profile: str = "milan", faults: float = 0.05) -> None:
        self.random = Random(seed)
        self.profile = profile_named(profile)
        self.faults = faults
        self.requests = self.struck = self.machines = self.guests = 0
        self._names = 0
        self._keys: dict[tuple[str, bytes], bytes] = {}
        self._build()

    def _build(self) -> None:
        self.watch = Watch()
        seed = self.random.getrandbits(32)
        self.machine = Machine(self.profile, seed=seed, trace=Trace(self.watch, keep=False))
        self.machines += 1
        for _ in range(GUESTS):
            self._add()

    def _add(self) -> None:
        self._names += 1
        self.guests += 1
        vcpus = self.random.randint(1, 2)
        self.machine.add(f"vm{self._names}", vcpus=vcpus, policy=self.policy())

    def policy(self) -> HypervisorPolicy:
        """Return a policy by chance. Intervals are short enough that nobody gives up."""
        pick = self.random.choice
        limit = Throttle(self.random.randint(1, 10), self.random.randint(1, 20) * SECOND)
        return HypervisorPolicy(
            throttle=pick((None, None, limit)),
            second=pick(list(SecondRequest)),
            pages=pick(list(Pages)),
            copy_on_failure=pick((True, False)),
            certificates=pick((HostCertificates(), HostCertificates(chain=True, pages=3))),
            latency=pick((Latency(), Latency(Spread.UNIFORM, 0, 300 * MILLISECOND))),
        )

    def step(self) -> None:
        """Do one thing. Raises Loss if it does not end as it should."""
        chance = self.random.random()
        guest = self.random.choice(list(self.machine.guests.values()))
        if chance < 0.01:
            guest.vm.policy = self.policy()
        elif chance < 0.012:
            self._replace(guest)
        else:
            self._ask(guest, chance > 1 - self.faults)

    def _replace(self, guest: Guest) -> None:
        """Take a guest down; what it had must be the hypervisor's again."""
        name = guest.vm.name
        self.machine.remove(name)
        self._keys = {key: value for key, value in self._keys.items() if key[0] != name}
        self.watch.forget(name)
        self._look()
        self._add()

    def _ask(self, guest: Guest, faulty: bool) -> None:
        driver = self.random.choice(guest.drivers)
        request = self._request()
        fault = self._fault(guest, driver) if faulty else None
        tried = attempt(driver, request)
        self.requests += 1
        self._judge(guest, request, fault, tried.outcome)
        if tried.response is not None:
            self._right(guest, driver, request, tried.response)
        self._after(guest, fault, tried.outcome)

    def _request(self) -> Request:
        if self.random.random() < 0.8:  # a report is signed, which takes longer than all else
            svn = self.random.randrange(4)
            payload = KeyReq(vmpl=3, guest_svn=svn, guest_field_select=svn << 1).build()
            return Request(int(MsgType.KEY_REQ), payload)
        payload = self.random.randbytes(64) + (3).to_bytes(4, "little") + bytes(28)
        pages = self.random.choice((None, 4))
        return Request(int(MsgType.REPORT_REQ), payload, 1, pages)

    def _fault(self, guest: Guest, driver: Driver) -> Fault[Any, Any]:
        own, first = guest.vm.policy.pages is Pages.GUEST, not driver.channel.number
        rows = [
            row
            for row in FAULTS.values()
            if (own or row.needs != "own-pages") and not (first and row.first > 1)
        ]
        fault = self.random.choice(rows)
        self.machine.inject(Injection(fault))
        self.struck += 1
        return fault

    def _judge(
        self, guest: Guest, request: Request, fault: Fault[Any, Any] | None, found: Outcome
    ) -> None:
        wanted, broken = Outcome(), ""
        if fault is not None:
            extended, broken = request.pages is not None, fault.breaks
            wanted = fault.leads_to(guest.vm.policy, extended=extended, times=1)
            self.machine.inject()
        if found != wanted:
            name = "no fault" if fault is None else fault.name
            raise Loss(f"{name}, {guest.vm.policy}: {found}, not {wanted}")
        breaches = [
            b for b in (*self.watch.breaches, *reclaim_breaches(self.machine)) if b.rule != broken
        ]
        self.watch.breaches.clear()
        if breaches:
            raise Loss("; ".join(breach.text for breach in breaches))
        if self.requests % EVERY == 0:
            self._look()

    def _look(self) -> None:
        for breach in ownership_breaches(self.machine):
            raise Loss(breach.text)

    def _right(self, guest: Guest, driver: Driver, request: Request, response: Response) -> None:
        """See that the answer is the one that was asked for."""
        payload = response.payload
        if any(payload[:4]):
            raise Loss(f"the firmware answers {payload[:4].hex()}")
        if request.type == MsgType.REPORT_REQ:
            report = ReportRsp.parse(payload).report
            right = report.report_data == request.payload[:64] and report.vmpl == 3
        else:
            key = guest.vm.name, request.payload
            right = self._keys.setdefault(key, payload[0x20:]) == payload[0x20:]
        if not right or driver.channel.number % 2:
            raise Loss(f"a wrong answer to {request}")

    def _after(self, guest: Guest, fault: Fault[Any, Any] | None, found: Outcome) -> None:
        """Make anew what cannot go on: a machine, a guest that lost a key or a page."""
        if fault is None:
            return
        if fault.name in FATAL:
            self._keys.clear()
            self._build()
        elif found.errno or fault.breaks:
            self._replace(guest)


def main() -> int:
    """Run until all requests are made; return 1 at the first loss."""
    options = arguments()
    soak = Soak(options.seed, options.profile)
    began = perf_counter()
    while soak.requests < options.requests:
        try:
            soak.step()
        except Loss as exc:
            print(f"LOST at request {soak.requests} of seed {options.seed}: {exc}")
            return 1
        if sys.stderr.isatty() and soak.requests % 1000 == 0:
            print(f"\r{soak.requests} requests", end="", file=sys.stderr, flush=True)
    taken = perf_counter() - began
    print(
        f"{soak.requests} requests, {soak.struck} faults, {soak.guests} guests on"
        f" {soak.machines} machines in {taken:.0f} s: nothing lost"
    )
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--requests", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--profile", default="milan", metavar="NAME")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
