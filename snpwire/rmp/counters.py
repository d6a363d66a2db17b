"""Whether an image begins with the ASID counters or with the entries.

RMP_BASE points to 16 KiB of counters, one of 64 bits for each ASID; entries come behind. A kernel's
own pointer, and a segment, begin with the entries. Nothing in an image says which it is, and to
take one for the other moves every page by 1024. So signs are looked for, the surest first, and the
one that decided is told. A caller who knows better says so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..wire.rmp import ASIDS, ENTRIES_OFFSET, RmpEntry, RmpState, state_of
from .entry import NAMELESS, NO_RIGHT
from .pages import PAGE_LIMIT

MIB = 1 << 20


class Begins(NamedTuple):
    """What an image begins with, and what told it."""

    counters: bool
    why: str


def begins(memory: memoryview, base: int | None = None) -> Begins:
    """Tell whether *memory*, the bytes of a whole table, begins with counters.

    *base* is the address of its first byte, if that is known.
    """
    size = len(memory)
    if size <= ENTRIES_OFFSET:
        return Begins(False, "it is too short for counters")
    head = np.frombuffer(memory[:ENTRIES_OFFSET], "<u8")
    return (
        (_by_itself(memory, base) if base is not None else None)
        or _by_words(head)
        or _by_size(size)
        or Begins(False, "nothing speaks for counters")
    )


def _by_itself(memory: memoryview, base: int) -> Begins | None:
    """Look for the entries of the table's own pages, which are the firmware's."""
    page = base >> 12
    fits = {shift: _edge(memory, shift + page * RmpEntry.SIZE) for shift in (0, ENTRIES_OFFSET)}
    if fits[0] == fits[ENTRIES_OFFSET]:
        return None
    which = "behind counters" if fits[ENTRIES_OFFSET] else "without counters before them"
    why = f"the firmware's entries begin with page {page:#x}, the table's own, if they are {which}"
    return Begins(fits[ENTRIES_OFFSET], why)


def _edge(memory: memoryview, offset: int) -> bool:
    """Tell whether the entry at *offset* is the firmware's and the one before it is not."""
    part = memory[max(0, offset - RmpEntry.SIZE) : offset + RmpEntry.SIZE]
    if len(part) < 2 * RmpEntry.SIZE:
        return False
    before, here = (RmpEntry.parse(part[at : at + RmpEntry.SIZE]) for at in (0, RmpEntry.SIZE))
    found = [state_of(entry.lo, entry.hi) is RmpState.FIRMWARE for entry in (before, here)]
    return found == [False, True]


def _by_words(head: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> Begins | None:
    """Look for what is too large for a counter, then for what can be no entry."""
    large = np.flatnonzero(head >= PAGE_LIMIT)
    if large.size:
        at = int(large[0])
        why = f"{int(head[at]):#x} at {8 * at:#x} counts more pages than there can be"
        return Begins(False, why)
    beyond = np.flatnonzero(head[ASIDS:])
    if beyond.size:
        at = ASIDS + int(beyond[0])
        return Begins(False, f"{8 * at:#x} is not zero, where an entry has no such ASID ({at})")
    odd = np.flatnonzero(head[1::2] & np.uint64(NO_RIGHT | NAMELESS))
    if odd.size:
        at = 2 * int(odd[0]) + 1
        return Begins(True, f"{int(head[at]):#x} at {8 * at:#x} has bits that are no rights")
    return None


def _by_size(size: int) -> Begins | None:
    """Look at what the size is a multiple of."""
    behind = size % MIB
    if behind == ENTRIES_OFFSET:
        return Begins(True, "it has 16 KiB more than a multiple of 1 MiB")
    if behind == MIB - ENTRIES_OFFSET:
        return Begins(False, "it has 16 KiB less than a multiple of 1 MiB")
    if not behind and size % (4 * MIB):
        return Begins(True, "it is a multiple of 1 MiB, and its entries alone are no whole GiB")
    if not behind:
        return Begins(False, "it is a multiple of 4 MiB: entries of whole GiB")
    return None
