"""``snpwire rmp summary``: how many pages there are of each kind, and whose."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from ...finding import tally
from ...rmp.check.check import Verdict
from ...rmp.check.check import check as judge
from ...view.text import part_text, size_text
from ...wire.rmp import STILL, RmpState
from ..output import terminal_style, write_json, write_lines, write_note
from ..progress import Meter
from .input import Input, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...bits import OpenEnum
    from ...rmp.census import Census
    from .options import RmpOptions


class Guest(NamedTuple):
    """The pages of one ASID."""

    asid: int
    pages: int
    large: int
    """Those that are parts of 2 MiB pages."""
    valid: int
    invalid: int
    held: int
    """Those held still for the firmware."""
    save_areas: int


def run(options: RmpOptions, *, json: bool) -> int:
    """Print the counts."""
    given, census, verdict = examined(options, limit=0)
    guests = list(guests_of(census, verdict))
    if json:
        write_json(_object(given, census, verdict, guests))
        return 0
    write_lines(_lines(given, census, verdict, guests))
    if verdict.gathered.counts:
        write_note("snpwire rmp check shows the findings")
    return 0


def examined(options: RmpOptions, *, limit: int) -> tuple[Input, Census, Verdict]:
    """Read the input, say how, count its pages, judge it; keep *limit* findings of each rule."""
    given = read(options)
    write_note(*given.notes)
    dump = given.dump
    total = dump.data.pages
    with Meter("counting", total, given.let_go) as meter:
        census = dump.census(meter)
    with ExitStack() as stack:

        def meter_of(
            passes: int, what: str = "looking for guest pages that are there twice"
        ) -> Meter:
            return stack.enter_context(Meter(what, passes * total, given.let_go))

        checking = meter_of(1, "checking")
        verdict = judge(dump, census, limit=limit, progress=checking, again=meter_of)
    return given, census, verdict


def guests_of(census: Census, verdict: Verdict) -> Iterator[Guest]:
    """Yield what each ASID has."""
    for asid, pages in census.by_asid().items():
        if asid:
            states = census.guest(asid)
            yield Guest(
                asid,
                pages,
                int(census.counts[asid, 1].sum()),
                states.get(RmpState.GUEST_VALID, 0),
                states.get(RmpState.GUEST_INVALID, 0),
                sum(states.get(state, 0) for state in STILL),
                int(verdict.save_areas[asid]),
            )


def _lines(given: Input, census: Census, verdict: Verdict, guests: list[Guest]) -> Iterator[str]:
    look = terminal_style()
    dump = given.dump
    total = census.pages
    amount = f"{total:,} page{'' if total == 1 else 's'}  {size_text(total << 12)}"
    where = f"{dump.first << 12:#x} .. {(dump.stop << 12) - 1:#x}"
    yield look.mark(look.strong, f"{given.name}  {amount}  {where}")
    yield from _table("state", census.by_state(), total)
    yield from _table("owner", census.by_owner(), total)
    yield f"guests  {len(guests)}"
    if guests:
        names = ("asid", "pages", "memory", "in 2 MiB", "valid", "invalid", "held", "save areas")
        yield "  " + "".join(f"{name:>{w}}" for name, w in zip(names, WIDTHS, strict=True))
    for guest in guests:
        cells = [f"{guest.asid}", f"{guest.pages:,}", size_text(guest.pages << 12)]
        cells += [f"{count:,}" for count in guest[2:]]
        yield "  " + "".join(f"{cell:>{w}}" for cell, w in zip(cells, WIDTHS, strict=True))
    if verdict.own:
        start, stop = verdict.own
        told = "as --base says" if dump.base is not None else "the longest run of FIRMWARE fits it"
        yield f"table   {start << 12:#x} .. {(stop << 12) - 1:#x}  {stop - start:,} pages, {told}"
    yield from _counters(given, verdict)
    yield f"findings  {tally(verdict.gathered.severities)}"


WIDTHS = (5, 15, 12, 15, 15, 13, 11, 12)


def _table(title: str, counts: Mapping[Any, int], total: int) -> Iterator[str]:
    yield title
    for name, pages in counts.items():
        kind: OpenEnum = name
        part = f"{part_text(pages / total):>6}"
        text = f"{pages:>15,} {size_text(pages << 12):>10} {part}  {kind.doc}"
        yield f"  {kind.name:<14}{text}"


def _counters(given: Input, verdict: Verdict) -> Iterator[str]:
    if given.dump.counters is None:
        return
    wrong = verdict.gathered.counts.get("rmp-counter", 0)
    if not given.dump.counters.any():
        told = "all are zero"
    elif wrong:
        told = f"{wrong} of them {'disagrees' if wrong == 1 else 'disagree'} with the pages"
    else:
        told = "agree with the pages"
    unit = f"; a page of 2 MiB counts {verdict.units}" if verdict.units else ""
    yield f"counters  {told}{unit}"


def _object(given: Input, census: Census, verdict: Verdict, guests: list[Guest]) -> dict[str, Any]:
    """Return the same as an object."""
    dump = given.dump
    out: dict[str, Any] = {
        "schema": "rmp-summary/1",
        "input": given.name,
        "kind": "log" if given.is_log else "image",
        "pages": census.pages,
        "first": f"{dump.first:#x}",
        "last": f"{dump.stop - 1:#x}",
        "states": {state.name: pages for state, pages in census.by_state().items()},
        "owners": {owner.name: pages for owner, pages in census.by_owner().items()},
        "guests": [guest._asdict() for guest in guests],
        "counters": None,
        "table": None,
        "findings": dict(sorted(verdict.gathered.counts.items())),
        "notes": list(given.notes),
    }
    if dump.counters is not None:
        out["counters"] = {
            "values": {str(n): int(dump.counters[n]) for n in dump.counters.nonzero()[0].tolist()},
            "a_2m_page_counts": verdict.units or None,
        }
    if verdict.own:
        told = dump.base is not None
        out["table"] = {
            "first": f"{verdict.own[0]:#x}",
            "last": f"{verdict.own[1] - 1:#x}",
            "told": told,
        }
    return out
