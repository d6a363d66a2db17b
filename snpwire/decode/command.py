"""How the buffer of a firmware command is read: by the number of the command.

The driver's dumps and the registers have the number; the bytes of a buffer do not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from construct import Bytes

from ..codec import codec_of, from_hex
from ..context import Decision
from ..errors import EncodeError, shown
from ..layout import Leaf
from ..wire import COMMAND, Kind, buffer_kind, kind
from ..wire.command_table import COMMANDS, OTHER_LAYOUTS, CommandId

if TYPE_CHECKING:
    from collections.abc import Iterator


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


def titled(number: CommandId) -> str:
    """Return the number and the name of a command."""
    return f"{int(number):#04x} {number.name}"


def layouts(number: CommandId) -> tuple[str, ...]:
    """Return the kinds that a command's buffer may be, Linux's first; none if not declared."""
    command = COMMANDS.get(number)
    return (command.buffer, *OTHER_LAYOUTS.get(number, ())) if command else ()


def fits(number: CommandId, size: int) -> bool:
    """Return whether *size* bytes can be the command's buffer."""
    names = layouts(number)
    return not names or any(kind(name).type.fits(size) for name in names)


def parse_buffer(number: CommandId, data: bytes) -> tuple[Kind, Any, tuple[Decision, ...]]:
    """Return the kind that a command and a size choose, the value of that kind, and the reasons.

    Raises DecodeError.
    """
    found, decisions = layout(number, len(data))
    value = found.type.parse(data) if found.chapter else Undeclared(data)
    return found, value, decisions


def layout(number: CommandId, size: int) -> tuple[Kind, tuple[Decision, ...]]:
    """Return the kind that a command and a size choose, with the reasons; it may be of no chapter.

    A size that fits none is for the caller to refuse.
    """
    found = buffer_kind(number, size)
    title = f"{titled(number)}: {number.doc}"
    decisions: tuple[Decision, ...] = (
        Decision(COMMAND, number.name, f"{int(number):#04x}, as asked for"),
    )
    if found is None:
        reason = "the buffers of SEV-TIO are not declared, so that this is shown as bytes"
        unread = Decision("layout", "unknown", reason)
        return Kind(COMMAND, "", title), (*decisions, unread)
    if found.name in OTHER_LAYOUTS.get(number, ()):
        packed = kind(layouts(number)[0]).type.SIZE
        reason = f"{size} bytes: AMD-ASPFW reads so many, Linux packs it into {packed}"
        decisions = (*decisions, Decision("layout", found.name, reason))
    return found._replace(title=f"command {title}"), decisions
