"""Measure snpwire against the limits set by struct, memcpy and a bare interpreter.

Every way is timed once a round, rounds begin at another way each time, and a figure is the median
of the ratios within a round: times swing with what else the machine does, ratios hardly.
What was found, and the traps, are in ``tools/performance.md``.

    PYTHONPATH=. python tools/bench.py [--quick] [--only NAME] [--json] [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from bench_contests import Contest, contests
from bench_engine import engine
from bench_instructions import rmp_instructions
from bench_log import logs
from bench_messages import messages
from bench_rmp import rmp
from bench_verify import verifying

if TYPE_CHECKING:
    from collections.abc import Iterator
    from timeit import Timer


class Scale(NamedTuple):
    """How thoroughly to measure."""

    rounds: int
    slice: float
    """Seconds that one way is repeated in one round, at least once."""
    pages: int
    entries: int
    """Entries of a table of pages: 16 bytes each."""


FULL = Scale(21, 0.004, 100_000, 1 << 26)
QUICK = Scale(15, 0.001, 20_000, 1 << 23)


class Row(NamedTuple):
    """One measured way; the baseline's ratio is 1."""

    contest: str
    name: str
    ratio: float | None
    seconds: float | None
    target: str
    verdict: str

    @property
    def missed(self) -> bool:
        """Tell whether the target was not met."""
        return self.verdict.startswith("MISS")


def main() -> int:
    """Print the table; with --check, return 1 if a target was missed."""
    options = arguments()
    scale = QUICK if options.quick else FULL
    every = (
        contests(scale.pages) | messages() | verifying() | rmp(scale.entries) | logs(scale.pages)
    )
    every |= engine()
    every |= rmp_instructions(scale.entries)
    chosen = {name: make for name, make in every.items() if options.only in name}
    if not chosen:
        sys.exit(f"no contest is called {options.only!r}: {', '.join(every)}")
    rows: list[Row] = []
    for name, make in chosen.items():
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += judged(make(), scale, retry=options.check)
    if options.json:
        print(json.dumps([row._asdict() for row in rows], indent=2))
    else:
        print("\n".join(table(rows)))
    return int(options.check and any(row.missed for row in rows))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, a smaller image")
    parser.add_argument("--only", metavar="NAME", default="", help="contests with NAME in theirs")
    parser.add_argument("--json", action="store_true", help="print JSON in place of the table")
    parser.add_argument("--check", action="store_true", help="exit with 1 on a missed target")
    return parser.parse_args()


def judged(contest: Contest, scale: Scale, *, retry: bool) -> list[Row]:
    """Measure *contest*, and once more with twice the rounds if it misses and *retry* is set."""
    rows = list(measured(contest, scale))
    if retry and any(row.missed for row in rows):
        rows = list(measured(contest, scale._replace(rounds=2 * scale.rounds)))
    return rows


def measured(contest: Contest, scale: Scale) -> Iterator[Row]:
    """Yield the rows of one contest, its baseline first."""
    timers = {r.name: r.timer for r in contest.rivals if not isinstance(r.timer, str)}
    times = raced({contest.baseline: contest.timer, **timers}, scale)
    limit = times[contest.baseline]
    yield Row(contest.name, contest.baseline, 1.0, median(limit), "", "")
    for name, timer, target in contest.rivals:
        wish = "" if target is None else f"{'>=' if contest.speed else '<='} {target:g}"
        if isinstance(timer, str):
            yield Row(contest.name, name, None, None, wish, timer)
            continue
        ratio = median(
            b / t if contest.speed else t / b for t, b in zip(times[name], limit, strict=True)
        )
        met = target is None or (ratio >= target if contest.speed else ratio <= target)
        verdict = "" if target is None else "ok" if met else "MISS"
        yield Row(contest.name, name, ratio, median(times[name]), wish, verdict)


def raced(timers: dict[str, Timer], scale: Scale) -> dict[str, list[float]]:
    """Return the seconds of one run of each timer, round by round."""
    numbers = {name: repetitions(timer, scale.slice) for name, timer in timers.items()}
    times: dict[str, list[float]] = {name: [] for name in timers}
    names = list(timers)
    for number in range(scale.rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(timers[name].timeit(numbers[name]) / numbers[name])
    return times


def repetitions(timer: Timer, seconds: float) -> int:
    """Return how often *timer* has to run to fill *seconds*; it is warm afterwards."""
    timer.timeit(1)
    number = 1
    while (taken := timer.timeit(number)) < seconds / 2:
        number *= 2
    return max(1, round(number * seconds / taken))


def table(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of the table, a heading before each contest."""
    width = max(len(row.name) for row in rows)
    heading = ""
    for row in rows:
        if row.contest != heading:
            heading = row.contest
            yield from ("", heading)
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        time = "-" if row.seconds is None else duration(row.seconds)
        yield f"  {row.name:{width}} {ratio:>8} {time:>10}  {row.target:7} {row.verdict}".rstrip()


def duration(seconds: float) -> str:
    """Return *seconds* in the unit that suits it."""
    return f"{seconds * 1e6:.2f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


if __name__ == "__main__":
    sys.exit(main())
