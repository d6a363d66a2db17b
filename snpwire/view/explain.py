"""One number, explained: its name, the meaning of its bits, the source.

The first word of ``explain`` names a topic, in any of its spellings, a register by its number, or a
byte of a kind. A topic without a value shows all that it has; a number without a topic what it can
be.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..bits import Word, nearest
from ..errors import UsageError
from ..numeral import HEX, readings
from .table import Row
from .topics import OTHER_NAMES, REGISTERS, TOPICS, topic_named, topic_of_source
from .topics.topic import Question, note_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .topics.topic import Topic

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
        pair = None if question.text else _PAIR.fullmatch(what.strip())
        if pair and _topic_name(pair[1])[0]:
            return subject(pair[1], question._replace(text=pair[2]))
        if not question.text and what:
            return _of_name(what, question)
        hint = nearest(what, TOPICS) or LISTED
        if readings(what):
            hint = f"registers that are known by number: {' '.join(map(hex, REGISTERS))}"
        raise UsageError(f"there is nothing called {what!r} to explain", help=hint)
    topic = topic_named(name)
    register: tuple[Row, ...] = ()
    if value:
        register = (Row("", "", hex(value), name, topic.doc),)
    if not question.text:
        return Inquiry(name, question, register)
    if name in REGISTERS.values():
        question, alike = _of_cores(_after_number(name, question))
        register += alike
    question, label = _without_label(topic, question)
    register += label
    found = topic.reading(question.text)
    if found is None:
        return Inquiry(name, question, register)
    notes = (*register, *note_rows(found))
    return Inquiry(name, question._replace(text=hex(found.value)), notes)


def _of_name(text: str, question: Question) -> Inquiry:
    """Return the topic of a name as its source spells it; else none: it is looked for in all."""
    question = question._replace(text=text)
    name = topic_of_source(text)
    topic = topic_named(name) if name else None
    if topic is None or (topic.kind and issubclass(topic.kind, Word)):
        return Inquiry("", question)
    try:
        known = any(topic.explain(question))
    except UsageError:
        known = False
    return Inquiry(name if known else "", question)


_PAIR = re.compile(r"([A-Za-z][\w-]{1,40})\s{0,8}[:=]\s{0,8}([^\s:=].{0,200})")
"""A topic and its value, as programs print them."""
_LABELLED = re.compile(r"[A-Za-z][\w /.-]{0,60}[\s:=(\[]\s{0,8}(0x[0-9a-fA-F]{1,32})\W{0,8}")


def _without_label(topic: Topic, question: Question) -> tuple[Question, tuple[Row, ...]]:
    """Return the number behind a label as in ``exit_code: 0x72``, where nothing else is there."""
    text = question.text.strip()
    found = _LABELLED.fullmatch(text) if topic.bits and not topic.names(text) else None
    if found is None:
        return question, ()
    note = (Row("", "", "read as", found[1], "the number behind its label"),)
    return question._replace(text=found[1]), note


def _after_number(name: str, question: Question) -> Question:
    """Return the value without the register's number before it, as in ``0xc0010131 0x7``."""
    first, _, rest = question.text.strip().partition(" ")
    ours = any(REGISTERS.get(row.value) == name for row in readings(first))
    return question._replace(text=rest.strip()) if ours and rest.strip() else question


_CORE = re.compile(r"(?:0x)?[0-9a-f]{1,16}")
"""What ``rdmsr`` prints for a core."""


def _of_cores(question: Question) -> tuple[Question, tuple[Row, ...]]:
    """Return the value that all cores have, as ``rdmsr -a`` prints one for each.

    Raises UsageError where they differ.
    """
    words = question.text.lower().split()
    one = len(set(words)) > 1 and readings(question.text)  # in groups of digits
    if len(words) < 2 or one or not all(map(_CORE.fullmatch, words)):
        return question, ()
    values = {int(word, HEX) for word in words}
    if len(values) > 1:
        texts = " ".join(hex(value) for value in sorted(values)[:8])
        raise UsageError(f"the cores differ: {texts}", help="explain one of them at a time")
    text = f"{len(words)} cores, all alike"
    return question._replace(text=hex(min(values))), (
        Row("", "", "read as", text, "hex, as rdmsr prints it"),
    )


def _topic_name(what: str) -> tuple[str, int]:
    """Return the topic of a name or of a register's number, and that number; or nothing."""
    whole = what.lower().replace("_", "-")
    bare = re.sub(r"^(?:msr-)?(?:amd64-|k[78]-)?", "", whole)
    for name in (whole, bare, OTHER_NAMES.get(whole, ""), OTHER_NAMES.get(bare, "")):
        if name in TOPICS:
            return name, 0
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
