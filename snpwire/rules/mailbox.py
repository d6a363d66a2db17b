"""What can be wrong with the buffer of RING_BUFFER."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.address import PAGE
from ..wire.mailbox import RingBuffer
from ..wire.status import Status
from . import command_check as check
from .command_check import invalid, reachable, row, rule

if TYPE_CHECKING:
    from .command_check import BufferRules

POINTERS = (
    "low_priority_cmd_ptr",
    "low_priority_status_ptr",
    "high_priority_cmd_ptr",
    "high_priority_status_ptr",
)


QUEUES = tuple(
    check.within(name, range(low, 2), "command-queue", f"{name} is {{}}, {expected}")
    for name, low, expected in (
        ("low_priority_queue_size", 1, "it has to be 1"),
        ("high_priority_queue_size", 0, "it is 0 or 1"),
    )
)
INTERRUPT = check.within(
    "int_on_empty",
    range(2),
    "command-bits",
    "int_on_empty is {:#x}: bit 0 alone counts",
    check.note,
)
RINGS = (
    invalid("a queue has another size than 1 page, or 0 for low", *QUEUES),
    row(Status.INVALID_ADDRESS, "a pointer is not page-aligned", check.aligned(PAGE, *POINTERS)),
)
RULES: dict[type, tuple[BufferRules]] = {
    RingBuffer: rule(RINGS, INTERRUPT, reachable(*POINTERS)),
}
