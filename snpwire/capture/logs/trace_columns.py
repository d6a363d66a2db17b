"""What stands before a traced event: task, process, core, flags and time, as each tool prints them.

    drive-190     [000] d..1.     9.398778: kvm_...       trace, trace_pipe, trace-cmd report
    drive-190 (  190) [000] ..... 9.398778: kvm_...       the same with record-tgid
    drive-191     0d..1.    14.643263: kvm_...            trace-cmd report -l, latency-format
    drive-191   [000]-0x24    14.643263: kvm_...          trace-cmd report -R
    drive     209/209 [000]    54.549872: kvm:kvm_...     perf script
         0.000 CPU 0/KVM/4242 kvm:kvm_...(                perf trace

A clock other than the first may count nanoseconds or ticks, without a fraction.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .record import Fact

if TYPE_CHECKING:
    from .record import LogState

_BEFORE = re.compile(
    r"(\S.{0,63}?)[- ] ?([0-9]{1,10})(?:/[0-9]{1,10})? "
    r"(?:\([ 0-9-]{1,10}\) )?"
    r"(?:\[([0-9]{3,5})\](?:-(0x[0-9a-f]{1,4}))?(?: ([^\s:]{1,8}))? "
    r"|([0-9]{1,4})([.A-Za-z#][^\s:]{2,7}) )?"
    r"([0-9]{1,12}\.[0-9]{1,9}|[0-9]{4,20}(?:us)?) ?[-+!#*@$]?: "
)
_BEHIND = re.compile(
    r"\[?([0-9]{1,12}\.[0-9]{3,9})\]? (?:\([^)]{0,24}\):? ?)?"
    r"(\S.{0,31}?)/([0-9]{1,10}) (?:\[([0-9]{1,5})\] )?kvm:"
)


def with_columns(fact: Fact, log: LogState) -> Fact:
    """Return *fact* with the columns before the event, where the line has them."""
    text = log.line.text
    found = _BEFORE.match(text)
    if found:
        task, pid, cpu, raw, flags, core, marks, time = found.groups()
        task = task.rpartition(": ")[2]  # trace-cmd names the file before it, if there are several
    elif found := _BEHIND.match(text):
        time, task, pid, cpu = found.groups()
        raw = flags = core = marks = None
    else:
        return fact
    more = {"task": task, "pid": int(pid)}
    if cpu or core:
        more["cpu"] = int(cpu or core)
    more["flags"] = flags or marks or raw or ""
    return Fact(*fact[:5], {**more, **fact.fields}, (time, f"{task}-{pid}"))
