"""Findings of a whole table: all are counted, the first of each rule are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from ...finding import Finding, Rule, Severity
    from .chunk import Chunk


class FindingLog:
    """Findings by rule. The first *limit* of each are kept, in the order they are added."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.counts: dict[str, int] = {}
        """Number of findings by code."""
        self.severities: dict[Severity, int] = {}
        """Number of findings by severity."""
        self._kept: dict[str, list[Finding]] = {}

    def add(
        self, rule: Rule, path: str, offset: int, text: str, severity: Severity | None = None
    ) -> None:
        """Add one finding; *severity* replaces that of the rule."""
        worth = rule.severity if severity is None else severity
        if self.count(rule, 1, worth):
            finding = rule.finding_at(path, offset, text)
            self._kept[rule.code].append(finding._replace(severity=worth))

    def add_entries(
        self, rule: Rule, chunk: Chunk, at: NDArray[np.intp], text: Callable[[int, int, int], str]
    ) -> None:
        """Add a finding for each entry of *chunk* at the indices *at*, of shape (entries,).

        *text* takes page, lo and hi, and is called for findings that are kept.
        """
        for index in at[: self.count(rule, len(at), rule.severity)].tolist():
            words = text(chunk.first + index, int(chunk.lo[index]), int(chunk.hi[index]))
            self._kept[rule.code].append(rule.finding_at(*chunk.place(index), words))

    def count(self, rule: Rule, count: int, severity: Severity) -> int:
        """Count findings; return how many of them there is room to keep."""
        if count <= 0:
            return 0
        self.counts[rule.code] = self.counts.get(rule.code, 0) + count
        self.severities[severity] = self.severities.get(severity, 0) + count
        return max(0, self.limit - len(self._kept.setdefault(rule.code, [])))

    def reaches(self, severity: Severity) -> bool:
        """Return whether some finding is at least as severe."""
        return any(found >= severity for found in self.severities)

    def findings(self) -> list[Finding]:
        """Return the findings that were kept, most severe rules first, then in order of pages."""
        groups = sorted(
            filter(None, self._kept.values()), key=lambda g: (-g[0].severity, g[0].code)
        )
        return [finding for group in groups for finding in group]
