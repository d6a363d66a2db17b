"""One number, explained: its name, the meaning of its bits, the source.

The first word of ``explain`` names a topic, or a byte of a kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import nearest
from ..errors import UsageError
from .table import Row
from .topics import TOPICS, topic_named
from .topics.topic import Question

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TOPICS", "Question", "explain"]


def place(text: str) -> Iterator[Row]:
    """Explain ``KIND@OFFSET``: the field of a byte."""
    from ..wire import kind
    from .offsets import fields

    name, _, offset = text.partition("@")
    target = kind(name)
    at = Question(offset).number()
    for line in fields(target.type, at):
        if line.offset <= at < line.offset + line.size:
            inside = f"byte {at - line.offset} of it" if at > line.offset else ""
            yield Row(f"{line.offset:#05x}", str(line.size), line.path, line.doc, inside)
            return
    raise UsageError(f"{name} has no field at {at:#x}; its size is {target.type.SIZE:#x}")


def explain(what: str, question: Question) -> Iterator[Row]:
    """Return the rows of a topic. Raises UsageError."""
    if "@" in what:
        return place(what)
    if what not in TOPICS:
        hint = nearest(what, TOPICS) or f"it explains: {' '.join(TOPICS)} KIND@OFFSET"
        raise UsageError(f"there is nothing called {what!r} to explain", help=hint)
    found = topic_named(what)
    if not question.text and not found.optional:
        raise UsageError(f"explain {what} needs a value: {found.doc}")
    return found.explain(question)
