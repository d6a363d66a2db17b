"""``snpwire rmp check``: check a table against its rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...finding import Severity, tally
from ...view.tree import finding_text
from ..output import terminal_style, write_json, write_lines, write_note
from .summary import examine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...rmp.check.check import Verdict
    from .input import Input
    from .options import RmpOptions

EVERY = 1 << 62


def run(options: RmpOptions, *, limit: int, fail_on: str | None, json: bool) -> int:
    """Print the findings; return 1 if one reaches *fail_on*."""
    source, census, verdict = examine(options, limit=limit or EVERY)
    if json:
        write_json(_object(source, census.pages, verdict))
    else:
        write_lines(_lines(verdict))
    write_note(f"findings: {tally(verdict.gathered.severities)}")
    return int(fail_on is not None and verdict.gathered.reaches(Severity[fail_on.upper()]))


def _lines(verdict: Verdict) -> Iterator[str]:
    """Yield a line for each finding kept, and one for all others of its rule."""
    from collections import Counter

    look = terminal_style()
    findings = verdict.gathered.findings()
    kept = Counter(finding.code for finding in findings)
    left = kept.copy()
    for finding in findings:
        code = finding.code
        yield finding_text(finding, look)
        left[code] -= 1
        if not left[code] and (more := verdict.gathered.counts[code] - kept[code]):
            yield look.mark(look.faint, f"         {more:,} more  [{code}]")


def _object(source: Input, pages: int, verdict: Verdict) -> dict[str, Any]:
    from ...view.json import finding

    return {
        "schema": "rmp-check/1",
        "input": source.name,
        "pages": pages,
        "counts": dict(sorted(verdict.gathered.counts.items())),
        "findings": [finding(found) for found in verdict.gathered.findings()],
        "notes": list(source.notes),
    }


def rules(*, json: bool) -> int:
    """Print every rule: its severity, its code, the rule, its source."""
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
