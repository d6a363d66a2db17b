"""What interprets a message that needs no more than its own fields: sentences with gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...wire.status import NO_FW_CALL, Status
from .errnos import errno_text
from .operands import status_words
from .record import Fact

if TYPE_CHECKING:
    from .record import LogState
    from .template import Interpreter

ETIMEDOUT = 110


def answer_words(error: int, rc: int = 0) -> str:
    """Return what the firmware's answer to a command was, where the driver printed *error*."""
    if error & 0xFFFF_FFFF == NO_FW_CALL:
        return "the firmware was not asked"
    if error:
        return status_words(error)
    if abs(rc) == ETIMEDOUT:
        return "the firmware never answered: the command timed out, and 0x0 is no status of it"
    return "the firmware gave no status: 0x0 is what the driver began with"


def answer_status(error: int) -> Status | None:
    """Return the status in what the driver printed as *error*, or None if there was none."""
    return Status(error) if error and error & 0xFFFF_FFFF != NO_FW_CALL else None


def phrase(text: str, meaning: str = "", **more: str) -> Interpreter:
    """Return what interprets a message by sentences, whose gaps its fields fill.

    *more* are cause, consequence and remedy. ``{errno}`` stands for the name and sense of the field
    ``rc``, ``{answer}`` for the answer of the firmware in the field ``error``.
    """
    sentences = {"text": text, "meaning": meaning, **more}

    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        shown, further = dict(fields), dict[str, Any]()
        if "rc" in fields:
            shown["errno"] = errno_text(fields["rc"])
        if "error" in fields:
            shown["answer"] = answer_words(fields["error"], fields.get("rc", 0))
            further["status"] = answer_status(fields["error"])
        say = {name: sentence.format(**shown) for name, sentence in sentences.items()}
        why, then, remedy = (say.get(name, "") for name in ("cause", "consequence", "remedy"))
        return Fact(say["text"], say["meaning"], why, then, remedy, further)

    return interpret
