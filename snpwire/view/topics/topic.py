"""What a topic of ``explain`` is made of: a question, and functions from it to rows.

A number is read by the rule of ``snpwire.numeral``, with what its topic knows: the base in which
such numbers are printed, and whether there is such a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...bits import Flags, OpenEnum, Word
from ...errors import UsageError, cut
from ...numeral import ascii_text, reading, readings
from ..meaning import word_fields
from ..table import Row
from ..text import int_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from ...numeral import Reading

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
    report: bytes | None = None
    """Report whose TCB versions are explained."""

    def number(self, limit: int = 64) -> int:
        """Return the number. Raises UsageError if there is none, or if it has too many bits."""
        return reading(self.text, width=limit).value


class WordRows:
    """The explanation of a word of one kind: a row for each field."""

    def __init__(self, kind: type[Word]) -> None:
        self.kind = kind

    def __call__(self, question: Question) -> Iterator[Row]:
        """Yield the word, and its fields."""
        value = word_value(self.kind, question)
        yield Row("", "", self.kind.__name__, int_text(value, self.kind.WIDTH // 8), self.kind.SPEC)
        yield from bit_rows(value)


class CodeRows:
    """The explanation of a code of one enumeration: its name."""

    def __init__(self, kind: type[OpenEnum]) -> None:
        self.kind = kind

    def __call__(self, question: Question) -> Iterator[Row]:
        """Yield the name of the code."""
        member = member_of(self.kind, question)
        yield Row("", "", hex(member), member.name if member.known else "unknown", member.doc)


class Topic(NamedTuple):
    """One kind of number that can be explained."""

    explain: Explanation
    doc: str
    """What it takes."""
    optional: bool = False
    """Without a value it explains what there is."""
    of: type[Word] | type[OpenEnum] | None = None
    """What the number is, where the explanation does not say."""
    width: int = 0
    """Bits of the number, where it has no type; 0 for what is no single number."""
    base: int = 0
    """The base in which such numbers are always printed, if there is one."""
    possible: Callable[[int], bool] | None = None
    """Whether there is such a number: by default, whether the type names it or all its bits."""
    rows: Callable[[], Iterator[Row]] | None = None
    """All that there is, where that is not the type's names."""
    guess: Callable[[int], str] | None = None
    """What a number alone is if it is of the topic, else nothing; where the type does not tell."""
    named: tuple[type[OpenEnum], ...] = ()
    """Enumerations whose names it takes, where it is of no single one."""

    @property
    def kind(self) -> type[Word] | type[OpenEnum] | None:
        """Return the type of the number, or None where it is none."""
        by = self.explain.kind if isinstance(self.explain, WordRows | CodeRows) else None
        return self.of or by

    def has(self, value: int) -> bool:
        """Return whether there is such a number."""
        if self.possible is not None:
            return self.possible(value)
        if self.kind is None:
            return True
        if issubclass(self.kind, Word):
            return not value & ~self.kind.KNOWN and not value >> self.kind.WIDTH
        return self.kind(value).known

    @property
    def bits(self) -> int:
        """Return how many bits the number has, or 0 for what is no single number."""
        return (
            self.kind.WIDTH
            if self.kind and issubclass(self.kind, Word)
            else self.width or (64 if self.kind else 0)
        )

    def names(self, text: str) -> bool:
        """Return whether *text* is a name: of a code, or of bits."""
        if not text[:1].isalpha():
            return False
        if any(kind.spelt(text) is not None for kind in self.named):
            return True
        if self.kind is None or issubclass(self.kind, OpenEnum):
            return self.kind is not None and self.kind.spelt(text) is not None
        try:
            return bool(self.kind.from_plain(text.replace(",", " ").split()) or True)
        except ValueError:
            return False

    def reading(self, text: str) -> Reading | None:
        """Return how *text* is read as a number, or None if it is a name or something else.

        Raises UsageError for a number in doubt.
        """
        if not self.bits or self.names(text) or not readings(text):
            return None
        is_code = self.kind is not None and issubclass(self.kind, OpenEnum)
        if is_code and text[:1] == "-" and not any(self.has(row.value) for row in readings(text)):
            hint = f"the error numbers of Linux are negative: explain errno {cut(text)}"
            raise UsageError(f"{cut(text)} is none of its codes", help=hint)
        return reading(text, width=self.bits, base=self.base, possible=self.has, name=self.summary)

    def summary(self, value: int) -> str:
        """Return the name of a code, or what is set in a word; nothing where neither is known."""
        if self.kind is None or value >> self.bits:
            return ""
        if issubclass(self.kind, OpenEnum):
            member = self.kind(value)
            return member.name if member.known else "no such code"
        if value & ~self.kind.KNOWN:
            return "bits without a name are set"
        return word_summary(self.kind(value))

    def all(self) -> Iterator[Row]:
        """Yield all codes of the topic, or the bits of its word; nothing where it has none."""
        if self.rows is not None:
            yield from self.rows()
        elif self.kind is not None:
            yield from kind_rows(self.kind)


