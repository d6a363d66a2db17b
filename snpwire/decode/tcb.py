"""How the TCB versions of requests and contexts are read: for the product that the caller names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..context import Context, Decision
from ..product import ProductDecision, product_named
from ..view.report import tcb_fields, tcb_meanings
from .interpretation import Interpretation

if TYPE_CHECKING:
    from .interpretation import Hints

LAYOUT = "tcb layout"
KINDS = (
    *("key-req", "key-req-v2"),
    *("guest-context", "export-rsp", "import-req", "absorb-req", "absorb-noma-req"),
)


def tcb_versions(name: str, value: Any, hints: Hints) -> Interpretation:
    """Decide how the TCB versions of a *name* are laid out, which it does not say itself."""
    if not tcb_fields(value):
        return Interpretation(hints.context())
    if hints.product is None:
        reason = f"a {name} does not say which product it is for; --product does"
        return Interpretation(Context(decisions=(Decision(LAYOUT, "unknown", reason),)))
    row = product_named(hints.product)
    decision = ProductDecision(row, row.layout, "as asked for")
    decisions = (Decision(LAYOUT, row.layout, decision.reason),)
    context = Context(decisions=decisions, product=decision)
    return Interpretation(context, tcb_meanings(value, decision))


INTERPRETERS = {name: partial(tcb_versions, name) for name in KINDS}
