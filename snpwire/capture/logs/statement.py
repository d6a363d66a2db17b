"""Messages of programs that say one thing: a wording, what it means, and what to do about it.

Most lines of user space have few numbers, or none, and always the same reason. They are declared as
a row each; what has more to it has an interpreter of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .record import Fact
from .template import Format, form

if TYPE_CHECKING:
    from .record import LogState


class Statement(NamedTuple):
    """One message: its wordings, and what is said of it. Braces name its fields, as in a format."""

    key: str
    kind: str
    wordings: tuple[str, ...]
    text: str
    meaning: str
    cause: str = ""
    consequence: str = ""
    remedy: str = ""
    side: str = ""
    """Who speaks or refuses: user space, kernel, firmware, guest, hypervisor."""


def statement(row: Statement) -> Format:
    """Return the format of a message."""

    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        return Fact(
            _put(row.text, fields),
            row.meaning,
            cause=row.cause,
            consequence=row.consequence,
            remedy=row.remedy,
            fields={"side": row.side} if row.side else {},
        )

    return form(row.key, row.kind, row.wordings[0], interpret, *row.wordings[1:])


def _put(text: str, fields: dict[str, Any]) -> str:
    """Return *text* with fields in it; one that this wording does not have is shown as ``?``."""
    for name, value in fields.items():
        shown = value if isinstance(value, str) else f"{int(value)}"
        text = text.replace(f"{{{name}:#x}}", shown if isinstance(value, str) else f"{value:#x}")
        text = text.replace(f"{{{name}}}", shown)
    return text
