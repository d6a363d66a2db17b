"""What a number alone, or a name alone, can be: every topic that has it, the likeliest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..bits import OpenEnum, nearest
from ..errors import UsageError, shown
from ..numeral import readings
from .table import WIDE, Row
from .topics import REGISTERS, TOPICS, topic_named, topic_of_source
from .topics.topic import note_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..bits import Word
    from ..numeral import Reading
    from .topics.topic import Topic

MOST = 16
"""Topics that are listed."""
ENOUGH = 4
"""As many topics with the number make those that fit any number not worth a line."""
RARE = 0x1_0000
"""A code at least this large is no chance hit."""
RARE_EXITS = {*range(0x40), *range(0x8E, 0x400)}
"""Exit codes that few guests are left with: accesses to CRn and DRn, traps, new instructions."""
REGISTER, NAMED, SPECIAL, LIKELY, CODE, WORD, ANY = range(7)
"""How likely a topic is meant, the likeliest first."""


class Possibility(NamedTuple):
    """A topic that has the number or the name."""

    rank: int
    """How likely it is: 0 is the likeliest."""
    row: Row


def candidates(text: str) -> Iterator[Row]:
    """Yield a row for each topic that has *text*. Raises UsageError if none has."""
    found = readings(text)
    names = [*_named(text)] if text[:1].isalpha() else []
    if text[:1].isalpha() and not (names or found):
        names = [*_elsewhere(text)]
    numbered = dict.fromkeys(c for value in found for c in _numbered(value))
    ranked = sorted(numbered, key=lambda c: c.rank)
    likely = [c for c in ranked if c.rank < 2 * ANY]
    certain = bool(ranked) and ranked[0].rank <= 2 * SPECIAL
    listed = [*names, *(likely if certain or len(likely) >= ENOUGH else ranked)][:MOST]
    if not listed:
        hint = nearest(text, TOPICS) or "snpwire explain --help lists what there is to explain"
        raise UsageError(f"there is nothing called {shown(text)} to explain", help=hint)
    yield from _notes(found)
    yield from (c.row for c in listed)
    more = len(names) + len(ranked) - len(listed)
    if more:
        yield Row("", "", "", "", f"and {more} topics more; name one: explain TOPIC N")


def _notes(found: tuple[Reading, ...]) -> Iterator[Row]:
    if len(found) == 1:
        yield from note_rows(found[0])
    elif found:
        yield Row(
            "", "", "read as", " or ".join(f"{row.value:#x} ({row.form})" for row in found), ""
        )


def _named(text: str) -> Iterator[Possibility]:
    source = topic_of_source(text)
    for name in [source] if source else TOPICS:
        topic = topic_named(name)
        for kind in (topic.kind, *topic.named):
            if kind is None:
                continue
            if issubclass(kind, OpenEnum):
                member = kind.spelt(text)
                if member is not None:
                    doc = f"{hex(member)}: {_head(member.doc)}"
                    yield Possibility(NAMED, Row("", "", name, member.name, doc))
            elif (bit := _bit(kind, text)) is not None:
                field = next(field for field in kind.BITS.values() if field.low == bit)
                yield Possibility(
                    NAMED, Row("", "", name, field.name, f"bit {bit}, {1 << bit:#x}: {field.doc}")
                )


def _bit(kind: type[Word], text: str) -> int | None:
    """Return the bit that *text* alone names, or None."""
    try:
        value = int(kind.from_plain([text]))
    except ValueError:
        return None
    return value.bit_length() - 1


def _elsewhere(text: str) -> Iterator[Possibility]:
    """Yield each code with the name in an enumeration that has no topic."""
    from ..wire import enumerations

    for kind in enumerations():
        member = kind.spelt(text)
        if member is not None:
            title = (kind.__doc__ or "").partition(".")[0]
            doc = f"{hex(member)}: {member.doc or title}"
            yield Possibility(NAMED, Row("", "", title, member.name, doc))


def _numbered(found: Reading) -> Iterator[Possibility]:
    value = found.value
    if value in REGISTERS:
        name = REGISTERS[value]
        yield _row(REGISTER, found, name, "register", topic_named(name).doc)
    for name in TOPICS:
        topic = topic_named(name)
        if topic.guess is not None:
            if known := topic.guess(value):
                rank = SPECIAL if value >> 31 and name != "msr" else LIKELY
                yield _row(rank, found, name, known, topic.doc)
        elif topic.bits and not value >> topic.bits and topic.has(value):
            yield from _possibility(name, topic, found)


def _possibility(name: str, topic: Topic, found: Reading) -> Iterator[Possibility]:
    kind, value = topic.kind, found.value
    unusual = bool(topic.base and found.base and topic.base != found.base)
    if kind is None:
        if topic.possible is not None:
            rank = SPECIAL if value >> 32 else ANY
            yield _row(rank, found, name, hex(value), topic.doc, unusual=unusual)
        return
    if issubclass(kind, OpenEnum):
        member = kind(value)
        title = member.name if member.known else hex(value)
        text = _head(member.doc) or topic.doc
        yield _row(_code_rank(name, member), found, name, title, text, unusual=unusual)
        return
    rank = WORD if kind.KNOWN.bit_count() <= kind.WIDTH // 2 else ANY
    if topic.possible is not None:
        rank = LIKELY
    yield _row(rank, found, name, _short(topic.summary(value)), topic.doc, unusual=unusual)


def _code_rank(name: str, member: OpenEnum) -> int:
    if member >= RARE:
        return NAMED
    if member.doc.startswith("not of "):
        return ANY
    if name == "exit" and member in RARE_EXITS:
        return WORD
    return LIKELY if name in ("status", "exit", "kvm-exit") else CODE


def _row(
    rank: int, found: Reading, name: str, value: str, text: str, *, unusual: bool = False
) -> Possibility:
    """Return a row; with the number, where the text can be two."""
    place = f"{name} {found.value:#x}" if found.base else name
    return Possibility(2 * rank + 3 * unusual, Row("", "", place, value, text))


def _head(doc: str) -> str:
    """Return the first sentence."""
    head = doc.partition(". ")[0]
    return f"{head}." if head != doc else doc


def _short(summary: str) -> str:
    """Return as many of the fields as fit a column, and the number of the others."""
    words = summary.split()
    if len(summary) <= WIDE or len(words) < 2:
        return summary
    count = next(n for n in range(len(words), 0, -1) if n == 1 or len(" ".join(words[:n])) <= 28)
    return f"{' '.join(words[:count])} and {len(words) - count} more"
