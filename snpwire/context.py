"""What is known about bytes that are to be read, besides the bytes.

A GHCB page does not say whether it is a request or its response. Under KVM the valid bitmap shows
it: the guest marks ``sw_exit_code`` valid, and KVM clears the bitmap before it responds. Every
decision is recorded with its reason, and the caller can force it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .product import EntryLayout, ProductDecision
    from .wire.event import Event, Operand
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
    """What is known about bytes; None stands for what is not known."""

    direction: Direction | None = None
    event: Event | None = None
    """The table's row for the exit of a GHCB page."""
    decisions: tuple[Decision, ...] = ()
    gpa: int | None = None
    """Guest-physical address of the value itself."""
    absent: frozenset[str] = frozenset()
    """Fields whose value is not known: a log shows only some of them."""
    product: ProductDecision | None = None
    """The product of a report, and so how its TCB versions are laid out."""
    entry_layout: EntryLayout | None = None
    """Whether the bits of an RMP entry are known on the processor that it is of."""


BARE = Context()
"""Nothing is known but the bytes."""


def completed(page: Page, context: Context) -> Context:
    """Return *context* with direction and event of *page*, decided where they are not known."""
    if context.direction and context.event:
        return context
    found = context_of(page, direction=context.direction, gpa=context.gpa, absent=context.absent)
    return context._replace(direction=found.direction, event=context.event or found.event)


def context_of(
    page: Page,
    *,
    direction: Direction | None = None,
    gpa: int | None = None,
    absent: frozenset[str] = frozenset(),
) -> Context:
    """Decide how *page* is to be read; a *direction* given is taken as it is."""
    from .wire.exits import event_of, events_of  # the table of exits is for GHCB pages alone

    chosen, reason = (direction, "as asked for") if direction else _direction(page, absent)
    decisions = [Decision("direction", chosen, reason)]
    if chosen is Direction.REQUEST:
        info = 0 if "sw_exit_info_1" in absent else page.sw_exit_info_1
        event = event_of(int(page.sw_exit_code), info)
    else:
        rows = events_of(int(page.sw_exit_code))
        event = rows[0] if rows else None
        if event and len(rows) > 1:
            others = " or ".join(row.name for row in rows[1:])
            reason = f"an answer does not tell from {others}"
            decisions.append(Decision("event", event.name, reason))
    return Context(chosen, event, tuple(decisions), gpa, absent)


def _direction(page: Page, absent: frozenset[str]) -> tuple[Direction, str]:
    if "valid_bitmap" in absent:
        return Direction.REQUEST, "KVM logs what it refuses; the bitmap is not known"
    valid = page.valid_bitmap
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
    from .wire.event import Operand
    from .wire.exits import response
    from .wire.operands import ResponseInfo

    return {
        "sw_exit_info_1": Operand("action asked of the guest", ResponseInfo),
        "sw_exit_info_2": response(event, page.sw_exit_info_1),
        **(event.outputs if event else {}),
    }
