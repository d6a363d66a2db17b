"""The states of many entries at once, looked up by one byte of key bits of each.

``wire.rmp.STATES`` has the rules, and ``wire.rmp.state_of`` applies them to one entry; everything
here is derived from them. A state depends on five bits of an entry, on whether ``asid`` is zero,
and for a firmware-owned page on ``gpa``. The borders at which a rule decides otherwise divide the
values of ``gpa``, and values that all rules treat alike are one kind: there are four kinds, which
is two bits more. So a key is one byte, and the rules are evaluated for every byte in advance. Kinds
are looked up only where there are pages whose state depends on them.

A table is read in chunks that stay in the cache, each step from one scratch array to the next, and
the keys of two entries are looked up at a time. Masks over the whole table take 20 times as long,
and as much memory again as the table (``tools/performance.md``).
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from functools import cache, reduce
from itertools import pairwise
from operator import and_, or_
from typing import TYPE_CHECKING, Any

import numpy as np

from ..wire.address import REGION
from ..wire.rmp import STATES, RmpLo, RmpState

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BITS = {"assigned": 0, "immutable": 2, "asid": 3, "vmsa": 5, "validated": 6, "lock": 7}
"""Bits of the key. All but ``asid`` are as in bits 7:0 and 63:56 of an entry, unshifted."""
_KINDS = (0x00, 0x02, 0x10, 0x12)
"""The two other bits, for the kind of ``gpa``."""
_LOW = RmpLo.assigned.mask | RmpLo.immutable.mask
_HIGH = (RmpLo.vmsa.mask | RmpLo.validated.mask | RmpLo.lock.mask) >> 56
_ASID, _GPA = RmpLo.asid.mask, RmpLo.gpa.mask
_NOTES = [rule.fields["gpa"] for rule in STATES if "gpa" in rule.fields]
BORDERS = sorted({end for note in _NOTES for end in (note.start, note.stop)} - {0})
"""Values of ``gpa`` at which the result of a rule changes."""
FEW = 32
"""If more than one entry in so many depends on its ``gpa``, those of all entries are compared."""
BLOCK = 1 << 15
"""Entries whose ``gpa`` is compared at once."""
_TOP = 3 if sys.byteorder == "little" else 0
"""Index of the uppermost 16 bits of a quadword in memory."""


@cache
def _by_rules(key: int, gpa: int) -> RmpState:
    """Return the state of an entry with this key, without its kind, and this ``gpa``."""
    values = {name: key >> bit & 1 for name, bit in _BITS.items()} | {"gpa": gpa}
    for rule in STATES:
        if all(values[name] in allowed for name, allowed in rule.fields.items()):
            return rule.state
    return RmpState.INVALID


_BY_BORDER = [
    tuple(_by_rules(key & ~_KINDS[-1], gpa) for key in range(256)) for gpa in (0, *BORDERS)
]
"""States by key, for each number of borders reached."""
_DISTINCT = list(dict.fromkeys(_BY_BORDER))
_KIND = [dict(zip(_DISTINCT, _KINDS, strict=True))[states] for states in _BY_BORDER]
"""Bits of the kind, for each number of borders reached."""
_STATES = tuple(_DISTINCT[_KINDS.index(key & _KINDS[-1])][key] for key in range(256))
"""State by key."""
_DEPENDS = [key for key, states in enumerate(zip(*_DISTINCT, strict=True)) if len(set(states)) > 1]
_SET = reduce(and_, _DEPENDS)
_SAME = _SET | 0xFF & ~reduce(or_, _DEPENDS)
"""A state depends on the kind just where, of the bits in _SAME, those in _SET are set."""


def state_of_low(lo: int) -> RmpState:
    """Return the state of the entry whose first quadword is *lo*, of 64 bits.

    Equal to ``wire.rmp.state_of``, which walks the rules, but many times as fast.
    """
    key = lo & _LOW | lo >> 56 & _HIGH
    if lo & _ASID:
        key |= 8
    elif lo & _GPA:
        key |= _KIND[bisect_right(BORDERS, (lo & _GPA) >> 12)]
    return _STATES[key]


@cache
def _pairs() -> NDArray[np.uint16]:
    """Return the states of two entries by their two keys; uint16 of shape (65536,)."""
    one = np.array(_STATES, np.uint16)
    pairs = one[:, None] << np.uint16(8) | one
    return pairs.reshape(-1).astype(np.uint16)


def aligned(size: int, dtype: Any) -> NDArray[Any]:
    """Return a new array of *size* elements that begins at a cache line."""
    wanted = np.dtype(dtype).itemsize * size
    room = np.empty(wanted + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + wanted].view(dtype)


class Classifier:
    """Scratch memory for one chunk of up to *size* entries, and their states; for one thread.

    Arrays that it returns are overwritten with the next chunk.
    """

    BYTES = 15 + 4
    """Bytes for an entry, with half of the 64 bits that ``take`` makes of two keys."""
    FIXED = 8 * BLOCK
    """Bytes whatever the size."""

    def __init__(self, size: int) -> None:
        room = -(-size // REGION) * REGION
        self.lo = aligned(room, np.uint64)
        """First quadwords, set by the caller; shape (size,) rounded up to a multiple of 512."""
        self.asid = aligned(room, np.uint16)
        """Bits 63:48 of each entry, masked to ``asid``; set by ``states``."""
        self._top = aligned(room, np.uint16)
        self._key = aligned(room, np.uint8)
        self._part = aligned(room, np.uint8)
        self._states = aligned(room, np.uint8)
        self._gpa = aligned(min(room, BLOCK), np.uint64)

    def load(self, lows: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Copy the first quadwords of a chunk to ``lo``, and return that copy.

        It is padded with zeros to a multiple of 512 entries.
        """
        room = -(-len(lows) // REGION) * REGION
        np.copyto(self.lo[: len(lows)], lows)
        self.lo[len(lows) : room] = 0
        return self.lo[:room]

    def states(self, count: int) -> NDArray[np.uint8]:
        """Return the states of the first *count* entries of ``lo``; uint8 of shape (count,)."""
        even = count + 1 & ~1
        self.lo[count:even] = 0
        key, states = self._key[:even], self._states[:even]
        if not self.lo[:even].max(initial=0):
            self.asid[:even] = 0
            states[:] = _STATES[0]
            return states[:count]
        self._set_keys(even)
        self._add_kinds(even)
        np.take(_pairs(), key.view(np.uint16), out=states.view(np.uint16), mode="clip")
        return states[:count]

    def _set_keys(self, count: int) -> None:
        """Compute the key of each entry, without its kind."""
        lo, asid, top = self.lo[:count], self.asid[:count], self._top[:count]
        key, part = self._key[:count], self._part[:count]
        np.copyto(key, lo, casting="unsafe")
        np.bitwise_and(key, _LOW, out=key)
        np.copyto(top, lo.view(np.uint16)[_TOP::4])
        np.bitwise_and(top, _ASID >> 48, out=asid)
        np.not_equal(asid, 0, out=part.view(np.bool_))
        np.multiply(part, 1 << _BITS["asid"], out=part)
        np.bitwise_or(key, part, out=key)
        np.right_shift(top, 8, out=top)
        np.copyto(part, top, casting="unsafe")
        np.bitwise_and(part, _HIGH, out=part)
        np.bitwise_or(key, part, out=key)

    def _add_kinds(self, count: int) -> None:
        """Add the kinds to the keys, if some state depends on them."""
        part = self._part[:count]
        depends = part.view(np.bool_)
        np.bitwise_and(self._key[:count], _SAME, out=part)
        np.equal(part, _SET, out=depends)
        depending = np.count_nonzero(depends)
        if depending > count // FEW:
            for first in range(0, count, BLOCK):
                self._add_kinds_of(slice(first, min(first + BLOCK, count)))
        elif depending:
            places = np.flatnonzero(depends)
            gpa = self.lo[places] & np.uint64(_GPA)
            reached = np.searchsorted(np.array(BORDERS, np.uint64) << np.uint64(12), gpa, "right")
            self._key[places] |= np.array(_KIND, np.uint8)[reached]

    def _add_kinds_of(self, block: slice) -> None:
        """Add the kinds of a block: at each border that ``gpa`` reaches, the next kind follows."""
        key, part = self._key[block], self._part[block]
        gpa = self._gpa[: len(key)]
        np.bitwise_and(self.lo[block], _GPA, out=gpa)
        for border, (before, here) in zip(BORDERS, pairwise(_KIND), strict=True):
            np.greater_equal(gpa, border << 12, out=part.view(np.bool_))
            np.multiply(part, before ^ here, out=part)
            np.bitwise_xor(key, part, out=key)
