"""What ``bench.py`` measures of the engine: whole trips beside the ciphers that they need."""

from __future__ import annotations

import resource
from random import Random
from typing import TYPE_CHECKING, Any

from bench_contests import Contest, Rival, timed
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from snpwire.crypto.signing import sign
from snpwire.engine.hypervisor.policy import HypervisorPolicy, Pages
from snpwire.engine.machine import Machine
from snpwire.engine.profile import profile_named
from snpwire.engine.trace import Trace
from snpwire.wire.message import KEY_SIZE
from snpwire.wire.report import SIGNED, ReportReq, ReportRsp

if TYPE_CHECKING:
    from collections.abc import Callable

    from snpwire.engine.guest.guest import Guest

AAD_SIZE = 48
MANY = 100_000
FLAT = 512
"""KiB that a process may grow by over many requests: what its allocator keeps in hand."""
CIPHERS = "d(n, e(n, q, a), a); d(m, e(m, p, a), a)"
"""Request and answer, each sealed and opened."""


def engine() -> dict[str, Callable[[], Contest]]:
    """Return what makes each contest, by name."""
    return {"trip": unsigned, "trip-signed": signed, "trip-memory": memory}


def guest(*, masked: bool, policy: HypervisorPolicy | None = None, traced: bool = False) -> Guest:
    """Return a guest on a machine of its own; *masked* leaves its reports unsigned."""
    trace = Trace(keep=False) if traced else None
    machine = Machine(profile_named("milan"), seed=1, trace=trace)
    machine.firmware.chip.mask_chip_key = masked
    return machine.add(policy=policy)


def ciphers() -> dict[str, Any]:
    """Return the names that ``CIPHERS`` uses."""
    key = AESGCM(Random(1).randbytes(KEY_SIZE))
    return {
        "e": key.encrypt,
        "d": key.decrypt,
        "n": bytes(12),
        "m": bytes(11) + b"\1",
        "q": Random(2).randbytes(ReportReq.SIZE),
        "p": Random(3).randbytes(ReportRsp.SIZE),
        "a": bytes(AAD_SIZE),
    }


def unsigned() -> Contest:
    """Compare a report that nobody signs, all the way and back, with its four ciphers."""
    data = bytes(64)
    own = HypervisorPolicy(pages=Pages.GUEST)
    rivals = [
        Rival("snpwire", timed("g.report(d)", g=guest(masked=True), d=data), 10),
        Rival(
            "snpwire, in the guest's own pages",
            timed("g.report(d)", g=guest(masked=True, policy=own), d=data),
        ),
        Rival(
            "snpwire, each step heard by nobody",
            timed("g.report(d)", g=guest(masked=True, traced=True), d=data),
        ),
        Rival("snpwire, a derived key", timed("g.key()", g=guest(masked=False))),
    ]
    title = "An unsigned report: guest, exit, policy, table, firmware, and back"
    return Contest(title, "AESGCM, bare, four times", timed(CIPHERS, **ciphers()), rivals)


def signed() -> Contest:
    """Compare the speed of a report that is signed with that of its ciphers and its signature."""
    names = ciphers() | {"s": sign, "k": generate_private_key(SECP384R1()), "b": bytes(SIGNED)}
    timer = timed("g.report(d)", g=guest(masked=False), d=bytes(64))
    rivals = [Rival("snpwire", timer, 0.75)]
    bare = timed(f"{CIPHERS}; s(b, k)", **names)
    title = "A signed report, all the way and back"
    return Contest(title, "AESGCM four times, and P-384", bare, rivals, speed=True)


def memory() -> Contest:
    """See that a process does not grow with the number of its requests."""
    asked = guest(masked=False)
    for _ in range(MANY // 20):
        asked.key()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(MANY):
        asked.key()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    verdict = f"{'ok' if grown <= FLAT else 'MISS'}: grown by {grown} KiB"
    rivals = [Rival(f"{MANY} of them in one process", verdict)]
    return Contest("A derived key", "one request", timed("g.key()", g=asked), rivals)
