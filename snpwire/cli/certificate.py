"""``snpwire decode cert``: what certificates and revocation lists say, in any form people have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ..errors import CertificateError
from ..finding import reaches, summary
from .input import SourceError, contents, cut, shown_name
from .output import terminal_style, write_json, write_lines, write_note

if TYPE_CHECKING:
    from ..crypto.certificate_file import CertificateFile
    from ..decode.certificate import CertificateDocument
    from .options import PieceOptions

SCHEMA = "cert/1"


def decode_certificates(
    file: str, piece: PieceOptions, *, json: bool = False, fail_on: str | None = None
) -> int:
    """Print what each certificate says; return 1 if a finding reaches *fail_on*."""
    return print_certificates(read_certificates(file, piece), json=json, fail_on=fail_on)


def print_certificates(found: CertificateFile, *, json: bool, fail_on: str | None) -> int:
    """Print what a file of certificates says; return 1 if a finding reaches *fail_on*."""
    from ..decode.certificate import certificate_document

    doc = certificate_document(found, datetime.now(UTC))
    write_note(*found.notes)
    if json:
        write_json(_plain(doc))
    else:
        _write(doc)
    write_note(f"findings: {summary(doc.findings)}")
    return int(fail_on is not None and reaches(doc.findings, fail_on))


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
    from ..errors import InputError

    wanted = cut(piece.offset, piece.length, piece.page, None)
    try:
        notes: tuple[str, ...] = ()
        if piece.form not in ("auto", "raw") or (
            piece.form == "auto" and b"\0" not in raw and certificate_form(raw) is None
        ):
            raw, notes = _spelled(raw, piece.form)
        return (wanted.of(raw) if wanted else raw), notes
    except InputError as exc:
        raise SourceError(name, exc) from None


def _spelled(raw: bytes, form: str) -> tuple[bytes, tuple[str, ...]]:
    from ..capture.hextext import read

    if not raw:
        return raw, ()
    reading = read(raw, form, sizes=None)
    notes = () if reading.form == "raw" else (f"read as {reading.form}",)
    return reading.data, (*notes, *reading.notes)
