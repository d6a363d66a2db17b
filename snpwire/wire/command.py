"""Commands of the secure processor's firmware: what goes with each, by its number or name.

The buffers of SEV-TIO are not declared, so ``COMMANDS`` lacks its commands; all others are in it,
those too that take no buffer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import integer, nearest
from ..errors import UsageError, cut, shown
from . import kind as kind_named
from .command_id import CommandId
from .command_row import Command, Pointer, Way
from .sev_rows import SEV
from .snp_rows import SNP

if TYPE_CHECKING:
    from . import Kind

__all__ = [
    "COMMANDS",
    "OTHER_LAYOUTS",
    "Command",
    "CommandId",
    "Pointer",
    "Way",
    "buffer_kind",
    "command_named",
]

COMMANDS: dict[CommandId, Command] = {command.id: command for command in (*SNP, *SEV)}
"""Every command whose buffer is known, or known not to be."""

LISTED = "a number as in 0x94, or a name as in SNP_GUEST_REQUEST"

OTHER_LAYOUTS: dict[CommandId, tuple[str, ...]] = {
    CommandId.SNP_ACTIVATE: ("cmd-activate-padded",),
}
"""Kinds of a buffer that not everybody lays out as its command's row says."""


def buffer_kind(command_id: int, size: int | None = None) -> Kind | None:
    """Return the kind of a command's buffer; None where it has none, or none is declared.

    *command_id* is any number, as a log or a register gives it. The buffer is what the firmware
    reads when the command begins; where ``COMMANDS[...].direction`` is not ``in``, the same bytes
    hold the answer afterwards, so that a driver's dumps before and after it are of this one kind.
    *size* chooses among layouts where there are several; one that none has chooses the first,
    which is Linux's: whether the bytes fit is the reader's to ask (``kind.type.fits``).
    """
    number = CommandId(command_id)
    command = COMMANDS.get(number)
    if command is None or not command.buffer:
        return None
    kinds = [kind_named(name) for name in (command.buffer, *OTHER_LAYOUTS.get(number, ()))]
    return next((kind for kind in kinds if size is not None and kind.type.fits(size)), kinds[0])


def command_named(text: str) -> CommandId:
    """Return the command that a number or a name, in any case, stands for.

    Raises UsageError for what is no command, with the nearest ones.
    """
    name = text.upper().replace("-", "_").removeprefix("SEV_CMD_")
    if name in CommandId.__members__:
        return CommandId[name]
    try:
        number = integer(text)
    except ValueError:
        hint = nearest(name, CommandId.__members__)
        raise UsageError(f"there is no command {shown(text)}", help=hint or LISTED) from None
    if CommandId(number).known:
        return CommandId(number)
    below = [known for known in CommandId if known < number][-1:]
    above = [known for known in CommandId if known > number][:1]
    hint = " and ".join(f"{int(known):#04x} {known.name}" for known in below + above)
    raise UsageError(f"no command has the number {cut(text)}", help=f"beside it: {hint}")
