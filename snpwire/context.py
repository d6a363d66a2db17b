"""What must be decided before a GHCB page can be read: which way it travels, and for which exit.

A page does not say whether it is a request or its answer. Under KVM the valid bitmap tells: the
guest marks ``sw_exit_code`` valid, and KVM clears the bitmap before it answers. Every decision is
recorded with its reason, and the caller can force it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from .wire.event import Event, Operand
from .wire.exits import event_of, events_of, response
from .wire.operands import ResponseInfo

if TYPE_CHECKING:
    from .wire.ghcb import Page


class Direction(StrEnum):
    """Which way a page travels."""

    REQUEST = "request"
    RESPONSE = "answer"


class Decision(NamedTuple):
    """A choice that the bytes alone did not make."""

    what: str
    choice: str
    reason: str


class Context(NamedTuple):
    """How a page is to be read."""

    direction: Direction
    event: Event | None
    """The table's row for this exit; None for a code that it does not have."""
    decisions: tuple[Decision, ...] = ()
    gpa: int | None = None
    """Guest-physical address of the page itself, if the caller knows it."""
    absent: frozenset[str] = frozenset()
    """Fields whose value is not known: a log shows only some of them."""


def context_of(
    page: Page,
    *,
    direction: Direction | None = None,
    gpa: int | None = None,
    absent: frozenset[str] = frozenset(),
) -> Context:
    """Decide how *page* is to be read; a *direction* given is taken as it is."""
    chosen, reason = (direction, "as asked for") if direction else _direction(page, absent)
    decisions = [Decision("direction", chosen, reason)]
    if chosen is Direction.REQUEST:
        event = event_of(int(page.sw_exit_code), page.sw_exit_info_1)
    else:
        rows = events_of(int(page.sw_exit_code))
        event = rows[0] if rows else None
        if event and len(rows) > 1:
            others = " or ".join(row.name for row in rows[1:])
            decisions.append(
                Decision("event", event.name, f"an answer does not tell from {others}")
            )
    return Context(chosen, event, tuple(decisions), gpa, absent)


def _direction(page: Page, absent: frozenset[str]) -> tuple[Direction, str]:
    valid = page.valid_bitmap
    if "valid_bitmap" in absent:
        return Direction.REQUEST, "KVM logs what it refuses; the bitmap is not known"
    if valid.has("sw_exit_code"):
        return Direction.REQUEST, "sw_exit_code is marked valid"
    if valid.has("sw_exit_info_1") or valid.has("sw_exit_info_2"):
        return Direction.RESPONSE, "operands are marked valid, sw_exit_code is not"
    return Direction.REQUEST, "nothing tells: no exit field is marked valid"


def operands(page: Page, context: Context) -> dict[str, Operand]:
    """Return what each register and exit field of *page* holds, by field name."""
    event = context.event
    if context.direction is Direction.REQUEST:
        if event is None:
            return {}
        return {"sw_exit_info_1": event.info1, "sw_exit_info_2": event.info2, **event.inputs}
    info1 = page.sw_exit_info_1
    info2 = response(event, info1)
    outputs = event.outputs if event else {}
    return {
        "sw_exit_info_1": Operand("action asked of the guest", ResponseInfo),
        "sw_exit_info_2": info2,
        **outputs,
    }
