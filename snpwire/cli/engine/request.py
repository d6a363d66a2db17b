"""``snpwire request``: whole round trips through the engine, told as they go."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...bits import nearest
from ...errors import InputError, UsageError, shown
from ...wire.message import PAYLOAD_MAX, MsgType, padded, payload_kind
from ...wire.report import REPORT_SIZE, Report, ReportRsp, SigningKey
from ..encode import built
from ..input import SourceError, contents, shown_name
from ..output import note, say, write_file
from .config_files import load_cpuid, load_policy, load_profile

if TYPE_CHECKING:
    from ...engine.guest.guest import Guest
    from ...engine.guest.request import Request, Response
    from ...engine.machine import Machine
    from ...engine.profile import Profile
    from ...engine.trace import Trace
    from ..output import Saved

KINDS = {
    "report": MsgType.REPORT_REQ,
    "ext-report": MsgType.REPORT_REQ,
    "key": MsgType.KEY_REQ,
    "cpuid": MsgType.CPUID_REQ,
    "tsc": MsgType.TSC_INFO_REQ,
    "vmrk": MsgType.VMRK_REQ,
}
RAW, LIST = "raw", "list"
WITH_VMPL = ("report-req", "key-req", "key-req-v2")
MOST = 1_000_000
EXPECTATION_BROKE = 4


class Asked(NamedTuple):
    """What is to be asked, of whom, and what is to go wrong."""

    what: str
    json: str | None = None
    settings: tuple[str, ...] = ()
    payload: str | None = None
    msg_type: int | None = None
    version: int = 1
    vmpck: int = 0
    pages: int = 4
    times: int = 1
    profile: str = "milan"
    cpuid: str | None = None
    vlek: bool = False
    mask_id: bool = False
    mask_key: bool = False
    policy: str | None = None
    inject: tuple[str, ...] = ()
    seed: int = 0


class Told(NamedTuple):
    """How it is to be told."""

    boot: bool = False
    show: bool = False
    json: bool = False
    save: str | None = None
    output: str | None = None


def request(asked: Asked, told: Told) -> int:
    """Make the requests and tell of them; return 4 if something came to another end than due."""
    from ..output import Saved

    if LIST in asked.inject:
        return _listing()
    _in_range("--count", asked.times, range(1, MOST + 1))
    _in_range("--vmpck", asked.vmpck, range(4))
    _in_range("--pages", asked.pages, range(5))
    _in_range("--version", asked.version, range(1, 256))
    wanted = _request(asked)
    if told.save is None:
        return _run(asked, told, None, wanted)
    with Saved(told.save) as saved:
        return _run(asked, told, saved, wanted)


def _run(asked: Asked, told: Told, saved: Saved | None, wanted: Request | None) -> int:
    from ...engine.faults.injection import Injection
    from ...engine.invariants import Watch
    from ...engine.oracle import Oracle
    from ...engine.trace import Trace
    from .trace_output import Teller

    injections = [Injection.parse(text) for text in asked.inject]
    policy, profile = load_policy(asked.policy), load_profile(asked.profile)
    product = profile.product.name
    teller = Teller(boot=told.boot, show=told.show, json=told.json, saved=saved, product=product)
    watch = Watch()
    machine = _machine(asked, profile, Trace(watch, teller.hear, keep=False))
    guest = machine.add("vm", policy=policy)
    wanted = wanted or _vmrk(machine, guest)
    faults = machine.inject(*injections)
    trial = Oracle(machine, guest, watch, faults)
    _warn(profile, wanted)
    teller.begin()
    broken, response = False, None
    for turn in range(1, asked.times + 1):
        verdict = trial.check(guest.drivers[asked.vmpck], wanted)
        teller.judge(turn, verdict)
        broken |= verdict.broken
        response = verdict.attempt.response or response
    for armed in faults.armed:
        if not armed.hits:
            note(f"{armed.fault.name} never struck: its point was passed {armed.passes} times")
            broken = True
    if saved is not None:
        saved.file("rmp.bin", machine.table_image())
    if response is not None:
        _hand_out(asked, told, saved, machine, response)
    return EXPECTATION_BROKE if broken else 0


def _warn(profile: Profile, wanted: Request) -> None:
    """Say so where the firmware is not one that takes such a message."""
    from ...engine.profile import NAMES, profile_named

    if profile.takes(wanted.type):
        return
    others = [name for name in NAMES if profile_named(name).takes(wanted.type)]
    hint = f"; --profile {others[0]} does" if others else ""
    note(f"the firmware of {profile.name} takes no {MsgType(wanted.type).name}{hint}")


def _machine(asked: Asked, profile: Profile, trace: Trace) -> Machine:
    """Return the machine with what its owner sets. Raises SnpwireError and OSError."""
    from ...engine.machine import Machine, configure

    cpuid = load_cpuid(asked.cpuid, profile)
    machine = Machine(profile, seed=asked.seed, trace=trace, cpuid=cpuid)
    configure(machine, vlek=asked.vlek, mask_id=asked.mask_id, mask_key=asked.mask_key)
    return machine


def _in_range(option: str, value: int, allowed: range) -> None:
    if value not in allowed:
        span = f"{allowed.start} to {allowed.stop - 1}"
        raise UsageError(f"{option} is from {span}, got {shown(value)}")


def _listing() -> int:
    """Print every fault: what it does, and what it has to come to."""
    from ...engine.faults.catalogue import FAULTS

    width = max(map(len, FAULTS))
    for fault in FAULTS.values():
        say([f"{fault.name:<{width}}  {fault.actor}: {fault.help}"])
        say([f"{'':<{width}}  comes to: {fault.outcome}; who notices: {fault.notices}"])
    return 0


def _request(asked: Asked) -> Request | None:
    """Return the request that the options ask for; None for one that needs the machine.

    Raises UsageError.
    """
    from ...engine.guest.request import Request

    what = asked.what.lower()
    if what == RAW:
        return _raw(asked)
    if what == "vmrk":
        if asked.json is not None or asked.settings or asked.payload is not None:
            hint = "raw --type 13 --payload FILE sends any other"
            raise UsageError("the payload of vmrk names a guest that is made for it", help=hint)
        return None
    if what not in KINDS:
        known = [*KINDS, RAW]
        if not what:
            raise UsageError("there is no KIND of request", help=f"one of: {' '.join(known)}")
        hint = nearest(what, known) or f"KIND is one of: {' '.join(known)}"
        raise UsageError(f"there is no request {shown(asked.what)}", help=hint)
    if asked.msg_type is not None:
        raise UsageError("--type goes with raw alone: any other KIND says it")
    msg_type = KINDS[what]
    kind = payload_kind(msg_type, asked.version)
    if not kind:
        raise UsageError(f"{msg_type.name} has no version {asked.version}")
    pages = asked.pages if what == "ext-report" else None
    return Request(int(msg_type), _payload(asked, kind), asked.version, pages)


def _payload(asked: Asked, kind: str) -> bytes:
    if asked.payload is not None:
        if asked.json is not None or asked.settings:
            raise UsageError("--payload is the whole payload", help="give it, or JSON and --set")
        return _file(asked.payload)
    settings = list(asked.settings)
    if kind in WITH_VMPL and asked.json is None:  # a key may not ask for a more privileged level
        settings.insert(0, f"vmpl={asked.vmpck}")
    data = built(kind, asked.json, settings, zero=True)
    return data.ljust(padded(len(data)), b"\0")


def _raw(asked: Asked) -> Request:
    from ...engine.guest.request import Request

    if asked.payload is None or asked.msg_type is None:
        raise UsageError("raw has no record to build", help="--payload FILE and --type N")
    _in_range("--type", asked.msg_type, range(256))
    return Request(asked.msg_type, _file(asked.payload), asked.version)


def _file(name: str) -> bytes:
    """Return the payload in a file. Raises SourceError and OSError, which name it."""
    payload = contents(name)
    if len(payload) > PAYLOAD_MAX:
        reason = InputError(f"a payload has at most {PAYLOAD_MAX} bytes, got {len(payload)}")
        raise SourceError(shown_name(name), reason)
    return payload


def _vmrk(machine: Machine, guest: Guest) -> Request:
    """Return the request to give a VM root key to a guest that this one is to bring in."""
    from ...engine.guest.request import Request
    from ...wire.migration import VmrkReq

    target = machine.incoming("incoming", guest)
    vmrk = machine.simulation.random.randbytes(32)
    payload = VmrkReq(gctx_paddr=target, vmrk=vmrk).build()
    return Request(int(MsgType.VMRK_REQ), payload)


def _hand_out(
    asked: Asked, told: Told, saved: Saved | None, machine: Machine, response: Response
) -> None:
    """Write what the guest got, and beside it what it takes to verify a report."""
    payload = response.payload
    is_report = KINDS.get(asked.what.lower()) is MsgType.REPORT_REQ and not any(payload[:4])
    report = payload[ReportRsp.SIZE - REPORT_SIZE : ReportRsp.SIZE] if is_report else b""
    if saved is not None and report:
        saved.file("report.bin", report)
        own = Report.parse(report).key_info.signing_key is not SigningKey.VLEK
        for name, data in machine.firmware.chip.certificates(own=own).items():
            saved.file(f"{name.lower()}.der", data)
    if told.output is not None:
        write_file(told.output, report or payload)
