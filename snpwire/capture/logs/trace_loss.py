"""Events that a tracer dropped, as it says so: what is not in a trace need not be what was not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .record import Fact
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_REMEDIES = {
    "trace": "enlarge the buffer (buffer_size_kb, trace-cmd -b), or trace fewer events",
    "bpftrace": "set BPFTRACE_PERF_RB_PAGES=4096, or trace one vCPU",
    "perf": "enlarge the buffer (-m), or trace fewer events",
}


def _loss(tool: str) -> Any:
    """Return what interprets a loss that *tool* reports."""

    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        count = fields.get("count")
        where = f"  CPU {fields['cpu']}" if "cpu" in fields else ""
        return Fact(
            f"events lost{where}  {'an unknown number' if count is None else count}",
            "requests may stand here without their responses, and responses without requests",
            remedy=_REMEDIES[tool],
        )

    return interpret


FORMATS = (
    form(
        "trace_loss",
        "trace-loss",
        "^CPU:{cpu:d} [LOST {count:d} EVENTS]",
        _loss("trace"),
        "^CPU:{cpu:d} [LOST EVENTS]",
        "^CPU:{cpu:d} [{count:d} EVENTS DROPPED]",
        "^CPU:{cpu:d} [EVENTS DROPPED]",
    ),
    form("trace_loss_bpftrace", "trace-loss", "^Lost {count:d} events", _loss("bpftrace")),
    form("trace_loss_perf", "trace-loss", "^LOST {count:d} events!", _loss("perf")),
)
