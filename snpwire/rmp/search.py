"""Which pages have a state, an owner, a guest address, a right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..bits import nearest
from ..errors import UsageError
from ..wire.rmp import RmpHi, RmpLo, RmpState
from .pages import LARGE
from .runs import Runs
from .states import Classifier
from .tiles import TILE, resolve_tile, tiles

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .tiles import Extent, Progress


class Wanted:
    """What pages are to be found: all that is given has to be so."""

    def __init__(
        self,
        *,
        state: RmpState | Collection[RmpState] | None = None,
        gpa: int | range | None = None,
        rights: Mapping[int, int] | None = None,
        **fields: int,
    ) -> None:
        """Take the criteria of ``Reading.find``. Raises UsageError."""
        several = (state,) if isinstance(state, RmpState) else state
        self.states = None if several is None else np.zeros(256, np.bool_)
        if self.states is not None:
            self.states[[int(one) for one in several or ()]] = True
        self.gpa = range(gpa, gpa + 1) if isinstance(gpa, int) else gpa
        self.low = _fields(fields)
        self.need = _rights(rights or {})


def _fields(fields: Mapping[str, int]) -> tuple[int, int]:
    """Return the bits of ``RmpLo`` that count, and their values."""
    for name in fields:
        if name not in RmpLo.BITS:
            hint = nearest(name, RmpLo.BITS)
            raise UsageError(f"an entry has no field {name!r}", help=hint)
    return sum(RmpLo.BITS[name].mask for name in fields), int(RmpLo.of(**fields))


def _rights(rights: Mapping[int, int]) -> int:
    """Return the bits of ``RmpHi`` that have to be set."""
    for vmpl in rights:
        if vmpl not in range(4):
            raise UsageError(f"{vmpl} is no VMPL: they go from 0 to 3")
    return int(RmpHi.of(**{f"vmpl{vmpl}": int(mask) for vmpl, mask in rights.items()}))


def find(
    extents: Sequence[Extent],
    wanted: Wanted,
    data: Runs | Iterable[tuple[int, int]] | None = None,
    progress: Progress | None = None,
) -> Iterator[Runs]:
    """Yield the pages that fit, a tile at a time. Pages outside *data* are not looked at."""
    scratch = Classifier(TILE)
    for first, words in tiles(extents, data, TILE, progress):
        yield Runs.of_mask(_fitting(words, wanted, scratch), first)


def _fitting(words: NDArray[np.uint64], wanted: Wanted, scratch: Classifier) -> NDArray[np.bool_]:
    low = scratch.lo[: len(words)]
    np.copyto(low, words[:, 0])
    heads = _heads(low)
    resolve_tile(low)
    bits, values = wanted.low
    fits: NDArray[np.bool_] = low & np.uint64(bits) == values
    if wanted.states is not None:
        fits &= wanted.states[scratch.states(len(low))]
    if wanted.gpa is not None:
        fits &= low & np.uint64(RmpLo.asid.mask) != 0
        frame = (low & np.uint64(RmpLo.gpa.mask)) >> np.uint64(12)
        frame += (np.arange(len(low)) - heads).astype(np.uint64)
        fits &= (frame >= wanted.gpa.start) & (frame < wanted.gpa.stop)
    if wanted.need:
        high = words[:, 1][heads]
        fits &= high & np.uint64(wanted.need) == wanted.need
    return fits


def _heads(low: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return for each entry of a tile the place of the one that speaks for it."""
    places = np.arange(len(low))
    heads = places & -LARGE
    silent = low & np.uint64(RmpLo.page_size.mask | RmpLo.asid.mask) == 0
    large = low[heads] & np.uint64(RmpLo.page_size.mask) != 0
    return np.where(silent & large, heads, places)
