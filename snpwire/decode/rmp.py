"""How entries of the reverse map table, and the operands of its instructions, are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context import Context, Decision, Direction
from ..fragment import is_whole
from ..product import entry_layout
from ..view.topics.rmp import read_meanings, rmp_meanings, segment_meanings
from ..wire.rmp import HIDDEN, RmpEntry, RmpOperand, RmpReadEntry, SegmentTable, states_of
from .interpretation import Interpretation

if TYPE_CHECKING:
    from .interpretation import Hints

NOT_READ = (*HIDDEN, "subpage_count", "vmpl0", "vmpl1", "vmpl2", "vmpl3")
"""Fields of an entry that RMPREAD does not return."""


def entry(value: RmpEntry, hints: Hints) -> Interpretation:
    """Decide whether the bits of an entry are known on its processor."""
    layout = entry_layout(hints.family)
    decision = Decision("rmp layout", layout.choice, layout.reason)
    context = Context(decisions=(decision,), entry_layout=layout)
    return Interpretation(context, rmp_meanings(value, known=layout.known))


def rmpread(value: RmpReadEntry, hints: Hints) -> Interpretation:
    """Decide which states the entry may have that RMPREAD wrote."""
    if not is_whole(value):
        return Interpretation(Context(Direction.RESPONSE), unknown=NOT_READ)
    states = states_of(value)
    names = " or ".join(state.name for state in states)
    reason = "RMPREAD does not tell which" if len(states) > 1 else "what RMPREAD tells is enough"
    context = Context(Direction.RESPONSE, decisions=(Decision("state", names, reason),))
    return Interpretation(context, read_meanings(value), unknown=NOT_READ)


def rmpupdate(value: RmpOperand, hints: Hints) -> Interpretation:
    """Read what RMPUPDATE is given."""
    return Interpretation(Context(Direction.REQUEST))


def segments(value: SegmentTable, hints: Hints) -> Interpretation:
    """Read each segment's address and size."""
    return Interpretation(meanings=segment_meanings(value))


INTERPRETERS = {
    RmpEntry: entry,
    RmpReadEntry: rmpread,
    RmpOperand: rmpupdate,
    SegmentTable: segments,
}
