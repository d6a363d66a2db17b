"""The check of a whole table: what is wrong with it, and where.

Each entry is judged by itself and with its 2 MiB region, a chunk at a time; then owners and
counters are judged, and guest pages that the table has twice are looked for. Memory does not grow
with the table: it holds chunks, ``aliases.ROOM`` runs of guest pages, and the findings of the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...finding import Rule, Severity
from ...wire.address import REGION
from ...wire.rmp_faults import CHANGING
from ..chunks import CHUNK, chunks
from ..states import Classifier
from . import entry_rules, owners, region_rules
from .aliases import ROOM, Alias, Aliases
from .chunk import Chunk, guest_mask
from .finding_log import FindingLog
from .owner_scan import OwnerScan

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ..census import Census
    from ..chunks import Extent, Progress
    from ..dump import Dump

ALIASED = Rule(
    "rmp-aliased",
    Severity.ERROR,
    "One page of the host only maps a page of a guest",
    "the guest's duty, APM volume 2, 15.36",
)

RULES: tuple[Rule, ...] = (
    *(each.rule for group in entry_rules.RULES.values() for each in group),
    *(entry_rules.MISPLACED, CHANGING.rule, entry_rules.CHANGING_OTHER.rule),
    *region_rules.RULES,
    ALIASED,
    *owners.RULES,
)
"""Every rule that a table is checked against."""


class CheckResult(NamedTuple):
    """The findings of a check, and what else it read from the table."""

    log: FindingLog
    save_areas: NDArray[np.int64]
    """Save areas by ASID; shape (1024,)."""
    units: str
    """How the counters count a 2 MiB page, as far as they show it."""
    own: tuple[int, int] | None
    """Pages of the table itself, from and to: as given, or the FIRMWARE run that fits its size."""


def check(
    dump: Dump,
    census: Census,
    *,
    limit: int = 20,
    room: int = ROOM,
    progress: Progress | None = None,
    again: Callable[[int], Progress] | None = None,
) -> CheckResult:
    """Judge *dump*, whose census is *census*; keep *limit* findings of each rule.

    *progress* is called with the number of pages judged since its last call. Where guest pages take
    more passes, *again* is called with about how many, and returns the progress of all of them.
    """
    log, scan, aliases, scratch = FindingLog(limit), OwnerScan(), Aliases(room), Classifier(CHUNK)
    for extent in chunks(dump.extents, dump.data, CHUNK, progress):
        if extent.words.any():  # zeros break no rule
            chunk = Chunk.of(extent, dump.offset(extent.first), scratch)
            region_rules.judge(chunk, _complete(dump, extent), log)
            entry_rules.judge(chunk, log)
            scan.add(chunk)
            aliases.feed(chunk.first, chunk.lo, chunk.guest)
    _find_aliases(dump, aliases, log, again)
    owners.judge_owners(dump, census, scan, log)
    units = ""
    if dump.counters is not None:
        units = owners.judge_counters(dump.counters, dump.counters_offset, census, log)
    own = owners.judge_own_pages(dump, scan, log)
    return CheckResult(log, scan.save_areas, units, own)


def _complete(dump: Dump, extent: Extent) -> NDArray[np.bool_]:
    """Return of which whole 2 MiB regions every entry is known; shape (regions,)."""
    whole = len(extent.words) // REGION
    known = dump.known.mask(extent.first, extent.first + whole * REGION)
    complete: NDArray[np.bool_] = np.logical_and.reduce(known.reshape(whole, REGION), axis=1)
    return complete


def _find_aliases(
    dump: Dump, aliases: Aliases, log: FindingLog, again: Callable[[int], Progress] | None
) -> None:
    """Report the aliases of the first pass, then read the table again as often as it takes."""
    _report_aliases(dump, aliases.take(), log)
    progress: Progress | None = None
    if not aliases.done and again is not None:
        progress = again(-(-aliases.left // aliases.room))
    while not aliases.done:
        for extent in chunks(dump.extents, dump.data, CHUNK, progress):
            lo = np.ascontiguousarray(extent.words[:, 0])
            aliases.feed(extent.first, lo, guest_mask(lo))
        _report_aliases(dump, aliases.take(), log)
    # more runs than there is room for begin at the guest page of each of these
    log.count(ALIASED, aliases.dropped, Severity.WARNING)


def _report_aliases(dump: Dump, found: NDArray[np.uint64], log: FindingLog) -> None:
    """Report aliases, of shape (5, aliases), as ``Aliases.take`` returns them."""
    validated = found[4] == 1
    for columns, severity in (
        (found[:, validated], Severity.ERROR),
        (found[:, ~validated], Severity.WARNING),
    ):
        for column in columns[:, : log.limit].T:
            alias = Alias.of(column)
            place, offset = f"page {alias.second:#x}", dump.offset(alias.second)
            log.add(ALIASED, place, offset, alias.text, severity)
        log.count(ALIASED, columns.shape[1] - log.limit, severity)
