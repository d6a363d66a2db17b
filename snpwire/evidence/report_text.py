"""A report as programs print it: what fields are there, and what the program got wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ..wire.report import Report


class ReportText(NamedTuple):
    """The fields of a report that a text has."""

    program: str
    report: Report
    """Zero where the text has no field."""
    absent: frozenset[str]
    """Paths of the fields that the text does not have."""
    notes: tuple[str, ...] = ()
    """What the program got wrong, and how it was read."""


def report_text(data: bytes) -> ReportText | None:
    """Return the report that a program printed; None if *data* is no such text.

    Raises InputError for a text whose values are no report's.
    """
    return None
