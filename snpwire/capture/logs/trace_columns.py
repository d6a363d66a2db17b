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

if TYPE_CHECKING:
    from .record import Fact, LogState

_BEFORE = re.compile(
    r"(?:[^\s:]{1,64}: )?(?P<task>\S.{0,31}?)[- ] ?(?P<pid>[0-9]{1,10})(?:/[0-9]{1,10})? "
    r"(?:\([ 0-9-]{1,10}\) )?"
    r"(?:\[(?P<cpu>[0-9]{3,5})\](?:-(?P<raw>0x[0-9a-f]{1,4}))?(?: (?P<flags>[^\s:]{1,8}))? "
    r"|(?P<core>[0-9]{1,4})(?P<marks>[.A-Za-z#][^\s:]{2,7}) )?"
    r"(?P<time>[0-9]{1,12}\.[0-9]{1,9}|[0-9]{4,20}(?:us)?) ?[-+!#*@$]?: "
)
_BEHIND = re.compile(
    r"(?:\[?(?P<time>[0-9]{1,12}\.[0-9]{3,9})\]?) (?:\([^)]{0,24}\):? ?)?"
    r"(?P<task>\S.{0,31}?)/(?P<pid>[0-9]{1,10}) (?:\[(?P<cpu>[0-9]{1,5})\] )?kvm:"
)


def with_columns(fact: Fact, log: LogState) -> Fact:
    """Return *fact* with the columns before the event, where the line has them."""
    found = _BEFORE.match(log.line.text) or _BEHIND.match(log.line.text)
    if found is None:
        return fact
    parts = found.groupdict()
    more = {"task": parts["task"], "pid": int(parts["pid"])}
    if core := parts["cpu"] or parts.get("core"):
        more["cpu"] = int(core)
    more["flags"] = next(filter(None, map(parts.get, ("flags", "marks", "raw"))), "")
    caller = f"{parts['task']}-{parts['pid']}"
    return fact._replace(fields={**more, **fact.fields}, columns=(parts["time"], caller))
