"""Write DER: what an emulated certificate is made of. ``der`` reads it.

``cryptography`` can write certificates as well, but refuses serial number 0, which all of AMD's
have, and draws a salt where the same certificate is to come out each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import der

if TYPE_CHECKING:
    from datetime import datetime


def item(tag: int, *parts: bytes) -> bytes:
    """Return one item that holds *parts*."""
    body = b"".join(parts)
    size = len(body)
    if size < 0x80:
        return bytes((tag, size)) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + body


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE."""
    return item(der.SEQUENCE, *parts)


def oid(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER."""
    first, second, *others = map(int, dotted.split("."))
    body = bytearray()
    for number in (40 * first + second, *others):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(number & 0x7F | 0x80)
        body += bytes(reversed(groups))
    return item(der.OID, bytes(body))


def integer(number: int) -> bytes:
    """Return an INTEGER that is not negative."""
    return item(der.INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def octets(*parts: bytes) -> bytes:
    """Return an OCTET STRING."""
    return item(der.OCTET_STRING, *parts)


def bits(data: bytes, unused: int = 0) -> bytes:
    """Return a BIT STRING whose last byte has so many bits that do not count."""
    return item(der.BIT_STRING, bytes((unused,)), data)


def text(tag: int, value: str) -> bytes:
    """Return a string of the kind that *tag* says."""
    return item(tag, value.encode("ascii"))


def time(moment: datetime) -> bytes:
    """Return a time: UTCTime up to 2049, GeneralizedTime from then on (RFC 5280)."""
    if moment.year < 2050:
        return text(der.UTC_TIME, f"{moment:%y%m%d%H%M%SZ}")
    return text(der.GENERALIZED_TIME, f"{moment:%Y%m%d%H%M%SZ}")
