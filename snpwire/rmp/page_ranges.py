"""Page numbers, and sets of pages as ranges: a million pages in a row are two numbers.

A range goes from its start up to its stop, which is excluded. Ranges are in order and neither
overlap nor touch: adjacent ones are merged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import ArrayLike, NDArray

PAGE_LIMIT = 1 << 39
"""One more than the largest page number."""


def page_number(page: int) -> int:
    """Return *page*. Raises UsageError for what is no page number."""
    if 0 <= page < PAGE_LIMIT:
        return page
    raise UsageError(f"{_text(page)} is no page number: those go from 0 to {PAGE_LIMIT - 1:#x}")


def page_numbers(pages: ArrayLike) -> NDArray[np.int64]:
    """Return *pages* as int64, of the same shape. Raises UsageError for what is no page number."""
    given: NDArray[Any] = np.asarray(pages)
    if given.size and given.dtype.kind not in "iu":
        raise UsageError(f"a page number is an integer of 39 bits, got an array of {given.dtype}")
    if given.size:
        page_number(int(given.min()))
        page_number(int(given.max()))
    return given.astype(np.int64, copy=False)


def _text(page: object) -> str:
    return f"{page:#x}" if isinstance(page, int) and abs(page) < 1 << 64 else shown(page)


class PageRanges:
    """A set of pages. ``starts`` and ``stops`` are int64 of shape (ranges,)."""

    __slots__ = ("starts", "stops")

    def __init__(self, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> None:
        self.starts = starts
        self.stops = stops

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, int]]) -> PageRanges:
        """Return the pages of all *pairs* of start and stop, in any order, overlapping or not.

        Raises UsageError for a pair that ends before it starts, or is outside the page numbers.
        """
        ends = np.array([(start, stop) for start, stop in pairs], np.object_).reshape(-1, 2)
        for start, stop in ends:
            if not 0 <= start <= stop <= PAGE_LIMIT:
                raise UsageError(f"{start:#x} to {stop:#x} is no range of pages")
        starts, stops = ends.astype(np.int64).T
        return _merge(starts[stops > starts], stops[stops > starts])

    @classmethod
    def of_mask(cls, mask: NDArray[np.bool_], first: int = 0) -> PageRanges:
        """Return the pages where *mask*, of shape (pages,), is true; it begins at page *first*."""
        edges = np.flatnonzero(mask[1:] != mask[:-1]) + (first + 1)
        head = [first] if mask.size and mask[0] else []
        tail = [first + mask.size] if mask.size and mask[-1] else []
        ends = np.concatenate([np.array(head, np.int64), edges, np.array(tail, np.int64)])
        return cls(ends[::2], ends[1::2])

    @classmethod
    def of_pages(cls, pages: ArrayLike) -> PageRanges:
        """Return *pages*, in any order, repeated or not, as ranges. Raises UsageError."""
        numbers = np.unique(page_numbers(pages))
        return _merge(numbers, numbers + 1)

    @classmethod
    def of_parts(cls, parts: Iterable[PageRanges]) -> PageRanges:
        """Return the pages of all *parts*, each of which comes after the one before."""
        several = list(parts)
        if not several:
            return cls(np.empty(0, np.int64), np.empty(0, np.int64))
        starts = np.concatenate([part.starts for part in several])
        stops = np.concatenate([part.stops for part in several])
        return _merge_adjacent(starts, stops)

    @property
    def pages(self) -> int:
        """Return the number of pages."""
        return int((self.stops - self.starts).sum())

    def numbers(self) -> NDArray[np.int64]:
        """Return every page, in order; int64 of shape (pages,)."""
        lengths = self.stops - self.starts
        before = np.cumsum(lengths) - lengths
        pages: NDArray[np.int64] = np.repeat(self.starts - before, lengths)
        pages += np.arange(len(pages))
        return pages

    def mask(self, start: int, stop: int) -> NDArray[np.bool_]:
        """Return whether each page from *start* to *stop* is included; shape (stop - start,)."""
        mask = np.zeros(stop - start, np.bool_)
        for first, last in self.within(start, stop):
            mask[first - start : last - start] = True
        return mask

    def within(self, start: int, stop: int) -> PageRanges:
        """Return the pages between *start* and *stop*."""
        low = int(np.searchsorted(self.stops, start, "right"))
        high = int(np.searchsorted(self.starts, stop, "left")) if start < stop else low
        starts, stops = self.starts[low:high], self.stops[low:high]
        return PageRanges(np.maximum(starts, start), np.minimum(stops, stop))

    def widened(self, multiple: int) -> PageRanges:
        """Return the ranges with both ends rounded outward to a multiple of *multiple* pages."""
        starts = self.starts // multiple * multiple
        return _merge_adjacent(starts, -(-self.stops // multiple) * multiple)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield start and stop of each range as plain numbers."""
        return zip(self.starts.tolist(), self.stops.tolist(), strict=True)

    def __len__(self) -> int:
        return len(self.starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PageRanges):
            return NotImplemented
        same = np.array_equal(self.starts, other.starts)
        return same and np.array_equal(self.stops, other.stops)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{start:#x}-{stop:#x}" for start, stop in self.within(0, PAGE_LIMIT))
        return f"PageRanges({shown})"


def _merge(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> PageRanges:
    """Return ranges that may overlap, in any order, as a set."""
    order = np.argsort(starts, kind="stable")
    return _merge_adjacent(starts[order], np.maximum.accumulate(stops[order]))


def _merge_adjacent(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> PageRanges:
    """Return a set with ranges that touch or overlap merged; both arrays must ascend."""
    if not starts.size:
        return PageRanges(starts, stops)
    apart = starts[1:] > stops[:-1]
    return PageRanges(starts[np.append(True, apart)], stops[np.append(apart, True)])
