"""Topic of ``explain`` about commands of the firmware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.command_table import COMMANDS, OTHER_LAYOUTS, Transfer, command_named
from ..table import Row
from .topic import Question, Topic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...wire.command_table import Command, Pointer
    from ...wire.status import Status

TRANSFERS = {
    Transfer.IN: "the firmware reads it",
    Transfer.OUT: "the firmware writes it",
    Transfer.BOTH: "the firmware reads it and writes it back",
}


def command(question: Question) -> Iterator[Row]:
    """Explain a command: its buffer, and what that points to."""
    number = command_named(question.text)
    yield Row("", "", f"{int(number):#04x}", number.name, number.doc)
    row = COMMANDS.get(number)
    if row is None:
        yield Row("", "", "buffer", "unknown", "SEV-TIO is not supported")
        return
    yield from _buffer(row)
    for pointer in row.pointers:
        yield Row("", "", f"  {pointer.field}", pointer.kind or "page", _pointed(pointer))
    yield Row("", "", "source", row.source, "")


def check_rows(checks: Sequence[tuple[tuple[Status, ...], str]], source: str) -> Iterator[Row]:
    """Yield the statuses and texts of what the firmware checks, in its order."""
    if checks:
        yield Row("", "", "checks", f"{len(checks)}", f"in this order ({source}, ABI 1.55.25)")
    for place, (statuses, text) in enumerate(checks, 1):
        names = " or ".join(status.name for status in statuses)
        yield Row("", "", f"  {place:>2}", names or "handed on", text)


def _buffer(row: Command) -> Iterator[Row]:
    from ...wire import kind

    if not row.buffer:
        yield Row("", "", "buffer", "none", "")
        return
    for name in (row.buffer, *OTHER_LAYOUTS.get(row.id, ())):
        size = kind(name).type.SIZE
        yield Row("", "", "buffer", name, f"{size:#x} bytes; {TRANSFERS[row.direction]}")
    if row.on_length:
        text = "after INVALID_LENGTH too, with the length required"
        yield Row("", "", "written back", "", text)
    if row.direction is not Transfer.IN:
        text = "with SNP on: FIRMWARE or beyond the RMP, or else the status is 64 more"
        yield Row("", "", "its page", "", text)


def _pointed(pointer: Pointer) -> str:
    return TRANSFERS[pointer.direction]


TOPICS = {"command": Topic(command, "a command of the firmware, by number or name")}
