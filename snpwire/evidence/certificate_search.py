"""AMD's certificates in other bytes: PEM, DER, and tables of an extended request, by their GUIDs.

Certificates that are not AMD's (a TPM's, a server's) are passed over; those that name AMD's keys
and cannot be read are kept, for whoever verifies to refuse them.
"""

from __future__ import annotations

import re
from binascii import Error as BadBase64
from binascii import a2b_base64
from typing import TYPE_CHECKING

from ..errors import CertificateError
from ..wire.certs import CertEntry, CertGuid, CertTable, certificates
from .content import EvidenceCertificate

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("VCEK", "VLEK", "ASK", "ARK", "CRL")
"""GUIDs of a table that are told apart from other bytes."""
GUID = re.compile(
    b"|".join(re.escape(bytes(CertGuid.from_plain(name))) for name in NAMES), re.DOTALL
)
PEM = re.compile(rb"-----BEGIN (CERTIFICATE|X509 CRL)-----([^-]*)-----END \1-----")
MARKS = (b"SEV-", b"ARK-")
"""What names of AMD's keys begin with."""


def table_offsets(data: bytes) -> Iterator[int]:
    """Yield where a certificate table lies in *data*: one whose first entry names bytes there."""
    end = 0
    for found in GUID.finditer(data):
        start = found.start()
        if start < end:
            continue
        table = CertTable.parse(data[start : start + CertEntry.SIZE])
        first = table.elements[0]
        if first.offset >= CertEntry.SIZE and start + first.offset + first.length <= len(data):
            yield start
            end = start + max(entry.offset + entry.length for entry in _entries(data, start))


def _entries(data: bytes, start: int) -> tuple[CertEntry, ...]:
    return CertTable.parse(data[start:]).elements


def table_certificates(data: bytes, place: str) -> Iterator[EvidenceCertificate]:
    """Yield the certificates of the table that *data* begins with."""
    for entry in certificates(CertTable.parse(data)):
        if entry.name not in NAMES or entry.problem:
            continue
        where = f"{place}, {entry.name} of the certificate table"
        found = [*pem_certificates(entry.data, where), *der_certificates(entry.data, where)]
        yield from found or [EvidenceCertificate(entry.name, entry.data, where)]


def pem_certificates(data: bytes, place: str) -> Iterator[EvidenceCertificate]:
    """Yield AMD's certificates of the PEM blocks in *data*, which may have escaped line ends."""
    for found in PEM.finditer(data):
        digits = b"".join(found[2].replace(b"\\n", b"").split())
        try:
            der = a2b_base64(digits, strict_mode=True)
        except BadBase64:
            der = b""
        yield from der_certificates(der, place)


def der_certificates(data: bytes, place: str) -> Iterator[EvidenceCertificate]:
    """Yield the certificate or list that *data* is, if it names a key of AMD's."""
    if data[:2] != b"\x30\x82" or not any(mark in data for mark in MARKS):
        return
    end = 4 + int.from_bytes(data[2:4], "big")
    if end <= len(data) and not any(data[end:]):
        der = data[:end]
        yield EvidenceCertificate(_name(der), der, place)


def _name(der: bytes) -> str:
    """Return what a certificate is, by its subject; ``certificate`` if that is not AMD's."""
    from ..crypto.x509 import parse_certificate, parse_crl

    try:
        return subject_kind(parse_certificate(der).subject_name)
    except CertificateError:
        pass
    try:
        parse_crl(der)
    except CertificateError:
        return "certificate"
    return "CRL"


def subject_kind(name: str) -> str:
    """Return the kind of the certificate whose subject is called *name*."""
    if name in ("SEV-VCEK", "SEV-VLEK"):
        return name[4:]
    for start, kind in (("ARK-", "ARK"), ("SEV-VLEK-", "ASVK"), ("SEV-", "ASK")):
        if name.startswith(start):
            return kind
    return "certificate"
