"""Guest pages that two pages of the host stand for, found in bounded memory.

Pages of a guest mostly follow one another at both ends, so they are kept as runs: ASID and guest
page of the first, page of the host, length. Runs in order of the guest's pages overlap where one
begins before the farthest end of those before it.

There may be as many runs as entries. So no more than ``ROOM`` are held: those that come first in
that order. What lies behind them is left to another pass over the table, until none is left; a host
whose runs fit needs one pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...wire.address import REGION
from ...wire.rmp import RmpLo

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOM = 1 << 20
"""Runs kept at a time. Twice as many are held, of 32 bytes: 64 MiB, and twice that to sort them."""
_GPA = RmpLo.gpa.width
_KEY = np.uint64((1 << _GPA + RmpLo.asid.width) - 1)
_LAST = 1 << _GPA + RmpLo.asid.width


class Alias(NamedTuple):
    """Pages of a guest that the table has twice."""

    asid: int
    gpa: int
    """First guest page."""
    pages: int
    first: int
    """The page of the host that has the first of them."""
    second: int
    """The other one."""
    accepted: bool
    """Whether the guest has accepted both."""

    @classmethod
    def of(cls, column: NDArray[np.uint64]) -> Alias:
        """Return one column of what ``Aliases.take`` returns."""
        key, pages, first, second, accepted = column.tolist()
        return cls(key >> _GPA, key & (1 << _GPA) - 1, pages, first, second, bool(accepted))


class Aliases:
    """The runs of one pass, from guest page *floor* on (ASID above, guest page below)."""

    def __init__(self, room: int = ROOM) -> None:
        self.room = room
        self.floor = 0
        self.ceiling = _LAST
        """Where the next pass goes on; runs that begin there or behind were not kept."""
        self.left = 0
        """After ``take``: how many runs that pass has left to others."""
        self.dropped = 0
        """Runs that begin at one guest page and for which there was no room at all."""
        self._seen = 0
        self._held: list[NDArray[np.uint64]] = []
        self._count = 0
        self._carry = np.empty((4, 0), np.uint64)

    def feed(self, first: int, lo: NDArray[np.uint64], guest: NDArray[np.bool_]) -> None:
        """Take the entries of pages from *first* on, of those that *guest* marks as a guest's."""
        at = np.flatnonzero(guest)
        if not at.size:
            return
        runs = _runs(first, lo, at)
        behind = runs[0] >= np.uint64(self.floor)
        self._seen += int(behind.sum())
        kept = runs[:, behind & (runs[0] < np.uint64(self.ceiling))]
        self._held.append(kept)
        self._count += kept.shape[1]
        if self._count > 2 * self.room:
            self._shrink()

    def _shrink(self) -> None:
        """Keep the runs that come first, all that begin at the same guest page or none of them."""
        runs = np.concatenate(self._held, axis=1)
        border = np.partition(runs[0], self.room)[self.room]
        kept = runs[:, runs[0] < border]
        if kept.shape[1] == 0:  # more of one guest page than there is room for
            same = runs[:, runs[0] == border]
            kept = same[:, : self.room]
            self.dropped += same.shape[1] - self.room
            border += np.uint64(1)
        self.ceiling = int(border)
        self._held, self._count = [kept], kept.shape[1]

    def take(self) -> NDArray[np.uint64]:
        """Return what this pass has twice, for ``Alias.of``, then make ready for the next pass.

        Shape (5, aliases), in order of ASID and guest page.
        """
        runs = np.concatenate([self._carry, *self._held], axis=1)
        runs = runs[:, np.argsort(runs[0], kind="stable")]
        found = _overlaps(runs)
        if runs.shape[1]:
            self._carry = runs[:, [int(np.argmax(runs[1]))]]
        self.left, self._seen = self._seen - self._count, 0
        self._held, self._count = [], 0
        self.floor, self.ceiling = self.ceiling, _LAST
        return found

    @property
    def done(self) -> bool:
        """Tell, after ``take``, whether no run is left for another pass."""
        return self.floor >= _LAST


def _runs(first: int, lo: NDArray[np.uint64], at: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Return runs as four rows: start, end (both ASID and guest page), host page, accepted.

    Along a run the guest's pages stay as far from the host's as they are, and no page is left out.
    """
    words = lo if len(at) == len(lo) else lo[at]
    start = words >> np.uint64(12) & _KEY
    page = at.astype(np.uint64) + np.uint64(first)
    accepted = words & np.uint64(RmpLo.validated.mask)
    length = _lengths(words, page)
    broken = np.ones(len(at), np.bool_)
    apart = start - page ^ accepted
    np.not_equal(apart[1:], apart[:-1], out=broken[1:])
    broken[1:] |= page[1:] - page[:-1] != (length if isinstance(length, int) else length[:-1])
    broken |= start & np.uint64((1 << _GPA) - 1) == 0  # the first page of a guest
    heads = np.flatnonzero(broken)
    tails = np.append(heads[1:], len(at)) - 1
    last = start[tails]
    end = last + (np.uint64(length) if isinstance(length, int) else length[tails])
    border = (last >> np.uint64(_GPA)) + np.uint64(1) << np.uint64(_GPA)
    return np.stack([start[heads], np.minimum(end, border), page[heads], accepted[heads] != 0])


def _lengths(words: NDArray[np.uint64], page: NDArray[np.uint64]) -> int | NDArray[np.uint64]:
    """Return how many pages each entry speaks for; one number where that is 1."""
    large = words & np.uint64(RmpLo.page_size.mask) != 0
    if not large.any():
        return 1
    large &= page & np.uint64(REGION - 1) == 0
    return np.where(large, np.uint64(REGION), np.uint64(1))


def _overlaps(runs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each run that begins before the farthest end of those before it, with that one."""
    start, end, page, accepted = runs
    if len(start) < 2:
        return np.empty((5, 0), np.uint64)
    far = np.maximum.accumulate(end)
    rises = np.append(True, end[1:] > far[:-1])
    holder = np.maximum.accumulate(np.where(rises, np.arange(len(end)), 0))
    at = np.flatnonzero(start[1:] < far[:-1]) + 1
    other = holder[at - 1]
    pages = np.minimum(end[at], far[at - 1]) - start[at]
    first = page[other] + start[at] - start[other]
    return np.stack([start[at], pages, first, page[at], accepted[at] & accepted[other]])
