"""``snpwire explain kds``: addresses at AMD's key server, of reports and certificates, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import CertificateError, InputError, UsageError
from ...finding import reaches
from ...product import decide
from ...wire.report import Report
from ..certificate import certificates_in
from ..input import contents, shown_name
from ..options import PieceOptions
from ..output import terminal_style, write_json, write_lines, write_note

if TYPE_CHECKING:
    from ...crypto.kds import Address
    from ...crypto.kds_url import KdsUrl
    from ...evidence import EvidenceCertificate


def addresses(value: str, *, product: str | None, json: bool) -> int:
    """Print the addresses that belong to a report or a certificate, or the parts of an address.

    Nothing is fetched. Returns 1 if an address is wrong.
    """
    from ...crypto.kds_url import kds_url, kds_url_text

    if text := kds_url_text(value):
        return _explain_url(kds_url(text), json=json)
    raw = contents(value)
    if (text := _url_within(raw)) and not _has_report(raw):
        return _explain_url(kds_url(text), json=json)
    _write_addresses(_addresses(value, raw, product), json=json)
    return 0


def _url_within(raw: bytes) -> str:
    from ...crypto.kds_url import kds_url_text

    return "" if b"\0" in raw else kds_url_text(raw.decode("utf-8", "replace"))


def _has_report(raw: bytes) -> bool:
    """Return whether a text is evidence: its certificates name addresses of the key server."""
    from ...evidence import evidence

    try:
        return evidence(raw) is not None
    except InputError:
        return False


def _addresses(file: str, raw: bytes, product: str | None) -> list[Address]:
    from ...crypto.certificate_form import certificate_form

    if certificate_form(raw) is None:
        return _report_addresses(file, raw, product)
    if product:
        raise UsageError("a certificate says its product itself", help="leave --product out")
    return _certificate_addresses(file, raw)


def _report_addresses(file: str, raw: bytes, product: str | None) -> list[Address]:
    from ...crypto.kds import addresses as run
    from .report_input import report_input

    source, found = report_input(file, PieceOptions(), raw)
    report = Report.parse(source.data)
    write_note(*source.notes)
    own = [row for row in map(_product_of, found.certificates if found else ()) if row]
    try:
        if not product and own and decide(report).product is None:
            write_note(f"the product is that of the certificate beside the report: {own[0]}")
            product = own[0].lower()
        return run(report, product=product)
    except UsageError as exc:
        named = exc.help if product else "--product milan, genoa or turin"
        raise UsageError(str(exc), help=named if exc.help else "") from None


def _product_of(row: EvidenceCertificate) -> str | None:
    """Return the product in the issuer's name of a VCEK or VLEK; None for another certificate."""
    from ...crypto.binding import NAMED
    from ...crypto.certificates import load

    if row.name not in ("VCEK", "VLEK"):
        return None
    try:
        name = load(row.der)[0].issuer_name.rpartition("-")[2]
    except CertificateError:
        return None
    return name if name in NAMED else None


def _certificate_addresses(file: str, raw: bytes) -> list[Address]:
    """Return the addresses of each certificate of a file, each once."""
    from ...crypto.kds import document_addresses

    found = certificates_in(shown_name(file), raw, PieceOptions())
    write_note(*found.notes)
    rows = [row.document for row in found.entries if row.document]
    return list(dict.fromkeys(address for row in rows for address in document_addresses(row)))


def _write_addresses(found: list[Address], *, json: bool) -> None:
    from ...view.table import Row, table

    if json:
        write_json({"explain": "kds", "addresses": [row._asdict() for row in found]})
    else:
        rows = [Row("", "", row.name, row.url or "none", row.reason) for row in found]
        write_lines(table(rows, terminal_style()))


def _explain_url(url: KdsUrl, *, json: bool) -> int:
    """Print the parts of an address; return 1 if it is wrong."""
    from ...view.json import finding
    from ...view.table import Row, table

    parts = list(_parts(url))
    if json:
        plain = {name.strip(): text for name, text, _ in parts}
        found = [finding(row) for row in url.findings]
        write_json({"explain": "kds", "parts": plain, "url": url.url, "findings": found})
    else:
        write_lines(table([Row("", "", *part) for part in parts], terminal_style()))
        write_lines(f"{row.severity.name.lower():<7}  {row.text}" for row in url.findings)
        if url.findings and url.url:
            write_lines([f"meant    {url.url}"])
    return int(reaches(url.findings, "error"))


def _parts(url: KdsUrl) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of each part."""
    from ...crypto.kds_url import PARTS

    rows: list[tuple[str, str, Any]] = [
        ("gives", url.gives, ""),
        ("product", url.product or "none", ""),
    ]
    if url.hwid is not None:
        rows.append(("hwid", url.hwid.hex(), f"{len(url.hwid)} bytes: chip_id of the report"))
    if word := url.tcb:
        rows.append(("tcb", word, "reported_tcb of the report"))
    rows += [(f"  {name}", str(level), PARTS[name]) for name, level in url.spls.items()]
    return rows
