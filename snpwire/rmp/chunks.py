"""A whole table in chunks that fit the cache and never split a 2 MiB page."""

from __future__ import annotations

from threading import Event, Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import UsageError
from ..wire.address import REGION
from .entry import LARGE, STANDALONE
from .page_ranges import PageRanges

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    Data = PageRanges | Iterable[tuple[int, int]] | None
    Progress = Callable[[int], object] | None

CHUNK = 1 << 17
"""Most pages of a chunk, a multiple of 512: 2 MiB of a table. A longer one is no faster."""
LEAST = 1 << 13
"""Least pages of a chunk, however many threads there are."""
ROOM = 15 << 18
"""Bytes of scratch memory for all chunks in work, so that a pass needs less than 4 MiB in all."""


class Extent(NamedTuple):
    """Contiguous entries, and the page of the first, a multiple of 512."""

    first: int
    words: NDArray[np.uint64]
    """The two quadwords of each entry; shape (pages, 2)."""

    @property
    def stop(self) -> int:
        """Return the page after the last."""
        return self.first + len(self.words)


def quadwords_at(
    extents: Sequence[Extent], pages: NDArray[np.int64], column: int = 0
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return quadword *column* of each page's entry, 0 where it has none, and where it has one.

    *pages* and both results, uint64 and bool, have the shape (pages,).
    """
    words, known = np.zeros(len(pages), np.uint64), np.zeros(len(pages), np.bool_)
    for extent in extents:
        here = (pages >= extent.first) & (pages < extent.stop)
        words[here], known[here] = extent.words[pages[here] - extent.first, column], True
    return words, known


def chunk_size(each: int, fixed: int = 0, threads: int = 1) -> int:
    """Return the pages of a chunk, when a thread needs *each* bytes a page and *fixed* bytes.

    Two threads want long chunks more than one does: each step starts by waiting until the other
    thread releases the interpreter. Raises UsageError for fewer than one thread.
    """
    if threads < 1:
        raise UsageError(f"there is at least one thread, not {threads}")
    fits = (ROOM // threads - fixed) // each
    return max(min(LEAST, CHUNK), min(CHUNK, fits // REGION * REGION))


def chunks(
    extents: Sequence[Extent], data: Data = None, size: int = CHUNK, progress: Progress = None
) -> Iterator[Extent]:
    """Yield the entries of *data*, or all of them, at most *size* at a time, as views of *extents*.

    A chunk starts on a 2 MiB boundary, so it has the first entry of each of its 2 MiB pages.
    *progress* is called with the pages of a chunk when the next is asked for, by the thread that
    asks.
    """
    runs = data if isinstance(data, PageRanges) or data is None else PageRanges.of(data)
    for extent in extents:
        whole = PageRanges.of([(extent.first, extent.stop)])
        wanted = whole if runs is None else runs.widened(REGION)
        for start, stop in wanted.within(extent.first, extent.stop):
            for first in range(start, stop, size):
                end = min(first + size, stop)
                yield Extent(first, extent.words[first - extent.first : end - extent.first])
                if progress is not None:
                    progress(end - first)


def resolve_chunk(words: NDArray[np.uint64]) -> None:
    """Give the entries of a chunk that a 2 MiB entry covers that entry's first quadword.

    *words*, uint64 of shape (pages,), are first quadwords and are changed.
    """
    covered = covered_mask(words)
    if covered.any():
        whole = len(words) // REGION * REGION
        spread(words[:whole], covered[:whole], np.empty_like(words[:whole]))
        words[whole:][covered[whole:]] = words[whole : whole + 1]


def covered_mask(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return which entries of a chunk are covered by a 2 MiB entry and mean nothing themselves.

    As AMD's firmware looks it up: those of 4 KiB without ASID, if the first entry of the 2 MiB has
    that size. *words* are first quadwords, uint64 of shape (pages,), and so is the result; the last
    2 MiB may be cut short.
    """
    large = words[::REGION] & np.uint64(LARGE) != 0
    if not large.any():
        return np.zeros(len(words), np.bool_)
    covered: NDArray[np.bool_] = words & np.uint64(STANDALONE) == 0
    whole = len(words) // REGION
    rows = covered[: whole * REGION].reshape(-1, REGION)
    rows &= large[:whole, None]
    covered[whole * REGION :] &= large[whole:]
    return covered


def spread(values: NDArray[Any], covered: NDArray[np.bool_], work: NDArray[Any]) -> None:
    """Give the entries of a chunk that are *covered* the value of the first entry of their 2 MiB.

    *values*, integers or booleans for each entry, are changed; *work* is scratch memory of the same
    dtype. All have the shape (512 * n,). A masked copy would take ten times as long, since the
    processor mispredicts the mask.
    """
    rows = values.reshape(-1, REGION)
    change = work[: len(values)].reshape(-1, REGION)
    np.bitwise_xor(rows, rows[:, :1].copy(), out=change)
    np.multiply(change, covered.view(np.uint8).reshape(-1, REGION), out=change)
    np.bitwise_xor(rows, change, out=rows)


def run_threads(
    parts: Iterator[Extent], work: Callable[[Iterable[Extent]], object], threads: int
) -> None:
    """Have *threads* threads do *work*, each on those of *parts* that it takes from the queue."""
    if threads == 1:
        work(parts)
        return
    from concurrent.futures import ThreadPoolExecutor

    lock, stop = Lock(), Event()

    def queue() -> Iterator[Extent]:
        while True:
            with lock:
                part = None if stop.is_set() else next(parts, None)
            if part is None:
                return
            yield part

    with ThreadPoolExecutor(threads) as pool:
        try:
            for done in [pool.submit(work, queue()) for _ in range(threads)]:
                done.result()
        finally:
            stop.set()  # after a failure of one of them, or an interrupt of this thread
