"""What a value says, in words: codes by name, words by their bits, operands by the exit they serve.

Nothing here judges. A meaning is a typed value (whose bits a view may list) and a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import Flags, OpenEnum, Word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..bits import Bits
    from ..context import Context
    from ..layout import Record
    from ..wire.event import Operand
    from ..wire.ghcb import Page


class Meaning(NamedTuple):
    """What one value says."""

    text: str
    value: Any = None
    """The typed value, if it has more to tell than the text: a word lists its bits."""
    valid: bool | None = None
    """Whether the valid bitmap marks it; None where it has no bit."""
    operand: bool = False
    """Whether it is an operand of the exit."""
    bits: bool = False
    """Whether JSON shows the bits of the value beside the fields."""


class Part(NamedTuple):
    """One field of a word."""

    span: str
    name: str
    value: str
    text: str
    shown: bool = True
    """Whether it tells something: a code does always, a plain number if it is not zero."""


def code_text(code: OpenEnum) -> str:
    """Return the name of a code and its sentence, or that it has none."""
    if not code.known:
        return "unknown"
    return f"{code.name}: {code.doc}" if code.doc not in ("", code.name) else code.name


def plain_meaning(value: Any) -> Meaning:
    """Return what a value says by its type alone."""
    if isinstance(value, OpenEnum):
        return Meaning(code_text(value), value)
    if isinstance(value, Flags):
        return Meaning(" ".join(value.names()), value)
    if isinstance(value, Word):
        return Meaning("", value)
    name = value.to_plain() if hasattr(value, "NAMES") else ""  # a GUID
    return Meaning(str(name), value)


def parts(word: Word) -> Iterator[Part]:
    """Yield every named field of a word, highest bit first, and the set bits without a name."""
    for field in sorted(word.BITS.values(), key=lambda f: -f.low):
        number = field.value(word)
        text = _field_text(word, field, number)
        value = number_text(int(number), field.width)
        tells = bool(number) or isinstance(number, OpenEnum) or field.name in TOLD
        yield Part(f"[{field.span}]", field.name, value, text, tells)
    if word.unknown:
        yield Part("", "unnamed bits", hex(word.unknown), "bits that have no name are set")


TOLD = {"reason_code": "reason", "features": "flags"}
"""Fields that need more than their own bits to be read, and the property that reads them."""


def _field_text(word: Word, field: Bits, number: int) -> str:
    told: Any = getattr(word, TOLD[field.name]) if field.name in TOLD else number
    if isinstance(told, OpenEnum):
        return code_text(told)
    return (" ".join(told.names()) if isinstance(told, Flags) else "") or field.doc


def number_text(number: int, width: int) -> str:
    """Return a number as it is read best: small in decimal, a byte both ways, else hex."""
    if number < 10:
        return str(number)
    return f"{number:#x} ({number})" if width <= 8 else f"{number:#x}"


def operand_meaning(operand: Operand, raw: int) -> Meaning:
    """Return what *raw* says as the operand of an exit."""
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
    """Return what each field of a GHCB page says in its direction and for its exit."""
    from ..context import operands

    roles = operands(page, context)
    valid = page.valid_bitmap
    found = {}
    for name in (*valid.BITS, "x87_state_gpa"):
        raw = int(getattr(page, name))
        if name == "sw_exit_code":
            base = Meaning(_exit_text(page, context), page.sw_exit_code)
        elif name in roles:
            base = operand_meaning(roles[name], raw)._replace(operand=True)
        else:
            base = Meaning(_role(page, name))
        marked = name in valid.BITS and "valid_bitmap" not in context.absent
        found[name] = base._replace(valid=valid.has(name) if marked else None)
    return found


def _role(page: Page, name: str) -> str:
    tile = page.tile(name)
    return tile.doc if tile else ""


def _exit_text(page: Page, context: Context) -> str:
    code = page.sw_exit_code
    if context.direction == "answer":
        return f"the exit that was answered: {code_text(code)}"
    title = context.event.title if context.event else ""
    return f"{code.name}: {title}" if title not in ("", code.name) else code_text(code)


def msr_meanings(record: Record) -> dict[str, Meaning]:
    """Return what a GHCB MSR value says."""
    from ..wire.msr import word_of

    word = word_of(record.value)  # type: ignore[attr-defined]
    info = plain_meaning(word.BITS["info"].value(word))
    return {"value": Meaning(info.text, word)}
