"""How the structures of guest messages are read: which way, and for which product.

Each reading is what a document needs beside its value; the rules are given what was decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..context import BARE, Context, Decision, Direction
from ..wire.rmp import HIDDEN, states_of

if TYPE_CHECKING:
    from ..finding import Finding
    from ..product import ProductDecision
    from ..view.document import Mark
    from ..view.meaning import Meaning

LAYOUT = "tcb layout"
LAST = 5
"""The highest version of a report that is known."""


class Reading(NamedTuple):
    """What was decided about a value, and what follows from it."""

    decisions: tuple[Decision, ...] = ()
    meanings: dict[str, Meaning] = {}
    marks: tuple[Mark, ...] = ()
    product: ProductDecision | None = None
    context: Context = BARE
    """What is known for the rules."""
    refused: Finding | None = None
    status: str = ""
    unknown: tuple[str, ...] = ()
    """What the structure cannot tell."""


def reading(name: str, value: Any, direction: Direction | None, product: str | None) -> Reading:
    """Decide how *value*, of the kind called *name*, is to be read. Raises UsageError."""
    if name == "message":
        return _message(value, direction)
    if name == "report":
        return _report(value, product, "")
    if name == "report-rsp":
        written = any(value.report.build())
        return _report(value.report, product, "report.") if written else Reading()
    from ..view.report import tcb_fields

    return _versions(name, value, product) if tcb_fields(value) else Reading()


def _message(page: Any, forced: Direction | None) -> Reading:
    from ..rules.message import direction_of, refusal
    from ..view.message import message_marks, message_meanings

    decision = direction_of(page, forced)
    way = Direction(decision.choice)
    refused = refusal(page) if way is Direction.REQUEST else None
    return Reading(
        (decision,),
        message_meanings(page),
        message_marks(page),
        context=Context(way),
        refused=refused and refused.finding,
        status=refused.status.name if refused else "",
    )


def _report(report: Any, product: str | None, prefix: str) -> Reading:
    from ..product import decide
    from ..view.document import Mark
    from ..view.report import report_meanings
    from ..wire.report import SIGNED

    decision = decide(report, product=product)
    decisions = [Decision(LAYOUT, decision.layout, decision.reason)]
    if report.version > LAST:
        reason = f"version {report.version} is not known; what is known of {LAST} is read"
        decisions.insert(0, Decision("version", str(LAST), reason))
    meanings = report_meanings(report, decision, prefix)
    signed = (Mark("signed", 0, SIGNED, "what the signature covers"),)
    marks = () if prefix else signed
    return Reading(tuple(decisions), meanings, marks, decision, Context(product=decision))


def _versions(name: str, value: Any, product: str | None) -> Reading:
    """Read the TCB versions of what does not say whose they are, if the caller does."""
    from ..product import ProductDecision, product_named
    from ..view.report import tcb_meanings

    if product is None:
        reason = f"a {name} does not say which product it is for; --product does"
        return Reading((Decision(LAYOUT, "unknown", reason),))
    row = product_named(product)
    decision = ProductDecision(row, row.layout, "as asked for")
    decisions = (Decision(LAYOUT, row.layout, decision.reason),)
    return Reading(decisions, tcb_meanings(value, decision), product=decision)


UNTOLD = (*HIDDEN, "subpage_count", "vmpl0", "vmpl1", "vmpl2", "vmpl3")
"""Fields of an entry that RMPREAD does not tell."""


def rmp_reading(name: str, value: Any, family: str | None) -> Reading:
    """Decide how *value*, of the kind called *name*, is to be read. Raises UsageError."""
    from ..view.topics.rmp import segment_meanings

    if name == "rmp":
        return _entry(value, family)
    if name == "rmpread":
        return _read(value)
    if name == "rmpupdate":
        return Reading(context=Context(Direction.REQUEST))
    return Reading(meanings=segment_meanings(value))


def _entry(value: Any, family: str | None) -> Reading:
    from ..product import entry_layout
    from ..view.topics.rmp import rmp_meanings

    layout = entry_layout(family)
    said = (Decision("rmp layout", layout.choice, layout.reason),)
    return Reading(
        said, rmp_meanings(value, known=layout.known), context=Context(entry_layout=layout)
    )


def _read(value: Any) -> Reading:
    from ..view.topics.rmp import read_meanings

    states = states_of(value)
    names = " or ".join(state.name for state in states)
    reason = "RMPREAD does not tell which" if len(states) > 1 else "what RMPREAD tells is enough"
    said = (Decision("state", names, reason),)
    return Reading(said, read_meanings(value), context=Context(Direction.RESPONSE), unknown=UNTOLD)
