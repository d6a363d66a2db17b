"""What certificates and revocation lists say, and what is wrong with them: sheets and findings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..crypto.certificate_rules import CertificatePlace, certificate_findings, crl_findings
from ..crypto.check import CheckState
from ..crypto.issuer import Issuers
from ..crypto.x509 import X509
from ..finding import Finding, Severity
from ..view.certificate import Sheet, sheet_row
from .certificate_sheet import certificate_sheet, crl_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ..crypto.certificate_file import CertificateEntry, CertificateFile


class CertificateDocument(NamedTuple):
    """All that a file of certificates says, and what is wrong."""

    text: str
    sheets: list[Sheet]
    findings: tuple[Finding, ...]


def certificate_document(file: CertificateFile, at: datetime) -> CertificateDocument:
    """Return what each certificate and list says, judged *at* a time."""
    issuers = Issuers(row.document for row in file.entries if isinstance(row.document, X509))
    sheets: list[Sheet] = []
    findings: list[Finding] = []
    for number, entry in enumerate(file.entries):
        place = CertificatePlace(f"entries[{number}]", entry.offset)
        sheet, found = _entry(entry, issuers, at, place)
        title = f"{number + 1} of {len(file.entries)}  {sheet.title}"
        sheets.append(sheet._replace(title=title) if len(file.entries) > 1 else sheet)
        findings += found
    return CertificateDocument(file.text, sheets, (*findings, *_rest(file)))


def _rest(file: CertificateFile) -> Iterator[Finding]:
    """Find bytes behind DER: zeros are the end of a page, others are anything."""
    if file.rest:
        zeros = not any(file.rest)
        severity = Severity.NOTE if zeros else Severity.WARNING
        what = "zero bytes" if zeros else "bytes that are no certificate"
        text = f"{len(file.rest)} {what} follow the DER: a verifier takes none behind it"
        yield Finding("cert-rest", severity, "rest", file.rest_offset, text, "X.690")


def _entry(
    entry: CertificateEntry, issuers: Issuers, at: datetime, place: CertificatePlace
) -> tuple[Sheet, list[Finding]]:
    where = {"place": entry.place, "offset": entry.offset, "size": entry.size}
    if entry.document is None:
        finding = place.error("cert-unreadable", "der", str(entry.problem), "X.690, RFC 5280")
        rows = (sheet_row("unreadable", str(entry.problem)),)
        title = f"unreadable  {entry.place}"
        return Sheet(title, rows, {"kind": "unreadable", **where, "reason": rows[0].value}), [
            finding
        ]
    issuance = issuers.issuance(entry.document)
    if isinstance(entry.document, X509):
        sheet = certificate_sheet(entry.document, issuance, at)
        found = list(certificate_findings(entry.document, at, place))
    else:
        sheet = crl_sheet(entry.document, issuance, at)
        found = list(crl_findings(entry.document, at, place))
    if issuance.state is CheckState.FAILED:
        found.append(place.error("cert-signature", "signature", issuance.reason, "RFC 5280"))
    parts = [sheet.title, f"{entry.size} bytes", *filter(None, [entry.place])]
    return sheet._replace(title="  ".join(parts), plain=sheet.plain | where), found
