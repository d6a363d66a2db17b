"""Guest pages that two pages of the host map, found in bounded memory.

Pages of a guest are mostly contiguous both in the guest and in the host, so they are stored as
runs: ASID and guest page of the first, page of the host, length. In the order of the guest's pages
a run overlaps another if it begins before the farthest end of those before it.

There may be as many runs as entries, so only the first ``ROOM`` in that order are stored. The rest
is left to another pass over the table, until none is left; a host whose runs fit needs one pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...wire.address import REGION
from ...wire.rmp import RmpLo

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOM = 1 << 20
"""Runs of a pass. Twice as many are stored, of 32 bytes: 64 MiB, and twice that to sort them."""
_GPA = RmpLo.gpa.width
_KEY = np.uint64((1 << _GPA + RmpLo.asid.width) - 1)
_LAST = 1 << _GPA + RmpLo.asid.width


class Alias(NamedTuple):
    """Contiguous pages of a guest that the table has twice."""

    asid: int
    gpa: int
    """First guest page."""
    pages: int
    first: int
    """The page of the host that maps the first of them."""
    second: int
    """The other one."""
    validated: bool
    """Whether the guest has validated both."""

    @classmethod
    def of(cls, column: NDArray[np.uint64]) -> Alias:
        """Return the alias in one column of what ``Aliases.take`` returns."""
        key, pages, first, second, validated = column.tolist()
        return cls(key >> _GPA, key & (1 << _GPA) - 1, pages, first, second, bool(validated))

    @property
    def text(self) -> str:
        """Return what is wrong with the second page."""
        pages = f", and so on for {self.pages} pages" if self.pages > 1 else ""
        both = "" if self.validated else "; the guest has not validated both"
        guest = f"asid {self.asid} gpa {self.gpa << 12:#x}"
        return f"{guest} is page {self.first:#x} as well{pages}{both}"


class Aliases:
    """The runs of one pass, from guest page *floor* on (ASID above, guest page below)."""

    def __init__(self, room: int = ROOM) -> None:
        self.room = room
        self.floor = 0
        self.ceiling = _LAST
        """Where the next pass begins; runs from there on are left to it."""
        self.left = 0
        """After ``take``: runs that the pass left to others."""
        self.dropped = 0
        """Runs that begin at one guest page and for which there was no room at all."""
        self._total = 0
        self._parts: list[NDArray[np.uint64]] = []
        self._count = 0
        self._carry = np.empty((4, 0), np.uint64)

    def feed(self, first: int, lo: NDArray[np.uint64], guest: NDArray[np.bool_]) -> None:
        """Add the guest pages of a chunk from page *first* on.

        *lo* are its first quadwords and *guest* marks the pages that a guest owns; shape (pages,).
        """
        at = np.flatnonzero(guest)
        if not at.size:
            return
        runs = _runs(first, lo, at)
        behind = runs[0] >= np.uint64(self.floor)
        self._total += int(behind.sum())
        kept = runs[:, behind & (runs[0] < np.uint64(self.ceiling))]
        self._parts.append(kept)
        self._count += kept.shape[1]
        if self._count > 2 * self.room:
            self._shrink()

    def _shrink(self) -> None:
        """Keep the first runs: all that begin at the same guest page, or none of them."""
        runs = np.concatenate(self._parts, axis=1)
        border = np.partition(runs[0], self.room)[self.room]
        kept = runs[:, runs[0] < border]
        if kept.shape[1] == 0:  # more of one guest page than there is room for
            same = runs[:, runs[0] == border]
            kept = same[:, : self.room]
            self.dropped += same.shape[1] - self.room
            border += np.uint64(1)
        self.ceiling = int(border)
        self._parts, self._count = [kept], kept.shape[1]

    def take(self) -> NDArray[np.uint64]:
        """Return the aliases of this pass, and prepare the next one.

        uint64 of shape (5, aliases), columns for ``Alias.of`` in order of ASID and guest page.
        """
        runs = np.concatenate([self._carry, *self._parts], axis=1)
        runs = runs[:, np.argsort(runs[0], kind="stable")]
        found = _overlaps(runs)
        if runs.shape[1]:
            self._carry = runs[:, [int(np.argmax(runs[1]))]]
        self.left, self._total = self._total - self._count, 0
        self._parts, self._count = [], 0
        self.floor, self.ceiling = self.ceiling, _LAST
        return found

    @property
    def done(self) -> bool:
        """Return, after ``take``, whether no run is left for another pass."""
        return self.floor >= _LAST


def _runs(first: int, lo: NDArray[np.uint64], at: NDArray[np.intp]) -> NDArray[np.uint64]:
    """Return runs as four rows: start, end (both ASID and guest page), host page, validated.

    Along a run the distance of guest page and host page is constant, and no page is missing.
    """
    words = lo if len(at) == len(lo) else lo[at]
    start = words >> np.uint64(12) & _KEY
    page = at.astype(np.uint64) + np.uint64(first)
    validated = words & np.uint64(RmpLo.validated.mask)
    length = _lengths(words, page)
    broken = np.ones(len(at), np.bool_)
    apart = start - page ^ validated
    np.not_equal(apart[1:], apart[:-1], out=broken[1:])
    broken[1:] |= page[1:] - page[:-1] != (length if isinstance(length, int) else length[:-1])
    broken |= start & np.uint64((1 << _GPA) - 1) == 0  # the first page of a guest
    heads = np.flatnonzero(broken)
    tails = np.append(heads[1:], len(at)) - 1
    last = start[tails]
    end = last + (np.uint64(length) if isinstance(length, int) else length[tails])
    border = (last >> np.uint64(_GPA)) + np.uint64(1) << np.uint64(_GPA)
    return np.stack([start[heads], np.minimum(end, border), page[heads], validated[heads] != 0])


def _lengths(words: NDArray[np.uint64], page: NDArray[np.uint64]) -> int | NDArray[np.uint64]:
    """Return the number of pages that each entry covers; one number if all cover 1."""
    large = words & np.uint64(RmpLo.page_size.mask) != 0
    if not large.any():
        return 1
    large &= page & np.uint64(REGION - 1) == 0
    return np.where(large, np.uint64(REGION), np.uint64(1))


def _overlaps(runs: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each run that begins before the farthest end of those before it, with that run."""
    start, end, page, validated = runs
    if len(start) < 2:
        return np.empty((5, 0), np.uint64)
    far = np.maximum.accumulate(end)
    rises = np.append(True, end[1:] > far[:-1])
    holder = np.maximum.accumulate(np.where(rises, np.arange(len(end)), 0))
    at = np.flatnonzero(start[1:] < far[:-1]) + 1
    other = holder[at - 1]
    pages = np.minimum(end[at], far[at - 1]) - start[at]
    first = page[other] + start[at] - start[other]
    return np.stack([start[at], pages, first, page[at], validated[at] & validated[other]])
