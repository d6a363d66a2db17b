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
from ..wire.certs import MAX_ENTRIES, CertEntry, CertGuid, CertTable, certificates
from .content import EvidenceCertificate

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("VCEK", "VLEK", "ASK", "ARK", "CRL")
"""GUIDs of a table that are told apart from other bytes."""
GUID = re.compile(
    b"|".join(re.escape(bytes(CertGuid.from_plain(name))) for name in NAMES), re.DOTALL
)
PEM = re.compile(rb"-----BEGIN (CERTIFICATE|X509 CRL)-----([^-]*)-----END \1-----")
_DER = re.compile(rb"\x30\x82[\x02-\x0f].(?=\x30\x82)", re.DOTALL)
MAX_TABLES = 8
TABLE_MOST = 1 << 18
"""Most bytes of a table; Linux has room for 0x4000."""
MARKS = (b"SEV-", b"ARK-")
"""What names of AMD's keys begin with."""


def table_offsets(data: bytes) -> Iterator[int]:
    """Yield where a certificate table lies in *data*: one whose first entry names bytes there."""
    end = found = 0
    for guid in GUID.finditer(data):
        start = guid.start()
        if start < end or found == MAX_TABLES:
            continue
        entries = CertTable.parse(data[start : start + MAX_ENTRIES * CertEntry.SIZE]).elements
        first = entries[0] if entries else None
        if first and first.offset >= CertEntry.SIZE and _is_there(data, start, first):
            yield start
            found += 1
            end = start + max(entry.offset + entry.length for entry in entries)


def _is_there(data: bytes, start: int, entry: CertEntry) -> bool:
    """Return whether the bytes of an entry of the table at *start* are there, and some are."""
    return entry.length > 0 and start + entry.offset + entry.length <= len(data)


def table_certificates(data: bytes, place: str) -> Iterator[EvidenceCertificate]:
    """Yield the certificates of the table that *data* begins with."""
    for entry in certificates(CertTable.parse(data[:TABLE_MOST])):
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


def embedded_certificates(data: bytes) -> Iterator[EvidenceCertificate]:
    """Yield AMD's certificates that lie in other bytes as they are; what cannot be read is none."""
    end = 0
    for found in _DER.finditer(data):
        start = found.start()
        size = 4 + int.from_bytes(data[start + 2 : start + 4], "big")
        if start < end or start + size > len(data):
            continue
        for row in der_certificates(data[start : start + size], f"offset {start:#x}"):
            if row.name != "certificate":
                yield row
                end = start + size


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
