"""``decode command`` and ``encode command``: the number of a command chooses the structure.

The driver's dumps and the registers say which command it is; the bytes of a buffer do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from construct import Bytes

from ..codec import codec_of, from_hex
from ..context import Decision
from ..errors import EncodeError, UsageError, shown
from ..layout import Leaf
from ..wire import Kind, kind
from ..wire.command_table import COMMANDS, OTHER_LAYOUTS, CommandId, buffer_kind, command_named

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = "command"
"""What stands for KIND where ``--id`` chooses it."""
NAME_IT = "--id 0x94, or --id SNP_GUEST_REQUEST"


class Undeclared:
    """The buffer of a command whose layout is not known: bytes, of any number."""

    SPEC = ""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @classmethod
    def from_plain(cls, plain: Any) -> Undeclared:
        """Undo ``to_plain``. Raises EncodeError."""
        if not isinstance(plain, dict) or plain.keys() > {"bytes"}:
            reason = f"expected an object of bytes alone, got {shown(plain)}"
            raise EncodeError(COMMAND, "", None, reason)
        try:
            return cls(from_hex(plain.get("bytes", ""), 1 << 32))
        except ValueError as exc:
            raise EncodeError(COMMAND, "bytes", 0, str(exc)) from None

    def build(self) -> bytes:
        """Return the bytes."""
        return self.data

    def to_plain(self) -> dict[str, str]:
        """Return the bytes in hex."""
        return {"bytes": self.data.hex()}

    def leaves(self) -> Iterator[Leaf]:
        """Yield all bytes as one value."""
        size, doc = len(self.data), "A buffer whose layout is not declared"
        yield Leaf("bytes", 0, size, doc, self.data, codec_of(Bytes(size)), gap=False)


def named(text: str | None) -> CommandId:
    """Return the command that ``--id`` names. Raises UsageError, also where it takes no buffer."""
    if text is None:
        raise UsageError("which command is it? Its buffer does not say", help=NAME_IT)
    number = command_named(text)
    command = COMMANDS.get(number)
    if command and not command.buffer:
        hint = f"explain command {number.name} tells what it does"
        raise UsageError(f"{titled(number)} takes no buffer", help=hint)
    return number


def titled(number: CommandId) -> str:
    """Return the number and the name of a command."""
    return f"{int(number):#04x} {number.name}"


def layouts(number: CommandId) -> tuple[str, ...]:
    """Return the kinds that a command's buffer may be, Linux's first; none if not declared."""
    command = COMMANDS.get(number)
    return (command.buffer, *OTHER_LAYOUTS.get(number, ())) if command else ()


def fits(number: CommandId, size: int) -> bool:
    """Tell whether *size* bytes can be the command's buffer."""
    names = layouts(number)
    return not names or any(kind(name).type.fits(size) for name in names)


def parsed(number: CommandId, data: bytes) -> tuple[Kind, Any, tuple[Decision, ...]]:
    """Return a buffer with its kind, which the command names, and why. Raises DecodeError."""
    found = buffer_kind(number, len(data))
    title = f"{titled(number)}: {number.doc}"
    said: tuple[Decision, ...] = (
        Decision(COMMAND, number.name, f"{int(number):#04x}, as asked for"),
    )
    if found is None:
        reason = "the buffers of SEV-TIO are not declared, so that this is shown as bytes"
        unread = Decision("layout", "unknown", reason)
        return Kind(COMMAND, "", title), Undeclared(data), (*said, unread)
    value = found.type.parse(data)
    if found.name in OTHER_LAYOUTS.get(number, ()):
        packed = kind(layouts(number)[0]).type.SIZE
        reason = f"{len(data)} bytes: AMD-ASPFW reads so many, Linux packs it into {packed}"
        said = (*said, Decision("layout", found.name, reason))
    return found._replace(title=f"command {title}"), value, said


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
    names = layouts(named(text))
    name = given if given in names else next(iter(names), COMMAND)
    return (name, kind(name).type) if names else (COMMAND, Undeclared)
