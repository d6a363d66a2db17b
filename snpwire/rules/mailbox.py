"""What can be wrong with the buffer of RING_BUFFER."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.address import PAGE
from ..wire.mailbox import RingBuffer
from ..wire.status import Status
from .command_check import aligned, note, problem, reachable, row, rule

if TYPE_CHECKING:
    from ..finding import Findings
    from .command_check import BufferRules

POINTERS = (
    "low_priority_cmd_ptr",
    "low_priority_status_ptr",
    "high_priority_cmd_ptr",
    "high_priority_status_ptr",
)


def queue_sizes(value: RingBuffer) -> Findings:
    """Expect a low-priority queue of one page, and a high-priority one of at most one."""
    if value.low_priority_queue_size != 1:
        text = f"low_priority_queue_size is {value.low_priority_queue_size}, it has to be 1"
        yield problem(value, "command-queue", "low_priority_queue_size", text)
    if value.high_priority_queue_size > 1:
        text = f"high_priority_queue_size is {value.high_priority_queue_size}, it is 0 or 1"
        yield problem(value, "command-queue", "high_priority_queue_size", text)


def interrupt(value: RingBuffer) -> Findings:
    """Note bits of ``int_on_empty`` that have no effect."""
    if value.int_on_empty > 1:
        text = f"int_on_empty is {value.int_on_empty:#x}: bit 0 alone counts"
        yield note(value, "command-bits", "int_on_empty", text)


RINGS = (
    row(Status.INVALID_PARAM, "a queue has another size than 1 page, or 0 for low", queue_sizes),
    row(Status.INVALID_ADDRESS, "a pointer is not page-aligned", aligned(PAGE, *POINTERS)),
)
RULES: dict[type, tuple[BufferRules]] = {
    RingBuffer: rule(RINGS, interrupt, reachable(*POINTERS)),
}
