"""``snpwire decode cert``: what certificates and revocation lists say, in any form people have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import CertificateError, InputError, UsageError
from ..finding import reaches, summary
from .input import SourceError, contents, cut, shown_name
from .output import terminal_style, write_json, write_lines, write_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..crypto.certificate_file import CertificateFile
    from ..decode.certificate import CertificateDocument
    from .fit import ReportFit
    from .options import PieceOptions

SCHEMA = "cert/1"


class CertificateView(NamedTuple):
    """How certificates are printed, and what decides the exit code."""

    json: bool = False
    fail_on: str | None = None
    report: str | None = None
    """File of a report that a certificate has to fit."""
    product: str | None = None
    """Of the report, where that does not tell."""


def decode_certificates(file: str, piece: PieceOptions, view: CertificateView) -> int:
    """Print what each certificate says; return 1 if a finding, or a report, says so."""
    if file == "-" == view.report:
        raise UsageError("standard input can be only one of the inputs", help="give files")
    return print_certificates(read_certificates(file, piece), view)


def print_certificates(found: CertificateFile, view: CertificateView) -> int:
    """Print what a file of certificates says; return 1 if a finding, or a report, says so."""
    from ..decode.certificate import certificate_document

    doc = certificate_document(found, datetime.now(UTC))
    fits = None if view.report is None else _fits(view.report, found, view.product)
    write_note(*found.notes)
    if view.json:
        write_json(_plain(doc) | ({} if fits is None else {"fit": fits.plain()}))
    else:
        _write(doc)
        write_lines([] if fits is None else ["", *fits.lines(terminal_style())])
    write_note(f"findings: {summary(doc.findings)}")
    failed = view.fail_on is not None and reaches(doc.findings, view.fail_on)
    return int(failed or (fits is not None and not fits.holds))


def _fits(report: str, found: CertificateFile, product: str | None) -> ReportFit:
    """Return whether certificates fit a report, the keys before what signed them."""
    from ..crypto.x509 import X509
    from .fit import report_fit

    rows = [row.document for row in found.entries if isinstance(row.document, X509)]
    if not rows:
        raise UsageError("a revocation list fits no report", help="--report is for certificates")
    return report_fit(report, rows, product)


def _write(doc: CertificateDocument) -> None:
    from ..view.certificate import sheet_lines
    from ..view.tree import finding_lines

    if len(doc.sheets) > 1:
        write_lines([doc.text])
    write_lines(sheet_lines(doc.sheets, terminal_style()))
    write_lines(finding_lines(doc.findings, terminal_style()))


def _plain(doc: CertificateDocument) -> dict[str, Any]:
    from ..view.json import finding

    return {
        "schema": SCHEMA,
        "form": doc.text,
        "entries": [sheet.plain for sheet in doc.sheets],
        "findings": [finding(row) for row in doc.findings],
    }


def read_certificates(file: str, piece: PieceOptions) -> CertificateFile:
    """Read a file of certificates: PEM, DER, a table, or text that spells one of these.

    Raises SourceError, which names the file, and OSError.
    """
    return certificates_in(shown_name(file), contents(file), piece)


def certificates_in(name: str, raw: bytes, piece: PieceOptions) -> CertificateFile:
    """Return the certificates in what was read of the input *name*. Raises SourceError."""
    from ..crypto.certificate_file import certificate_file

    data, notes = _bytes(name, raw, piece)
    try:
        found = certificate_file(data)
    except CertificateError as exc:
        raise SourceError(name, exc) from None
    return found._replace(notes=(*notes, *found.notes))


def _bytes(name: str, raw: bytes, piece: PieceOptions) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes that an input holds or spells, and how they were read."""
    from ..crypto.certificate_form import certificate_form

    wanted = cut(piece.offset, piece.length, piece.page, None)
    known = piece.form == "auto" and certificate_form(raw) is not None
    try:
        data, notes = (raw, ()) if known else bytes_in(raw, piece.form)
        return (wanted.of(data) if wanted else data), notes
    except InputError as exc:
        raise SourceError(name, exc) from None


def bytes_in(
    raw: bytes, form: str = "auto", fits: Callable[[int], bool] | None = None
) -> tuple[bytes, tuple[str, ...]]:
    """Return raw bytes, or those that text spells, and how it was read. Raises InputError."""
    if not raw or form == "raw" or (form == "auto" and b"\0" in raw):
        return raw, ()
    from ..capture.hextext import read

    reading = read(raw, form, sizes=fits)
    notes = () if reading.form == "raw" else (f"read as {reading.form}",)
    return reading.data, (*notes, *reading.notes)


def diff_certificates(left: str, right: str, piece: PieceOptions, *, json: bool) -> int:
    """Print what differs between two files of certificates; return 1 if anything does."""
    from ..decode.certificate_diff import certificate_changes
    from ..view.certificate import change_lines, change_object

    if left == right == "-":
        raise UsageError("standard input can be only one of the inputs", help="give files")
    sides = [read_certificates(file, piece) for file in (left, right)]
    write_note(*sides[0].notes, *sides[1].notes)
    rows = [[row.document for row in side.entries if row.document] for side in sides]
    changes = certificate_changes(*rows)
    unread = sum(row.document is None for side in sides for row in side.entries)
    if unread:
        write_note(f"{unread} that cannot be read are not compared")
    if json:
        objects = [change_object(row.name, row.verdict, row.parts) for row in changes]
        write_json({"schema": "diff-cert/1", "changes": objects})
    else:
        for row in changes:
            write_lines(change_lines(row.name, row.verdict, row.parts, terminal_style()))
    return int(unread > 0 or any(row.left != row.right for row in changes))
