"""The state of many entries at once, told from one byte of what counts in each.

``wire.rmp.STATES`` has the rules; nothing is decided here. Five bits of an entry count, of ``asid``
whether it is zero, and for a page of the firmware ``gpa``. Its values are told apart by the borders
at which the answer of a rule changes. What lies between two borders is of one kind, and so is all
that the rules answer alike: there are four kinds, which is two bits more. So it is one byte in all,
and the rules are asked about every byte beforehand. The borders are looked for in tiles alone that
have a page whose state depends on them.

A table is gone through in tiles that stay in the cache, each step from one piece of scratch memory
to the next, and the byte is looked up for two entries at a time. Masks over the whole table take 20
times as long, and as much memory again as the table (``tools/performance.md``).
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cache, reduce
from itertools import pairwise
from operator import and_, or_
from typing import TYPE_CHECKING, Any

import numpy as np

from ..wire.rmp import STATES, RmpLo, RmpState
from .pages import LARGE

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = {"assigned": 0, "immutable": 2, "asid": 3, "vmsa": 5, "validated": 6, "lock": 7}
"""Bits of the byte. All but ``asid`` lie as in bits 7:0 and 63:56 of an entry, unshifted."""
_KINDS = (0x00, 0x02, 0x10, 0x12)
"""The two bits that are left, for the kind of ``gpa``."""
_LOW = RmpLo.assigned.mask | RmpLo.immutable.mask
_HIGH = (RmpLo.vmsa.mask | RmpLo.validated.mask | RmpLo.lock.mask) >> 56
_ASID, _GPA = RmpLo.asid.mask, RmpLo.gpa.mask
_NOTES = [rule.fields["gpa"] for rule in STATES if "gpa" in rule.fields]
BORDERS = sorted({end for note in _NOTES for end in (note.start, note.stop)} - {0})
"""Values of ``gpa`` at which the answer of a rule changes."""


@cache
def _by_rules(key: int, gpa: int) -> RmpState:
    """Return the state of an entry with this byte, without a kind, and this ``gpa``."""
    values = {name: key >> bit & 1 for name, bit in _BITS.items()} | {"gpa": gpa}
    for rule in STATES:
        if all(values[name] in allowed for name, allowed in rule.fields.items()):
            return rule.state
    return RmpState.INVALID


_ANSWERS = [tuple(_by_rules(key & ~_KINDS[-1], gpa) for key in range(256)) for gpa in (0, *BORDERS)]
"""The state of each byte, for each number of borders reached."""
_DISTINCT = list(dict.fromkeys(_ANSWERS))
_KIND = [dict(zip(_DISTINCT, _KINDS, strict=True))[answers] for answers in _ANSWERS]
"""The bits of the kind, for each number of borders reached."""
_STATES = tuple(_DISTINCT[_KINDS.index(key & _KINDS[-1])][key] for key in range(256))
"""The state for each byte."""
_DEPENDS = [key for key, states in enumerate(zip(*_DISTINCT, strict=True)) if len(set(states)) > 1]
_SET = reduce(and_, _DEPENDS)
_SAME = _SET | 0xFF & ~reduce(or_, _DEPENDS)
"""Bytes whose state depends on the kind, and no others, have the bits _SET alone set of _SAME."""


def state_of_low(lo: int) -> RmpState:
    """Return the state of the entry whose first quadword is *lo*: ``wire.rmp.state_of``, quickly.

    *lo* is a number of 64 bits, as a table holds it.
    """
    key = lo & _LOW | lo >> 56 & _HIGH
    if lo & _ASID:
        key |= 8
    elif lo & _GPA:
        key |= _KIND[bisect_right(BORDERS, (lo & _GPA) >> 12)]
    return _STATES[key]


@cache
def _pairs() -> NDArray[np.uint16]:
    """Return the states of two entries for their two bytes; shape (65536,)."""
    one = np.array(_STATES, np.uint16)
    pairs = one[:, None] << np.uint16(8) | one
    return pairs.reshape(-1).astype(np.uint16)


def aligned(size: int, dtype: Any) -> NDArray[Any]:
    """Return new memory for *size* elements that begins at a cache line."""
    wanted = np.dtype(dtype).itemsize * size
    room = np.empty(wanted + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + wanted].view(dtype)


class Scratch:
    """Memory for one tile of a table, of up to *size* entries; not for two threads at once.

    It takes 24 bytes an entry. Arrays that it returns are overwritten with the next tile, and go on
    to a multiple of 512 entries: those behind the last of the tile are zero.
    """

    def __init__(self, size: int) -> None:
        room = -(-size // LARGE) * LARGE
        self._lo = aligned(room, np.uint64)
        self._work = aligned(room, np.uint64)
        self._short = aligned(room, np.uint16)
        self._asid = aligned(room, np.uint16)
        self._key = aligned(room, np.uint8)
        self._part = aligned(room, np.uint8)
        self._flag = aligned(room, np.bool_)
        self._states = aligned(room, np.uint8)
        self.room = 0
        """Entries of the tile, and zeroes behind them up to a multiple of 512."""

    def load(self, lows: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Copy the first quadwords of a tile, and return the copy; shape (room,)."""
        self.room = -(-len(lows) // LARGE) * LARGE
        np.copyto(self._lo[: len(lows)], lows)
        self._lo[len(lows) : self.room] = 0
        return self.lo

    @property
    def lo(self) -> NDArray[np.uint64]:
        """The first quadwords of the tile; shape (room,)."""
        return self._lo[: self.room]

    @property
    def asid(self) -> NDArray[np.uint16]:
        """What ``states`` found: bits 63:48 of each entry, of ``asid`` alone; shape (room,)."""
        return self._asid[: self.room]

    def states(self) -> NDArray[np.uint8]:
        """Return the states of the entries of the tile, as numbers; shape (room,)."""
        key, states = self._key[: self.room], self._states[: self.room]
        if not self.lo.max(initial=0):
            self.asid[:] = 0
            states[:] = _STATES[0]
            return states
        self._fill()
        part, flag = self._part[: self.room], self._flag[: self.room]
        np.bitwise_and(key, _SAME, out=part)
        np.equal(part, _SET, out=flag)
        if flag.any():
            self._tell_kinds()
        np.take(_pairs(), key.view(np.uint16), out=states.view(np.uint16), mode="clip")
        return states

    def _fill(self) -> None:
        """Put together the byte of each entry, but for the kind."""
        room, lo, asid = self.room, self.lo, self.asid
        work, short = self._work[:room], self._short[:room]
        key, part, flag = self._key[:room], self._part[:room], self._flag[:room]
        np.copyto(key, lo, casting="unsafe")
        np.bitwise_and(key, _LOW, out=key)
        np.right_shift(lo, 48, out=work)
        np.copyto(short, work, casting="unsafe")
        np.bitwise_and(short, _ASID >> 48, out=asid)
        np.not_equal(asid, 0, out=flag)
        np.multiply(flag.view(np.uint8), 1 << _BITS["asid"], out=part)
        np.bitwise_or(key, part, out=key)
        np.right_shift(short, 8, out=short)
        np.copyto(part, short, casting="unsafe")
        np.bitwise_and(part, _HIGH, out=part)
        np.bitwise_or(key, part, out=key)

    def _tell_kinds(self) -> None:
        """Add the kinds to the bytes: where ``gpa`` reaches a border, one gives way to the next."""
        room = self.room
        key, part, flag, gpa = (
            memory[:room] for memory in (self._key, self._part, self._flag, self._work)
        )
        np.bitwise_and(self.lo, _GPA, out=gpa)
        for border, (before, here) in zip(BORDERS, pairwise(_KIND), strict=True):
            np.greater_equal(gpa, border << 12, out=flag)
            np.multiply(flag.view(np.uint8), before ^ here, out=part)
            np.bitwise_xor(key, part, out=key)
