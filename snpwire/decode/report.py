"""How a report is read, by itself or in a response: its version, and its product's TCB layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context import Context, Decision
from ..errors import AbsentError
from ..product import decide
from ..rules.record import empty
from ..rules.report import LAST_VERSION
from ..view.document import Mark
from ..view.report import report_meanings
from ..wire.report import SIGNED, Report, ReportRsp
from .interpretation import Interpretation
from .tcb import LAYOUT

if TYPE_CHECKING:
    from .interpretation import Hints


def report(value: Report, hints: Hints) -> Interpretation:
    """Decide which product made a report."""
    marks = (Mark("signed", 0, SIGNED, "what the signature covers"),)
    return _report(value, hints, "")._replace(marks=marks)


def report_response(value: ReportRsp, hints: Hints) -> Interpretation:
    """Decide which product made the report in a response, if there is one."""
    if empty(value.report):
        return Interpretation(hints.context())
    return _report(value.report, hints, "report.")


def _report(value: Report, hints: Hints, prefix: str) -> Interpretation:
    try:
        decision = decide(value, product=hints.product)
    except AbsentError:
        reason = "what tells the product is not there; --product does"
        context = Context(decisions=(Decision(LAYOUT, "unknown", reason),))
        return Interpretation(context, report_meanings(value, None, prefix))
    decisions = [Decision(LAYOUT, decision.layout, decision.reason)]
    if value.version > LAST_VERSION:
        known = LAST_VERSION
        reason = f"version {value.version} is not known; what is known of {known} is read"
        decisions.insert(0, Decision("version", str(known), reason))
    context = Context(decisions=tuple(decisions), product=decision)
    return Interpretation(context, report_meanings(value, decision, prefix))


INTERPRETERS = {Report: report, ReportRsp: report_response}
