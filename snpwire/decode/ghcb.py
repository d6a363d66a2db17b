"""How a GHCB page is read: which way it travels, for which exit, and what its buffer holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context import Decision, context_of
from ..fragment import is_whole
from ..rules.ghcb import refusal
from ..view.document import Inner
from ..view.meaning import page_meanings
from ..wire.address import PAGE
from ..wire.ghcb import SHARED_END, SHARED_START, Page
from .interpretation import Interpretation

if TYPE_CHECKING:
    from ..context import Context
    from .interpretation import Hints


def page(value: Page, hints: Hints) -> Interpretation:
    """Decide how a page is read."""
    if not is_whole(value):
        return _beginning(value, hints)
    context = context_of(value, direction=hints.direction, gpa=hints.gpa, absent=hints.absent)
    meanings = page_meanings(value, context)
    return Interpretation(context, meanings, refusal(value, context), inner=_inner(value, context))


def _beginning(value: Page, hints: Hints) -> Interpretation:
    """Decide how a page that was cut is read, whose usage is never there."""
    if "sw_exit_code" in hints.absent:
        return Interpretation(hints.context())
    if "valid_bitmap" in hints.absent and hints.direction is None:
        reason = "nothing tells: the valid bitmap is not there; --direction does"
        decision = Decision("direction", "unknown", reason)
        return Interpretation(hints.context()._replace(decisions=(decision,)))
    context = context_of(value, direction=hints.direction, gpa=hints.gpa, absent=hints.absent)
    usage = Decision("usage", "standard", "as KVM takes no other; ghcb_usage is not there")
    context = context._replace(decisions=(*context.decisions, usage))
    return Interpretation(context, page_meanings(value, context))


def _inner(value: Page, context: Context) -> tuple[Inner, ...]:
    """Read the shared buffer of a page state change, where the scratch address points into it."""
    if context.event is None or context.event.name != "SNP_PAGE_STATE_CHANGE":
        return ()
    start = value.sw_scratch % PAGE
    unknown = context.absent & {"sw_scratch", "shared_buffer"}
    if unknown or not SHARED_START <= start <= SHARED_END - 8:
        return ()
    from ..wire.psc import PscBuffer

    buffer = PscBuffer.parse(value.shared_buffer[start - SHARED_START :])
    return (Inner("shared_buffer", start, "psc", buffer),)


INTERPRETERS = {Page: page}
