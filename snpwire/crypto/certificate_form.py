"""What a file of certificates is by its outer shape, none of them read: labels of PEM, tags of DER.

Nothing is said of whether it can be read. A file that is cut short is known by its beginning.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from ..errors import CertificateError
from ..finding import counted
from . import der
from .der import INTEGER, OCTET_STRING, OID, SEQUENCE, SET
from .pem import BEGIN, plain_pem

if TYPE_CHECKING:
    from collections.abc import Iterator

CERTIFICATE, CRL, REQUEST = "certificate", "revocation list", "certificate request"
PRIVATE_KEY, PUBLIC_KEY, PKCS7 = "private key", "public key", "PKCS #7 container"
SEV_CA = "CA certificate in the format of SEV before SNP"
LABELS = {
    b"CERTIFICATE": CERTIFICATE,
    b"X509 CERTIFICATE": CERTIFICATE,
    b"TRUSTED CERTIFICATE": CERTIFICATE,
    b"X509 CRL": CRL,
    b"CERTIFICATE REQUEST": REQUEST,
    b"NEW CERTIFICATE REQUEST": REQUEST,
    b"PUBLIC KEY": PUBLIC_KEY,
    b"RSA PUBLIC KEY": PUBLIC_KEY,
    b"PKCS7": PKCS7,
    b"CMS": PKCS7,
}
"""What a block of PEM holds, by its label; every label that ends so is one of a private key."""
TIMES = (der.UTC_TIME, der.GENERALIZED_TIME)
SIGNED_DATA = "1.2.840.113549.1.7.2"
SEV_SIZES = (2048, 4096)
ANY_SIZE = 1 << 32
"""A limit for lengths that are announced: a file may be cut short."""


class CertificateForm(NamedTuple):
    """What a file is."""

    what: str
    """One of ``CERTIFICATE``, ``CRL``, ``REQUEST``, ``PRIVATE_KEY``, ``PUBLIC_KEY``, ``PKCS7``
    and ``SEV_CA``."""
    text: str
    """In words: ``a PEM bundle of 2 certificates``, ``a certificate in DER``."""


def certificate_form(data: bytes) -> CertificateForm | None:
    """Return what a file of certificates, lists or keys is; None if it is none of these."""
    pem = plain_pem(data)
    return _der_form(data) if pem is None else _pem_form(pem.data)


def label_kind(label: bytes) -> str | None:
    """Return what a PEM block with *label* holds, None for something else."""
    return PRIVATE_KEY if label.endswith(b"PRIVATE KEY") else LABELS.get(label)


def _pem_form(data: bytes) -> CertificateForm | None:
    found = Counter(filter(None, (label_kind(row[1]) for row in BEGIN.finditer(data))))
    if not found:
        return None
    what = next((kind for kind in (CERTIFICATE, CRL) if kind in found), next(iter(found)))
    if found.total() == 1:
        return CertificateForm(what, f"a {what} in PEM")
    parts = (counted(number, kind) for kind, number in found.items())
    return CertificateForm(what, f"a PEM bundle of {', '.join(parts)}")


def _der_form(data: bytes) -> CertificateForm | None:
    if _is_sev_ca(data):
        return CertificateForm(SEV_CA, f"a {SEV_CA}")
    what = der_kind(data)
    return CertificateForm(what, f"a {what} in DER") if what else None


def _is_sev_ca(data: bytes) -> bool:
    """Return whether *data* begins as ask_ark_*.cert of AMD's download site does (55766, B.1).

    Version 1; at 0x24 the usage, that of an ARK or an ASK; at 0x38 the bits of exponent and
    modulus.
    """
    numbers = [int.from_bytes(data[at : at + 4], "little") for at in (0, 0x24, 0x38, 0x3C)]
    version, usage, exponent, modulus = numbers
    return version == 1 and usage in (0, 0x13) and exponent == modulus and modulus in SEV_SIZES


def der_kind(data: bytes) -> str | None:
    """Return what a document of DER is, as far as there are bytes of it; None for another."""
    if data[:1] != b"\x30":
        return None
    try:
        return _der_kind(data)
    except (CertificateError, IndexError):
        return None


def _der_kind(data: bytes) -> str | None:
    """Return what a document holds, by the tags at its beginning. Raises IndexError at its end."""
    outer = der.read(data, 0, ANY_SIZE)
    inside = _following(data, outer.body)
    first = next(inside)
    if first.tag == SEQUENCE:
        return _signed_kind(data, first) or _spki(data, first, inside)
    if first.tag == OID:
        return PKCS7 if der.oid(first) == SIGNED_DATA else None
    if first.tag == INTEGER and first.contents in (b"\0", b"\1"):
        return PRIVATE_KEY if next(inside).tag in (SEQUENCE, INTEGER, OCTET_STRING) else None
    return None


def _signed_kind(data: bytes, signed: der.Item) -> str | None:
    """Return what the signed part of a document is: the version and the names come first."""
    parts = _following(data, signed.body)
    part = next(parts)
    if part.tag == 0xA0:
        return CERTIFICATE if data[part.body] == INTEGER else None
    if part.tag == INTEGER:
        part = next(parts)
        if part.tag == SEQUENCE and not (part.contents and data[part.body] != SET):
            return REQUEST
    if part.tag != SEQUENCE or data[part.body] != OID or next(parts).tag != SEQUENCE:
        return None
    dates = next(parts)
    if dates.tag in TIMES:
        return CRL
    return CERTIFICATE if dates.tag == SEQUENCE and data[dates.body] in TIMES else None


def _spki(data: bytes, algorithm: der.Item, others: Iterator[der.Item]) -> str | None:
    is_key = data[algorithm.body] == OID and next(others).tag == der.BIT_STRING
    return PUBLIC_KEY if is_key else None


def _following(data: bytes, at: int) -> Iterator[der.Item]:
    """Yield the items from *at* on, whole or not."""
    while True:
        item = der.read(data, at, ANY_SIZE)
        yield item
        at = item.end
