"""Many operations at once, with the result of doing them one after the other.

Operations on different pages are independent; those on one page must keep their order. So a batch
is sorted by what an operation depends on, its key, and done in waves: first the first operation of
each key, then the second of each, and so on. Where a wave would be short, the rest is done one
operation at a time, which no longer costs more.

One sort of numbers that hold key and place together (key << 20 | place) is seven times as fast as a
stable sort of keys that also returns places, and leaves a wave in the order of the table, so that
entries are read forward through memory (``tools/performance.md``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Indices = NDArray[np.int64]

BITS = 20
BLOCK = 1 << BITS
"""Operations that are sorted together; keys have 39 bits, and both must fit 63."""
WAVE = 1 << 15
"""Operations of a wave in one call, so that arrays stay in the cache."""
FEW = 100
"""Operations that are faster one at a time than as arrays."""


def in_order(
    keys: NDArray[np.int64],
    wave: Callable[[Indices], None],
    one: Callable[[int], None],
    size: int = WAVE,
) -> None:
    """Do operations with the result of doing them from the first to the last.

    *keys*, int64 of shape (operations,) or (kinds of keys, operations), are page numbers; two
    operations with a common key are kept in order. *wave* is called with the indices of at most
    *size* operations without a common key, *one* with the index of a single operation.
    """
    for start in range(0, keys.shape[-1], BLOCK):
        part = keys[..., start : start + BLOCK]
        (_by_key if part.ndim == 1 else _by_keys)(part, start, wave, one, size)


def _by_key(
    keys: NDArray[np.int64],
    start: int,
    wave: Callable[[Indices], None],
    one: Callable[[int], None],
    size: int,
) -> None:
    """Do operations with one key each."""
    both = keys << BITS
    both |= np.arange(len(keys))
    both.sort()
    places = (both & (BLOCK - 1)) + start
    both >>= BITS
    firsts = np.flatnonzero(np.concatenate([[True], both[1:] != both[:-1]]))
    counts = np.diff(firsts, append=len(keys))
    while len(firsts) >= FEW:
        _in_parts(places.take(firsts), wave, size)
        more = np.flatnonzero(counts > 1)
        firsts, counts = firsts.take(more) + 1, counts.take(more) - 1
    for first, count in zip(firsts.tolist(), counts.tolist(), strict=True):
        for place in places[first : first + count].tolist():
            one(place)


def _by_keys(
    keys: NDArray[np.int64],
    start: int,
    wave: Callable[[Indices], None],
    one: Callable[[int], None],
    size: int,
) -> None:
    """Do operations with several keys each, in waves of those that are first by each of theirs."""
    rest = np.arange(keys.shape[1])
    while len(rest) >= FEW:
        both = (keys[:, rest] << BITS | np.arange(len(rest))).reshape(-1)
        both.sort()
        place = both & (BLOCK - 1)
        both >>= BITS
        firsts = np.concatenate([[True], both[1:] != both[:-1]])
        first = place[np.flatnonzero(firsts)][np.cumsum(firsts) - 1]
        ready = np.ones(len(rest), np.bool_)
        ready[place[place != first]] = False
        if int(ready.sum()) < FEW:
            break
        _in_parts(rest[ready] + start, wave, size)
        rest = rest[~ready]
    for number in rest.tolist():
        one(number + start)


def _in_parts(places: Indices, wave: Callable[[Indices], None], size: int) -> None:
    for first in range(0, len(places), size):
        wave(places[first : first + size])
