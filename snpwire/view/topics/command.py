"""Topics of ``explain``: commands, and the mailbox registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import UsageError, shown
from ...wire.command_table import COMMANDS, OTHER_LAYOUTS, Transfer, command_named
from ..table import Row
from ..text import int_text
from .topics import Question, word

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


def response(question: Question) -> Iterator[Row]:
    """Explain the command register: a command or its result, by bit 31 or ``--answer``."""
    from ...wire.mailbox import CommandRequest, CommandResponse

    number = question.number(32)
    completed = CommandResponse(number).response
    kind = CommandResponse if completed or question.response else CommandRequest
    why = "as asked for" if question.response else f"bit 31 is {'set' if completed else 'clear'}"
    way = "a command that ended" if kind is CommandResponse else "a command as it is written"
    yield Row("", "", "read as", way, why)
    yield from word(kind)(question)
    if kind is CommandResponse and not completed:
        text = "bit 31 is clear: the command has not completed, and the status is meaningless"
        yield Row("", "", "not done", "", text)


def buffer_address(question: Question) -> Iterator[Row]:
    """Explain the two address registers, as ``HI:LO``; with ``--answer`` the causes in them."""
    stack = pair(question)
    if question.response:
        yield from _causes(stack)
        return
    yield Row("", "", "buffer", int_text(stack, 8), "physical address; 0 for none")
    if stack >> 51 & 1:
        yield Row("", "", "[51]", "C-bit", "AMD-ASPFW masks it")
    if stack >> 52:
        yield Row("", "", "[63:52]", hex(stack >> 52), "above all memory: INVALID_ADDRESS")


def error_stack(question: Question) -> Iterator[Row]:
    """Explain the error causes in the address registers, the latest first."""
    yield from _causes(pair(question))


def _causes(stack: int) -> Iterator[Row]:
    from ...wire.mailbox import causes

    text = "ten bits each, the latest first; AMD has not published what they mean"
    yield Row("", "", "causes", int_text(stack, 8), text)
    for place, number in enumerate(causes(stack)):
        known = "" if number <= LAST_CAUSE else f"AMD-ASPFW has 1 to {LAST_CAUSE}"
        yield Row("", "", f"  {place}", str(number), known)


LAST_CAUSE = 100


def pair(question: Question) -> int:
    """Return the number of ``HI:LO``, or of one number. Raises UsageError."""
    high, found, low = question.text.partition(":")
    if not found:
        return question.number()
    return Question(high).number(32) << 32 | Question(low).number(32)


def register(question: Question) -> Iterator[Row]:
    """Explain a register of the mailbox, by its name or its place in the device's BAR."""
    from ...bits import nearest
    from ...wire import mailbox

    names = [name for row in mailbox.REGISTERS for name in (row.name, row.role)]
    text = question.text.lower()
    number = question.number() if text[:1].isdigit() else -1
    for row in mailbox.REGISTERS:
        if text in (row.name.lower(), row.role.lower()) or number in (row.naples, row.later):
            yield Row("", "", row.role, row.name, row.doc)
            yield Row("", "", "in the BAR", hex(row.later), f"from Rome on; Naples {row.naples:#x}")
            doc = (getattr(mailbox, row.ring).__doc__ or "").splitlines()[0]
            yield Row("", "", "while rings are used", row.ring, doc)
            return
    hint = nearest(question.text, names) or f"registers are: {' '.join(names)}"
    raise UsageError(f"the mailbox has no register {shown(question.text)}", help=hint)
