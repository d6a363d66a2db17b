"""How the page of a guest message is read: which way it travels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context import Context, Direction
from ..rules.message import direction_of, refusal
from ..view.message import message_marks, message_meanings
from ..wire.message import MessagePage
from .interpretation import Interpretation

if TYPE_CHECKING:
    from .interpretation import Hints


def message(page: MessagePage, hints: Hints) -> Interpretation:
    """Decide which way a message travels, and whether the firmware refuses it."""
    decision = direction_of(page, hints.direction)
    context = Context(Direction(decision.choice), decisions=(decision,))
    refused = refusal(page) if context.direction is Direction.REQUEST else None
    return Interpretation(
        context,
        message_meanings(page),
        refused.finding if refused else None,
        refused.status.name if refused else "",
        marks=message_marks(page),
    )


INTERPRETERS = {MessagePage: message}
