"""Search of a table: pages by state, owner, guest address and VMPL permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..bits import nearest
from ..errors import UsageError
from ..wire.address import REGION
from ..wire.rmp import RmpHi, RmpLo, RmpState, state_of
from .chunks import Extent, chunk_size, chunks, covered_mask, resolve_chunk, spread
from .entry import LARGE
from .page_ranges import PageRanges, page_number
from .states import Classifier

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .chunks import Data, Progress
    from .dump import Dump

_BYTES = Classifier.BYTES + 48
"""Scratch memory for a page of a chunk, its masks and quadwords included."""
_STEP = 1 << 15
"""Pages that are cut into runs at a time: half a MiB of the table."""
_SAME = np.uint64(~(RmpLo.gpa.mask | RmpLo.subpage_count.mask) & (1 << 64) - 1)
_ASID, _GPA = np.uint64(RmpLo.asid.mask), np.uint64(RmpLo.gpa.mask)


class SearchFilter:
    """Criteria of a search; a page has to meet all of them."""

    def __init__(
        self,
        *,
        state: RmpState | Collection[RmpState] | None = None,
        gpa: int | range | None = None,
        rights: Mapping[int, int] | None = None,
        **fields: int | None,
    ) -> None:
        """Take the criteria of ``TableReader.find``. Raises UsageError and EncodeError."""
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
    """Return the first and the last guest page number; 1 and 0 for an empty range."""
    span = gpa if isinstance(gpa, range) else range(gpa, gpa + 1)
    if not len(span):
        return 1, 0
    if span.step != 1:
        raise UsageError(f"guest pages have to be contiguous, got {span}")
    return page_number(span.start), page_number(span.stop - 1)


def _fields(fields: Mapping[str, int]) -> tuple[int, int]:
    """Return the bits of ``RmpLo`` that are compared, and their values."""
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
    extents: Sequence[Extent], wanted: SearchFilter, data: Data = None, progress: Progress = None
) -> Iterator[PageRanges]:
    """Yield the pages that match, a chunk at a time. Pages outside *data* are not read."""
    size = chunk_size(_BYTES, Classifier.FIXED)
    scratch = Classifier(size)
    for first, words in chunks(extents, data, size, progress):
        matches = _matches(words, wanted, scratch)
        yield PageRanges.of_mask(matches[: len(words)], first)


def _matches(
    words: NDArray[np.uint64], wanted: SearchFilter, scratch: Classifier
) -> NDArray[np.bool_]:
    """Return for each page of a chunk whether the entry that covers it matches."""
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
        spread(fits.view(np.uint8), covered_mask(lo), np.empty(len(fits), np.uint8))
    if wanted.gpa is not None:
        fits &= _mapped(lo, wanted.gpa, large=large)
    return fits


def _mapped(lo: NDArray[np.uint64], gpa: tuple[int, int], *, large: bool) -> NDArray[np.bool_]:
    """Return for each page of a chunk whether a guest owns it at one of the addresses *gpa*."""
    owned = lo & np.uint64(RmpLo.asid.mask) != 0
    frame = lo & np.uint64(RmpLo.gpa.mask)
    if large:
        covered = covered_mask(lo)
        spread(owned.view(np.uint8), covered, np.empty(len(lo), np.uint8))
        spread(frame, covered, np.empty_like(frame))
        rows = covered.reshape(-1, REGION)
        frame += (rows * np.arange(0, REGION << 12, 1 << 12, dtype=np.uint64)).reshape(-1)
        frame &= np.uint64(RmpLo.gpa.mask)
    mapped: NDArray[np.bool_] = owned & (frame >= gpa[0] << 12)
    mapped &= frame <= gpa[1] << 12
    return mapped


class PageRun(NamedTuple):
    """Pages from *start* up to *stop* in one state, of one owner, with the same permissions.

    Those of a guest are contiguous in the guest as well.
    """

    start: int
    stop: int
    lo: int
    """First quadword of the entry that covers the first page."""
    hi: int
    gpa: int
    """Guest page number of the first page; for pages of no guest, the field as stored."""

    @property
    def pages(self) -> int:
        """Return the number of pages."""
        return self.stop - self.start

    @property
    def state(self) -> RmpState:
        """Return the state of the pages."""
        return state_of(self.lo, self.hi)

    def continues(self, other: PageRun) -> bool:
        """Return whether *other* continues this run."""
        alike = (self.lo ^ other.lo) & int(_SAME) == 0 and self.hi == other.hi
        moved = self.pages if RmpLo(self.lo).asid else 0
        return alike and other.start == self.stop and other.gpa == self.gpa + moved


def page_runs(
    dump: Dump,
    wanted: SearchFilter,
    within: PageRanges | None = None,
    progress: Progress | None = None,
) -> Iterator[PageRun]:
    """Yield the pages of *dump* that match, in order, as runs; only those *within* a set."""
    known = dump.known if within is None else _both(dump.known, within)
    last: PageRun | None = None
    for run in _cut(dump, wanted, known, progress):
        if last is not None and last.continues(run):
            last = last._replace(stop=run.stop)
            continue
        if last is not None:
            yield last
        last = run
    if last is not None:
        yield last


def _cut(
    dump: Dump, wanted: SearchFilter, known: PageRanges, progress: Progress | None
) -> Iterator[PageRun]:
    """Yield runs, some of which the next one continues."""
    zeros = _match_zeros(wanted)
    nonzero = _both(known.widened(REGION), dump.data.widened(REGION))
    at = 0
    for extent in dump.extents:
        at = max(at, extent.first)
        data = nonzero.within(extent.first, extent.stop)
        for start, stop in data:
            if zeros:
                yield from _holes(known, at, start)
            part = extent.words[start - extent.first : stop - extent.first]
            for runs in find((Extent(start, part),), wanted, None, progress):
                for first, end in _both(runs, known):
                    yield from _runs(Extent(start, part), first, end)
            at = stop
        if zeros:
            yield from _holes(known, at, extent.stop)
        at = extent.stop


def _match_zeros(wanted: SearchFilter) -> bool:
    blank = Extent(0, np.zeros((1, 2), np.dtype("<u8")))
    return PageRanges.of_parts(find((blank,), wanted)).pages > 0


def _holes(known: PageRanges, start: int, stop: int) -> Iterator[PageRun]:
    if start < stop:
        for first, end in known.within(start, stop):
            yield PageRun(first, end, 0, 0, 0)


def _both(one: PageRanges, other: PageRanges) -> PageRanges:
    """Return the pages that are in both."""
    parts = (other.within(start, stop) for start, stop in one)
    return PageRanges.of_parts(parts)


def _runs(extent: Extent, start: int, stop: int) -> Iterator[PageRun]:
    """Yield pages *start* to *stop*, cut where they differ, a part of the table at a time."""
    for first in range(start & -REGION, stop, _STEP):
        words = extent.words[first - extent.first : first - extent.first + _STEP]
        yield from _runs_of(words, first, max(start, first), min(stop, first + _STEP))


def _runs_of(words: NDArray[np.uint64], first: int, start: int, stop: int) -> Iterator[PageRun]:
    low = np.ascontiguousarray(words[:, 0])
    places = np.arange(len(low))
    own = low.copy()
    resolve_chunk(low)
    heads = np.where(low == own, places, places & -REGION)
    inside = slice(start - first, stop - first)
    heads, low = heads[inside], low[inside]
    high = words[:, 1][heads]
    guest = low & _ASID != 0
    gpa = (low & _GPA) >> np.uint64(RmpLo.gpa.low)
    gpa += np.where(guest, places[inside] - heads, 0).astype(np.uint64)
    step = guest[:-1].astype(np.uint64)
    differ = (low[1:] ^ low[:-1]) & _SAME != 0
    differ |= (high[1:] != high[:-1]) | (gpa[1:] != gpa[:-1] + step)
    starts = np.concatenate([[0], np.flatnonzero(differ) + 1])
    stops = np.append(starts[1:], len(low))
    rows = zip(starts, stops, low[starts], high[starts], gpa[starts], strict=True)
    for begin, end, lo, hi, frame in rows:
        yield PageRun(start + int(begin), start + int(end), int(lo), int(hi), int(frame))
