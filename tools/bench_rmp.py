"""What ``bench.py`` measures of the reverse map table: reading all of it beside copying it."""

from __future__ import annotations

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from bench_contests import Contest, Rival, aligned, timed

from snpwire.rmp.table import Table
from snpwire.wire.rmp import STATES, RmpEntry, RmpLo, state_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MIB = 1 << 20
GUESTS = 400
MASKED = 1 << 22
LOOPED = 1 << 14
ROUNDS = 15
BOTH = 1.3
"""How much faster two threads have to read memory for two cores to count as free."""
COPY = "a copy of the table, np.copyto"


def rmp(entries: int) -> dict[str, Callable[[], Contest]]:
    """Return what makes each contest, by name; a table has *entries*."""
    return {
        "rmp-host": partial(whole, entries, host, "of a host", (0.25, 0.2)),
        "rmp-random": partial(whole, entries, mixed, "each entry at random", (None, None)),
        "rmp-threads": partial(threads, entries),
        "rmp-masks": partial(masks, min(entries, MASKED)),
        "rmp-loop": loop,
    }


def empty(entries: int) -> Table:
    """Return a table in memory that starts at a page."""
    memory = aligned(entries * RmpEntry.SIZE)
    return Table.over(memory.data, counters=False, writeable=True)


def host(entries: int) -> Table:
    """Return the table of a host: its own pages, guests on large and on small pages, free memory.

    Of 16 parts, 5 are guests on pages of 2 MiB, 8 are stretches of 1 to 64 pages, each of one
    guest, and the rest is the hypervisor's. Each guest has three pages of the firmware, anywhere.
    """
    table, rng = empty(entries), np.random.default_rng(1)
    lo, part = table.entries["lo"], entries // 16
    lo[: entries // 256] = RmpLo.of(assigned=1, immutable=1, lock=1)
    places = np.arange(part, 6 * part, 512)
    lo[places] = guests(rng.integers(1, GUESTS, len(places)), places, page_size=1)
    lengths = rng.integers(1, 65, part)
    owners = np.repeat(rng.integers(1, GUESTS, part), lengths)[: 8 * part]
    places = np.arange(6 * part, 6 * part + len(owners))
    lo[places] = guests(owners, places)
    lo[rng.integers(0, entries, 3 * GUESTS)] = RmpLo.of(assigned=1, immutable=1, vmsa=1)
    return table


def guests(owners: NDArray[Any], places: NDArray[Any], **fields: int) -> NDArray[np.uint64]:
    """Return the first quadwords of pages that guests have accepted."""
    lo = np.full(len(owners), RmpLo.of(assigned=1, validated=1, **fields), np.uint64)
    lo |= owners.astype(np.uint64) << np.uint64(RmpLo.asid.low)
    lo |= places.astype(np.uint64) << np.uint64(RmpLo.gpa.low)
    return lo


def mixed(entries: int) -> Table:
    """Return a table in which each entry has any state that there is, whatever its neighbours."""
    table, rng = empty(entries), np.random.default_rng(1)
    ranges = [{name: values[-1] for name, values in rule.fields.items()} for rule in STATES]
    kinds = np.array([RmpLo.of(**fields) for fields in ranges], np.uint64)
    for first in range(0, entries, MIB):
        part = table.entries["lo"][first : first + MIB]
        part[:] = kinds[rng.integers(0, len(kinds), len(part))]
    return table


def whole(
    entries: int, make: Callable[[int], Table], what: str, targets: tuple[float | None, ...]
) -> Contest:
    """Compare the questions asked of a whole table with a copy of it."""
    table = make(entries)
    memory, out = aligned(entries * RmpEntry.SIZE), aligned(entries)
    names: dict[str, Any] = {"t": table, "o": out, "c": np.copyto, "e": table.entries.view("<u8")}
    names["m"] = memory.view("<u8")
    ways = {"state of every page": "t.states(out=o)", "census": "t.census()"}
    rivals = [
        Rival(f"snpwire, {name}", timed(way, **names), target)
        for (name, way), target in zip(ways.items(), targets, strict=True)
    ]
    rivals += [
        Rival(f"snpwire, {name}", timed(way, **names))
        for name, way in {
            "state of every page, into new memory": "t.states()",
            "pages of one guest": "t.find(asid=7)",
            "pages in one state": "t.find(state=7)",
        }.items()
    ]
    rivals += [taken(f"snpwire, {name}", way, names) for name, way in ways.items()]
    title = f"Read a table of {entries:,} entries, {what}"
    return Contest(title, COPY, timed("c(m, e)", **names), rivals, speed=True)


def taken(name: str, way: str, names: dict[str, Any]) -> Rival:
    """Return what a way takes of memory for itself, once it has run: 4 MiB at most."""
    eval(way, names)
    tracemalloc.start()
    eval(way, names)
    most = tracemalloc.get_traced_memory()[1] / MIB
    tracemalloc.stop()
    return Rival(f"{name}: memory", f"{'ok' if most < 4 else 'MISS'}: {most:.1f} MiB, < 4")


def threads(entries: int) -> Contest:
    """Compare two threads with a copy that one makes, by the clock."""
    table = host(entries)
    memory, out = aligned(entries * RmpEntry.SIZE), aligned(entries)
    words = table.entries.view("<u8")
    names: dict[str, Any] = {"t": table, "o": out, "c": np.copyto, "e": words}
    names["m"] = memory.view("<u8")
    one, two, both, copy = (
        timed(way, clock=perf_counter, **names)
        for way in (
            "t.states(out=o)",
            "t.states(out=o, threads=2)",
            "t.census(threads=2)",
            "c(m, e)",
        )
    )
    gain = free(words)
    busy = f"skipped: two cores are not free ({gain:.1f} times the reading of one)"
    rivals = [
        Rival("snpwire, state of every page", one),
        Rival("snpwire, with two threads", two if gain >= BOTH else busy, 0.4),
        Rival("snpwire, census with two threads", both),
        taken("snpwire, with two threads", "t.states(out=o, threads=2)", names),
    ]
    title = f"Read a table of {entries:,} entries with two threads, by the clock"
    return Contest(title, COPY, copy, rivals, speed=True)


def free(words: NDArray[Any]) -> float:
    """Return how much faster two threads read *words* than one does."""
    halves = np.array_split(words, 2)
    with ThreadPoolExecutor(2) as pool:
        names: dict[str, Any] = {"r": np.add.reduce, "w": words, "h": halves, "m": pool.map}
        one, two = (timed(way, clock=perf_counter, **names) for way in ("r(w)", "list(m(r, h))"))
        return median(one.timeit(1) / two.timeit(1) for _ in range(ROUNDS))


def masks(entries: int) -> Contest:
    """Compare masks over the whole table, one for each condition of each rule."""
    table = host(entries)
    memory = aligned(entries * RmpEntry.SIZE)
    names: dict[str, Any] = {"t": table, "o": aligned(entries), "c": np.copyto, "f": by_masks}
    names |= {"e": table.entries.view("<u8"), "m": memory.view("<u8"), "w": table.entries["lo"]}
    if not np.array_equal(by_masks(table.entries["lo"]), table.states()):
        raise AssertionError("masks and table do not agree")
    rivals = [
        Rival("snpwire", timed("t.states(out=o)", **names)),
        Rival("masks over the whole table", timed("f(w)", **names)),
    ]
    title = f"State of every page of {entries:,}"
    return Contest(title, COPY, timed("c(m, e)", **names), rivals, speed=True)


def by_masks(lo: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Tell states as one would at first: extract each field, compare, select."""
    fields = {name: RmpLo.BITS[name].of(lo) for name in ("assigned", "validated", "asid")}
    fields |= {name: RmpLo.BITS[name].of(lo) for name in ("immutable", "lock", "gpa", "vmsa")}
    fits = [
        np.logical_and.reduce(
            [(fields[n] >= v.start) & (fields[n] < v.stop) for n, v in rule.fields.items()]
        )
        for rule in STATES
    ]
    return np.select(fits, [np.uint8(rule.state) for rule in STATES], np.uint8(0))


def loop() -> Contest:
    """Compare one entry after the other with all at once."""
    table = mixed(LOOPED)
    names: dict[str, Any] = {"t": table, "s": state_of, "p": range(LOOPED), "e": table.entries}
    ways = {
        "snpwire, Table.state of each page": "for p in p_: t.state(p)",
        "snpwire, Table.entry of each page": "for p in p_: t.entry(p)",
        "snpwire, wire.rmp.state_of each entry": "for x in e: s(int(x['lo']), int(x['hi']))",
        "numpy, reading each entry alone": "for x in e: x['lo'], x['hi']",
    }
    rivals = [Rival(name, timed(way, p_=range(LOOPED), **names)) for name, way in ways.items()]
    title = f"State of each of {LOOPED:,} pages at random, in a loop"
    return Contest(title, "snpwire, all at once", timed("t.states()", **names), rivals)
