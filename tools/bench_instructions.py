"""What ``bench.py`` measures of instructions: a million updates beside loops that do the same."""

from __future__ import annotations

from functools import partial
from time import process_time
from timeit import Timer
from typing import TYPE_CHECKING, Any

import numpy as np
from bench_contests import Contest, Rival, timed

from snpwire.rmp import scalar
from snpwire.rmp import vector as instructions
from snpwire.rmp.access import Access
from snpwire.rmp.table import Table
from snpwire.rmp.vector.access import faults_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Pages = NDArray[np.int64]
    Words = NDArray[np.uint64]

UPDATES = 1_000_000
HOT = 1 << 18
"""Pages that half of the updates go to, so that many repeat."""
LOOPED = 20_000
"""Updates that a loop does; its time is told for all of them."""
GUESTS = 100
OWNER = 0x3FF << 51
FREE = OWNER | 4
SAME = OWNER | 0x0007_FFFF_FFFF_F003
LIMIT = (1 << 64) - 1


class Share(Timer):
    """A timer of a part of the work, which tells what all of it would take."""

    def __init__(self, statement: str, times: float, names: dict[str, Any]) -> None:
        super().__init__(statement, timer=process_time, globals=names)
        self.times = times

    def timeit(self, number: int = 1) -> float:
        """Return the seconds of *number* times the whole work."""
        return super().timeit(number) * self.times


def rmp_instructions(entries: int) -> dict[str, Callable[[], Contest]]:
    """Return what makes each contest, by name; a table has *entries*."""
    return {
        "rmp-update": partial(updates, entries, "memoryview", 5),
        "rmp-update-scalars": partial(updates, entries, "scalars", 15),
        "rmp-update-kinds": partial(kinds, entries),
        "rmp-guest": partial(guests, entries),
    }


