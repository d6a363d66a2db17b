"""``snpwire request``: whole round trips through the engine, printed as they go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...bits import nearest
from ...errors import InputError, UsageError, shown
from ...wire import kind
from ...wire.message import NAMED, PAYLOAD_MAX, MsgType, padded
from ...wire.report import REPORT_SIZE, Report, ReportRsp, SigningKey
from ..bytefile import payload_bytes
from ..encode import build_value
from ..input import SourceError, shown_name
from ..output import write_file, write_lines, write_note
from .config_files import load_cpuid, load_policy, load_profile

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...engine.faults.injection import ArmedFault
    from ...engine.guest.guest import Guest
    from ...engine.guest.request import Request, Response
    from ...engine.machine import Machine
    from ...engine.profile import Profile
    from ...engine.trace import Trace
    from ...wire.message import Message
    from ..messages.options import PayloadOptions
    from ..output import SaveFolder
    from .options import MachineOptions, RequestOptions, TraceOptions

RAW, LIST = "raw", "list"
MOST = 1_000_000
EXPECTATION_BROKE = 4


def request(
    what: str,
    payload: PayloadOptions,
    options: RequestOptions,
    machine: MachineOptions,
    trace: TraceOptions,
) -> int:
    """Issue the requests and print each; return 4 if an outcome differs from the expected one."""
    if LIST in machine.inject:
        return _listing()
    _in_range("--count", options.requests, range(1, MOST + 1))
    _in_range("--vmpck", options.vmpck, range(4))
    _in_range("--pages", options.pages, range(5))
    _in_range("--version", options.version, range(1, 256))
    wanted = _request(what, payload, options)
    row = NAMED.get(what.lower())
    is_report = row is not None and row.request is MsgType.REPORT_REQ
    if trace.save is None:
        return _run(wanted, options, machine, trace, is_report=is_report)
    from ..output import SaveFolder

    with SaveFolder(trace.save) as folder:
        return _run(wanted, options, machine, trace, is_report=is_report, folder=folder)


def _run(
    wanted: Request | None,
    options: RequestOptions,
    machine_options: MachineOptions,
    trace: TraceOptions,
    *,
    is_report: bool,
    folder: SaveFolder | None = None,
) -> int:
    from ...engine.faults.injection import Injection
    from ...engine.invariants import Watch
    from ...engine.oracle import Oracle
    from ...engine.trace import Trace
    from .trace_output import TracePrinter

    injections = [Injection.parse(text) for text in machine_options.inject]
    policy, profile = load_policy(machine_options.policy), load_profile(machine_options.profile)
    printer, watch = TracePrinter(trace, profile.product.name, folder), Watch()
    machine = _machine(machine_options, profile, Trace(watch, printer, keep=False))
    guest = machine.add("vm", policy=policy)
    wanted = wanted or _vmrk(machine, guest)
    faults = machine.inject(*injections)
    trial = Oracle(machine, guest, watch, faults)
    _warn(profile, wanted)
    printer.begin()
    response = None
    broken = False
    for turn in range(1, options.requests + 1):
        verdict = trial.check(guest.drivers[options.vmpck], wanted)
        printer.verdict(turn, verdict)
        broken |= verdict.broken
        response = verdict.attempt.response or response
    broken |= _note_unused(faults.armed)
    _save(response, machine, folder, trace.output, is_report=is_report)
    return EXPECTATION_BROKE if broken else 0


def _note_unused(faults: Iterable[ArmedFault]) -> bool:
    """Note the faults that were never triggered; return whether there are any."""
    unused = [fault for fault in faults if not fault.hits]
    for armed in unused:
        count = armed.passes
        write_note(f"{armed.fault.name} was never triggered: its point was passed {count} times")
    return bool(unused)


def _save(
    response: Response | None,
    machine: Machine,
    folder: SaveFolder | None,
    output: str | None,
    *,
    is_report: bool,
) -> None:
    """Save the RMP and the last payload: a report with the certificates that verify it."""
    if folder is not None:
        folder.write("rmp.bin", machine.table_image())
    if response is None:
        return
    payload = response.payload
    is_report = is_report and not any(payload[:4])
    report = payload[ReportRsp.SIZE - REPORT_SIZE : ReportRsp.SIZE] if is_report else b""
    if folder is not None and report:
        folder.write("report.bin", report)
        own = Report.parse(report).key_info.signing_key is not SigningKey.VLEK
        for name, data in machine.firmware.chip.certificates(own=own).items():
            folder.write(f"{name.lower()}.der", data)
    if output is not None:
        write_file(output, report or payload, private=not report)


def _warn(profile: Profile, wanted: Request) -> None:
    """Note it if the firmware does not implement such a message."""
    from ...engine.profile import NAMES, profile_named

    if profile.takes(wanted.type):
        return
    others = [name for name in NAMES if profile_named(name).takes(wanted.type)]
    hint = f"; --profile {others[0]} does" if others else ""
    write_note(f"the firmware of {profile.name} takes no {MsgType(wanted.type).name}{hint}")


def _machine(options: MachineOptions, profile: Profile, trace: Trace) -> Machine:
    """Return the machine as configured. Raises SnpwireError and OSError."""
    from ...engine.machine import Machine, configure

    cpuid = load_cpuid(options.cpuid, profile)
    machine = Machine(profile, seed=options.seed, trace=trace, cpuid=cpuid)
    configure(machine, vlek=options.vlek, mask_id=options.mask_id, mask_key=options.mask_key)
    return machine


def _in_range(option: str, value: int, allowed: range) -> None:
    if value not in allowed:
        span = f"{allowed.start} to {allowed.stop - 1}"
        raise UsageError(f"{option} is from {span}, got {shown(value)}")


def _listing() -> int:
    """Print every fault: what it does, its expected outcome, who detects it."""
    from ...engine.faults.catalogue import FAULTS

    width = max(map(len, FAULTS))
    for fault in FAULTS.values():
        write_lines([f"{fault.name:<{width}}  {fault.actor}: {fault.help}"])
        write_lines(
            [f"{'':<{width}}  expected outcome: {fault.outcome}; detected by: {fault.detected_by}"]
        )
    return 0


def _request(what: str, payload: PayloadOptions, options: RequestOptions) -> Request | None:
    """Return the request, or None if its payload needs the machine. Raises UsageError."""
    from ...engine.guest.request import Request

    name = what.lower()
    if name == RAW:
        return _raw(payload, options.version)
    row = _message(what)
    if row.request is MsgType.VMRK_REQ:
        if payload.file is not None or payload.settings or payload.payload is not None:
            hint = f"raw --type {int(row.request)} --payload FILE sends any other"
            raise UsageError(f"the payload of {name} names a guest that is made for it", help=hint)
        return None
    if payload.msg_type is not None:
        raise UsageError("--type is only for raw: any other KIND implies it")
    built = row.payloads.get(options.version)
    if built is None:
        raise UsageError(f"{row.request.name} has no version {options.version}")
    pages = options.pages if name == row.extended_name else None
    data = _payload(built, payload, options.vmpck)
    return Request(int(row.request), data, options.version, pages)


def _message(what: str) -> Message:
    """Return the message that a KIND of request is. Raises UsageError."""
    name = what.lower()
    if name in NAMED:
        return NAMED[name]
    known = [*NAMED, RAW]
    listed = f"one of: {' '.join(known)}"
    if not name:
        raise UsageError("no KIND of request given", help=listed)
    hint = nearest(name, known) or f"KIND is {listed}"
    raise UsageError(f"there is no request {shown(what)}", help=hint)


def _payload(name: str, options: PayloadOptions, vmpck: int) -> bytes:
    """Return the payload, a record called *name* unless it is given whole."""
    if options.payload is not None:
        if options.file is not None or options.settings:
            raise UsageError("--payload is the whole payload", help="give it, or JSON and --set")
        return _file(options.payload, name)
    settings = options.settings
    if options.file is None and hasattr(kind(name).type, "vmpl"):
        settings = (f"vmpl={vmpck}", *settings)  # a key may not ask for a more privileged level
    data = build_value(name, options.file, settings, zero=True)
    return data.ljust(padded(len(data)), b"\0")


def _raw(options: PayloadOptions, version: int) -> Request:
    from ...engine.guest.request import Request

    if options.payload is None or options.msg_type is None:
        raise UsageError("raw has no record to build", help="--payload FILE and --type N")
    _in_range("--type", options.msg_type, range(256))
    return Request(options.msg_type, _file(options.payload), version)


def _file(name: str, form: str = "") -> bytes:
    """Return the payload in a file. Raises SourceError and OSError, which name it."""
    payload = payload_bytes(name, form)
    if len(payload) > PAYLOAD_MAX:
        reason = InputError(f"a payload has at most {PAYLOAD_MAX} bytes, got {len(payload)}")
        raise SourceError(shown_name(name), reason)
    return payload


def _vmrk(machine: Machine, guest: Guest) -> Request:
    """Return a request that gives a VM root key to an incoming guest."""
    from ...engine.guest.request import Request
    from ...wire.migration import VmrkReq

    target = machine.incoming("incoming", guest)
    vmrk = machine.simulation.random.randbytes(32)
    payload = VmrkReq(gctx_paddr=target, vmrk=vmrk).build()
    return Request(int(MsgType.VMRK_REQ), payload)
