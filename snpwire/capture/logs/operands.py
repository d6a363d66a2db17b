"""What the numbers of an exit say, in few words."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ...bits import Flags, OpenEnum, Word
from ...wire.event import Zero
from ...wire.exits import ExitCode, event_of, events_of, response
from ...wire.firmware_error import FIRMWARE_ERRORS
from ...wire.status import WRITE_BACK_MARK, Status

if TYPE_CHECKING:
    from ...wire.event import Operand


@lru_cache(maxsize=256)
def exit_name(code: int) -> str:
    """Return the name of an exit code, or that it has none."""
    found = ExitCode(code)
    return found.name if found.known else "unknown"


def request_words(code: int, info1: int, info2: int) -> str:
    """Return what the operands of a request say."""
    event = event_of(code, info1)
    if event is None:
        return ""
    words = operand_words(event.info1, info1), operand_words(event.info2, info2)
    return ", ".join(filter(None, (event.title, *words)))


def response_words(code: int, info1: int, info2: int) -> str:
    """Return what the operands of a response say; the event is the first that the code has."""
    rows = events_of(code)
    operand = response(rows[0] if rows else None, info1)
    action = "" if info1 & 0xFFFF_FFFF == 0 else f"action {info1 & 0xFFFF_FFFF}"
    return ", ".join(filter(None, (action, operand_words(operand, info2))))


def operand_words(operand: Operand, raw: int) -> str:
    """Return an operand's value by name; nothing where it carries nothing, as it should."""
    value = operand.type(raw)
    if isinstance(value, Zero):
        return f"{raw:#x} where nothing belongs" if raw else ""
    if isinstance(value, OpenEnum | Word):
        words = enum_words(value) if isinstance(value, OpenEnum) else word_words(value)
        return f"{operand.label} {words}".strip() if words else ""
    return f"{operand.label} {raw:#x}".strip()


def enum_words(value: OpenEnum) -> str:
    """Return the name of a code, or its number."""
    return value.name if value.known else f"{int(value):#x}, which has no name"


def code_words(value: OpenEnum) -> str:
    """Return the name of a code and its sentence, or its number."""
    return f"{value.name}: {value.doc}" if value.known else enum_words(value)


def word_words(word: Word) -> str:
    """Return the fields of a word that are set."""
    if isinstance(word, Flags):
        return " ".join(word.names()) or "no bit set"
    words = []
    for field in word.BITS.values():
        value = field.value(word)
        if isinstance(value, OpenEnum):
            words.append(f"{field.name} {enum_words(value)}")
        elif value:
            words.append(field.name if field.width == 1 else f"{field.name} {int(value):#x}")
    if word.unknown:
        words.append(f"unnamed bits {word.unknown:#x}")
    return " ".join(words)


_OF_REQUESTS = " For a guest request: "


def status_words(number: int, *, request: bool = False) -> str:
    """Return what a status of the firmware says; *request* takes what it says to a guest's."""
    status = Status(number)
    if not status.known and Status(number & ~WRITE_BACK_MARK).known and number & WRITE_BACK_MARK:
        inner = Status(number & ~WRITE_BACK_MARK)
        return f"{inner.name}, because the command's own buffer may not be written"
    if number in FIRMWARE_ERRORS:
        name = FIRMWARE_ERRORS[number]
        return f"status {number:#x}, which has no name in AMD's manuals; its kernel tree has {name}"
    if not status.known:
        return f"status {number:#x}, which has no name"
    common, _, special = status.doc.partition(_OF_REQUESTS)
    return f"{status.name}: {special if request and special else common}".rstrip(".")
