"""The state of many entries at once, told from one byte of what counts in each.

``wire.rmp.STATES`` has the rules; nothing is decided here. Which bits of an entry count is known,
and of ``asid`` and ``gpa`` mostly whether they are zero: that is one byte, and the rules are asked
about every possible one beforehand. Only for a page of the firmware whose ``gpa`` is not zero
(metadata, the IOMMU, or nothing known) it takes more: how many of the borders that the rules name
its ``gpa`` has reached. A tile of entries that has none of these, which is nearly every one, skips
that.

A table is gone through in tiles that stay in the cache, each step from one piece of scratch memory
to the next, and the byte is looked up for two entries at a time. Masks over the whole table take 20
times as long, and as much memory again as the table (``tools/performance.md``).
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..wire.rmp import STATES, RmpLo, RmpState

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIXED = 0xFF
"""In place of a state: the byte does not tell it."""

_BYTE = {"assigned": 0, "gpa": 1, "immutable": 2, "asid": 3, "vmsa": 5, "validated": 6, "lock": 7}
"""Bits of the byte: fields as they are, of ``gpa`` and ``asid`` whether they are not zero.

The others lie as in bits 7:0 and 63:56 of the entry, so that nothing has to be shifted.
"""
_LOW = RmpLo.assigned.mask | RmpLo.immutable.mask
_HIGH = (RmpLo.vmsa.mask | RmpLo.validated.mask | RmpLo.lock.mask) >> 56
_ASID, _GPA = RmpLo.asid.mask, RmpLo.gpa.mask
_NOTES = [rule.fields["gpa"] for rule in STATES if "gpa" in rule.fields]
BORDERS = sorted({end for note in _NOTES for end in (note.start, note.stop)} - {0})
"""Values of ``gpa`` at which the answer of a rule changes."""


def _by_rules(key: int, gpa: int) -> RmpState:
    """Return the state of an entry with this byte and this ``gpa``."""
    values = {name: key >> bit & 1 for name, bit in _BYTE.items()} | {"gpa": gpa}
    for rule in STATES:
        if all(values[name] in allowed for name, allowed in rule.fields.items()):
            return rule.state
    return RmpState.INVALID


@cache
def _by_border() -> tuple[tuple[RmpState, ...], ...]:
    """Return the state for each number of borders reached, and each byte."""
    starts = [0, *BORDERS]
    return tuple(tuple(_by_rules(key, gpa) for key in range(256)) for gpa in starts)


@cache
def _by_byte() -> tuple[RmpState | None, ...]:
    """Return the state for each byte, None where ``gpa`` has to be known."""
    none, *others = _by_border()
    found: list[RmpState | None] = []
    for key in range(256):
        states = {row[key] for row in others} if key >> _BYTE["gpa"] & 1 else {none[key]}
        found.append(states.pop() if len(states) == 1 else None)
    return tuple(found)


def state_of_low(lo: int) -> RmpState:
    """Return the state of the entry whose first quadword is *lo*: ``wire.rmp.state_of``, quickly.

    *lo* is a number of 64 bits, as a table holds it.
    """
    key = lo & _LOW | lo >> 56 & _HIGH
    if lo & _ASID:
        key |= 8
    if lo & _GPA:
        key |= 2
    state = _by_byte()[key]
    if state is None:
        return _by_border()[bisect_right(BORDERS, lo >> 12 & RmpLo.gpa.limit)][key]
    return state


@cache
def _pairs() -> NDArray[np.uint16]:
    """Return the states of two entries for their two bytes; shape (65536,)."""
    one = np.array([MIXED if s is None else s for s in _by_byte()], np.uint16)
    pairs = one[:, None] << np.uint16(8) | one
    return pairs.reshape(-1).astype(np.uint16)


@cache
def _exact() -> NDArray[np.uint8]:
    """Return the state for (borders reached << 8 | byte); shape (256 * (borders + 1),)."""
    return np.array(_by_border(), np.uint8).reshape(-1)


def aligned(size: int, dtype: Any) -> NDArray[Any]:
    """Return new memory for *size* elements that begins at a cache line."""
    wanted = np.dtype(dtype).itemsize * size
    room = np.empty(wanted + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + wanted].view(dtype)


class Classifier:
    """Scratch memory for a tile of up to *size* entries, an even number; not for two threads.

    It takes 24 bytes an entry.
    """

    def __init__(self, size: int) -> None:
        self.lo = aligned(size, np.uint64)
        """Where the first quadwords go before ``states``."""
        self._work = aligned(size, np.uint64)
        self._short = aligned(size, np.uint16)
        self._asid = aligned(size, np.uint16)
        self._key = aligned(size, np.uint8)
        self._part = aligned(size, np.uint8)
        self._flag = aligned(size, np.bool_)
        self._states = aligned(size, np.uint8)

    def states(self, count: int) -> NDArray[np.uint8]:
        """Return the states of the first *count* entries of ``lo``; valid until the next call."""
        even = count + 1 & ~1
        self.lo[count:even] = 0
        key, states = self._key[:even], self._states[:even]
        self._fill(even)
        np.take(_pairs(), key.view(np.uint16), out=states.view(np.uint16), mode="clip")
        if states.max(initial=0) == MIXED:
            self._settle(even)
        return states[:count]

    def _fill(self, even: int) -> None:
        """Put together the byte of each entry, and leave its ``gpa`` in the scratch memory."""
        lo, work, short = self.lo[:even], self._work[:even], self._short[:even]
        key, part, flag = self._key[:even], self._part[:even], self._flag[:even]
        np.copyto(key, lo, casting="unsafe")
        np.bitwise_and(key, _LOW, out=key)
        np.right_shift(lo, 48, out=work)
        np.copyto(short, work, casting="unsafe")
        np.bitwise_and(short, _ASID >> 48, out=self._asid[:even])
        np.not_equal(self._asid[:even], 0, out=flag)
        np.multiply(flag.view(np.uint8), 1 << _BYTE["asid"], out=part)
        np.bitwise_or(key, part, out=key)
        np.right_shift(short, 8, out=short)
        np.copyto(part, short, casting="unsafe")
        np.bitwise_and(part, _HIGH, out=part)
        np.bitwise_or(key, part, out=key)
        np.bitwise_and(lo, _GPA, out=work)
        np.not_equal(work, 0, out=flag)
        np.multiply(flag.view(np.uint8), 1 << _BYTE["gpa"], out=part)
        np.bitwise_or(key, part, out=key)

    def _settle(self, even: int) -> None:
        """Tell the states anew, with the borders that ``gpa`` has reached."""
        work, short, flag = self._work[:even], self._short[:even], self._flag[:even]
        np.copyto(short, self._key[:even])
        for border in BORDERS:
            np.greater_equal(work, border << 12, out=flag)
            np.add(short, 256, out=short, where=flag)
        np.take(_exact(), short, out=self._states[:even], mode="clip")
