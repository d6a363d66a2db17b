"""A whole table held against the rules: what is wrong with it, where, and what it holds otherwise.

Each entry is judged by itself and with its 2 MiB region, a tile at a time; then owners and counters
are judged, and guest pages that the table has twice are looked for. What is held in memory does not
grow with the table: tiles, ``aliases.ROOM`` runs of guest pages, and the findings that are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...finding import Rule, Severity
from ...wire.address import REGION
from ...wire.rmp import RmpLo, RmpState
from ...wire.rmp_faults import CHANGING as CHANGING_HEAD
from ...wire.rmp_words import CHANGING
from ..chunks import TILE, silent, tiles
from ..entry import ASID, ASID_LOW, ASSIGNED, LARGE
from ..states import Classifier
from . import entry_rules, owners, region_rules
from .aliases import ROOM, Alias, Aliases
from .finding_log import Gathered, Part
from .owner_scan import Seen
from .region_rules import regions

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..census import Census
    from ..chunks import Extent, Progress
    from ..dump import Dump

_LARGE, _ASSIGNED, _ASID = np.uint64(LARGE), np.uint64(ASSIGNED), np.uint64(ASID)
_CHANGING = np.uint64(CHANGING << ASID_LOW)
ALIASED = Rule(
    "rmp-aliased",
    Severity.ERROR,
    "A page of a guest is in one page of the host alone",
    "the guest's duty, APM volume 2, 15.36",
)


RULES: tuple[Rule, ...] = (
    *(each.rule for group in entry_rules.RULES.values() for each in group),
    *(entry_rules.MISPLACED, CHANGING_HEAD.rule, entry_rules.CHANGING_OTHER.rule),
    *region_rules.RULES,
    ALIASED,
    *owners.RULES,
)
"""Every rule that a table is held against."""


class Verdict(NamedTuple):
    """What was found."""

    gathered: Gathered
    save_areas: NDArray[np.int64]
    """Save areas by ASID; shape (1024,)."""
    units: str
    """How the counters count a page of 2 MiB, as far as they tell."""
    own: tuple[int, int] | None
    """Pages of the table itself, from and to: as told, or the firmware's run that fits its size."""


def check(
    dump: Dump,
    census: Census,
    *,
    limit: int = 20,
    room: int = ROOM,
    progress: Progress | None = None,
    again: Callable[[int], Progress] | None = None,
) -> Verdict:
    """Judge *dump*, whose census is given; keep *limit* findings of each rule.

    *progress* is told how many pages more were judged. Where guest pages take more passes, *again*
    is told about how many, and returns what is told of the pages they go through.
    """
    judge = _Judge(dump, limit, room)
    for tile in tiles(dump.extents, dump.data, TILE, progress):
        judge.tile(tile)
    judge.aliases(again)
    gathered = judge.gathered
    owners.judge_owners(dump, census, judge.seen, gathered)
    units = ""
    if dump.counters is not None:
        at = dump.counters_offset
        units = owners.judge_counters(dump.counters, at, census, gathered)
    own = owners.judge_own_pages(dump, judge.seen, gathered)
    return Verdict(gathered, judge.seen.save_areas, units, own)


