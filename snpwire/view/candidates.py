"""What a number alone, or a name alone, can be: every topic that has it, the likeliest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..bits import OpenEnum, nearest
from ..errors import UsageError, shown
from ..numeral import readings
from .table import Row
from .topics import REGISTERS, TOPICS, topic_named
from .topics.topic import note_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..numeral import Reading
    from .topics.topic import Topic

MOST = 16
"""Topics that are listed; what fits everything says little."""
RARE = 0x1_0000
"""A code at least this large is no chance hit."""


class Possibility(NamedTuple):
    """A topic that has the number or the name."""

    rank: int
    """How likely it is: 0 is the likeliest."""
    row: Row


def candidates(text: str) -> Iterator[Row]:
    """Yield a row for each topic that has *text*. Raises UsageError if none has."""
    found = readings(text)
    names = [*_named(text)] if text[:1].isalpha() else []
    ranked = sorted((c for value in found for c in _numbered(value)), key=lambda c: c.rank)
    rows = [*(c.row for c in names), *(c.row for c in ranked)]
    if not rows:
        hint = nearest(text, TOPICS) or "snpwire explain --help lists what there is to explain"
        raise UsageError(f"there is nothing called {shown(text)} to explain", help=hint)
    if len(found) == 1:
        yield from note_rows(found[0])
    yield from rows[:MOST]
    if len(rows) > MOST:
        yield Row("", "", "", "", f"and {len(rows) - MOST} topics more; name one: explain TOPIC N")


def _named(text: str) -> Iterator[Possibility]:
    for name in TOPICS:
        kind = topic_named(name).kind
        if kind is None or not issubclass(kind, OpenEnum):
            continue
        member = kind.spelt(text)
        if member is not None:
            doc = f"{hex(member)}: {member.doc}"
            yield Possibility(0, Row("", "", name, member.name, doc))


def _numbered(found: Reading) -> Iterator[Possibility]:
    value = found.value
    how = f"  [{value:#x}: {found.form}]" if found.base else ""
    if value in REGISTERS:
        name = REGISTERS[value]
        yield Possibility(0, Row("", "", name, "register", f"{topic_named(name).doc}{how}"))
    for name in TOPICS:
        topic = topic_named(name)
        if topic.bits and not value >> topic.bits and topic.has(value):
            yield from _possibility(name, topic, value, how)


def _possibility(name: str, topic: Topic, value: int, how: str) -> Iterator[Possibility]:
    kind = topic.kind
    if kind is None:
        if topic.possible is not None:
            rank = 2 if value >> 32 else 6
            yield Possibility(rank, Row("", "", name, hex(value), f"{topic.doc}{how}"))
        return
    if issubclass(kind, OpenEnum):
        member = kind(value)
        rank = 1 if value >= RARE else 4
        text = f"{member.doc}{how}" if member.doc else f"{topic.doc}{how}"
        yield Possibility(
            rank, Row("", "", name, member.name if member.known else hex(value), text)
        )
        return
    rank = (
        3 if topic.possible is not None else 5 if kind.KNOWN.bit_count() <= kind.WIDTH // 2 else 6
    )
    yield Possibility(rank, Row("", "", name, topic.summary(value), f"{topic.doc}{how}"))
