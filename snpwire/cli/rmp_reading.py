"""How the structures of the reverse map table are read: on which processor, and for what."""

from __future__ import annotations

from typing import Any

from ..context import Decision, Direction
from ..wire.rmp import HIDDEN, states_of
from .reading import Reading

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
        return Reading(given=Direction.REQUEST)
    return Reading(meanings=segment_meanings(value))


def _entry(value: Any, family: str | None) -> Reading:
    from ..product import entry_layout
    from ..view.topics.rmp import rmp_meanings

    layout = entry_layout(family)
    said = (Decision("rmp layout", layout.choice, layout.reason),)
    return Reading(said, rmp_meanings(value, known=layout.known), given=layout)


def _read(value: Any) -> Reading:
    from ..view.topics.rmp import read_meanings

    states = states_of(value)
    names = " or ".join(state.name for state in states)
    reason = "RMPREAD does not tell which" if len(states) > 1 else "what RMPREAD tells is enough"
    said = (Decision("state", names, reason),)
    return Reading(said, read_meanings(value), given=Direction.ANSWER, unknown=UNTOLD)
