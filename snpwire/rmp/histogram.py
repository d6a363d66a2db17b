"""Pages counted for a map: how many each cell of neighbouring pages has in which state, whose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..wire.rmp import ASIDS, RmpLo, RmpState
from .chunks import TILE, resolve_tile, tiles
from .states import Classifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .chunks import Progress
    from .dump import Dump
    from .page_ranges import Runs

STATES = 16
HOST, OTHERS = 0, 1
"""Owners that are no ASID of their own: none, and all those that are not asked for."""


def cells(
    dump: Dump,
    first: int,
    count: int,
    per_cell: int,
    asids: Sequence[int] = (),
    progress: Progress | None = None,
) -> NDArray[np.int64]:
    """Count the pages of *count* cells of *per_cell* pages, from page *first* on.

    The result has the shape (cells, 2 + asids, 16): the owner is that of ASID 0, any other, or one
    of *asids*; then the number of the state. Pages without an entry count nowhere.
    """
    owners = 2 + len(asids)
    found = np.zeros((count, owners * STATES), np.int64)
    table = np.full(ASIDS, OTHERS * STATES, np.uint16)
    table[0] = HOST * STATES
    for number, asid in enumerate(asids):
        table[asid] = (2 + number) * STATES
    scratch = Classifier(TILE)
    for start, words in tiles(dump.extents, dump.data, TILE, progress):
        low = scratch.lo[: len(words)]
        np.copyto(low, words[:, 0])
        resolve_tile(low)
        key = table[(low >> np.uint64(RmpLo.asid.low)).astype(np.uint16) & RmpLo.asid.limit]
        key += scratch.states(len(low))
        _spread(found, key, start - first, per_cell)
    _empty(found, dump, first, per_cell)
    return found.reshape(count, owners, STATES)


def _spread(found: NDArray[np.int64], key: NDArray[np.uint16], start: int, per_cell: int) -> None:
    """Add the pages of a tile to the cells that they lie in."""
    end = start + len(key)
    for cell in range(max(0, start // per_cell), min(len(found), -(-end // per_cell))):
        part = key[max(0, cell * per_cell - start) : (cell + 1) * per_cell - start]
        counts = np.bincount(part)
        found[cell, : len(counts)] += counts


def _empty(found: NDArray[np.int64], dump: Dump, first: int, per_cell: int) -> None:
    """Count what was not read as the hypervisor's, and nothing that there is no entry for."""
    there = covered(dump.known, first, len(found), per_cell)
    found[:, RmpState.HYPERVISOR] += there - found.sum(1)


def covered(runs: Runs, first: int, count: int, per_cell: int) -> NDArray[np.int64]:
    """Return how many pages of *runs* each cell has; shape (count,)."""
    edges = first + np.arange(count + 1, dtype=np.int64) * per_cell
    lengths = runs.stops - runs.starts
    before = np.concatenate([[0], np.cumsum(lengths)])
    at = np.searchsorted(runs.starts, edges, "right")
    total = before[at]
    inside = at > 0
    total[inside] -= np.maximum(0, runs.stops[at[inside] - 1] - edges[inside])
    return np.diff(total)
