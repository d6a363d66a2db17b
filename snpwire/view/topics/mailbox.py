"""Topics of ``explain`` about the mailbox: its registers, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...bits import nearest
from ...errors import UsageError, shown
from ...wire import mailbox
from ...wire.mailbox import CommandRequest, CommandResponse, RbControl, RbHead, RbTail, causes
from ...wire.status import Status
from ..table import Row
from ..text import int_text
from .topic import Question, Topic, kind_rows, word

if TYPE_CHECKING:
    from collections.abc import Iterator

LAST_CAUSE = 100


def response(question: Question) -> Iterator[Row]:
    """Explain the command register: a command or its result, by bit 31 or ``--answer``."""
    number = question.number(32)
    completed = CommandResponse(number).response
    kind = CommandResponse if completed or question.response else CommandRequest
    why = "as asked for" if question.response else f"bit 31 is {'set' if completed else 'clear'}"
    way = "a command that ended" if kind is CommandResponse else "a command as it is written"
    yield Row("", "", "read as", way, why)
    status = Status(CommandResponse(number).status)
    for row in word(kind)(question):
        whole = row.text.startswith(f"{status.name}: ")  # no guest request: the mailbox is a host's
        yield row._replace(text=f"{status.name}: {status.of_command}") if whole else row
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
    text = "ten bits each, the latest first; AMD has not published what they mean"
    yield Row("", "", "causes", int_text(stack, 8), text)
    for place, number in enumerate(causes(stack)):
        known = "" if number <= LAST_CAUSE else f"AMD-ASPFW has 1 to {LAST_CAUSE}"
        yield Row("", "", f"  {place}", str(number), known)


def pair(question: Question) -> int:
    """Return the number of ``HI:LO``, or of one number. Raises UsageError."""
    high, found, low = question.text.partition(":")
    if not found:
        return question.number()
    return Question(high).number(32) << 32 | Question(low).number(32)


def register(question: Question) -> Iterator[Row]:
    """Explain a register of the mailbox, by its name or its place in the device's BAR."""
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


def register_bits() -> Iterator[Row]:
    """Yield the bits of the command register, before and after."""
    yield from kind_rows(CommandRequest)
    yield from kind_rows(CommandResponse)


def registers() -> Iterator[Row]:
    """Yield every register of the mailbox."""
    for row in mailbox.REGISTERS:
        yield Row("", "", row.role, row.name, f"{row.later:#x}, Naples {row.naples:#x}: {row.doc}")


TOPICS = {
    "cmdresp": Topic(
        response, "the command register; --answer: once it is done", width=32, rows=register_bits
    ),
    "cmdbuf": Topic(buffer_address, "the address registers, as HI:LO or a number"),
    "error-stack": Topic(error_stack, "the error stack of a command, as HI:LO or a number"),
    "mailbox": Topic(register, "a register of the mailbox, by name or place", rows=registers),
    "rb-control": Topic(word(RbControl), "the command register, with rings"),
    "rb-head": Topic(word(RbHead), "the low half of the address, with rings"),
    "rb-tail": Topic(word(RbTail), "the high half of the address, with rings"),
}
