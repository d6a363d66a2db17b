"""What ``snpwire verify`` reads a report from: bytes, their text, evidence, a folder of files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...errors import InputError, SnpwireError
from ...wire.report import REPORT_SIZE
from ..input import (
    Source,
    SourceError,
    contents,
    cut,
    load,
    shown_name,
)

if TYPE_CHECKING:
    from ...evidence import EvidenceContent, ReportText
    from ..options import PieceOptions


class ReportInput(NamedTuple):
    """The bytes of a report, and what they lay in."""

    source: Source
    found: EvidenceContent | None = None
    """None for a report by itself."""


def report_input(file: str, options: PieceOptions, raw: bytes | None = None) -> ReportInput:
    """Read a report, or the evidence that has one; *raw* is what was read of *file*.

    Raises SourceError and OSError.
    """
    piece = cut(options.offset, options.length, options.page, REPORT_SIZE)
    if piece or options.form != "auto":
        source = load(file, form=options.form, piece=piece, fits=_fits)
    elif file != "-" and Path(file).is_dir():
        return folder_input(file)
    else:
        source = Source(shown_name(file), contents(file) if raw is None else raw)
    try:
        return _report(source, text=not piece and options.form == "auto")
    except SnpwireError as exc:
        raise SourceError(source.name, exc) from None


def _fits(size: int) -> bool:
    return size >= REPORT_SIZE


def _report(source: Source, *, text: bool) -> ReportInput:
    """Return the report that an input is, or has in it. Raises InputError."""
    if len(source.data) == REPORT_SIZE and (not text or 0 in source.data):
        return ReportInput(source)
    from ...evidence import evidence, report_text

    found = evidence(source.data)
    if not found and text and 0 not in source.data:
        if printed := report_text(source.data):
            raise _partial(printed)
        if re.match(rb'\s*\{\s*"', source.data):
            raise InputError("there is no report in this JSON")
        source = _decoded(source)
        found = evidence(source.data)
    if found:
        return _evidence(source, found)
    size = len(source.data)
    if size != REPORT_SIZE:
        _refuse_certificates(source.data)
        hint = "--offset and --length cut it out of a larger file" if size > REPORT_SIZE else ""
        raise InputError(f"a report has {REPORT_SIZE} bytes, got {size}", help=hint)
    return ReportInput(source)


def _refuse_certificates(data: bytes) -> None:
    """Refuse what is a certificate, and no report. Raises InputError."""
    from ...crypto.certificate_form import certificate_form

    if form := certificate_form(data):
        raise InputError(f"this is {form.text}, not a report", help="snpwire decode cert reads it")


def _partial(printed: ReportText) -> InputError:
    absent = sorted(printed.absent)
    more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
    reason = f"the text of {printed.program} lacks {', '.join(absent[:3])}{more}"
    return InputError(reason, help="a report is verified by all of its bytes")


def _decoded(source: Source) -> Source:
    """Return the bytes that a text stands for. Raises InputError."""
    from ...capture.hextext import read

    reading = read(source.data, sizes=lambda size: size == REPORT_SIZE)
    notes = () if reading.form == "raw" else (f"read as {reading.form}",)
    return source._replace(data=reading.data, notes=(*notes, *reading.notes))


def _evidence(source: Source, found: EvidenceContent) -> ReportInput:
    if found.report is None:
        raise InputError(f"{found.form}: there is no report in it")
    base = found.offset or 0
    return ReportInput(source._replace(data=found.report, base=base), found)


def folder_input(file: str) -> ReportInput:
    """Read the files of a folder of configfs-tsm. Raises SourceError and OSError."""
    from ...evidence import folder
    from ...evidence.folder import FILES

    name = shown_name(file)
    try:
        rows = {row: Path(file) / row for row in FILES}
        found = folder({row: contents(str(path)) for row, path in rows.items() if path.is_file()})
        return _evidence(Source(name, b""), found)
    except SnpwireError as exc:
        raise SourceError(name, exc) from None
