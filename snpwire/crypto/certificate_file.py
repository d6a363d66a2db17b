"""Read a file of certificates and revocation lists whole: what can be read of it, and what cannot.

Unlike ``certificates.load``, which a verifier uses, it takes what people have: DER with bytes
behind it, several documents in a row, PEM that was escaped, a certificate table. An entry that
cannot be read does not hide the others. A private key is never shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import CertificateError, named
from ..wire.certs import CertGuid, CertTable, certificates
from . import der
from .certificate_form import (
    CERTIFICATE,
    CRL,
    PKCS7,
    SEV_CA,
    certificate_form,
    der_kind,
    label_kind,
)
from .pem import BEGIN, block_data, blocks, no_end, plain_pem
from .x509 import X509, Crl, parse_certificate, parse_crl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .pem import PemBlock

HELP = {
    SEV_CA: "https://kdsintf.amd.com/vcek/v1/Milan/cert_chain has them as X.509 (or Genoa, Turin)",
    PKCS7: "openssl pkcs7 -print_certs -in FILE (-inform DER) takes the certificates out",
}
"""What to do with what holds, or stands for, certificates."""
PRINTED = (b"Signature Algorithm:", b"Validity", b"Subject Public Key Info:")
"""Lines of a certificate as OpenSSL prints it."""


class CertificateEntry(NamedTuple):
    """A certificate or list, where it stands, or why it cannot be read."""

    place: str
    """``PEM block in line 3``, ``entry 1, ASK``; empty if the file is it."""
    offset: int
    """In the file: of the DER, or of the line that begins PEM."""
    size: int
    """Bytes of DER."""
    document: X509 | Crl | None
    problem: CertificateError | None = None


class CertificateFile(NamedTuple):
    """What a file of certificates holds."""

    text: str
    """What it is, in words."""
    entries: tuple[CertificateEntry, ...]
    notes: tuple[str, ...] = ()
    """How it was read, and what was passed over."""
    rest: bytes = b""
    """Bytes behind the last document of DER."""
    rest_offset: int = 0


def certificate_file(data: bytes) -> CertificateFile:
    """Read all that a file holds. Raises CertificateError if that is no certificate and no list."""
    form = certificate_form(data)
    if form is None:
        return _blob_file(data) if BEGIN.search(data) and not _is_table(data) else _table_file(data)
    if form.what not in (CERTIFICATE, CRL):
        hint = HELP.get(form.what, "")
        raise CertificateError(f"this is {form.text}, not a certificate", help=hint)
    pem = plain_pem(data)
    if pem is None:
        return _der_file(form.text, data)
    entries, passed = _pem_entries(pem.data)
    return _legible(CertificateFile(form.text, entries, (*pem.notes, *passed)))


def _legible(found: CertificateFile) -> CertificateFile:
    """Return *found* if anything in it can be read. Raises CertificateError if nothing can."""
    if not found.entries:
        raise CertificateError(f"this looks like {found.text}, and no certificate in it is whole")
    problems = [(row.place, row.problem) for row in found.entries if row.problem]
    if not problems or len(problems) < len(found.entries):
        return found
    place, problem = problems[0]
    where = f"{place}: " if place and not problem.reason.startswith("the PEM block") else ""
    raise CertificateError(f"{where}{problem.reason}", offset=problem.offset)


def _pem_entries(data: bytes) -> tuple[tuple[CertificateEntry, ...], tuple[str, ...]]:
    """Return the entries of PEM, and notes on the blocks that are none."""
    entries, notes = [], []
    for row in blocks(data, whole=False):
        kind = label_kind(row.label)
        if kind in (CERTIFICATE, CRL):
            place = f"PEM block in line {row.line}"
            entries.append(_pem_entry(kind, row)._replace(place=place, offset=row.offset))
        else:
            what = kind or f"block of {named(row.label.decode())}"
            notes.append(f"a {what} in line {row.line} is passed over")
    return tuple(entries), tuple(notes)


def _pem_entry(kind: str | None, row: PemBlock) -> CertificateEntry:
    try:
        if row.text is None:
            raise no_end(row.line)
        data = block_data(row.text, row.line)
    except CertificateError as exc:
        return CertificateEntry("", 0, 0, None, exc)
    return _entry(data, kind)


def _entry(data: bytes, kind: str | None) -> CertificateEntry:
    """Read one document of DER."""
    read = parse_crl if kind == CRL else parse_certificate
    try:
        return CertificateEntry("", 0, len(data), read(data))
    except CertificateError as exc:
        return CertificateEntry("", 0, len(data), None, exc)


def _der_file(text: str, data: bytes) -> CertificateFile:
    """Read documents of DER, one after another, and what is behind them."""
    found, at = [], 0
    while at < len(data) and (kind := der_kind(data[at:])) in (CERTIFICATE, CRL):
        end = _der_end(data, at)
        found.append(_entry(data[at:end], kind)._replace(offset=at))
        at = end
    if len(found) > 1:
        text = f"{len(found)} documents in DER"
        found = [row._replace(place=f"DER at {row.offset:#x}") for row in found]
    return _legible(CertificateFile(text, tuple(found), (), data[at:], at))


def _der_end(data: bytes, at: int) -> int:
    """Return where the document at *at* ends; the end of the data if it is cut short."""
    try:
        return der.read(data, at, len(data)).end
    except CertificateError:
        return len(data)


def _blob_file(data: bytes) -> CertificateFile:
    """Read the PEM that stands in other bytes, as a verifier does."""
    entries, notes = _pem_entries(data)
    return _legible(CertificateFile("PEM among other bytes", entries, notes))


def _is_table(data: bytes) -> bool:
    """Return whether *data* begins with a GUID of a certificate table that is known."""
    known = (bytes(CertGuid.from_plain(name)) for name in CertGuid.NAMES if name != "EMPTY")
    return data.startswith(tuple(known))


def _table_file(data: bytes) -> CertificateFile:
    """Read the entries of a certificate table. Raises CertificateError if it is none."""
    if not _is_table(data):
        raise _refusal(data)
    rows = certificates(CertTable.parse(data))
    found, notes = [], []
    for number, row in enumerate(rows):
        kind = _table_kind(row.name, row.data)
        place = f"entry {number}, {named(row.name)}"
        if row.problem:
            problem = CertificateError(row.problem)
            found.append(CertificateEntry(place, row.offset, row.length, None, problem))
        elif kind is None:
            notes.append(f"{place}, is passed over: it is no certificate and no list")
        else:
            found += _inner(place, row.offset, row.data, kind)
    return _legible(CertificateFile("a certificate table", tuple(found), tuple(notes)))


def _table_kind(name: str, data: bytes) -> str | None:
    """Return what an entry of a table is: by its bytes, or by its name where they do not say."""
    form = certificate_form(data)
    if form:
        return form.what if form.what in (CERTIFICATE, CRL) else None
    if name == "CRL":
        return CRL
    return CERTIFICATE if name in ("VCEK", "VLEK", "ASK", "ASVK", "ARK") else None


def _inner(place: str, offset: int, data: bytes, kind: str) -> Iterator[CertificateEntry]:
    """Yield what one entry of a table holds: DER, or PEM of one or several."""
    if plain_pem(data) is None:
        yield _entry(data, kind)._replace(place=place, offset=offset)
        return
    for row in _pem_entries(data)[0]:
        yield row._replace(place=f"{place}, {row.place}", offset=offset + row.offset)


def _refusal(data: bytes) -> CertificateError:
    if not data:
        return CertificateError("there is no certificate: the input is empty")
    if all(line in data for line in PRINTED):
        reason = "this is a certificate as OpenSSL prints it: AMD's extensions are dots there"
        hint = "openssl x509 -in CERTIFICATE -outform PEM has all that it says"
        return CertificateError(reason, help=hint)
    kinds = "neither DER, PEM nor a certificate table"
    return CertificateError(f"there is no certificate: {kinds}, {len(data)} bytes")
