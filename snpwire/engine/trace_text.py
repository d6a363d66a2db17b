"""A step of a trace as a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.message import HEADER_SIZE, Header, MsgType
from .outcome import exitinfo2_words
from .simulation import seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from .trace import TraceStep


def describe(step: TraceStep) -> str:
    """Return what was done, in words, and which pages changed their states."""
    sentence = SENTENCES.get((step.actor, step.action)) or SENTENCES.get(("", step.action))
    text = sentence(step) if sentence else step.action
    moved = [f"page {item.page:#x} {item.before} -> {item.after}" for item in step.moved]
    return "; ".join([text, *moved])


def _seal(step: TraceStep) -> str:
    facts = step.facts
    size = len(step.written[0].data)
    return (
        f"seals {facts['type'].name}, {size} bytes, under VMPCK{facts['vmpck']}, number"
        f" {facts['number']}"
    )


def _exit(step: TraceStep) -> str:
    facts = step.facts
    pages = f"request {facts['request']:#x}, response to {facts['response']:#x}"
    return f"exits with {facts['code'].name}: {pages}"


def _response(step: TraceStep) -> str:
    header = Header.parse(step.written[0].data[:HEADER_SIZE])
    where = step.written[0].address
    kind = MsgType(header.msg_type).name
    return f"writes {kind}, {header.msg_size} bytes, number {header.msg_seqno}, to {where:#x}"


def _resume(step: TraceStep) -> str:
    info1, info2 = step.facts["info1"], step.facts["info2"]
    values = f"sw_exit_info_1 {info1:#x}, sw_exit_info_2 {info2:#x}"
    words = exitinfo2_words(int(info2)) if not info1 else []
    return f"resumes the guest: {values}" + (f" ({', '.join(words)})" if words else "")


def _certificates(step: TraceStep) -> str:
    needed, given = step.facts["needed"], step.facts["given"]
    if needed > given:
        return f"reports that the certificates take {needed} pages, there is room for {given}"
    return f"writes {needed or 'no'} pages of certificates" if needed else "writes an empty table"


def _rmpupdate(step: TraceStep) -> str:
    facts = step.facts
    return f"RMPUPDATE of {facts['page']:#x}: {facts['result'].name}"


def _disable(step: TraceStep) -> str:
    facts = step.facts
    return f"wipes VMPCK{facts['vmpck']}: {facts['errno']}, {facts['why']}"


def _throttle(step: TraceStep) -> str:
    facts = step.facts
    return f"returns BUSY: the limit of {facts['burst']} in {facts['interval']} is used up"


def _ap_creation(step: TraceStep) -> str:
    facts = step.facts
    what = "it would run" if facts["runs"] else "it would not run"
    return f"{facts['request'].name} of a processor on {facts['vmsa']:#x}: {what}"


SENTENCES: dict[tuple[str, str], Callable[[TraceStep], str]] = {
    ("guest", "seal"): _seal,
    ("guest", "exit"): _exit,
    ("guest", "wait"): lambda s: f"gets BUSY, waits {seconds(s.facts['nanoseconds'])}",
    ("guest", "again-plain"): lambda s: "sends the same bytes again, as a plain request",
    ("guest", "open"): lambda s: f"opens the response, number {s.facts['number']}",
    ("guest", "disable"): _disable,
    ("guest", "pvalidate"): lambda s: f"PVALIDATE of {s.facts['page']:#x}",
    ("guest", "rmpadjust"): lambda s: f"RMPADJUST of {s.facts['page']:#x}",
    ("hypervisor", "launched"): lambda s: f"has launched the VM, ASID {s.facts['asid']}",
    ("hypervisor", "msr"): lambda s: (
        f"responds to MSR {s.facts['asked']:#x} with {s.facts['answer']:#x}"
    ),
    ("hypervisor", "page-states"): lambda s: "has changed the states of pages",
    ("hypervisor", "rmpupdate"): _rmpupdate,
    ("hypervisor", "command"): lambda s: f"issues {s.facts['command'].name}",
    ("hypervisor", "throttle"): _throttle,
    ("hypervisor", "busy"): lambda s: f"returns BUSY: one request at a time ({s.facts['per']})",
    ("hypervisor", "wait"): lambda s: (
        f"waits {seconds(s.facts['nanoseconds'])} for the secure processor"
    ),
    ("hypervisor", "certificates"): _certificates,
    ("hypervisor", "copy-in"): lambda s: f"copies the request page to {s.written[0].address:#x}",
    ("hypervisor", "copy-out"): lambda s: f"copies its response page to {s.written[0].address:#x}",
    ("hypervisor", "resume"): _resume,
    ("hypervisor", "refuse"): lambda s: f"refuses, reason {s.facts['reason']}: {s.facts['why']}",
    ("hypervisor", "stop"): lambda s: f"cannot run the guest on: {s.facts['reason']}",
    ("hypervisor", "leak"): lambda s: f"gives page {s.facts['page']:#x} up for good",
    ("hypervisor", "ap-creation"): _ap_creation,
    ("firmware", "done"): lambda s: f"{s.facts['command'].name}: {s.facts['status'].name}",
    ("firmware", "answer"): _response,
    ("", "fault"): lambda s: f"FAULT {s.facts['fault']}: {s.facts['help']}",
}
"""A sentence for each action of each actor."""
