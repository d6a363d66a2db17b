"""How a whole table is gone through: a tile at a time, 2 MiB pages never cut."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..wire.rmp import RmpLo
from .pages import LARGE
from .runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Progress = Callable[[int], object]

TILE = 1 << 15
"""Pages of a tile: 512 KiB of the table. A multiple of those in a 2 MiB page."""

_SPEAKS = RmpLo.page_size.mask | RmpLo.asid.mask


class Extent(NamedTuple):
    """Entries that lie one behind the other, and the page of the first, a multiple of 512."""

    first: int
    words: NDArray[np.uint64]
    """Shape (pages, 2): the two quadwords of each entry."""

    @property
    def stop(self) -> int:
        """Return the page behind the last."""
        return self.first + len(self.words)


def tiles(
    extents: Sequence[Extent],
    data: Runs | Iterable[tuple[int, int]] | None = None,
    size: int = TILE,
    progress: Progress | None = None,
) -> Iterator[Extent]:
    """Yield the entries of *data*, or all, at most *size* at a time, as parts of *extents*.

    A tile starts where a page of 2 MiB can, and so contains the entry that speaks for its pages.
    *progress* is told how many pages each tile had, once it is done with.
    """
    runs = data if isinstance(data, Runs) or data is None else Runs.of(data)
    for extent in extents:
        whole = Runs.of([(extent.first, extent.stop)])
        wanted = whole if runs is None else runs.widened(LARGE)
        for start, stop in wanted.within(extent.first, extent.stop):
            for first in range(start, stop, size):
                end = min(first + size, stop)
                yield Extent(first, extent.words[first - extent.first : end - extent.first])
                if progress is not None:
                    progress(end - first)


def resolve_tile(words: NDArray[np.uint64]) -> None:
    """Put the quadword of a 2 MiB page in place of those that it speaks for.

    *words*, of shape (pages,), are quadwords of a tile and are changed.
    """
    large = words[::LARGE] & np.uint64(RmpLo.page_size.mask)
    if not large.any():
        return
    for row in np.flatnonzero(large).tolist():
        part = words[row * LARGE : (row + 1) * LARGE]
        np.copyto(part, part[0], where=part & np.uint64(_SPEAKS) == 0)


def shared(parts: Iterator[Extent], work: Callable[[Iterable[Extent]], None], threads: int) -> None:
    """Have *threads* threads do *work*, each on those of *parts* that it comes to take."""
    if threads == 1:
        return work(parts)
    lock = Lock()

    def taken() -> Iterator[Extent]:
        while True:
            with lock:
                part = next(parts, None)
            if part is None:
                return
            yield part

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, taken()) for _ in range(threads)]:
            done.result()
    return None
