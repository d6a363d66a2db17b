"""Neighbouring pages that are alike, as one line of a listing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..wire.address import REGION
from ..wire.rmp import RmpLo, RmpState, state_of
from .runs import Runs
from .search import find
from .tiles import Extent, resolve_tile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .dump import Dump
    from .search import Wanted
    from .tiles import Progress

_SAME = np.uint64(~(RmpLo.gpa.mask | RmpLo.subpage_count.mask) & (1 << 64) - 1)
_ASID, _GPA = np.uint64(RmpLo.asid.mask), np.uint64(RmpLo.gpa.mask)


class Stretch(NamedTuple):
    """Pages from *start* up to *stop* in one state, of one owner, with the same rights.

    Those of a guest follow one another in the guest as well.
    """

    start: int
    stop: int
    lo: int
    """First quadword of the first page, as the entry that speaks for it has it."""
    hi: int
    gpa: int
    """Guest page number of the first page; for pages of no guest, the field as it is."""

    @property
    def pages(self) -> int:
        """Return how many pages there are."""
        return self.stop - self.start

    @property
    def state(self) -> RmpState:
        """Return the state of the pages."""
        return state_of(self.lo, self.hi)

    def goes_on(self, other: Stretch) -> bool:
        """Tell whether *other* is more of the same."""
        alike = (self.lo ^ other.lo) & int(_SAME) == 0 and self.hi == other.hi
        moved = self.pages if RmpLo(self.lo).asid else 0
        return alike and other.start == self.stop and other.gpa == self.gpa + moved


def stretches(
    dump: Dump, wanted: Wanted, within: Runs | None = None, progress: Progress | None = None
) -> Iterator[Stretch]:
    """Yield the pages of *dump* that are wanted, in order, as stretches; *within* these alone."""
    known = dump.known if within is None else _both(dump.known, within)
    held: Stretch | None = None
    for stretch in _cut(dump, wanted, known, progress):
        if held is not None and held.goes_on(stretch):
            held = held._replace(stop=stretch.stop)
            continue
        if held is not None:
            yield held
        held = stretch
    if held is not None:
        yield held


def _cut(dump: Dump, wanted: Wanted, known: Runs, progress: Progress | None) -> Iterator[Stretch]:
    """Yield stretches that may go on in the next."""
    zeroes = _takes_zeroes(wanted)
    held = _both(known.widened(REGION), dump.data.widened(REGION))
    at = 0
    for extent in dump.extents:
        at = max(at, extent.first)
        data = held.within(extent.first, extent.stop)
        for start, stop in data:
            if zeroes:
                yield from _holes(known, at, start)
            part = extent.words[start - extent.first : stop - extent.first]
            for runs in find((Extent(start, part),), wanted, None, progress):
                for first, end in _both(runs, known):
                    yield from _alike(Extent(start, part), first, end)
            at = stop
        if zeroes:
            yield from _holes(known, at, extent.stop)
        at = extent.stop


def _takes_zeroes(wanted: Wanted) -> bool:
    blank = Extent(0, np.zeros((1, 2), np.dtype("<u8")))
    return Runs.joined(find((blank,), wanted)).pages > 0


def _holes(known: Runs, start: int, stop: int) -> Iterator[Stretch]:
    if start < stop:
        for first, end in known.within(start, stop):
            yield Stretch(first, end, 0, 0, 0)


def _both(one: Runs, other: Runs) -> Runs:
    """Return the pages that are in both."""
    parts = (other.within(start, stop) for start, stop in one)
    return Runs.joined(parts)


def _alike(extent: Extent, start: int, stop: int) -> Iterator[Stretch]:
    """Yield pages *start* to *stop* cut where they differ, a few MiB of the table at a time."""
    for first in range(start & -REGION, stop, _STEP):
        words = extent.words[first - extent.first : first - extent.first + _STEP]
        yield from _pieces(words, first, max(start, first), min(stop, first + _STEP))


_STEP = 1 << 15


def _pieces(words: NDArray[np.uint64], first: int, start: int, stop: int) -> Iterator[Stretch]:
    low = np.ascontiguousarray(words[:, 0])
    places = np.arange(len(low))
    own = low.copy()
    resolve_tile(low)
    heads = np.where(low == own, places, places & -REGION)
    inside = slice(start - first, stop - first)
    heads, low = heads[inside], low[inside]
    high = words[:, 1][heads]
    guest = low & _ASID != 0
    gpa = (low & _GPA) >> np.uint64(RmpLo.gpa.low)
    gpa += np.where(guest, places[inside] - heads, 0).astype(np.uint64)
    step = guest[:-1].astype(np.uint64)
    differ = (low[1:] ^ low[:-1]) & _SAME != 0
    differ |= (high[1:] != high[:-1]) | (gpa[1:] != gpa[:-1] + step)
    starts = np.concatenate([[0], np.flatnonzero(differ) + 1])
    stops = np.append(starts[1:], len(low))
    rows = zip(starts, stops, low[starts], high[starts], gpa[starts], strict=True)
    for begin, end, lo, hi, frame in rows:
        yield Stretch(start + int(begin), start + int(end), int(lo), int(hi), int(frame))
