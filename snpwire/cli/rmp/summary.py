"""``snpwire rmp summary``: count pages by state and by owner."""

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


class GuestPages(NamedTuple):
    """The pages of one ASID."""

    asid: int
    pages: int
    large: int
    """Those that are part of 2 MiB pages."""
    valid: int
    invalid: int
    held: int
    """Those immutable while the firmware works on them: PRE_GUEST and PRE_SWAP."""
    save_areas: int


def run(options: RmpOptions, *, json: bool) -> int:
    """Print the counts."""
    source, census, verdict = examine(options, limit=0)
    guests = list(guests_of(census, verdict))
    if json:
        write_json(_object(source, census, verdict, guests))
        return 0
    write_lines(_lines(source, census, verdict, guests))
    if verdict.gathered.counts:
        write_note("snpwire rmp check shows the findings")
    return 0


def examine(options: RmpOptions, *, limit: int) -> tuple[Input, Census, Verdict]:
    """Read the input, count its pages and check them; keep *limit* findings of each rule."""
    source = read(options)
    write_note(*source.notes)
    dump = source.dump
    total = dump.data.pages
    with Meter("counting", total, source.release) as meter:
        census = dump.census(meter)
    with ExitStack() as stack:

        def meter_of(
            passes: int, what: str = "looking for guest pages that are mapped twice"
        ) -> Meter:
            return stack.enter_context(Meter(what, passes * total, source.release))

        checking = meter_of(1, "checking")
        verdict = judge(dump, census, limit=limit, progress=checking, again=meter_of)
    return source, census, verdict


def guests_of(census: Census, verdict: Verdict) -> Iterator[GuestPages]:
    """Yield the pages of each ASID."""
    for asid, pages in census.by_asid().items():
        if asid:
            states = census.guest(asid)
            yield GuestPages(
                asid,
                pages,
                int(census.counts[asid, 1].sum()),
                states.get(RmpState.GUEST_VALID, 0),
                states.get(RmpState.GUEST_INVALID, 0),
                sum(states.get(state, 0) for state in STILL),
                int(verdict.save_areas[asid]),
            )


def _lines(
    source: Input, census: Census, verdict: Verdict, guests: list[GuestPages]
) -> Iterator[str]:
    look = terminal_style()
    dump = source.dump
    total = census.pages
    amount = f"{total:,} page{'' if total == 1 else 's'}  {size_text(total << 12)}"
    where = f"{dump.first << 12:#x} .. {(dump.stop << 12) - 1:#x}"
    yield look.mark(look.strong, f"{source.name}  {amount}  {where}")
    yield from _table("state", census.by_state(), total)
    yield from _table("owner", census.by_owner(), total)
    yield f"guests  {len(guests)}"
    if guests:
        names = ("asid", "pages", "memory", "in 2 MiB", "valid", "invalid", "immutable", "VMSAs")
        yield "  " + "".join(f"{name:>{w}}" for name, w in zip(names, WIDTHS, strict=True))
    for guest in guests:
        cells = [f"{guest.asid}", f"{guest.pages:,}", size_text(guest.pages << 12)]
        cells += [f"{count:,}" for count in guest[2:]]
        yield "  " + "".join(f"{cell:>{w}}" for cell, w in zip(cells, WIDTHS, strict=True))
    if verdict.own:
        start, stop = verdict.own
        reason = "as --base says" if dump.base is not None else "the longest FIRMWARE run fits"
        yield f"table   {start << 12:#x} .. {(stop << 12) - 1:#x}  {stop - start:,} pages, {reason}"
    yield from _counters(source, verdict)
    yield f"findings  {tally(verdict.gathered.severities)}"


WIDTHS = (5, 15, 12, 15, 15, 13, 11, 12)


def _table(title: str, counts: Mapping[Any, int], total: int) -> Iterator[str]:
    yield title
    for name, pages in counts.items():
        kind: OpenEnum = name
        part = f"{part_text(pages / total):>6}"
        text = f"{pages:>15,} {size_text(pages << 12):>10} {part}  {kind.doc}"
        yield f"  {kind.name:<14}{text}"


def _counters(source: Input, verdict: Verdict) -> Iterator[str]:
    if source.dump.counters is None:
        return
    wrong = verdict.gathered.counts.get("rmp-counter", 0)
    if not source.dump.counters.any():
        result = "all are zero"
    elif wrong:
        result = f"{wrong} of them {'disagrees' if wrong == 1 else 'disagree'} with the pages"
    else:
        result = "agree with the pages"
    unit = f"; a 2 MiB page counts {verdict.units}" if verdict.units else ""
    yield f"counters  {result}{unit}"


def _object(
    source: Input, census: Census, verdict: Verdict, guests: list[GuestPages]
) -> dict[str, Any]:
    """Return the summary as a JSON object."""
    dump = source.dump
    out: dict[str, Any] = {
        "schema": "rmp-summary/1",
        "input": source.name,
        "kind": "log" if source.is_log else "image",
        "pages": census.pages,
        "first": f"{dump.first:#x}",
        "last": f"{dump.stop - 1:#x}",
        "states": {state.name: pages for state, pages in census.by_state().items()},
        "owners": {owner.name: pages for owner, pages in census.by_owner().items()},
        "guests": [guest._asdict() for guest in guests],
        "counters": None,
        "table": None,
        "findings": dict(sorted(verdict.gathered.counts.items())),
        "notes": list(source.notes),
    }
    if dump.counters is not None:
        out["counters"] = {
            "values": {str(n): int(dump.counters[n]) for n in dump.counters.nonzero()[0].tolist()},
            "a_2m_page_counts": verdict.units or None,
        }
    if verdict.own:
        out["table"] = {
            "first": f"{verdict.own[0]:#x}",
            "last": f"{verdict.own[1] - 1:#x}",
            "told": dump.base is not None,
        }
    return out
