"""What the fuzzer tries with certificates: files in any form, and addresses of the key server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from fuzz_properties import expect

from snpwire.crypto.certificate_file import certificate_file
from snpwire.crypto.certificate_form import certificate_form
from snpwire.crypto.certificates import load
from snpwire.crypto.kds_url import kds_url
from snpwire.crypto.pem import BEGIN, plain_pem
from snpwire.decode.certificate import certificate_document
from snpwire.decode.certificate_diff import certificate_changes
from snpwire.errors import CertificateError, UsageError
from snpwire.view.certificate import sheet_lines
from snpwire.view.style import PLAIN
from snpwire.view.tree import finding_lines

FILES = Path(__file__).parent.parent / "tests" / "certificates"
NOW = datetime(2026, 3, 31, tzinfo=UTC)
URL = b"https://kdsintf.amd.com/vcek/v1/Turin/0102030405060708?fmcSPL=1&blSPL=02&teeSPL=0&snpSPL=4"


def certificate(data: bytes) -> None:
    """Read a file of certificates, or an address if the first byte is that of one."""
    if data[:4] == URL[:4]:
        _address(data.decode("utf-8", "replace"))
    else:
        _file(data)


def _address(text: str) -> None:
    try:
        found = kds_url(text)
    except UsageError:
        return
    expect(all(row.text for row in found.findings), "a finding says nothing")
    if found.url:
        again = kds_url(found.url)
        expect(again.url == found.url, "the address that was meant is another when read back")
        expect(not any(row.severity > 1 for row in again.findings), "what was meant is wrong")


def _file(data: bytes) -> None:
    form = certificate_form(data)
    expect(form is None or form.text.isprintable(), "a form that cannot be printed")
    try:
        found = certificate_file(data)
    except CertificateError:
        _refused(data)
        return
    document = certificate_document(found, NOW)
    expect(len(document.sheets) == len(found.entries), "an entry has no sheet")
    lines = [*sheet_lines(document.sheets, PLAIN), *finding_lines(document.findings, PLAIN)]
    expect(all(line.isprintable() for line in lines if line), "a line that cannot be printed")
    json.dumps([sheet.plain for sheet in document.sheets])
    rows = [row.document for row in found.entries if row.document]
    changes = certificate_changes(rows, rows)
    expect(not any(row.parts for row in changes), "a file differs from itself")


def _refused(data: bytes) -> None:
    """Expect that the verifier's reader does not take it either: DER, or PEM as it should be."""
    pem = plain_pem(data)
    if BEGIN.search(data) and (pem is None or pem.notes):
        return
    try:
        load(data)
    except CertificateError:
        return
    expect(False, "refused, though a verifier reads it")


def certificate_seeds() -> list[bytes]:
    """Return every file of certificates, forms that programs make of them, and addresses."""
    made = [path.read_bytes() for path in sorted(FILES.glob("*.[dpb]*")) if path.suffix != ".py"]
    pem = next(one for one in made if one.startswith(b"-----"))
    escaped = [pem.replace(b"\n", b"\\n"), pem.decode().encode("utf-16")]
    return [*made, *escaped, URL, URL.replace(b"Turin", b"Milan"), URL[:50] + b"crl"]