def word_summary(value: Word) -> str:
    """Return the fields of a word that are not zero, on one line."""
    if isinstance(value, Flags):
        return " ".join(value.names()) or "none set"
    texts = (
        field.name if field.width == 1 else f"{field.name}={field.plain(value)}"
        for field in value.BITS.values()
        if field.value(value)
    )
    return " ".join(texts) or "all zero"


def kind_rows(kind: type[Word] | type[OpenEnum]) -> Iterator[Row]:
    """Yield every code of an enumeration, or every field of a word."""
    if issubclass(kind, OpenEnum):
        for member in kind:
            yield Row("", "", hex(member), member.name, member.doc)
        return
    yield Row("", "", kind.__name__, f"{kind.WIDTH} bits", kind.SPEC)
    for field in sorted(kind.BITS.values(), key=lambda field: -field.low):
        yield Row("", "", f"[{field.span}]", field.name, field.doc)


def note_rows(found: Reading) -> Iterator[Row]:
    """Yield how a number was read, where that is in doubt, and the text that it spells."""
    if found.note:
        yield Row("", "", "read as", hex(found.value), found.note)
    if spelt := ascii_text(found.value):
        kind = "JSON" if set(spelt) & set('{":') else "text"
        text = f"all its bytes are ASCII: {kind} stands where the number should be"
        yield Row("", "", "spells", repr(spelt)[1:-1], text)


def word(kind: type[Word]) -> WordRows:
    """Return the function that explains a word of one kind."""
    return WordRows(kind)


def word_value(kind: type[W], question: Question) -> W:
    """Return the word that a number or the names of bits stand for. Raises UsageError."""
    if question.text[:1].isdigit() or question.text.startswith("-"):
        return kind(question.number(kind.WIDTH))
    try:
        return kind.from_plain(question.text.replace(",", " ").split())
    except ValueError as exc:
        raise UsageError(str(exc)) from None


def codes(kind: type[OpenEnum]) -> CodeRows:
    """Return the function that explains a code of one enumeration."""
    return CodeRows(kind)


def member_of(kind: type[OpenEnum], question: Question) -> Any:
    """Return the code that a number or a name stands for. Raises UsageError."""
    text = question.text
    if readings(text) and not (text[:1].isalpha() and kind.spelt(text) is not None):
        return kind(reading(text, possible=lambda value: kind(value).known).value)
    try:
        return kind.from_plain(text)
    except ValueError as exc:
        raise UsageError(str(exc)) from None


def bit_rows(value: Word) -> Iterator[Row]:
    """Yield a row for each field of a word, or for each bit that is set."""
    if isinstance(value, Flags):
        for name in value.names():
            field = value.BITS.get(name)
            span = f"[{field.span}]" if field else f"[{name.removeprefix('bit_')}]"
            yield Row("", "", span, name, field.doc if field else "no name")
        return
    yield from (field.row() for field in word_fields(value))
