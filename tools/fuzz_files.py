"""Files that say what a machine is to be, as a target of the fuzzer."""

from __future__ import annotations

from struct import pack

from fuzz_properties import answered, expect, file_of
from fuzz_seeds import TESTS

from snpwire.cli.engine import config_files as machines
from snpwire.engine.hypervisor.policy import HypervisorPolicy
from snpwire.engine.machine import Machine
from snpwire.engine.profile import profile_named
from snpwire.engine.workload import loads_of
from snpwire.errors import SnpwireError


def _policy(file: str) -> None:
    policy = machines.load_policy(file)
    expect(HypervisorPolicy.from_plain(policy.to_plain()) == policy, "a policy is not read again")
    _used(profile_named("milan").name, policy)


def _workload(file: str) -> None:
    loads = loads_of(machines.object_of(file))
    expect(all(load.requests > 0 and 1 <= load.streams <= 4 for load in loads), "nothing to do")


def _profile(file: str) -> None:
    machines.load_profile(file)
    _used(file, HypervisorPolicy())


def _cpuid(file: str) -> None:
    table = machines.load_cpuid(file, profile_named("genoa"))
    if table:
        corrected, checked, _ = table.check(pack("<2L", 1, 0).ljust(48, b"\1"), 1)
        expect(len(corrected) == 48 and checked == 1, "a function is lost")


def _used(profile: str, policy: HypervisorPolicy) -> None:
    """Start a machine: what was read makes one, or another of our errors."""
    try:
        guest = Machine(machines.load_profile(profile)).add(policy=policy)
        guest.ext_report(pages=8)
    except SnpwireError as exc:
        expect(str(exc), "an error says nothing")


READERS = (_policy, _workload, _profile, _cpuid)
COMMAND_LINES = (
    ["request", "key", "--policy"],
    ["compare-policies", "--workload"],
    ["request", "report", "--profile"],
    ["request", "cpuid", "--cpuid"],
)
FEW = 20
"""As many requests as a workload may make to be run."""


def files(data: bytes) -> None:
    """Read a file of the kind that the first byte names, and now and then have a command do it."""
    how, body = data[0] if data else 0, data[1:]
    which = how % len(READERS)
    file, read = file_of("given.toml", body), True
    try:
        READERS[which](file)
    except SnpwireError as exc:
        expect(str(exc).isprintable() and exc.help.isprintable(), "an error is unprintable")
        read = False
    if how < 128:
        return
    if READERS[which] is _workload and read:
        loads = loads_of(machines.object_of(file))
        if sum(load.requests * load.streams for load in loads) > FEW:
            return
    _, code = answered([*COMMAND_LINES[which], file])
    expect((code > 1) <= (not read) or which == 2, f"exit code {code}")


def file_seeds() -> list[bytes]:
    """Return files of each kind, by itself and for a command."""
    profiles = TESTS.parent / "snpwire" / "engine" / "profiles"
    rules = b'throttle = "off"\nsecond = "busy-vm"\nlatency = { uniform = [0.1, 0.3] }\n'
    rows = b"[[leaf]]\nin = [1, 0]\neax.fms = true\nebx = 5\necx = { fields = [[255, 3]] }\n"
    kinds: list[list[bytes]] = [
        [*((TESTS / "engine" / f"{name}.toml").read_bytes() for name in ("limit", "own-pages"))],
        [(TESTS / "engine" / "guests.toml").read_bytes()],
        [(profiles / f"{name}.toml").read_bytes() for name in ("milan", "turin")],
        [rows + b'edx = { size = "xsave", most = 7 }\n'],
    ]
    kinds[0] += [rules, b'{"certificates": "chain", "latency": {"exponential": 1}}']
    kinds[1].append(b'{"guests": [{"name": "a", "requests": 2, "pause": 0.5}]}')
    deep = b"a = " + b"[" * 3000 + b"]" * 3000
    return [
        *(bytes([n + 128 * (n < 2)]) + text for n, texts in enumerate(kinds) for text in texts),
        *(bytes([n]) + text for n in range(len(kinds)) for text in (deep, b"a = " + b"9" * 5000)),
    ]
