"""Read DER: the tag, length and contents of each item, never past its container.

Only what certificates use is read: definite lengths in their shortest form, tags below 31.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..errors import CertificateError

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTF8, PRINTABLE, TELETEX, IA5, UTC_TIME, GENERALIZED_TIME = 0x0C, 0x13, 0x14, 0x16, 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
TEXTS = {UTF8: "utf-8", PRINTABLE: "ascii", TELETEX: "latin-1", IA5: "ascii"}
MAX_OID = 64
"""Bytes of an object identifier; longer ones are refused, since their numbers grow without end."""


class Item(NamedTuple):
    """One item of a document, and its place there."""

    document: bytes
    tag: int
    start: int
    body: int
    """Offset of the contents."""
    end: int

    @property
    def contents(self) -> bytes:
        """Return the bytes of the contents."""
        return self.document[self.body : self.end]

    @property
    def whole(self) -> bytes:
        """Return the bytes of the item, tag and length included."""
        return self.document[self.start : self.end]

    def error(self, reason: str) -> CertificateError:
        """Return what to raise if the item is not what it should be."""
        return CertificateError(reason, offset=self.start)

    def expect(self, tag: int, what: str) -> Item:
        """Return the item itself. Raises CertificateError if it has another tag."""
        if self.tag != tag:
            raise self.error(f"expected {what} (tag {tag:#04x}), got tag {self.tag:#04x}")
        return self

    def children(self) -> Iterator[Item]:
        """Yield the items of the contents. Raises CertificateError."""
        at = self.body
        while at < self.end:
            item = read(self.document, at, self.end)
            yield item
            at = item.end

    def fields(self, tag: int, what: str, least: int, most: int) -> list[Item]:
        """Return the items of the contents, which has *tag* and *least* to *most* of them."""
        items = list(self.expect(tag, what).children())
        if not least <= len(items) <= most:
            raise self.error(f"{what} has {len(items)} parts, not {least} to {most}")
        return items


def read(document: bytes, at: int, limit: int) -> Item:
    """Read the item at offset *at*, which ends at *limit* or before. Raises CertificateError."""
    if limit - at < 2:
        raise CertificateError("the DER is cut short", offset=at)
    tag, first = document[at], document[at + 1]
    if tag & 0x1F == 0x1F:
        raise CertificateError(f"tag {tag:#04x} has a number too large", offset=at)
    body, size = at + 2, first
    if first >= 0x80:
        octets = first & 0x7F
        body += octets
        if not 1 <= octets <= 4 or body > limit:
            raise CertificateError(f"the length {first:#04x} cannot be", offset=at + 1)
        size = int.from_bytes(document[at + 2 : body], "big")
        if size < 0x80 or size >> 8 * (octets - 1) == 0:
            raise CertificateError("the length is longer than it has to be", offset=at + 1)
    if size > limit - body:
        raise CertificateError(
            f"the DER is cut short: {size} bytes announced, {limit - body} there", offset=at
        )
    return Item(document, tag, at, body, body + size)


def only(document: bytes, at: int = 0) -> Item:
    """Read the one item that *document* consists of from *at* on. Raises CertificateError."""
    item = read(document, at, len(document))
    if item.end != len(document):
        raise CertificateError(f"{len(document) - item.end} bytes too many", offset=item.end)
    return item


def integer(item: Item) -> int:
    """Read an INTEGER in its shortest form (X.690, 8.3.2). Raises CertificateError."""
    contents = item.expect(INTEGER, "an integer").contents
    if not contents:
        raise item.error("an integer has no bytes")
    if len(contents) > 1 and contents[0] in (0x00, 0xFF) and contents[0] >> 7 == contents[1] >> 7:
        raise item.error("an integer is longer than it has to be")
    return int.from_bytes(contents, "big", signed=True)


def boolean(item: Item) -> bool:
    """Read a BOOLEAN: 00, or ff for true (X.690, 11.1). Raises CertificateError."""
    contents = item.expect(BOOLEAN, "a boolean").contents
    if contents not in (b"\x00", b"\xff"):
        raise item.error(f"a boolean is 00 or ff, not {contents[:8].hex() or 'empty'}")
    return contents == b"\xff"


def oid(item: Item) -> str:
    """Read an OBJECT IDENTIFIER. Raises CertificateError."""
    contents = item.expect(OID, "an object identifier").contents
    if not contents or contents[-1] & 0x80 or len(contents) > MAX_OID:
        raise item.error("an object identifier cannot be read")
    return _dotted(contents)


@lru_cache(maxsize=256)
def _dotted(contents: bytes) -> str:
    """Write the numbers of an identifier; a certificate names the same ones over and over."""
    numbers, number = [], 0
    for byte in contents:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def bits(item: Item) -> bytes:
    """Read a BIT STRING of whole bytes. Raises CertificateError."""
    contents = item.expect(BIT_STRING, "a bit string").contents
    if not contents or contents[0]:
        raise item.error("a bit string is not of whole bytes")
    return contents[1:]


def named_bits(item: Item) -> frozenset[int]:
    """Return the numbers of the bits set in a BIT STRING, from its first. Raises CertificateError.

    The unused bits are zero (X.690, 11.2.1). Zeros before them, which 11.2.2 forbids, are taken:
    AMD's ASKs have one.
    """
    contents = item.expect(BIT_STRING, "a bit string").contents
    unused, data = (contents[0], contents[1:]) if contents else (8, b"")
    last = data[-1] if data else 1
    if unused > 7 or last & (1 << unused) - 1:
        raise item.error("a bit string cannot be read")
    number = int.from_bytes(data, "big")
    size = 8 * len(data)
    return frozenset(at for at in range(size) if number >> (size - 1 - at) & 1)


def text(item: Item) -> str:
    """Read a string of any kind that names use. Raises CertificateError."""
    encoding = TEXTS.get(item.tag)
    if encoding is None:
        raise item.error(f"expected text, got tag {item.tag:#04x}")
    try:
        return item.contents.decode(encoding)
    except UnicodeDecodeError:
        raise item.error("text cannot be decoded") from None


def time(item: Item) -> datetime:
    """Read a UTCTime or a GeneralizedTime of whole seconds. Raises CertificateError."""
    years = {UTC_TIME: 2, GENERALIZED_TIME: 4}.get(item.tag)
    digits = item.contents[:-1]
    if years is None or item.contents[-1:] != b"Z" or len(digits) != years + 10:
        raise item.error("a time cannot be read")
    try:
        if not digits.isdigit():
            raise ValueError
        year = int(digits[:years])
        if years == 2:  # RFC 5280, 4.1.2.5.1
            year += 1900 if year >= 50 else 2000
        pairs = (int(digits[at : at + 2]) for at in range(years, years + 10, 2))
        month, day, hour, minute, second = pairs
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise item.error("a time cannot be read") from None
