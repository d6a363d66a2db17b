"""What can be asked of a table, whether in one piece or in segments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..wire.address import REGION
from ..wire.rmp import RmpState
from .census import census, subpage_counts
from .chunks import chunk_size, chunks, quadwords_at, run_threads
from .entry import LARGE, STANDALONE
from .page_ranges import PageRanges, page_number, page_numbers
from .search import SearchFilter, find
from .states import Classifier, state_of_low

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray

    from .census import Census, SubpageCounts
    from .chunks import Data, Extent, Progress


class TableReader(ABC):
    """Base of tables, and what they say of pages.

    A state is that of the entry as stored, as the firmware's own look-up has it. Entries 1 to 511
    of a 2 MiB page may hold anything: ``resolve`` and ``resolve_all`` give the page whose entry
    covers them, and ``census`` and ``find`` go by that entry.
    """

    __slots__ = ()

    extents: tuple[Extent, ...]
    """The entries, in the order of their pages."""
    pages: int
    """One more than the last page that has an entry."""

    @abstractmethod
    def entry(self, page: int) -> tuple[int, int]:
        """Return both quadwords of the entry of *page*. Raises UsageError where there is none."""

    @abstractmethod
    def low(self, page: int) -> int | None:
        """Return the first quadword of the entry of *page*, or None. Raises UsageError."""

    def lows(self, pages: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return the first quadword of each page, 0 where it has no entry, and where it has one.

        *pages* and both results, uint64 and bool, have the shape (pages,).
        """
        return quadwords_at(self.extents, pages)

    def state(self, page: int) -> RmpState:
        """Return the state of *page*, DEFAULT where it has no entry. Raises UsageError."""
        low = self.low(page)
        return RmpState.DEFAULT if low is None else state_of_low(low)

    def resolve(self, page: int) -> int:
        """Return the page whose entry covers *page*: itself, or the first of its 2 MiB.

        As AMD's firmware does it: the first entry of the 2 MiB around a 4 KiB entry without ASID
        covers it, if that entry has 2 MiB. Raises UsageError.
        """
        low = self.low(page)
        if low is None or low & STANDALONE:
            return page
        head = page & -REGION
        return head if (self.low(head) or 0) & LARGE else page

    def resolve_all(self, pages: ArrayLike) -> NDArray[np.int64]:
        """Return ``resolve`` of each page, in an array of the same shape. Raises UsageError."""
        numbers = page_numbers(pages)
        flat = numbers.reshape(-1)
        heads = flat & -REGION
        low, known = self.lows(flat)
        large = self.lows(heads)[0] & np.uint64(LARGE) != 0
        covered = known & (low & np.uint64(STANDALONE) == 0)
        return np.where(covered & large, heads, flat).reshape(numbers.shape)

    @property
    def covered(self) -> PageRanges:
        """Return the pages that have an entry."""
        return PageRanges.of((extent.first, extent.stop) for extent in self.extents)

    def states(
        self,
        pages: ArrayLike | None = None,
        *,
        out: NDArray[np.uint8] | None = None,
        threads: int = 1,
        progress: Progress = None,
    ) -> NDArray[np.uint8]:
        """Return the number of the ``RmpState`` of each of *pages*, or of every page of the table.

        The result, *out* where given, is uint8 of the shape of *pages*, or (pages of the table,).
        Raises UsageError for what is no page number, and for an *out* that does not fit.
        """
        numbers = None if pages is None else page_numbers(pages)
        shape = (self.pages,) if numbers is None else numbers.shape
        result = np.empty(shape, np.uint8) if out is None else out
        if result.shape != shape or result.dtype != np.uint8 or not result.flags.c_contiguous:
            raise UsageError(
                f"out: expected uint8 of shape {shape}, got {result.dtype} of {result.shape}"
            )
        if numbers is None:
            self._all_states(result, threads, progress)
        else:
            self._some_states(numbers.reshape(-1), result.reshape(-1))
        return result

    def _all_states(self, out: NDArray[np.uint8], threads: int, progress: Progress) -> None:
        if sum(len(extent.words) for extent in self.extents) < self.pages:
            out[:] = RmpState.DEFAULT

        size = chunk_size(Classifier.BYTES, Classifier.FIXED, threads)

        def classify(part: Iterable[Extent]) -> None:
            scratch = Classifier(size)
            for first, words in part:
                np.copyto(scratch.lo[: len(words)], words[:, 0])
                out[first : first + len(words)] = scratch.states(len(words))

        run_threads(chunks(self.extents, None, size, progress), classify, threads)

    def _some_states(self, pages: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        size = min(chunk_size(Classifier.BYTES + 40), len(pages) + 1)
        scratch = Classifier(size)
        for first in range(0, len(pages), size):
            low, known = self.lows(pages[first : first + size])
            scratch.lo[: len(low)] = low
            part = out[first : first + size]
            part[:] = scratch.states(len(low))
            part[~known] = RmpState.DEFAULT

    def census(
        self,
        *,
        data: Data = None,
        threads: int = 1,
        progress: Progress = None,
    ) -> Census:
        """Count all pages by state, owner, ASID and size, by the entries that cover them.

        Pages outside *data*, where given, are not read and taken as zeros: of a sparse image only
        the data has to be read. *progress* is called with the number of pages counted since its
        last call. Raises UsageError.
        """
        return census(self.extents, data, progress, threads)

    def subpages(self, *, data: Data = None, progress: Progress = None) -> Iterator[SubpageCounts]:
        """Yield sub-page counts as stored and as counted, a chunk of the table at a time.

        *data* and *progress* as in ``census``. Raises UsageError.
        """
        return subpage_counts(self.extents, data, progress)

    def find_each(
        self,
        *,
        state: RmpState | Collection[RmpState] | None = None,
        gpa: int | range | None = None,
        rights: Mapping[int, int] | None = None,
        data: Data = None,
        progress: Progress = None,
        **fields: int | None,
    ) -> Iterator[PageRanges]:
        """Yield what ``find`` returns, a chunk of the table at a time, ranges cut where it ends."""
        wanted = SearchFilter(state=state, gpa=gpa, rights=rights, **fields)
        return find(self.extents, wanted, data, progress)

    def find(
        self,
        *,
        state: RmpState | Collection[RmpState] | None = None,
        gpa: int | range | None = None,
        rights: Mapping[int, int] | None = None,
        data: Data = None,
        progress: Progress = None,
        **fields: int | None,
    ) -> PageRanges:
        """Return the pages that match every criterion, by the entries that cover them.

        *state* is one or several; *gpa* a guest page number or a range of them, which pages without
        ASID do not have; *rights* the least permissions of each VMPL, as bits of ``VmplMask``; and
        *fields* are those of ``RmpLo``, such as ``asid=3`` or ``page_size=1``. None matches all.
        Only pages in *data* are searched; *progress* as in ``census``. Pages without an entry never
        match. Raises UsageError and EncodeError.
        """
        return PageRanges.of_parts(
            self.find_each(
                state=state, gpa=gpa, rights=rights, data=data, progress=progress, **fields
            )
        )


def beyond(page: int, pages: int) -> UsageError:
    """Return the error for a page without an entry. Raises UsageError if it is no page number."""
    page_number(page)
    why = f"the table covers {pages:#x} pages" if page >= pages else "no segment covers it"
    return UsageError(f"page {page:#x} has no entry: {why}")
