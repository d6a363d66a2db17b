"""``snpwire rmp check``: what is wrong with a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...finding import Severity, tally
from ...view.tree import finding_text
from ..output import terminal_style, write_json, write_lines, write_note
from .summary import examined

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from ...rmp.check.check import Verdict
    from .input import Input
    from .options import RmpOptions

EVERY = 1 << 62


def run(options: RmpOptions, *, limit: int, fail_on: str | None, json: bool) -> int:
    """Print the findings; return 1 if one reaches *fail_on*."""
    given, census, verdict = examined(options, limit=limit or EVERY)
    if json:
        write_json(_object(given, census.pages, verdict))
    else:
        write_lines(_lines(verdict))
    write_note(f"findings: {tally(verdict.gathered.severities)}")
    return int(fail_on is not None and verdict.gathered.reaches(Severity[fail_on.upper()]))


def _lines(verdict: Verdict) -> Iterator[str]:
    """Yield a line for each finding that is kept, and one for all others of its rule."""
    look = terminal_style()
    shown: Counter[str] = _shown(verdict)
    for finding in verdict.gathered.findings():
        yield finding_text(finding, look)
        shown[finding.code] -= 1
        if not shown[finding.code] and (more := _more(verdict, finding.code)):
            yield look.mark(look.faint, f"         {more:,} more  [{finding.code}]")


def _shown(verdict: Verdict) -> Counter[str]:
    from collections import Counter

    return Counter(finding.code for finding in verdict.gathered.findings())


def _more(verdict: Verdict, code: str) -> int:
    return verdict.gathered.counts[code] - _shown(verdict)[code]


def _object(given: Input, pages: int, verdict: Verdict) -> dict[str, Any]:
    from ...view.json import finding

    return {
        "schema": "rmp-check/1",
        "input": given.name,
        "pages": pages,
        "counts": dict(sorted(verdict.gathered.counts.items())),
        "findings": [finding(found) for found in verdict.gathered.findings()],
        "notes": list(given.notes),
    }


def rules(*, json: bool) -> int:
    """Print every rule: its code, how much breaking it matters, the rule, whose it is."""
    from ...rmp.check.check import RULES

    ordered = sorted(RULES, key=lambda rule: (-rule.severity, rule.code))
    if json:
        rows = [rule._asdict() | {"severity": rule.severity.name.lower()} for rule in ordered]
        write_json({"schema": "rmp-rules/1", "rules": rows})
    else:
        write_lines(
            f"{rule.severity.name.lower():<7}  {rule.code:<28}  {rule.doc}  [{rule.source}]"
            for rule in ordered
        )
    return 0
