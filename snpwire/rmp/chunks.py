"""How a whole table is gone through: a tile at a time, no page of 2 MiB cut in two."""

from __future__ import annotations

from threading import Event, Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import UsageError
from ..wire.address import REGION
from .entry import LARGE, SPEAKS
from .page_ranges import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any

    from numpy.typing import NDArray

    Data = Runs | Iterable[tuple[int, int]] | None
    Progress = Callable[[int], object] | None

TILE = 1 << 17
"""Pages of a tile at most, a multiple of 512: 2 MiB of a table. A longer one is no faster."""
LEAST = 1 << 13
"""Pages of a tile at least, however many threads there are."""
ROOM = 15 << 18
"""Bytes that tiles being worked on may take in all: with what else there is, less than 4 MiB."""


class Extent(NamedTuple):
    """Entries that lie one behind the other, and the page of the first, a multiple of 512."""

    first: int
    words: NDArray[np.uint64]
    """Shape (pages, 2): the two quadwords of each entry."""

    @property
    def stop(self) -> int:
        """Return the page behind the last."""
        return self.first + len(self.words)


def tile_size(each: int, beside: int = 0, threads: int = 1) -> int:
    """Return the pages of a tile for which a thread needs *each* bytes a page, and *beside*.

    Two threads want long tiles more than one does: whoever starts the next step has to wait until
    the other lets go of the interpreter. Raises UsageError for no threads.
    """
    if threads < 1:
        raise UsageError(f"there is at least one thread, not {threads}")
    fits = (ROOM // threads - beside) // each
    return max(min(LEAST, TILE), min(TILE, fits // REGION * REGION))


def tiles(
    extents: Sequence[Extent], data: Data = None, size: int = TILE, progress: Progress = None
) -> Iterator[Extent]:
    """Yield the entries of *data*, or all, at most *size* at a time, as parts of *extents*.

    A tile starts where a page of 2 MiB can, and so has the entry that speaks for its pages.
    *progress* is told how many pages a tile had when the next one is asked for, by the thread that
    asks.
    """
    runs = data if isinstance(data, Runs) or data is None else Runs.of(data)
    for extent in extents:
        whole = Runs.of([(extent.first, extent.stop)])
        wanted = whole if runs is None else runs.widened(REGION)
        for start, stop in wanted.within(extent.first, extent.stop):
            for first in range(start, stop, size):
                end = min(first + size, stop)
                yield Extent(first, extent.words[first - extent.first : end - extent.first])
                if progress is not None:
                    progress(end - first)


def resolve_tile(words: NDArray[np.uint64]) -> None:
    """Give silent entries of a tile the quadword of the entry that speaks for them.

    *words*, of shape (pages,), are first quadwords and are changed.
    """
    found = silent(words)
    if found.any():
        whole = len(words) // REGION * REGION
        spread(words[:whole], found[:whole], np.empty_like(words[:whole]))
        words[whole:][found[whole:]] = words[whole : whole + 1]


def silent(words: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which entries of a tile say nothing, since a 2 MiB entry speaks for them.

    As AMD's firmware looks it up: those of 4 KiB without ASID, if the first entry of the 2 MiB has
    that size. *words* are first quadwords of shape (pages,), as is the result; the last 2 MiB may
    be cut short.
    """
    large = words[::REGION] & np.uint64(LARGE) != 0
    if not large.any():
        return np.zeros(len(words), np.bool_)
    found: NDArray[np.bool_] = words & np.uint64(SPEAKS) == 0
    whole = len(words) // REGION
    rows = found[: whole * REGION].reshape(-1, REGION)
    rows &= large[:whole, None]
    found[whole * REGION :] &= large[whole:]
    return found


def spread(values: NDArray[Any], silent: NDArray[np.bool_], work: NDArray[Any]) -> None:
    """Give silent entries of a tile the value of the entry that speaks for them.

    *values*, integers or truths for each entry, are changed; *work* is memory of the same kind.
    All have the shape (512 * n,). A masked copy would take ten times as long, since the processor
    guesses what the mask will say next.
    """
    rows = values.reshape(-1, REGION)
    change = work[: len(values)].reshape(-1, REGION)
    np.bitwise_xor(rows, rows[:, :1].copy(), out=change)
    np.multiply(change, silent.view(np.uint8).reshape(-1, REGION), out=change)
    np.bitwise_xor(rows, change, out=rows)


def shared(
    parts: Iterator[Extent], work: Callable[[Iterable[Extent]], object], threads: int
) -> None:
    """Have *threads* threads do *work*, each on those of *parts* that it comes to take."""
    if threads == 1:
        work(parts)
        return
    from concurrent.futures import ThreadPoolExecutor

    lock, stop = Lock(), Event()

    def taken() -> Iterator[Extent]:
        while True:
            with lock:
                part = None if stop.is_set() else next(parts, None)
            if part is None:
                return
            yield part

    with ThreadPoolExecutor(threads) as pool:
        try:
            for done in [pool.submit(work, taken()) for _ in range(threads)]:
                done.result()
        finally:
            stop.set()  # where one of them failed, or this thread was interrupted
