"""Bytes that lie in something else: a report in evidence, bytes in JSON, a report as text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from ..layout import Record
from ..wire import Kind, kind
from .input import InnerValue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..evidence import EvidenceContent, Member, ReportText
    from .input import Source

SURE = 0.4
"""Score from which a kind is recognised in JSON, where anything may be."""


def is_folder(file: str) -> bool:
    """Return whether *file* names a folder, which may be one of configfs-tsm."""
    return file not in ("", "-") and Path(file).is_dir()


def folder_source(file: str) -> Source:
    """Return the report in a folder of configfs-tsm. Raises SourceError and OSError."""
    from .messages.report_input import folder_input

    source, found = folder_input(file)
    return source._replace(found=_evidence(found, source.data) if found else None)


def contained(raw: bytes, data: bytes) -> InnerValue | None:
    """Return what an input has in it; *data* is what its text spells. Raises InputError."""
    found = _report(raw, data)
    return found or _unique(_recognised(raw), "a value")


def contained_as(row: Kind, raw: bytes, data: bytes) -> InnerValue | None:
    """Return the value of one kind that an input has in it. Raises InputError."""
    if row.name == "report":
        found = _report(raw, data)
        if not found:
            _refuse_certificates(raw)
        return found
    if not issubclass(row.type, Record):
        return None
    fitting = (_member(row, one) for one in _members(raw) if len(one.data) == row.type.SIZE)
    return _unique(fitting, f"a {row.name}")


def _refuse_certificates(raw: bytes) -> None:
    from ..crypto.certificate_form import certificate_form

    if form := certificate_form(raw):
        raise InputError(f"this is {form.text}, not a report", help="snpwire decode cert reads it")


def _report(raw: bytes, data: bytes) -> InnerValue | None:
    """Return a report of evidence, or of the text of other programs. Raises InputError."""
    from ..evidence import ReportFieldsError, debug_text, evidence, report_members, report_text

    if (text := report_text(raw)) and text.absent and not debug_text(raw):
        return _printed(text)
    for given in dict.fromkeys((raw, data)):
        try:
            found = evidence(given)
        except ReportFieldsError:
            return (text := report_members(given)) and _printed(text)
        if found and found.report:
            return _evidence(found, found.report)
    return None


def _evidence(found: EvidenceContent, report: bytes) -> InnerValue:
    from ..evidence import evidence_lines

    lines = tuple(evidence_lines(found))
    return InnerValue(kind("report"), report, lines, found.to_plain(), found.offset or 0)


def _printed(text: ReportText) -> InnerValue:
    """Return what is known of a report whose fields are not all printed."""
    form = f"report as text of {text.program}"
    plain = {"form": form, "report": True, "notes": list(text.notes)}
    return InnerValue(kind("report"), text.report, (form, *text.notes), plain, 0, text.absent)


def _members(raw: bytes) -> list[Member]:
    from ..evidence import members

    return list(members(raw))


def _recognised(raw: bytes) -> Iterator[InnerValue]:
    """Yield each of the bytes in a text whose kind is known by their shape."""
    from ..rules.identify import UNKNOWN, candidates

    for one in _members(raw):
        best = candidates(one.data)[0]
        if best.kind != UNKNOWN and best.score >= SURE:
            yield _member(kind(best.kind), one)


def _member(row: Kind, one: Member) -> InnerValue:
    lines = (f"{row.name} at {one.path}, {len(one.data)} bytes, {one.form}",)
    plain = {"form": one.form, "path": one.path, "size": len(one.data)}
    return InnerValue(row, one.data, lines, plain, one.offset or 0)


def _unique(found: Iterator[InnerValue], what: str) -> InnerValue | None:
    """Return the one value that there is. Raises InputError where there are several."""
    rows = list({row.value: row for row in found}.values())
    if len(rows) > 1:
        places = ", ".join(f"{row.kind.name} at {row.plain['path']}" for row in rows[:4])
        raise InputError(f"{what} is in it {len(rows)} times: {places}", help="cut one out")
    return rows[0] if rows else None
