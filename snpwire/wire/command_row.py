"""What is told of one firmware command."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .command_id import CommandId


class Way(StrEnum):
    """Which way bytes go."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


IN, OUT, BOTH = Way
MCMD = "AMD-ASPFW sev_mcmd.c"


class Pointer(NamedTuple):
    """A field of a buffer that holds a physical address, and what lies there."""

    field: str
    kind: str
    """Kind of what lies there, of the first of several; empty if it is a page of no known kind."""
    direction: Way


class Command(NamedTuple):
    """What a command takes and gives."""

    id: CommandId
    buffer: str
    """Kind of the buffer; empty if there is none."""
    pointers: tuple[Pointer, ...]
    direction: Way
    """Of the buffer itself: no command of SNP writes back its own."""
    source: str
    on_length: bool = False
    """The buffer is written back after INVALID_LENGTH as well, to say how long is enough."""

    @property
    def answers(self) -> tuple[str, ...]:
        """Return the kinds that the firmware writes, the buffer's own first."""
        own = (self.buffer,) if self.buffer and self.direction is not Way.IN else ()
        return own + tuple(p.kind for p in self.pointers if p.kind and p.direction is not IN)


def command(
    number: CommandId,
    buffer: str = "",
    *pointers: Pointer,
    direction: Way = IN,
    source: str = MCMD,
    on_length: bool = False,
) -> Command:
    """Declare a command; most buffers go in alone."""
    return Command(number, buffer, pointers, direction, source, on_length)


def reads(field: str, kind: str = "") -> Pointer:
    """Declare a field whose address the firmware reads from."""
    return Pointer(field, kind, IN)


def writes(field: str, kind: str = "") -> Pointer:
    """Declare a field whose address the firmware writes to."""
    return Pointer(field, kind, OUT)


def changes(field: str, kind: str = "") -> Pointer:
    """Declare a field whose address the firmware reads from and writes to."""
    return Pointer(field, kind, BOTH)