def batch(entries: int, *, large: float = 0.0) -> tuple[Pages, Words]:
    """Return pages and operands: pages are given to guests, or to the firmware, and taken back.

    Half go anywhere, half to a few pages; of all, *large* are of 2 MiB.
    """
    rng = np.random.default_rng(1)
    pages = rng.integers(0, entries, UPDATES)
    hot = rng.random(UPDATES) < 0.5
    pages[hot] = rng.integers(0, HOT, int(hot.sum())) * (entries // HOT)
    owners, fixed = rng.integers(0, GUESTS, UPDATES), rng.random(UPDATES) < 0.02
    new = owners.astype(np.uint64) << np.uint64(51) | np.uint64(1)
    new |= pages.astype(np.uint64) << np.uint64(12) | fixed.astype(np.uint64) << np.uint64(2)
    new[rng.random(UPDATES) < 0.5] = 0
    wide = rng.random(UPDATES) < large
    pages[wide] &= -512
    new[wide] |= np.uint64(2)
    return pages, new


def updates(entries: int, way: str, target: float) -> Contest:
    """Compare a million scattered updates with a loop that makes the same checks."""
    pages, new = batch(entries)
    loop = {"memoryview": by_memoryview, "scalars": by_scalars}[way]
    agree(loop, large=0.01 if way == "memoryview" else 0)
    table = Table.blank(entries)
    names: dict[str, Any] = {"u": instructions.rmpupdate, "t": table, "p": pages, "n": new}
    names |= {"f": loop, "q": pages[:LOOPED].tolist(), "m": new[:LOOPED].tolist()}
    repeats = 100 - 100 * len(np.unique(pages)) // UPDATES
    title = f"{UPDATES:,} updates in {entries:,} entries, {repeats} % of a page met before"
    rivals = [Rival("snpwire, with all its checks", timed("u(t, p, n)", **names), target)]
    limit = Share("f(t, q, m)", UPDATES / LOOPED, names)
    return Contest(f"{title}: {way}", f"a loop over {way}", limit, rivals, speed=True)


def agree(loop: Callable[[Table, list[int], list[int]], list[int]], large: float) -> None:
    """Raise AssertionError unless a loop does what the instructions do."""
    pages, new = batch(HOT, large=large)
    one, other = Table.blank(HOT), Table.blank(HOT)
    pages, new = pages[:LOOPED], new[:LOOPED]
    status = instructions.rmpupdate(one, pages, new)
    same = status.tolist() == loop(other, pages.tolist(), new.tolist())
    if not same or not np.array_equal(one.entries, other.entries):
        raise AssertionError("loop and instructions do not agree")


def by_memoryview(table: Table, pages: list[int], words: list[int]) -> list[int]:
    """Update entries as one would at first, through a memoryview of plain numbers."""
    memory: Any = memoryview(table.entries.view(np.uint64))  # type: ignore[arg-type]
    counters: Any = memoryview(table.counters)  # type: ignore[arg-type]
    status, covered = [], table.pages
    for page, new in zip(pages, words, strict=True):
        head = page & ~511
        if page >= covered or new & 0xE000_0000_0000_0FF8 or (not new & 1 and new & FREE):
            status.append(1)
            continue
        if new & 2 and (head != page or head + 512 > covered):
            status.append(1)
            continue
        old, top = memory[page << 1], memory[head << 1]
        if old & 4:
            status.append(2)
            continue
        whole = top & 3 == 3
        if (top & 0xFF8 and not whole) if new & 2 else whole:
            status.append(4)
            continue
        fresh = (old ^ new) & SAME or not new & OWNER
        word = new | (0 if new & 2 else old & 0xFF8) | (1 << 63 if new & 4 else 0)
        memory[page << 1] = word if fresh else word | old & 3 << 61
        if fresh:
            memory[page << 1 | 1] = memory[page << 1 | 1] & ~0xFFFF_FFFF | 0x1F
        if new & 2 and whole != (new & 3 == 3):
            for place in range(head + 1, head + 512):
                memory[place << 1], memory[place << 1 | 1] = new & 1, 0
        elif not new & 2 and head != page and (old ^ new) & 1:
            memory[head << 1] = top & ~0xFFA | top + (8 if new & 1 else -8) & 0xFF8
        for entry, sign in ((old, -1), (new, 1)):
            if entry & 1 and entry & OWNER:
                owner, some = entry >> 51 & 0x3FF, 512 if entry & 2 else 1
                counters[owner] = counters[owner] + sign * some & LIMIT
        status.append(0)
    return status


def by_scalars(table: Table, pages: list[int], words: list[int]) -> list[int]:
    """Update entries through the array, one element at a time; pages of 4 KiB alone."""
    lo, hi, counters = table.entries["lo"], table.entries["hi"], table.counters
    assert counters is not None
    status, covered, u = [], table.pages, np.uint64
    odd, free, same = u(0xE000_0000_0000_0FFA), u(FREE), u(SAME)
    owner, count, lock, kept = u(OWNER), u(0xFF8), u(1 << 63), u(3 << 61)
    one, three, four, low, high = u(1), u(3), u(4), u(0x1F), u(0xFFFF_FFFF << 32)
    for page, number in zip(pages, words, strict=True):
        new, head = u(number), page & ~511
        if page >= covered or new & odd or (not new & one and new & free):
            status.append(1)
            continue
        old, top = lo[page], lo[head]
        if old & four:
            status.append(2)
            continue
        if top & three == three:
            status.append(4)
            continue
        fresh = (old ^ new) & same or not new & owner
        word = new | old & count | (lock if new & four else u(0))
        lo[page] = word if fresh else word | old & kept
        if fresh:
            hi[page] = hi[page] & high | low
        if head != page and (old ^ new) & one:
            step = u(8) if new & one else u((1 << 64) - 8)
            lo[head] = top & ~u(0xFFA) | np.add(top, step) & count
        for entry, sign in ((old, -1), (new, 1)):
            if entry & one and entry & owner:
                at = entry >> u(51) & u(0x3FF)
                counters[at] = counters[at] + one if sign > 0 else counters[at] - one
        status.append(0)
    return status


def kinds(entries: int) -> Contest:
    """Compare batches of other kinds with the scattered one."""
    table, u = Table.blank(entries), instructions.rmpupdate
    pages, new = batch(entries)
    some, words = batch(entries, large=0.01)
    rng = np.random.default_rng(2)
    once = rng.permutation(entries)[:UPDATES]
    one, range_ = np.full(UPDATES, 77), np.arange(UPDATES)
    small = new & ~np.uint64(2)
    ways = {
        "no page twice": (once, small),
        "pages in a row": (range_, small),
        "1 % of 2 MiB": (some, words),
        "one page a million times": (one, small),
    }
    rivals = [
        Rival(f"snpwire, {name}", timed("u(t, p, n)", u=u, t=table, p=which, n=word))
        for name, (which, word) in ways.items()
    ]
    names: dict[str, Any] = {
        "f": alone,
        "t": table,
        "q": pages[:LOOPED].tolist(),
        "m": new[:LOOPED].tolist(),
    }
    rivals.append(Rival("snpwire, scalar.rmpupdate", Share("f(t, q, m)", UPDATES / LOOPED, names)))
    limit = timed("u(t, p, n)", u=u, t=table, p=pages, n=new)
    title = f"{UPDATES:,} updates in {entries:,} entries, by kind"
    return Contest(title, "scattered, pages repeat", limit, rivals)


def alone(table: Table, pages: list[int], words: list[int]) -> None:
    """Update one page after the other."""
    for page, word in zip(pages, words, strict=True):
        scalar.rmpupdate(table, page, word)


def guests(entries: int) -> Contest:
    """Compare instructions of a guest and other questions with updates of the same pages."""
    table = Table.blank(entries)
    pages = np.random.default_rng(3).permutation(entries)[:UPDATES]
    new = pages.astype(np.uint64) << np.uint64(12) | np.uint64(1 << 51 | 1)
    instructions.rmpupdate(table, pages, new)
    names: dict[str, Any] = {
        "i": instructions,
        "t": table,
        "p": pages,
        "n": new,
        "f": faults_of,
        "a": Access,
    }
    names["g"] = scalar.PageOwner(0, 1)
    ways = {
        "pvalidate": "i.pvalidate(t, p, p, asid=1)",
        "rmpadjust": "i.rmpadjust(t, p, p, 0x101, asid=1)",
        "rmpread": "i.rmpread(t, p)",
        "reclaim": "i.reclaim(t, p)",
        "launch_update, of pages that are refused": "i.launch_update(t, p, 0, g)",
        "who may write": "f(t, p, a.SNP_WRITE, gpa=p, asid=1)",
    }
    rivals = [Rival(f"snpwire, {name}", timed(way, **names)) for name, way in ways.items()]
    title = f"{UPDATES:,} pages in {entries:,} entries, none twice"
    return Contest(title, "snpwire, rmpupdate", timed("i.rmpupdate(t, p, n)", **names), rivals)
