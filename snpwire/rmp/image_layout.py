"""Whether the image of a table begins with counters, as far as its contents and size say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..wire.rmp import ASIDS, ENTRIES_OFFSET, RmpEntry, RmpState, state_of
from .entry import NAMELESS, NO_RIGHT
from .page_ranges import PAGE_LIMIT

MIB = 1 << 20


class ImageLayout(NamedTuple):
    """Whether an image begins with counters, and the reason to think so."""

    counters: bool
    why: str


def image_layout(memory: memoryview, base: int | None = None) -> ImageLayout:
    """Return whether *memory*, the bytes of a whole table, begins with counters.

    *base* is the address of its first byte, if known.
    """
    size = len(memory)
    if size <= ENTRIES_OFFSET:
        return ImageLayout(False, "it is too short for counters")
    head = np.frombuffer(memory[:ENTRIES_OFFSET], "<u8")
    return (
        (_by_own_pages(memory, base) if base is not None else None)
        or _by_values(head)
        or _by_size(size)
        or ImageLayout(False, "no sign of counters")
    )


def _by_own_pages(memory: memoryview, base: int) -> ImageLayout | None:
    """Look for the entries of the table's own pages, which are firmware-owned."""
    page = base >> 12
    fits = {
        shift: _is_first_of_firmware(memory, shift + page * RmpEntry.SIZE)
        for shift in (0, ENTRIES_OFFSET)
    }
    if fits[0] == fits[ENTRIES_OFFSET]:
        return None
    which = "after counters" if fits[ENTRIES_OFFSET] else "without counters before them"
    why = f"the firmware's entries begin with page {page:#x}, the table's own, if they are {which}"
    return ImageLayout(fits[ENTRIES_OFFSET], why)


def _is_first_of_firmware(memory: memoryview, offset: int) -> bool:
    """Return whether the entry at *offset* is in state FIRMWARE and the one before it is not."""
    part = memory[max(0, offset - RmpEntry.SIZE) : offset + RmpEntry.SIZE]
    if len(part) < 2 * RmpEntry.SIZE:
        return False
    before, here = (RmpEntry.parse(part[at : at + RmpEntry.SIZE]) for at in (0, RmpEntry.SIZE))
    firmware = [state_of(entry.lo, entry.hi) is RmpState.FIRMWARE for entry in (before, here)]
    return firmware == [False, True]


def _by_values(head: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> ImageLayout | None:
    """Look for values too large for a counter, then for values that no entry can have."""
    large = np.flatnonzero(head >= PAGE_LIMIT)
    if large.size:
        at = int(large[0])
        why = f"{int(head[at]):#x} at {8 * at:#x} counts more pages than there can be"
        return ImageLayout(False, why)
    beyond = np.flatnonzero(head[ASIDS:])
    if beyond.size:
        at = ASIDS + int(beyond[0])
        return ImageLayout(
            False, f"{8 * at:#x} is not zero, where an entry has no such ASID ({at})"
        )
    odd = np.flatnonzero(head[1::2] & np.uint64(NO_RIGHT | NAMELESS))
    if odd.size:
        at = 2 * int(odd[0]) + 1
        return ImageLayout(
            True, f"{int(head[at]):#x} at {8 * at:#x} has bits that are no permissions"
        )
    return None


def _by_size(size: int) -> ImageLayout | None:
    """Judge by what the size is a multiple of."""
    rest = size % MIB
    if rest == ENTRIES_OFFSET:
        return ImageLayout(True, "it has 16 KiB more than a multiple of 1 MiB")
    if rest == MIB - ENTRIES_OFFSET:
        return ImageLayout(False, "it has 16 KiB less than a multiple of 1 MiB")
    if not rest and size % (4 * MIB):
        return ImageLayout(
            True, "it is a multiple of 1 MiB, and entries without counters would be no whole GiB"
        )
    if not rest:
        return ImageLayout(False, "it is a multiple of 4 MiB: entries of whole GiB")
    return None
