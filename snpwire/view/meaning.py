"""The meaning of a value: codes by name, words by their bits, operands by the exit.

Nothing here judges. A meaning is a typed value (whose bits a view may list) and a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import Flags, OpenEnum, Word
from .table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..bits import Bits
    from ..context import Context
    from ..layout import Record
    from ..wire.event import Operand
    from ..wire.ghcb import Page


class Meaning(NamedTuple):
    """The meaning of one value."""

    text: str
    value: Any = None
    """The typed value, if it says more than the text: a word lists its bits."""
    valid: bool | None = None
    """Whether the valid bitmap marks it; None where it has no bit."""
    operand: bool = False
    """Whether it is an operand of the exit."""
    bits: bool = False
    """Whether JSON shows the bits of the value beside the fields."""


class WordField(NamedTuple):
    """One field of a word, as text."""

    span: str
    name: str
    value: str
    text: str
    shown: bool = True
    """Whether to show it: a code always, a plain number if it is not zero."""

    def row(self, indent: str = "") -> Row:
        """Return the row of a table that shows the field."""
        return Row("", "", f"{indent}{self.span:>7} {self.name}", self.value, self.text)


def code_text(code: OpenEnum) -> str:
    """Return the name of a code and its meaning, or ``unknown``."""
    if not code.known:
        return code.doc or "unknown"
    return f"{code.name}: {code.doc}" if code.doc not in ("", code.name) else code.name


def plain_meaning(value: Any) -> Meaning:
    """Return the meaning of a value by its type alone."""
    if isinstance(value, OpenEnum):
        return Meaning(code_text(value), value)
    if isinstance(value, Flags):
        return Meaning(" ".join(value.names()), value)
    if isinstance(value, Word):
        return Meaning("", value)
    name = value.to_plain() if hasattr(value, "NAMES") else ""  # a GUID
    return Meaning(str(name), value)


def word_fields(word: Word) -> Iterator[WordField]:
    """Yield every named field of a word, highest bit first, and the set bits without a name."""
    for field in sorted(word.BITS.values(), key=lambda f: -f.low):
        number = field.value(word)
        text = _field_text(word, field, number)
        value = number_text(int(number), field.width)
        shown = bool(number) or isinstance(number, OpenEnum) or field.name in DERIVED
        yield WordField(f"[{field.span}]", field.name, value, text, shown)
    if word.unknown:
        yield WordField("", "unnamed bits", hex(word.unknown), "bits that have no name are set")


DERIVED = {"reason_code": "reason", "features": "flags"}
"""Fields whose meaning depends on other bits too, and the property of the word that has it."""


def _field_text(word: Word, field: Bits, number: int) -> str:
    value: Any = getattr(word, DERIVED[field.name]) if field.name in DERIVED else number
    if isinstance(value, OpenEnum):
        return code_text(value)
    return (" ".join(value.names()) if isinstance(value, Flags) else "") or field.doc


def number_text(number: int, width: int) -> str:
    """Return a number in its most readable form: small in decimal, a byte both ways, else hex."""
    if number < 10:
        return str(number)
    return f"{number:#x} ({number})" if width <= 8 else f"{number:#x}"


def operand_meaning(operand: Operand, raw: int) -> Meaning:
    """Return the meaning of *raw* as the operand of an exit."""
    from ..wire.event import Count, Unknown, Zero

    value = operand.type(raw)
    if isinstance(value, OpenEnum):
        text = ", ".join(filter(None, (operand.label, code_text(value))))
        return Meaning(text, value)
    if isinstance(value, Zero):
        return Meaning("not used by this exit", value)
    if isinstance(value, Unknown):
        return Meaning(operand.label or "meaning not known", value)
    if isinstance(value, Count):
        return Meaning(f"{operand.label}: {raw}", value)
    return Meaning(operand.label, value)


def page_meanings(page: Page, context: Context) -> dict[str, Meaning]:
    """Return the meaning of each field of a GHCB page in its direction and for its exit."""
    from ..context import operands
    from ..wire.ghcb import ValidBitmap

    roles = operands(page, context)
    marks = "valid_bitmap" not in context.absent
    valid = page.valid_bitmap if marks else ValidBitmap(0)
    meanings = {}
    for name in (*valid.BITS, "x87_state_gpa"):
        if name in context.absent:
            continue
        raw = int(getattr(page, name))
        if name == "sw_exit_code":
            base = Meaning(_exit_text(page, context), page.sw_exit_code)
        elif name in roles:
            base = operand_meaning(roles[name], raw)._replace(operand=True)
        else:
            base = Meaning(_role(page, name))
        marked = marks and name in valid.BITS
        meanings[name] = base._replace(valid=valid.has(name) if marked else None)
    return meanings


def _role(page: Page, name: str) -> str:
    tile = page.tile(name)
    return tile.doc if tile else ""


def _exit_text(page: Page, context: Context) -> str:
    code = page.sw_exit_code
    if context.direction == "answer":
        return f"response to {code_text(code)}"
    title = context.event.title if context.event else ""
    return f"{code.name}: {title}" if title not in ("", code.name) else code_text(code)


def msr_meanings(record: Record) -> dict[str, Meaning]:
    """Return the meaning of a GHCB MSR value."""
    from ..wire.msr import word_of

    word = word_of(record.value)  # type: ignore[attr-defined]
    info = plain_meaning(word.BITS["info"].value(word))
    return {"value": Meaning(info.text, word)}
