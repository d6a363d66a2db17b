"""``--id``: the firmware command whose buffer is decoded or encoded, where KIND is ``command``."""

from __future__ import annotations

from typing import Any

from ..decode.command import Undeclared, layouts, titled
from ..errors import UsageError
from ..wire import COMMAND, kind
from ..wire.command_table import COMMANDS, CommandId, command_named

NAME_IT = "--id 0x94, or --id SNP_GUEST_REQUEST"


def command_of(text: str | None) -> CommandId:
    """Return the command that ``--id`` names. Raises UsageError, also where it takes no buffer."""
    if text is None:
        raise UsageError("which command is it? Its buffer does not say", help=NAME_IT)
    number = command_named(text)
    command = COMMANDS.get(number)
    if command and not command.buffer:
        hint = f"explain command {number.name} tells what it does"
        raise UsageError(f"{titled(number)} takes no buffer", help=hint)
    return number


def form_of(plain: Any, text: str | None) -> tuple[str, Any]:
    """Return the schema and the class that JSON is to be built with. Raises UsageError.

    What ``decode`` printed names its kind, so that it needs no ``--id``.
    """
    schema = plain.get("schema") if isinstance(plain, dict) else None
    given = schema.removesuffix("/1") if isinstance(schema, str) else ""
    if text is None:
        known = {name for number in COMMANDS for name in layouts(number)}
        if given in known - {""}:
            return given, kind(given).type
        if given != COMMAND:
            raise UsageError("which command is it? Nothing says", help=NAME_IT)
        return COMMAND, Undeclared
    names = layouts(command_of(text))
    name = given if given in names else next(iter(names), COMMAND)
    return (name, kind(name).type) if names else (COMMAND, Undeclared)
