"""Runs of pages, in place of lists of them: a million pages in a row are two numbers.

A run goes from its start to its stop, which is no part of it. Runs are kept in order, do not
overlap, and do not touch: what touches is one run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray
from typing import TYPE_CHECKING, Any

from ..errors import shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


PAGE_LIMIT = 1 << 39
"""One more than the last page number."""


def page_number(page: int) -> int:
    """Return *page*. Raises UsageError for what is no page number."""
    if 0 <= page < PAGE_LIMIT:
        return page
    raise UsageError(f"{_place(page)} is no page number: those go from 0 to {PAGE_LIMIT - 1:#x}")


def page_numbers(pages: ArrayLike) -> NDArray[np.int64]:
    """Return *pages* as int64, of the same shape. Raises UsageError for what is no page number."""
    given: NDArray[Any] = np.asarray(pages)
    if given.size and given.dtype.kind not in "iu":
        raise UsageError(f"a page number is an integer of 39 bits, got an array of {given.dtype}")
    if given.size:
        page_number(int(given.min()))
        page_number(int(given.max()))
    return given.astype(np.int64, copy=False)


def _place(page: object) -> str:
    return f"{page:#x}" if isinstance(page, int) and abs(page) < 1 << 64 else shown(page)


class Runs:
    """Pages as ranges. ``starts`` and ``stops`` are int64 of shape (runs,)."""

    __slots__ = ("starts", "stops")

    def __init__(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        self.starts = starts
        self.stops = stops

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> Runs:
        """Return the pages of all *pairs* of start and stop, in any order, overlapping or not.

        Raises UsageError for a run that ends before it starts, or lies where no page is.
        """
        ends = np.array([(start, stop) for start, stop in pairs], np.object_).reshape(-1, 2)
        for start, stop in ends:
            if not 0 <= start <= stop <= PAGE_LIMIT:
                raise UsageError(f"{start:#x} to {stop:#x} is no run of pages")
        starts, stops = ends.astype(np.int64).T
        return _merged(starts[stops > starts], stops[stops > starts])

    @classmethod
    def of_mask(cls, mask: NDArray[np.bool_], first: int = 0) -> Runs:
        """Return the pages where *mask*, of shape (pages,), is true; its first page is *first*."""
        edges = np.flatnonzero(mask[1:] != mask[:-1]) + (first + 1)
        head = [first] if mask.size and mask[0] else []
        tail = [first + mask.size] if mask.size and mask[-1] else []
        ends = np.concatenate([np.array(head, np.int64), edges, np.array(tail, np.int64)])
        return cls(ends[::2], ends[1::2])

    @classmethod
    def of_pages(cls, pages: ArrayLike) -> Runs:
        """Return *pages* as runs, in any order, repeated or not. Raises UsageError."""
        numbers = np.unique(page_numbers(pages))
        return _merged(numbers, numbers + 1)

    @classmethod
    def joined(cls, parts: Iterable[Runs]) -> Runs:
        """Return the runs of *parts*, of which each lies behind the one before, as one."""
        several = list(parts)
        if not several:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64))
        starts = np.concatenate([part.starts for part in several])
        stops = np.concatenate([part.stops for part in several])
        return _touching(starts, stops)

    @property
    def pages(self) -> int:
        """Return how many pages the runs hold."""
        return int((self.stops - self.starts).sum())

    def numbers(self) -> NDArray[np.int64]:
        """Return every page, in order; shape (pages,)."""
        lengths = self.stops - self.starts
        before = np.cumsum(lengths) - lengths
        pages: NDArray[np.int64] = np.repeat(self.starts - before, lengths)
        pages += np.arange(len(pages))
        return pages

    def mask(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Tell for each page from *start* to *stop* whether a run has it; shape (stop - start,)."""
        found = np.zeros(stop - start, np.bool_)
        for first, last in self.within(start, stop):
            found[first - start : last - start] = True
        return found

    def within(self, start: int, stop: int) -> Runs:
        """Return what of the runs lies from *start* to *stop*."""
        low = int(np.searchsorted(self.stops, start, "right"))
        high = int(np.searchsorted(self.starts, stop, "left")) if start < stop else low
        starts, stops = self.starts[low:high], self.stops[low:high]
        return Runs(np.maximum(starts, start), np.minimum(stops, stop))

    def widened(self, multiple: int) -> Runs:
        """Return the runs with both ends moved outward to a multiple of *multiple* pages."""
        starts = self.starts // multiple * multiple
        return _touching(starts, -(-self.stops // multiple) * multiple)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield start and stop of each run as plain numbers."""
        return zip(self.starts.tolist(), self.stops.tolist(), strict=True)

    def __len__(self) -> int:
        return len(self.starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Runs):
            return NotImplemented
        same = np.array_equal(self.starts, other.starts)
        return same and np.array_equal(self.stops, other.stops)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{start:#x}-{stop:#x}" for start, stop in self.within(0, PAGE_LIMIT))
        return f"Runs({shown})"


def _merged(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Runs:
    """Return runs of what may overlap and lie in any order."""
    order = np.argsort(starts, kind="stable")
    return _touching(starts[order], np.maximum.accumulate(stops[order]))


def _touching(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> Runs:
    """Return runs in which what touches or overlaps is one; both arrays rise."""
    if not starts.size:
        return Runs(starts, stops)
    apart = starts[1:] > stops[:-1]
    return Runs(starts[np.append(True, apart)], stops[np.append(apart, True)])
