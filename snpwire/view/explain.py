"""One number, explained: its name, the meaning of its bits, the source.

The first word of ``explain`` names a topic, in any of its spellings, a register by its number, or a
byte of a kind. A topic without a value shows all that it has; a number without a topic what it can
be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..bits import nearest
from ..errors import UsageError
from ..numeral import readings
from .table import Row
from .topics import REGISTERS, TOPICS, topic_named
from .topics.topic import Question, note_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["TOPICS", "Inquiry", "Question", "explain", "subject"]


LISTED = "snpwire explain --help lists what there is to explain"


class Inquiry(NamedTuple):
    """What is explained: a topic and its question, and how both were read."""

    topic: str
    """Its name; empty for a number alone."""
    question: Question
    notes: tuple[Row, ...] = ()


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


def subject(what: str, question: Question) -> Inquiry:
    """Return what *what* and the value of *question* stand for. Raises UsageError."""
    if "@" in what:
        return Inquiry(what, question)
    name, value = _topic_name(what)
    if not name:
        if not question.text and what:
            return Inquiry("", question._replace(text=what))
        hint = nearest(what, TOPICS) or LISTED
        raise UsageError(f"there is nothing called {what!r} to explain", help=hint)
    register = (Row("", "", hex(value), name, topic_named(name).doc),) if value else ()
    if not question.text:
        return Inquiry(name, question, register)
    found = topic_named(name).reading(question.text)
    if found is None:
        return Inquiry(name, question, register)
    notes = (*register, *note_rows(found))
    return Inquiry(name, question._replace(text=hex(found.value)), notes)


def _topic_name(what: str) -> tuple[str, int]:
    """Return the topic of a name or of a register's number, and that number; or nothing."""
    name = what.lower().replace("_", "-").removeprefix("msr-")
    if what.lower() in TOPICS or name in TOPICS:
        return what.lower() if what.lower() in TOPICS else name, 0
    for row in readings(what):
        if row.value in REGISTERS:
            return REGISTERS[row.value], row.value
    return "", 0


def explain(what: str, question: Question) -> Iterator[Row]:
    """Return the rows of a topic. Raises UsageError."""
    yield from subject_rows(subject(what, question))


def subject_rows(found: Inquiry) -> Iterator[Row]:
    """Return the rows of a subject. Raises UsageError."""
    if "@" in found.topic:
        yield from place(found.topic)
        return
    if not found.topic:
        from .candidates import candidates

        yield from candidates(found.question.text)
        return
    topic = topic_named(found.topic)
    yield from found.notes
    if found.question.text or topic.optional:
        yield from topic.explain(found.question)
        return
    rows = [*topic.all()]
    if not rows:
        raise UsageError(f"explain {found.topic} needs a value: {topic.doc}")
    yield from rows
