"""Topics of ``explain`` about reports, TCB versions, messages and products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import UsageError
from ...wire.key import GuestFieldSelect
from ...wire.report import GuestPolicy, KeyInfo, PlatformInfo
from ..meaning import word_fields
from ..table import Row
from ..text import int_text
from .topic import Question, Topic, word

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.tcb import Product, TcbLayout


def tcb(question: Question) -> Iterator[Row]:
    """Explain a TCB version, or what advisories want of one.

    Without a product it is explained in each of the two layouts.
    """
    from ...product import product_named
    from ...wire.tcb import PRODUCTS, TcbLayout
    from .advisory import compared_levels, least_levels

    row = product_named(question.product) if question.product else None
    if not question.text:
        yield from least_levels(row)
        return
    number = question.number()
    if row:
        yield from _tcb(number, row.layout, f"as asked for: {row.name}")
        yield from compared_levels(row, row.layout.word(number))
        return
    yield Row("", "", "tcb layout", "unknown", "the number does not show it; use --product")
    for layout in TcbLayout:
        names = " ".join(row.name for row in PRODUCTS if row.layout is layout)
        yield from _tcb(number, layout, f"if it is {names}")


def _tcb(number: int, layout: TcbLayout, reason: str) -> Iterator[Row]:
    value = layout.word(number)
    yield Row("", "", f"tcb layout {layout}", int_text(value, 8), reason)
    yield from (field.row() for field in word_fields(value))


def msg_type(question: Question) -> Iterator[Row]:
    """Explain the type of a guest message: its payload in each version, and its response."""
    from ...wire import kind
    from ...wire.message import MESSAGES, REQUEST_OF, MsgType

    try:
        member = MsgType.from_plain(question.text)
    except ValueError as exc:
        raise UsageError(str(exc)) from None
    if not 0 <= member <= 0xFF:
        raise UsageError(f"{int(member):#x} does not fit 8 bits")
    yield Row("", "", str(int(member)), member.name if member.known else "unknown", member.doc)
    row = MESSAGES.get(member) or REQUEST_OF.get(member)
    if row is None:
        return
    for version, name in row.payloads.items():
        size = kind(name).type.SIZE
        text = f"payload of {row.request.name}, version {version}: {size:#x} bytes"
        yield Row("", "", f"  version {version}", name, text)
    sized = f": msg_size {row.reply_size:#x}" if row.reply_size else ""
    text = f"payload of {row.response.name}{sized}"
    yield Row("", "", "  response", row.reply, text)
    if row.note:
        yield Row("", "", "  note", "", row.note)
    yield Row("", "", "  source", row.source, "")


def product(question: Question) -> Iterator[Row]:
    """Explain CPUID family and model, or a product by its name."""
    from ...product import product_named
    from ...wire.tcb import product_of

    first, colon, second = question.text.partition(":")
    if not colon:
        if question.text[:1].isdigit():
            help = "explain product 0x19:0x11, or a name"
            raise UsageError(f"{question.text!r} is no FAMILY:MODEL", help=help)
        yield from _product(product_named(question.text))
        return
    family, model = Question(first).number(8), Question(second).number(8)
    row = product_of(family, model)
    if row is None:
        place = f"family {family:#x} model {model:#x}"
        yield Row("", "", place, "unknown", "in no source; a TCB layout has to be assumed")
        return
    yield from _product(row)


def _product(row: Product) -> Iterator[Row]:
    models = ", ".join(f"{first:#x} to {last:#x}" for first, last in row.models)
    yield Row("", "", row.name, f"family {row.family:#x}", row.note)
    yield Row("", "", "  models", models, "CPUID, combined as in a report")
    yield Row("", "", "  tcb layout", str(row.layout), "")
    yield Row("", "", "  chip id", f"{row.chip_id_size or 'unknown'}", "bytes in use")
    yield Row("", "", "  key server", row.kds or "none yet", "name in the URLs")


TOPICS = {
    "policy": Topic(word(GuestPolicy), "a guest policy"),
    "platform-info": Topic(word(PlatformInfo), "platform_info of a report"),
    "key-info": Topic(word(KeyInfo), "key_info of a report"),
    "tcb": Topic(tcb, "a TCB version, of the product --product names", optional=True),
    "guest-fields": Topic(word(GuestFieldSelect), "guest_field_select of a key request"),
    "msg-type": Topic(msg_type, "the type of a guest message, by number or name"),
    "product": Topic(product, "a processor, as FAMILY:MODEL of CPUID, or by name"),
}
