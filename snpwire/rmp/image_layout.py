"""What can be asked of a table, whether it is of one piece or made of segments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UsageError
from ..wire.address import REGION
from ..wire.rmp import RmpState
from . import census, search
from .chunks import shared, tile_size, tiles
from .entry import LARGE, SPEAKS
from .page_ranges import Runs, page_number, page_numbers
from .states import Classifier, state_of_low

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray

    from .chunks import Data, Extent, Progress
from typing import TYPE_CHECKING, NamedTuple

from ..wire.rmp import RmpLo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from .chunks import Data, Extent, Progress


_BYTES = 4
"""What is held for an entry while a tile is counted."""


class Subpages(NamedTuple):
    """Counts of some regions of 2 MiB that are pages of 4 KiB; each shape (regions,)."""

    heads: NDArray[np.int64]
    """First page of each."""
    stored: NDArray[np.uint16]
    """``subpage_count`` of its entry."""
    counted: NDArray[np.uint16]
    """How many of the other 511 are assigned."""

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Return where the two differ; shape (regions,)."""
        return np.not_equal(self.stored, self.counted)


def subpages(
    extents: Sequence[Extent], data: Data = None, progress: Progress = None
) -> Iterator[Subpages]:
    """Yield the counts of a tile at a time. Pages outside *data* are not looked at."""
    for first, words in tiles(extents, data, tile_size(_BYTES), progress):
        assigned = words[:, 0].astype(np.uint8) & np.uint8(RmpLo.assigned.mask)
        starts = np.arange(0, len(words), REGION)
        heads = words[::REGION, 0]
        counted = np.add.reduceat(assigned, starts, dtype=np.uint16) - assigned[starts]
        small = heads & np.uint64(LARGE) == 0
        stored = RmpLo.subpage_count.of(heads).astype(np.uint16)
        yield Subpages(first + starts[small], stored[small], counted[small])


class Reading(ABC):
    """Base of tables: what they say of pages.

    A state is that of the entry as it is stored, as the firmware's own look-up has it. Entries 1 to
    511 of a 2 MiB page may say anything; ``resolve`` and ``resolved`` give the entry that speaks
    for them, and ``census`` and ``find`` have done so.
    """

    __slots__ = ()

    extents: tuple[Extent, ...]
    """The entries, by the pages they speak for."""
    pages: int
    """Pages from the first to the last that has an entry."""

    @abstractmethod
    def entry(self, page: int) -> tuple[int, int]:
        """Return both quadwords of the entry of *page*. Raises UsageError where there is none."""

    @abstractmethod
    def low(self, page: int) -> int | None:
        """Return the first quadword of the entry of *page*, or None. Raises UsageError."""

    @abstractmethod
    def lows(self, pages: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
        """Return the first quadword of each page, 0 where there is none, and where there is one.

        All have the shape (pages,).
        """

    def state(self, page: int) -> RmpState:
        """Return the state of *page*, DEFAULT where it has no entry. Raises UsageError."""
        low = self.low(page)
        return RmpState.DEFAULT if low is None else state_of_low(low)

    def resolve(self, page: int) -> int:
        """Return the page whose entry speaks for *page*: itself, or the first of its 2 MiB.

        As AMD's firmware does it: an entry of 4 KiB without ASID is silent if the first entry of
        the 2 MiB around it has that size. Raises UsageError.
        """
        low = self.low(page)
        if low is None or low & SPEAKS:
            return page
        head = page & -REGION
        return head if (self.low(head) or 0) & LARGE else page

    def resolved(self, pages: ArrayLike) -> NDArray[np.int64]:
        """Return ``resolve`` of each page, in an array of the same shape. Raises UsageError."""
        numbers = page_numbers(pages)
        flat = numbers.reshape(-1)
        heads = flat & -REGION
        low, known = self.lows(flat)
        large = self.lows(heads)[0] & np.uint64(LARGE) != 0
        silent = known & (low & np.uint64(SPEAKS) == 0)
        return np.where(silent & large, heads, flat).reshape(numbers.shape)

    @property
    def covered(self) -> Runs:
        """Return the pages that have an entry."""
        return Runs.of((extent.first, extent.stop) for extent in self.extents)

    def states(
        self,
        pages: ArrayLike | None = None,
        *,
        out: NDArray[np.uint8] | None = None,
        threads: int = 1,
        progress: Progress = None,
    ) -> NDArray[np.uint8]:
        """Return the number of the ``RmpState`` of each of *pages*, or of every page of the table.

        The result has the shape of *pages*, or (pages of the table,). Raises UsageError for what is
        no page number, and for an *out* that does not fit.
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

        size = tile_size(Classifier.BYTES, Classifier.BESIDE, threads)

        def classify(part: Iterable[Extent]) -> None:
            scratch = Classifier(size)
            for first, words in part:
                np.copyto(scratch.lo[: len(words)], words[:, 0])
                out[first : first + len(words)] = scratch.states(len(words))

        shared(tiles(self.extents, None, size, progress), classify, threads)

    def _some_states(self, pages: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        size = min(tile_size(Classifier.BYTES + 40), len(pages) + 1)
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
    ) -> census.Census:
        """Count all pages by state, owner, ASID and size, as the entries that speak have it.

        Where *data* is given, as runs of pages, other pages are not read and taken as zeroes: of an
        image with holes only what is there has to be read. *progress* is told, each time, how many
        pages more were counted. Raises UsageError.
        """
        return census.census(self.extents, data, progress, threads)

    def subpages(self, *, data: Data = None, progress: Progress = None) -> Iterator[Subpages]:
        """Yield sub-page counts as stored and as counted, a part of the table at a time.

        *data* and *progress* as in ``census``. Raises UsageError.
        """
        return subpages(self.extents, data, progress)

    def find_each(
        self,
        *,
        state: RmpState | Collection[RmpState] | None = None,
        gpa: int | range | None = None,
        rights: Mapping[int, int] | None = None,
        data: Data = None,
        progress: Progress = None,
        **fields: int | None,
    ) -> Iterator[Runs]:
        """Yield what ``find`` returns, a part of the table at a time, runs cut where parts end."""
        wanted = search.Wanted(state=state, gpa=gpa, rights=rights, **fields)
        return search.find(self.extents, wanted, data, progress)

    def find(
        self,
        *,
        state: RmpState | Collection[RmpState] | None = None,
        gpa: int | range | None = None,
        rights: Mapping[int, int] | None = None,
        data: Data = None,
        progress: Progress = None,
        **fields: int | None,
    ) -> Runs:
        """Return the pages that fit all that is given, as the entries that speak have it.

        *state* is one or several; *gpa* a guest page number or a range of them, which pages without
        ASID do not have; *rights* what each VMPL must at least have, as bits of ``VmplMask``; and
        *fields* are those of ``RmpLo``, such as ``asid=3`` or ``page_size=1``. None asks nothing.
        Only pages in *data* are looked at; *progress* as in ``census``. Pages without an entry are
        not found. Raises UsageError and EncodeError.
        """
        return Runs.joined(
            self.find_each(
                state=state, gpa=gpa, rights=rights, data=data, progress=progress, **fields
            )
        )


def beyond(page: int, pages: int) -> UsageError:
    """Return the error for a page that has no entry. Raises another for what is no page number."""
    page_number(page)
    why = f"the table covers {pages:#x} pages" if page >= pages else "no segment covers it"
    return UsageError(f"page {page:#x} has no entry: {why}")
