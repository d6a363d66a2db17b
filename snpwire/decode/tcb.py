"""How the TCB versions of requests and contexts are read: for the product that the caller names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..context import Context, Decision
from ..product import ProductDecision, product_named
from ..view.report import tcb_meanings
from ..wire import name_of
from .interpretation import Interpretation

if TYPE_CHECKING:
    from .interpretation import Hints

LAYOUT = "tcb layout"


def tcb_versions(value: Any, hints: Hints) -> Interpretation:
    """Decide how the TCB versions of a value are laid out, which it does not say itself."""
    if hints.product is None:
        reason = f"a {name_of(value)} does not say which product it is for; --product does"
        return Interpretation(Context(decisions=(Decision(LAYOUT, "unknown", reason),)))
    row = product_named(hints.product)
    decision = ProductDecision(row, row.layout, "as asked for")
    decisions = (Decision(LAYOUT, row.layout, decision.reason),)
    context = Context(decisions=decisions, product=decision)
    return Interpretation(context, tcb_meanings(value, decision))