class _Judge:
    """The state of a check as it goes through the tiles."""

    def __init__(self, dump: Dump, limit: int, room: int) -> None:
        self.dump = dump
        self.gathered = Gathered(limit)
        self.seen = Seen()
        self._scratch = Classifier(TILE)
        self._aliases = Aliases(room)

    def tile(self, tile: Extent) -> None:
        """Judge the entries of a tile; one of zeroes breaks no rule."""
        if not tile.words.any():
            return
        part = Part(
            tile.first,
            np.ascontiguousarray(tile.words[:, 0]),
            np.ascontiguousarray(tile.words[:, 1]),
            self.dump.offset(tile.first),
        )
        regions(part, self._complete(part), self.gathered)
        speak = ~silent(part.lo)
        states = self._states(part)
        changing = part.lo & _ASID == _CHANGING
        if changing.any():
            self._changing(part, changing & speak)
            speak &= ~changing
        self._misplaced(part)
        self._entries(part, states, speak)
        guest = speak & (states >= RmpState.PRE_GUEST)
        self.seen.tile(part, states, speak, guest)
        self._aliases.feed(part.first, part.lo, guest)

    def _states(self, part: Part) -> NDArray[np.uint8]:
        np.copyto(self._scratch.lo[: len(part.lo)], part.lo)
        return self._scratch.states(len(part.lo))

    def _complete(self, part: Part) -> NDArray[np.bool_]:
        """Tell of which 2 MiB regions every entry is there."""
        whole = len(part.lo) // REGION
        known = self.dump.known.mask(part.first, part.first + whole * REGION)
        complete: NDArray[np.bool_] = np.logical_and.reduce(known.reshape(whole, REGION), axis=1)
        return complete

    def _entries(self, part: Part, states: NDArray[np.uint8], judged: NDArray[np.bool_]) -> None:
        """Judge entries by themselves, each rule those among which it is looked for."""
        at = np.flatnonzero(entry_rules.suspects(part.lo, part.hi, states) & judged)
        if not at.size:
            return
        lo, hi, state = part.lo[at], part.hi[at], states[at]
        save_area = (state >= RmpState.PRE_GUEST) & (RmpLo.vmsa.of(lo) == 1)
        everyone = np.ones(len(at), np.bool_)
        among = {"all": everyone, "rights": hi != 0, "save area": save_area}
        for name, mask in among.items():
            if mask.any():
                some = at[mask]
                place = (part.first + some) % REGION
                fields = entry_rules.Fields(place, lo[mask], hi[mask], state[mask])
                for rule in entry_rules.RULES[name]:
                    broken = some[rule.broken(fields)]
                    self.gathered.entries(rule.rule, part, broken, rule.text)

    def _misplaced(self, part: Part) -> None:
        large = part.lo & _LARGE != 0
        large[::REGION] = False
        self.gathered.entries(
            entry_rules.MISPLACED,
            part,
            np.flatnonzero(large),
            lambda page, lo, hi: (
                f"page_size is 1, but the page is {page % REGION} behind a 2 MiB boundary"
            ),
        )

    def _changing(self, part: Part, changing: NDArray[np.bool_]) -> None:
        at = np.flatnonzero(changing)
        head = (at % REGION == 0) & (RmpLo.page_size.of(part.lo[at]) == 0)
        for fault, which in (
            (CHANGING_HEAD, at[head]),
            (entry_rules.CHANGING_OTHER, at[~head]),
        ):
            self.gathered.entries(fault.rule, part, which, entry_rules.said_of(fault))

    def aliases(self, again: Callable[[int], Progress] | None) -> None:
        """Look for guest pages that are there twice, in as many passes as it takes."""
        progress: Progress | None = None
        while True:
            self._aliased(self._aliases.take())
            if self._aliases.done:
                # more runs than there is room for begin at the guest page of each of these
                self.gathered.many(ALIASED, self._aliases.dropped, Severity.WARNING)
                return
            if progress is None and again is not None:
                progress = again(-(-self._aliases.left // self._aliases.room))
            for tile in tiles(self.dump.extents, self.dump.data, TILE, progress):
                lo = np.ascontiguousarray(tile.words[:, 0])
                asid = lo & _ASID
                guest = (lo & _ASSIGNED != 0) & (asid != 0) & (asid != _CHANGING)
                if guest.any():
                    self._aliases.feed(tile.first, lo, guest & ~silent(lo))

    def _aliased(self, found: NDArray[np.uint64]) -> None:
        accepted = found[4] == 1
        kept = self.gathered.limit
        for columns, severity in (
            (found[:, accepted], Severity.ERROR),
            (found[:, ~accepted], Severity.WARNING),
        ):
            for column in columns[:, :kept].T:
                self._alias(Alias.of(column), severity)
            self.gathered.many(ALIASED, columns.shape[1] - kept, severity)

    def _alias(self, alias: Alias, severity: Severity) -> None:
        pages = f", and so on for {alias.pages} pages" if alias.pages > 1 else ""
        both = "" if alias.accepted else "; the guest has not accepted both"
        text = (
            f"asid {alias.asid} gpa {alias.gpa << 12:#x} is page {alias.first:#x} as well"
            f"{pages}{both}"
        )
        place = f"page {alias.second:#x}"
        self.gathered.add(ALIASED, place, self.dump.offset(alias.second), text, severity)
