"""Extensions of a certificate that are not AMD's, in words; what is not known stays as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import CertificateError, printable
from . import der
from .amd_oids import ARC, NAMES
from .rfc5280 import BASIC_CONSTRAINTS, KEY_USAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .x509 import Extension

SUBJECT_KEY, AUTHORITY_KEY = "2.5.29.14", "2.5.29.35"
CRL_NUMBER, CRL_POINTS = "2.5.29.20", "2.5.29.31"
USAGES = (
    *("digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment"),
    *("keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"),
)
"""Bits of a key usage, from the first (RFC 5280, 4.2.1.3)."""
URI, KEY_ID = 0x86, 0x80
"""Tags of an address in a distribution point, and of a key's identifier."""
SHOWN = 24
"""Bytes of an extension that is not known."""


class ExtensionText(NamedTuple):
    """An extension in words."""

    oid: str
    name: str
    """Empty for one that is not known."""
    value: str
    critical: bool


def extension_texts(extensions: Mapping[str, Extension]) -> Iterator[ExtensionText]:
    """Yield each extension in words, but AMD's that are known."""
    for oid, row in extensions.items():
        if not (oid.startswith(ARC) and oid in NAMES):
            name, read = READERS.get(oid, ("", bytes_text))
            try:
                text = printable(read(row.value))
            except CertificateError:
                text = bytes_text(row.value)
            yield ExtensionText(oid, name, text, row.critical)


def bytes_text(value: bytes) -> str:
    """Return the first bytes in hex, and how many more there are."""
    more = f" .. {len(value) - SHOWN} more" if len(value) > SHOWN else ""
    return f"{value[:SHOWN].hex(' ')}{more}" if value else "empty"


def _constraints(value: bytes) -> str:
    parts = der.only(value).fields(der.SEQUENCE, "basic constraints", 0, 2)
    is_ca = bool(parts) and parts[0].tag == der.BOOLEAN and der.boolean(parts.pop(0))
    length = f", path length {der.integer(parts[0])}" if parts else ""
    return f"{'CA' if is_ca else 'no CA'}{length}"


def _usage(value: bytes) -> str:
    bits = sorted(der.named_bits(der.only(value)))
    return " ".join(USAGES[bit] if bit < len(USAGES) else f"bit {bit}" for bit in bits) or "none"


def _subject_key(value: bytes) -> str:
    return der.only(value).expect(der.OCTET_STRING, "a key identifier").contents.hex()


def _authority_key(value: bytes) -> str:
    parts = der.only(value).fields(der.SEQUENCE, "an authority key identifier", 1, 3)
    return parts[0].expect(KEY_ID, "a key identifier").contents.hex()


def _number(value: bytes) -> str:
    return str(der.integer(der.only(value)))


def _points(value: bytes) -> str:
    """Return the addresses of distribution points, at whatever depth they are."""
    found = list(_addresses(der.only(value), 0))
    if not found:
        raise CertificateError("there is no address")
    return " ".join(found)


def _addresses(item: der.Item, depth: int) -> Iterator[str]:
    if item.tag == URI:
        yield item.contents.decode("ascii", "replace")
    elif item.tag & 0x20 and depth < 8:
        for child in item.children():
            yield from _addresses(child, depth + 1)


READERS = {
    BASIC_CONSTRAINTS: ("basicConstraints", _constraints),
    KEY_USAGE: ("keyUsage", _usage),
    SUBJECT_KEY: ("subjectKeyIdentifier", _subject_key),
    AUTHORITY_KEY: ("authorityKeyIdentifier", _authority_key),
    CRL_NUMBER: ("cRLNumber", _number),
    CRL_POINTS: ("cRLDistributionPoints", _points),
}
"""What reads the value of an extension, and its name in RFC 5280."""
