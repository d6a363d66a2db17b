"""Pages of each cell of a map, by owner and state."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..wire.rmp import ASIDS, RmpLo, RmpState
from .chunks import CHUNK, chunks, resolve_chunk
from .states import Classifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .chunks import Progress
    from .dump import Dump
    from .page_ranges import PageRanges

STATES = 16
HOST, OTHERS = 0, 1
"""Owners before the ASIDs asked for: ASID 0, and all other ASIDs."""


def histogram(
    dump: Dump,
    first: int,
    count: int,
    per_cell: int,
    asids: Sequence[int] = (),
    progress: Progress | None = None,
) -> NDArray[np.int64]:
    """Return the pages of *count* cells of *per_cell* pages, from page *first* on.

    The result is int64 of shape (cells, 2 + asids, 16): the owner is ASID 0, any other, or one of
    *asids*; then the number of the state. Pages without an entry are not counted.
    """
    owners = 2 + len(asids)
    counts = np.zeros((count, owners * STATES), np.int64)
    table = np.full(ASIDS, OTHERS * STATES, np.uint16)
    table[0] = HOST * STATES
    for number, asid in enumerate(asids):
        table[asid] = (2 + number) * STATES
    scratch = Classifier(CHUNK)
    for start, words in chunks(dump.extents, dump.data, CHUNK, progress):
        low = scratch.lo[: len(words)]
        np.copyto(low, words[:, 0])
        resolve_chunk(low)
        key = table[(low >> np.uint64(RmpLo.asid.low)).astype(np.uint16) & RmpLo.asid.limit]
        key += scratch.states(len(low))
        _add(counts, key, start - first, per_cell)
    unread = pages_per_cell(dump.known, first, count, per_cell) - counts.sum(1)
    counts[:, RmpState.HYPERVISOR] += unread  # all zero
    return counts.reshape(count, owners, STATES)


def _add(counts: NDArray[np.int64], key: NDArray[np.uint16], start: int, per_cell: int) -> None:
    """Add the pages of a chunk to their cells."""
    end = start + len(key)
    for cell in range(max(0, start // per_cell), min(len(counts), -(-end // per_cell))):
        part = np.bincount(key[max(0, cell * per_cell - start) : (cell + 1) * per_cell - start])
        counts[cell, : len(part)] += part


def pages_per_cell(ranges: PageRanges, first: int, count: int, per_cell: int) -> NDArray[np.int64]:
    """Return the number of pages of *ranges* in each cell; shape (count,)."""
    edges = first + np.arange(count + 1, dtype=np.int64) * per_cell
    lengths = ranges.stops - ranges.starts
    before = np.concatenate([[0], np.cumsum(lengths)])
    at = np.searchsorted(ranges.starts, edges, "right")
    total = before[at]
    inside = at > 0
    total[inside] -= np.maximum(0, ranges.stops[at[inside] - 1] - edges[inside])
    return np.diff(total)
