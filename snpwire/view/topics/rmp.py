"""Topic of ``explain`` about the reverse map table: states, permissions, addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import UsageError
from ..meaning import Meaning, code_text, word_fields
from ..table import Row
from ..text import int_text
from .topic import Question, Topic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.rmp import RmpEntry, RmpHi, RmpLo, RmpReadEntry, RmpState, SegmentTable

UNREAD = "unknown"


def rmp(question: Question) -> Iterator[Row]:
    """Explain an entry of the reverse map table: ``LO:HI``, or as the kernel prints it.

    The low quadword is first. Both are hex, with ``0x`` or without, as logs have them.
    """
    from ...product import entry_layout
    from ...wire.rmp import state_of

    entry = entry_of(question)
    layout = entry_layout(question.family)
    if not layout.known:
        yield Row("", "", "layout", layout.choice, layout.reason)
        for name, word in (("lo", entry.lo), ("hi", entry.hi)):
            yield Row("", "", name, int_text(word, 8), UNREAD)
        return
    state = state_of(entry.lo, entry.hi)
    yield Row("", "", "state", state.name, state.doc)
    yield Row("", "", "layout", layout.choice, layout.reason)
    yield from _owner(entry.lo, state)
    for name, word, text in (("lo", entry.lo, ""), ("hi", entry.hi, rights(entry.hi))):
        yield Row("", "", name, int_text(word, 8), text)
        for field in word_fields(word):
            if field.shown or name == "lo":  # zeros decide the state as well
                yield field.row()


def entry_of(question: Question) -> RmpEntry:
    """Return the entry that ``LO:HI`` stands for. Raises UsageError."""
    from ...wire.rmp import RmpEntry

    first, colon, second = question.text.strip("[] ").replace(" - ", ":").partition(":")
    if not colon:
        raise UsageError(f"{question.text!r} is no LO:HI", help="explain rmp 0x4:0x0")
    return RmpEntry(lo=_quadword(first), hi=_quadword(second))


def _quadword(text: str) -> int:
    return Question(f"0x{text.removeprefix('0x')}").number()


def _owner(lo: RmpLo, state: RmpState) -> Iterator[Row]:
    if lo.asid:
        yield Row("", "", "guest address", hex(lo.address), f"of the guest with ASID {lo.asid}")
    elif state.name in ("METADATA", "FIRMWARE_IOMMU"):
        note = lo.note
        yield Row("", "", "kept for", str(note.BITS["state"].plain(note)), "the top of gpa")
        yield Row("", "", "page number", hex(note.pfn), note.BITS["pfn"].doc)


def rights(hi: RmpHi) -> str:
    """Return the permissions of each VMPL that has any."""
    from ...wire.rmp_words import VmplMask

    masks = ((level, VmplMask(getattr(hi, f"vmpl{level}"))) for level in range(4))
    return ", ".join(f"VMPL{level}: {' '.join(mask.names())}" for level, mask in masks if mask)


def rmp_meanings(entry: RmpEntry, *, known: bool) -> dict[str, Meaning]:
    """Return the meaning of both quadwords of an entry: its state, and the VMPL permissions.

    Both are unknown unless the layout of the bits is *known*.
    """
    from ...wire.rmp import state_of

    if not known:
        return {name: Meaning(UNREAD, int(getattr(entry, name))) for name in ("lo", "hi")}

    state = code_text(state_of(entry.lo, entry.hi))
    return {
        "lo": Meaning(state, entry.lo, bits=True),
        "hi": Meaning(rights(entry.hi), entry.hi, bits=True),
    }


def read_meanings(entry: RmpReadEntry) -> dict[str, Meaning]:
    """Return the meaning of the result of RMPREAD: the states that the page may be in."""
    from ...wire.rmp import states_of

    states = states_of(entry)
    names = " or ".join(state.name for state in states)
    text = f"{names}: {states[0].doc}" if len(states) == 1 else names
    return {"assigned": Meaning(text)}


def segment_meanings(table: SegmentTable) -> dict[str, Meaning]:
    """Return where the entries of each segment are."""
    from .register import segment_text

    return {
        f"segments[{index}].entry": Meaning(segment_text(segment.entry), segment.entry)
        for index, segment in enumerate(table.elements)
    }


TOPICS = {"rmp": Topic(rmp, "an entry of the reverse map table, as LO:HI")}
