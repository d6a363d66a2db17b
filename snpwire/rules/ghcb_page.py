"""A GHCB page to be checked: the page, how it is read, and which of its fields are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..finding import Finding, Findings, Severity
from ..wire.exits import KVM_ACCEPTED, events_of
from ..wire.ghcb import Page

if TYPE_CHECKING:
    from ..context import Context
    from ..wire.event import Event

VALIDATE = "Linux 6.12 sev_es_validate_vmgexit"

INVALID_USAGE = 2
INVALID_SCRATCH_AREA = 3
MISSING_INPUT = 4
INVALID_INPUT = 5
INVALID_EVENT = 6


class GhcbCheck(NamedTuple):
    """One page and its context. A rule asks ``known`` before it looks at a value."""

    page: Page
    context: Context

    @property
    def code(self) -> int:
        """Return the exit code as a plain number."""
        return int(self.page.sw_exit_code)

    @property
    def rows(self) -> tuple[Event, ...]:
        """Return the table's rows for the exit code; none if the code is not known."""
        return events_of(self.code) if self.known("sw_exit_code") else ()

    @property
    def served(self) -> bool:
        """Return whether KVM 6.12 takes the exit code at all."""
        return self.code in KVM_ACCEPTED

    def known(self, *fields: str) -> bool:
        """Return whether the values of all *fields* are known."""
        return self.context.absent.isdisjoint(fields)

    def lacks(self, field: str) -> bool:
        """Return whether *field* is certain not to be marked valid."""
        return self.known("valid_bitmap") and not self.page.valid_bitmap.has(field)

    def holds(self, field: str) -> bool:
        """Return whether *field* has a value that the receiver would use."""
        return self.known(field) and not self.lacks(field)

    def finding(
        self,
        code: str,
        severity: Severity,
        field: str,
        text: str,
        source: str,
        reason: int = 0,
    ) -> Finding:
        """Return a finding about *field*."""
        return Finding(code, severity, field, Page.place(field), text, source, reason)

    def error(
        self, code: str, field: str, text: str, source: str = VALIDATE, reason: int = 0
    ) -> Finding:
        """Return a finding that a receiver refuses; *reason* where KVM serves the exit."""
        given = reason if self.served else 0
        return self.finding(code, Severity.ERROR, field, text, source, given)

    def warning(
        self, code: str, field: str, text: str, source: str = VALIDATE, reason: int = 0
    ) -> Finding:
        """Return a finding that implementations differ over."""
        given = reason if self.served else 0
        return self.finding(code, Severity.WARNING, field, text, source, given)

    def note(self, code: str, field: str, text: str, source: str) -> Finding:
        """Return a finding worth knowing."""
        return self.finding(code, Severity.NOTE, field, text, source)


GhcbRule = Callable[[GhcbCheck], Findings]
