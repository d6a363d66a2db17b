"""What a topic of ``explain`` is made of: a question, and functions from it to rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...bits import Flags, OpenEnum, Word, integer
from ...errors import UsageError, cut, shown
from ..meaning import word_fields
from ..table import Row
from ..text import int_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    W = TypeVar("W", bound=Word)
    Explanation = Callable[["Question"], Iterator[Row]]


class Question(NamedTuple):
    """A question to ``explain``: a number as text, and for operands their exit."""

    text: str
    exit: str | None = None
    info1: int | None = None
    """``sw_exit_info_1`` of the same page, for operands that depend on it."""
    response: bool = False
    product: str | None = None
    """Product of the TCB version."""
    family: str | None = None
    """Processor of the reverse map table."""

    def number(self, limit: int = 64) -> int:
        """Return the number. Raises UsageError if there is none, or if it has too many bits."""
        try:
            value = integer(self.text)
        except ValueError:
            raise UsageError(f"{shown(self.text)} is no number") from None
        if not 0 <= value < 1 << limit:
            raise UsageError(f"{cut(self.text)} does not fit {limit} bits")
        return value


class Topic(NamedTuple):
    """One kind of number that can be explained."""

    explain: Explanation
    doc: str
    """What it takes."""
    optional: bool = False
    """Without a value it explains what there is."""


def word(kind: type[Word]) -> Explanation:
    """Return the function that explains a word of one kind."""

    def explain(question: Question) -> Iterator[Row]:
        value = word_value(kind, question)
        yield Row("", "", kind.__name__, int_text(value, kind.WIDTH // 8), kind.SPEC)
        yield from bit_rows(value)

    return explain


def word_value(kind: type[W], question: Question) -> W:
    """Return the word that a number or the names of bits stand for. Raises UsageError."""
    if question.text[:1].isdigit() or question.text.startswith("-"):
        return kind(question.number(kind.WIDTH))
    try:
        return kind.from_plain(question.text.replace(",", " ").split())
    except ValueError as exc:
        raise UsageError(str(exc)) from None


def codes(kind: type[OpenEnum]) -> Explanation:
    """Return the function that explains a code of one enumeration."""

    def explain(question: Question) -> Iterator[Row]:
        member = member_of(kind, question)
        yield Row("", "", hex(member), member.name if member.known else "unknown", member.doc)

    return explain


def member_of(kind: type[OpenEnum], question: Question) -> Any:
    """Return the code that a number or a name stands for. Raises UsageError."""
    try:
        member = kind.from_plain(question.text)
    except ValueError as exc:
        raise UsageError(str(exc)) from None
    if not 0 <= member < 1 << 64:
        raise UsageError(f"{cut(question.text)} does not fit 64 bits")
    return member


def bit_rows(value: Word) -> Iterator[Row]:
    """Yield a row for each field of a word, or for each bit that is set."""
    if isinstance(value, Flags):
        for name in value.names():
            field = value.BITS.get(name)
            span = f"[{field.span}]" if field else f"[{name.removeprefix('bit_')}]"
            yield Row("", "", span, name, field.doc if field else "no name")
        return
    yield from (field.row() for field in word_fields(value))
