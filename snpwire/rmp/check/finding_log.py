"""Findings of a whole table: all are counted, the first ones of each rule are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from ...finding import Finding, Rule, Severity


class Part(NamedTuple):
    """Some entries of the table, copied so that each quadword is an array of its own."""

    first: int
    """Page of the first entry."""
    lo: NDArray[np.uint64]
    hi: NDArray[np.uint64]
    offset: int
    """Where the first entry lies in its file, in bytes."""


class Gathered:
    """Findings by rule. The first *limit* of each are kept, in the order they are added."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.counts: dict[str, int] = {}
        """How many findings there are, by code."""
        self.severities: dict[Severity, int] = {}
        """How many there are, by severity."""
        self._kept: dict[str, list[Finding]] = {}

    def add(
        self, rule: Rule, path: str, offset: int, text: str, severity: Severity | None = None
    ) -> None:
        """Add one finding; *severity* where the rule leaves it open."""
        worth = rule.severity if severity is None else severity
        if self._count(rule, 1, worth) > 0:
            finding = rule.found(path, offset, text)
            self._kept[rule.code].append(finding._replace(severity=worth))

    def entries(
        self, rule: Rule, part: Part, at: NDArray[np.intp], text: Callable[[int, int, int], str]
    ) -> None:
        """Add a finding for each entry of *part* that *at* names.

        *text* takes page, lo and hi, and is asked for what is kept only.
        """
        for index in at[: self._count(rule, len(at), rule.severity)].tolist():
            page = part.first + index
            words = text(page, int(part.lo[index]), int(part.hi[index]))
            offset = part.offset + 16 * index
            place = f"page {page:#x}"
            self._kept[rule.code].append(rule.found(place, offset, words))

    def many(self, rule: Rule, count: int, severity: Severity) -> None:
        """Count findings of which none is kept any more."""
        self._count(rule, max(0, count), severity)

    def _count(self, rule: Rule, count: int, severity: Severity) -> int:
        """Count findings; return how many of them are to be kept."""
        if not count:
            return 0
        self.counts[rule.code] = self.counts.get(rule.code, 0) + count
        self.severities[severity] = self.severities.get(severity, 0) + count
        return max(0, self.limit - len(self._kept.setdefault(rule.code, [])))

    def reaches(self, severity: Severity) -> bool:
        """Tell whether a finding is at least as severe."""
        return any(found >= severity for found in self.severities)

    def findings(self) -> list[Finding]:
        """Return what was kept, the worst rules first, those of a rule in the order of pages."""
        groups = sorted(
            filter(None, self._kept.values()), key=lambda g: (-g[0].severity, g[0].code)
        )
        return [finding for group in groups for finding in group]
