"""Topic of ``explain`` about advisories, and what they want of a TCB version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...advisory import COMPONENTS, Confidence, table
from ..table import Row
from .topic import Topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...advisory import Advisory, Sign
    from ...wire.tcb import Product, TcbClassic, TcbTurin
    from .topic import Question

MEANINGS = {
    Confidence.AMD: "AMD's CVE record says so",
    Confidence.PROJECTS: "two projects say so",
    Confidence.PROJECT: "one project says so: a note",
    Confidence.DISPUTED: "sources disagree: no minimum",
}
INCOMPLETE = "its date; what it does not list, or a report does not tell, may be open all the same"


def advisory(question: Question) -> Iterator[Row]:
    """Explain one advisory, or list all."""
    known = table()
    if question.text:
        yield from _advisory(known.named(question.text))
    else:
        for row in known.advisories:
            yield Row("", "", row.id, row.name or "-", row.title)
    yield Row("", "", "table", known.date, INCOMPLETE)


def _advisory(row: Advisory) -> Iterator[Row]:
    yield Row("", "", row.id, row.name or "-", row.title)
    if row.published:
        yield Row("", "", "  published", row.published, row.url)
    for cve in row.cve:
        yield Row("", "", "  CVE", cve, "")
    for product, version in row.fixed_from.items():
        yield Row("", "", f"  {product} fixed from", version, "a report does not tell it")
    for sign in row.signs:
        meaning = MEANINGS[sign.confidence]
        text = f"{sign.confidence}: {meaning} ({sign.source})"
        yield Row("", "", f"  {sign.product or 'all'}", sign.text, text)
    if not row.signs:
        yield Row("", "", "  in a report", "nothing tells", "")
    if row.note:
        yield Row("", "", "  note", "", row.note)


def least_levels(product: Product | None) -> Iterator[Row]:
    """Yield what advisories want of the components of a TCB version, of one product or all."""
    known = table()
    for row, sign in _component_signs(product):
        yield Row("", "", row.label, f"{sign.product} {sign.text}", _text(sign))
    yield Row("", "", "table", known.date, INCOMPLETE)


def compared_levels(product: Product, value: TcbClassic | TcbTurin) -> Iterator[Row]:
    """Yield the same for one product, held against a TCB version."""
    known = table()
    for row, sign in _component_signs(product):
        level = int(getattr(value, sign.what))
        if sign.confidence is Confidence.DISPUTED:
            verdict = "not compared"
        elif sign.model is not None:
            verdict = f"{level:#x}, if it is that stepping"
        else:
            verdict = f"{level:#x}, {'reached' if level >= sign.least[0] else 'below'}"
        yield Row("", "", row.label, verdict, f"{sign.text}; {_text(sign)}")
    yield Row("", "", "table", known.date, INCOMPLETE)


def _component_signs(product: Product | None) -> Iterator[tuple[Advisory, Sign]]:
    for row in table().advisories:
        for sign in row.signs:
            if sign.what in COMPONENTS and (product is None or sign.product == product.name):
                yield row, sign


def _text(sign: Sign) -> str:
    return f"{sign.confidence}: {MEANINGS[sign.confidence]}"


TOPICS = {"advisory": Topic(advisory, "an advisory, by id, CVE or name", optional=True)}
