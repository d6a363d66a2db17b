"""What is wrong with a table as a whole: who owns pages, and what of that cannot go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...finding import Rule, Severity, counted
from ...wire.address import REGION
from ...wire.rmp import ASIDS, STILL, RmpState, state_of
from ...wire.rmp_faults import FIRMWARE
from ...wire.rmp_words import CHANGING
from ..page_ranges import Runs
from ..search import Wanted, find

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..census import Census
    from ..dump import Dump
    from .finding_log import Gathered
    from .owner_scan import Seen

COUNTER = Rule(
    "rmp-counter", Severity.ERROR, "The counter of an ASID counts its pages", "AMD-ASPFW ACTIVATE"
)
UNITS = Rule(
    "rmp-counter-units",
    Severity.WARNING,
    "All counters count a 2 MiB page alike",
    "AMD-ASPFW ACTIVATE; no source tells the unit",
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
    "A guest with pages that are held immutable has others",
    "AMD-ASPFW PAGE_RECLAIM",
)
RECLAIM = Rule(
    "rmp-reclaim-left",
    Severity.NOTE,
    "A page that the firmware gives back becomes the hypervisor's",
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
    "The pages of the table are the firmware's",
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
"""Part of the entries in no state from which on the bytes are hardly a table."""


def judge_owners(dump: Dump, census: Census, seen: Seen, gathered: Gathered) -> None:
    """Judge what does not depend on counters: guests and contexts, leftovers, the whole."""
    states = census.by_state()
    if seen.nothing:
        text = (
            f"entries of {counted(dump.pages, 'page')}, all zero: SNP was not initialised, "
            "or this is no table"
        )
        gathered.add(ZERO, "table", 0, text, None if dump.whole else Severity.NOTE)
    used = dump.pages - states.get(RmpState.HYPERVISOR, 0)
    odd = states.get(RmpState.INVALID, 0)
    if odd > MANY and odd > used * UNLIKELY:
        text = (
            f"{odd} of {used} entries that are not the hypervisor's are in no state of the rules:"
            " read from the wrong place, encrypted, or not of Milan or Genoa"
        )
        gathered.add(UNLIKE, "table", 0, text)
    _left(dump, census, seen, gathered)
    if seen.reclaim is not None:
        count = states.get(RmpState.RECLAIM, 0)
        pages = counted(count, "page")
        text = f"{pages} given back by the firmware, not the hypervisor's again so far"
        gathered.add(RECLAIM, f"page {seen.reclaim:#x}", dump.offset(seen.reclaim), text)
    _metadata(dump, seen, gathered)


def _left(dump: Dump, census: Census, seen: Seen, gathered: Gathered) -> None:
    """Look for pages of guests that are no more; of a part of a table it cannot be told."""
    if not dump.whole:
        return
    contexts = census.by_state().get(RmpState.CONTEXT, 0)
    why = "which has no others" if contexts else "but no page holds a guest context"
    for asid, page in seen.held.pages.items():
        counts = census.guest(asid)
        held = sum(counts.get(state, 0) for state in STILL)
        if not contexts or held == sum(counts.values()):
            text = f"{counted(held, 'page')} held for asid {asid}, {why}"
            gathered.add(LEFT, f"page {page:#x}", dump.offset(page), text)
    count = len(seen.guests.pages)
    if contexts > count and seen.context is not None:
        text = (
            f"guest contexts are in {counted(contexts, 'page')}, but {counted(count, 'ASID')} "
            f"{'owns' if count == 1 else 'own'} pages: not launched yet, or never decommissioned"
        )
        place = f"page {seen.context:#x}"
        gathered.add(IDLE, place, dump.offset(seen.context), text)
    if count > contexts:
        asid, page = next(iter(seen.guests.pages.items()))
        some = (
            f"{len(seen.guests.pages)} ASIDs own"
            if len(seen.guests.pages) > 1
            else f"ASID {asid} owns"
        )
        text = f"{some} pages, but guest contexts are in {counted(contexts, 'page')}"
        gathered.add(NO_CONTEXT, f"page {page:#x}", dump.offset(page), text)


def _metadata(dump: Dump, seen: Seen, gathered: Gathered) -> None:
    """Look up the guest contexts that pages of metadata name; those not in the dump may be so."""
    named = sorted({context for _, context in seen.metadata})
    low, found = dump.lows(np.array(named, np.int64))
    words = zip(named, low.tolist(), found.tolist(), strict=True)
    states = {page: state_of(word, 0) for page, word, here in words if here}
    for page, context in seen.metadata:
        state = states.get(context)
        if state is not RmpState.CONTEXT and (state or dump.whole):
            is_ = f"is {state.name}" if state else "has no entry"
            text = f"metadata of the guest context in page {context:#x}, which {is_}"
            gathered.add(METADATA, f"page {page:#x}", dump.offset(page), text)


def judge_own_pages(dump: Dump, seen: Seen, gathered: Gathered) -> tuple[int, int] | None:
    """Judge the pages of the table itself, and return from which to which they go.

    Where it is not told where they lie, the longest run of the firmware's pages is taken, if it has
    room for the table and begins on a boundary of 1 MiB as the firmware wants it.
    """
    pages = -(-dump.size >> 12)
    if dump.base is None:
        start, stop = seen.longest
        fits = pages and stop - start >= pages and start % MIB_PAGES == 0
        return (start, start + pages) if fits else None
    start, stop = dump.base >> 12, (dump.base >> 12) + pages
    ours = Runs.of([(start, stop)])
    right = Runs.joined(find(dump.extents, Wanted(state=RmpState.FIRMWARE), ours))
    known = dump.known.mask(start, stop)
    if dump.whole and not known.all():
        missing = int((~known).sum())
        text = f"{counted(missing, 'page')} of the table itself, which it has no entries for"
        gathered.add(OWN, f"page {start + int(np.argmin(known)):#x}", 0, text)
    wrong = known & ~right.mask(start, stop)
    for first, end in Runs.of_mask(wrong, start):
        low, _ = dump.lows(np.array([first], np.int64))
        state = state_of(int(low[0]), 0)
        text = f"{counted(end - first, 'page')} of the table itself, yet {state.name}"
        gathered.add(OWN, f"page {first:#x}", dump.offset(first), text)
    return start, stop


def judge_counters(
    counters: NDArray[np.uint64], offset: int, census: Census, gathered: Gathered
) -> str:
    """Hold counters, of shape (2048,), against the census; return how they count 2 MiB.

    *offset* is where they begin in their file. Whether a page of 2 MiB counts once or as 512 is not
    known, so either will do, as long as all do alike. Counter 0 is not judged: nobody says whether
    it counts the firmware's pages.
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
        gathered.add(COUNTER, f"counter of asid {asid}", offset + 8 * asid, text)
    for asid in (np.flatnonzero(counters[ASIDS:]) + ASIDS).tolist():
        text = f"is {int(counters[asid])}, but an entry has no room for such an ASID"
        gathered.add(BEYOND, f"counter of asid {asid}", offset + 8 * asid, text)
    if len(units) == 2:
        text = f"counts a 2 MiB page once, that of asid {units['as 512']} as 512"
        asid = units["once"]
        gathered.add(UNITS, f"counter of asid {asid}", offset + 8 * asid, text)
    return " and ".join(sorted(units))


RULES = (COUNTER, UNITS, BEYOND, NO_CONTEXT, IDLE, LEFT, RECLAIM, METADATA, OWN, ZERO, UNLIKE)
