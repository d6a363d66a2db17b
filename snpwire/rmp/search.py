"""Which pages have a state, an owner, a guest address, a right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..bits import nearest
from ..errors import UsageError
from ..wire.address import REGION
from ..wire.rmp import RmpHi, RmpLo, RmpState
from .entry import LARGE
from .pages import page_number
from .runs import Runs
from .states import Classifier
from .tiles import silent, spread, tile_size, tiles

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .tiles import Data, Extent, Progress

_BYTES = Classifier.BYTES + 48
"""What a search takes for a page of a tile, its masks and quadwords included."""


class Wanted:
    """What pages are to be found: all that is given has to be so."""

    def __init__(
        self,
        *,
        state: RmpState | Collection[RmpState] | None = None,
        gpa: int | range | None = None,
        rights: Mapping[int, int] | None = None,
        **fields: int | None,
    ) -> None:
        """Take the criteria of ``Reading.find``. Raises UsageError and EncodeError."""
        given = {name: value for name, value in fields.items() if value is not None}
        self.states = None if state is None else _states(state)
        self.gpa = None if gpa is None else _ends(gpa)
        self.bits, self.values = _fields(given)
        self.need = _rights(rights or {})


def _states(state: RmpState | Collection[RmpState]) -> list[int]:
    """Return the numbers of the states."""
    several = [state] if isinstance(state, int) else [*state]
    for one in several:
        if not RmpState(one).known:
            raise UsageError(f"{one} is no state of a page")
    return [int(one) for one in several]


def _ends(gpa: int | range) -> tuple[int, int]:
    """Return the first and the last of guest page numbers; of none, one that is not before it."""
    span = gpa if isinstance(gpa, range) else range(gpa, gpa + 1)
    if not len(span):
        return 1, 0
    if span.step != 1:
        raise UsageError(f"guest pages have to follow one another, got {span}")
    return page_number(span.start), page_number(span.stop - 1)


def _fields(fields: Mapping[str, int]) -> tuple[int, int]:
    """Return the bits of ``RmpLo`` that count, and their values."""
    for name in fields:
        if name not in RmpLo.BITS:
            raise UsageError(f"an entry has no field {name!r}", help=nearest(name, RmpLo.BITS))
    return sum(RmpLo.BITS[name].mask for name in fields), int(RmpLo.of(**fields))


def _rights(rights: Mapping[int, int]) -> int:
    """Return the bits of ``RmpHi`` that have to be set."""
    for vmpl in rights:
        if vmpl not in range(4):
            raise UsageError(f"{vmpl} is no VMPL: those go from 0 to 3")
    return int(RmpHi.of(**{f"vmpl{vmpl}": int(mask) for vmpl, mask in rights.items()}))


def find(
    extents: Sequence[Extent], wanted: Wanted, data: Data = None, progress: Progress = None
) -> Iterator[Runs]:
    """Yield the pages that fit, a tile at a time. Pages outside *data* are not looked at."""
    size = tile_size(_BYTES, Classifier.BESIDE)
    scratch = Classifier(size)
    for first, words in tiles(extents, data, size, progress):
        fits = _fitting(words, wanted, scratch)
        yield Runs.of_mask(fits[: len(words)], first)


def _fitting(words: NDArray[np.uint64], wanted: Wanted, scratch: Classifier) -> NDArray[np.bool_]:
    """Tell for each page of a tile whether the entry that speaks for it fits."""
    lo = scratch.load(words[:, 0])
    fits: NDArray[np.bool_] = lo & np.uint64(wanted.bits) == wanted.values
    if wanted.states is not None:
        states = scratch.states(len(lo))
        fits &= np.logical_or.reduce([states == state for state in wanted.states])
    if wanted.need:
        has = words[:, 1] & np.uint64(wanted.need) == wanted.need
        fits[: len(has)] &= has
    large = bool((lo[::REGION] & np.uint64(LARGE)).any())
    if large:
        spread(fits.view(np.uint8), silent(lo), np.empty(len(fits), np.uint8))
    if wanted.gpa is not None:
        fits &= _mapped(lo, wanted.gpa, large=large)
    return fits


def _mapped(lo: NDArray[np.uint64], gpa: tuple[int, int], *, large: bool) -> NDArray[np.bool_]:
    """Tell for each page of a tile whether it is a guest's at one of the addresses *gpa*."""
    owned = lo & np.uint64(RmpLo.asid.mask) != 0
    frame = lo & np.uint64(RmpLo.gpa.mask)
    if large:
        covered = silent(lo)
        spread(owned.view(np.uint8), covered, np.empty(len(lo), np.uint8))
        spread(frame, covered, np.empty_like(frame))
        rows = covered.reshape(-1, REGION)
        frame += (rows * np.arange(0, REGION << 12, 1 << 12, dtype=np.uint64)).reshape(-1)
        frame &= np.uint64(RmpLo.gpa.mask)
    found: NDArray[np.bool_] = owned & (frame >= gpa[0] << 12)
    found &= frame <= gpa[1] << 12
    return found
