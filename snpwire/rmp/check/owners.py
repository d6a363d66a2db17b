"""Rules of a table as a whole: owners, guest contexts, counters, and the table's own pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...finding import Rule, Severity, counted
from ...wire.address import REGION
from ...wire.rmp import ASIDS, STILL, RmpState, state_of
from ...wire.rmp_faults import FIRMWARE
from ...wire.rmp_words import CHANGING
from ..page_ranges import PageRanges
from ..search import SearchFilter, find

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..census import Census
    from ..dump import Dump
    from .finding_log import FindingLog
    from .owner_scan import OwnerScan

COUNTER = Rule(
    "rmp-counter", Severity.ERROR, "The counter of an ASID counts its pages", "AMD-ASPFW ACTIVATE"
)
UNITS = Rule(
    "rmp-counter-units",
    Severity.WARNING,
    "All counters count a 2 MiB page alike",
    "AMD-ASPFW ACTIVATE; no source has the unit",
)
BEYOND = Rule(
    "rmp-counter-beyond",
    Severity.WARNING,
    "Counters of ASIDs that no entry can have are 0",
    FIRMWARE,
)
NO_CONTEXT = Rule(
    "rmp-guest-without-context",
    Severity.WARNING,
    "There is a guest context for each ASID that owns pages",
    "AMD-ASPFW DECOMMISSION",
)
IDLE = Rule(
    "rmp-context-without-guest",
    Severity.NOTE,
    "There is an ASID that owns pages for each guest context",
    "AMD-ASPFW GCTX_CREATE, DECOMMISSION",
)
LEFT = Rule(
    "rmp-immutable-left",
    Severity.WARNING,
    "A guest with immutable pages has others",
    "AMD-ASPFW PAGE_RECLAIM",
)
RECLAIM = Rule(
    "rmp-reclaim-left",
    Severity.NOTE,
    "A reclaimed page becomes hypervisor-owned",
    "AMD-ASPFW PAGE_RECLAIM",
)
METADATA = Rule(
    "rmp-metadata-without-context",
    Severity.ERROR,
    "Metadata names the page of a guest context",
    "AMD-ASPFW PAGE_MD_INIT",
)
OWN = Rule(
    "rmp-own-pages",
    Severity.ERROR,
    "The pages of the table are firmware-owned",
    "AMD-ASPFW SNP_INIT",
)
ZERO = Rule(
    "rmp-all-zero",
    Severity.WARNING,
    "A table in use has entries, its own at least",
    "AMD-ASPFW SNP_INIT",
)
UNLIKE = Rule(
    "rmp-unlike-a-table",
    Severity.WARNING,
    "Nearly all entries are in a state that the firmware knows",
    FIRMWARE,
)
MIB_PAGES = 256
MANY = 64
UNLIKELY = 0.05
"""Share of entries in no valid state above which the bytes are hardly a table."""


def judge_owners(dump: Dump, census: Census, scan: OwnerScan, log: FindingLog) -> None:
    """Judge what does not depend on counters: guests and contexts, leftovers, the whole table."""
    states = census.by_state()
    if scan.all_zero:
        text = (
            f"entries of {counted(dump.pages, 'page')}, all zero: SNP was not initialised, "
            "or this is no table"
        )
        log.add(ZERO, "table", 0, text, None if dump.whole else Severity.NOTE)
    used = dump.pages - states.get(RmpState.HYPERVISOR, 0)
    odd = states.get(RmpState.INVALID, 0)
    if odd > MANY and odd > used * UNLIKELY:
        text = (
            f"{odd} of {used} entries that are not hypervisor-owned are in no state of the rules:"
            " read from the wrong place, encrypted, or not of Milan or Genoa"
        )
        log.add(UNLIKE, "table", 0, text)
    _judge_leftovers(dump, census, scan, log)
    if scan.reclaim is not None:
        count = states.get(RmpState.RECLAIM, 0)
        pages = counted(count, "page")
        text = f"{pages} reclaimed from the firmware, not hypervisor-owned yet"
        log.add(RECLAIM, f"page {scan.reclaim:#x}", dump.offset(scan.reclaim), text)
    _judge_metadata(dump, scan, log)


def _judge_leftovers(dump: Dump, census: Census, scan: OwnerScan, log: FindingLog) -> None:
    """Report pages of guests that no longer exist, if the table is whole."""
    if not dump.whole:
        return
    contexts = census.by_state().get(RmpState.CONTEXT, 0)
    why = "which has no others" if contexts else "but no page holds a guest context"
    for asid, page in scan.immutable.pages.items():
        counts = census.guest(asid)
        immutable = sum(counts.get(state, 0) for state in STILL)
        if not contexts or immutable == sum(counts.values()):
            text = f"{counted(immutable, 'immutable page')} of asid {asid}, {why}"
            log.add(LEFT, f"page {page:#x}", dump.offset(page), text)
    count = len(scan.guests.pages)
    if contexts > count and scan.context is not None:
        text = (
            f"guest contexts are in {counted(contexts, 'page')}, but {counted(count, 'ASID')} "
            f"{'owns' if count == 1 else 'own'} pages: not launched yet, or never decommissioned"
        )
        place = f"page {scan.context:#x}"
        log.add(IDLE, place, dump.offset(scan.context), text)
    if count > contexts:
        asid, page = next(iter(scan.guests.pages.items()))
        some = (
            f"{len(scan.guests.pages)} ASIDs own"
            if len(scan.guests.pages) > 1
            else f"ASID {asid} owns"
        )
        text = f"{some} pages, but guest contexts are in {counted(contexts, 'page')}"
        log.add(NO_CONTEXT, f"page {page:#x}", dump.offset(page), text)


def _judge_metadata(dump: Dump, scan: OwnerScan, log: FindingLog) -> None:
    """Report pages of metadata that name no guest context; one outside the dump may be one."""
    named = sorted({context for _, context in scan.metadata})
    low, known = dump.lows(np.array(named, np.int64))
    words = zip(named, low.tolist(), known.tolist(), strict=True)
    states = {page: state_of(word, 0) for page, word, here in words if here}
    for page, context in scan.metadata:
        state = states.get(context)
        if state is not RmpState.CONTEXT and (state or dump.whole):
            is_ = f"is {state.name}" if state else "has no entry"
            text = f"metadata of the guest context in page {context:#x}, which {is_}"
            log.add(METADATA, f"page {page:#x}", dump.offset(page), text)


def judge_own_pages(dump: Dump, scan: OwnerScan, log: FindingLog) -> tuple[int, int] | None:
    """Judge the pages of the table itself, and return the first and the one after the last.

    Without the base of the table, the longest run of firmware pages is taken, if it has room for
    the table and begins on a 1 MiB boundary as the firmware requires.
    """
    pages = -(-dump.size >> 12)
    if dump.base is None:
        start, stop = scan.longest
        fits = pages and stop - start >= pages and start % MIB_PAGES == 0
        return (start, start + pages) if fits else None
    start, stop = dump.base >> 12, (dump.base >> 12) + pages
    ours = PageRanges.of([(start, stop)])
    right = PageRanges.of_parts(find(dump.extents, SearchFilter(state=RmpState.FIRMWARE), ours))
    known = dump.known.mask(start, stop)
    if dump.whole and not known.all():
        missing = int((~known).sum())
        text = f"{counted(missing, 'page')} of the table itself, which it has no entries for"
        log.add(OWN, f"page {start + int(np.argmin(known)):#x}", 0, text)
    wrong = known & ~right.mask(start, stop)
    for first, end in PageRanges.of_mask(wrong, start):
        low, _ = dump.lows(np.array([first], np.int64))
        state = state_of(int(low[0]), 0)
        text = f"{counted(end - first, 'page')} of the table itself, yet {state.name}"
        log.add(OWN, f"page {first:#x}", dump.offset(first), text)
    return start, stop


def judge_counters(
    counters: NDArray[np.uint64], offset: int, census: Census, log: FindingLog
) -> str:
    """Compare *counters*, of shape (2048,), with the census; return how they count 2 MiB.

    *offset* is that of the counters in their file. Whether a 2 MiB page counts once or as 512 is
    unknown, so either is accepted if all counters agree. Counter 0 is not judged: no source says
    whether it counts firmware pages.
    """
    small = census.counts[:, 0].sum(1)
    large = census.counts[:, 1].sum(1)
    units: dict[str, int] = {}
    for asid in range(1, ASIDS):
        count, each = int(counters[asid]), int(small[asid] + large[asid])
        once = int(small[asid] - (-large[asid] // REGION))
        if asid == CHANGING or count == once == each:
            continue
        if count in (once, each):
            units.setdefault("once" if count == once else "as 512", asid)
            continue
        pages = counted(each, "page")
        if once != each:
            pages = f"{once} or {each} pages, by how 2 MiB count"
        text = f"is {count}, but the asid has {pages}"
        log.add(COUNTER, f"counter of asid {asid}", offset + 8 * asid, text)
    for asid in (np.flatnonzero(counters[ASIDS:]) + ASIDS).tolist():
        text = f"is {int(counters[asid])}, but an entry has no room for such an ASID"
        log.add(BEYOND, f"counter of asid {asid}", offset + 8 * asid, text)
    if len(units) == 2:
        text = f"counts a 2 MiB page once, that of asid {units['as 512']} as 512"
        asid = units["once"]
        log.add(UNITS, f"counter of asid {asid}", offset + 8 * asid, text)
    return " and ".join(sorted(units))


RULES = (COUNTER, UNITS, BEYOND, NO_CONTEXT, IDLE, LEFT, RECLAIM, METADATA, OWN, ZERO, UNLIKE)
