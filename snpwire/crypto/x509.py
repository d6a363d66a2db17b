"""Read X.509 certificates and revocation lists, as far as checking a chain needs.

Only the encoding is checked. A serial number of 0, which every VCEK has, is read like any other.

``cryptography`` was rejected as the reader for that reason: releases 43 and 50 read such a
certificate, 50 with the warning "Loading this certificate will cause an exception in a future
release" (pyca issue 13287). asn1crypto would do, with about 490 lines less here, but it is one more
dependency and takes 1,461 us for a certificate, against 182 us here and 4 us in ``cryptography``.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from . import der

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

RSA = "1.2.840.113549.1.1.1"
RSASSA_PSS = "1.2.840.113549.1.1.10"
EC_PUBLIC_KEY = "1.2.840.10045.2.1"
P384 = "1.3.132.0.34"
SHA384 = "2.16.840.1.101.3.4.2.2"
MGF1 = "1.2.840.113549.1.1.8"
COMMON_NAME = "2.5.4.3"
_CONTEXT = 0xA0
_TRAILING = (0x81, 0x82, 0xA3)


class RsaKey(NamedTuple):
    """An RSA public key."""

    n: int
    e: int


class EcKey(NamedTuple):
    """A point on P-384."""

    x: int
    y: int


class Pss(NamedTuple):
    """Parameters of an RSASSA-PSS signature."""

    hash: str
    mask_hash: str
    salt: int
    trailer: int


class Extension(NamedTuple):
    """An extension's value, as the certificate has it."""

    critical: bool
    value: bytes


class Signed(NamedTuple):
    """The signed part of a document, and its signature."""

    tbs: bytes
    algorithm: str
    pss: Pss | None
    signature: bytes
    agrees: bool
    """Whether the signed part names the same algorithm, with the same parameters."""


class X509(NamedTuple):
    """A certificate."""

    der: bytes
    signed: Signed
    version: int
    """1 to 3, as people count; encoded as one less."""
    serial: int
    issuer: bytes
    """The whole encoded name, which is compared."""
    issuer_name: str
    subject: bytes
    subject_name: str
    not_before: datetime
    not_after: datetime
    spki: bytes
    """The encoded subject public key information, which is pinned."""
    key: RsaKey | EcKey | None
    """None for a key of another kind."""
    extensions: Mapping[str, Extension]
    """Read only: a certificate that was read is remembered."""


class Crl(NamedTuple):
    """A list of revoked certificates."""

    signed: Signed
    version: int
    issuer: bytes
    issuer_name: str
    this_update: datetime
    next_update: datetime | None
    revoked: frozenset[int]
    extensions: Mapping[str, Extension]
    entry_extensions: Mapping[str, Extension]
    """Those of all entries; critical if any entry's is."""


@lru_cache(maxsize=32)
def parse_certificate(data: bytes) -> X509:
    """Read one certificate. Raises CertificateError, which names the offset.

    The last ones are remembered, by all their bytes: those of a root and what it issued come with
    every report.
    """
    tbs, outer, signed = _signed_parts(data)
    parts = tbs.fields(der.SEQUENCE, "the signed part of a certificate", 6, 10)
    version = _version(parts.pop(0)) if parts[0].tag == _CONTEXT else 1  # left out for 1
    if len(parts) < 6:
        raise tbs.error("a certificate has too few parts")
    serial, algorithm, issuer, validity, subject, spki, *others = parts
    before, after = validity.fields(der.SEQUENCE, "a validity", 2, 2)
    return X509(
        der=data,
        signed=signed._replace(agrees=algorithm.whole == outer),
        version=version,
        serial=der.integer(serial),
        issuer=issuer.whole,
        issuer_name=_common_name(issuer),
        subject=subject.whole,
        subject_name=_common_name(subject),
        not_before=der.time(before),
        not_after=der.time(after),
        spki=spki.whole,
        key=_key(spki),
        extensions=MappingProxyType(dict(_trailing_extensions(others))),
    )


def parse_crl(data: bytes) -> Crl:
    """Read one revocation list. Raises CertificateError, which names the offset."""
    tbs, outer, signed = _signed_parts(data)
    parts = tbs.fields(der.SEQUENCE, "the signed part of a revocation list", 3, 7)
    version = der.integer(parts.pop(0)) + 1 if parts[0].tag == der.INTEGER else 1
    if len(parts) < 3:
        raise tbs.error("a revocation list has too few parts")
    algorithm, issuer, this_update, *others = parts
    next_update = None
    if others and others[0].tag in (der.UTC_TIME, der.GENERALIZED_TIME):
        next_update = der.time(others.pop(0))
    revoked, entry_extensions = _entries(others.pop(0)) if _starts(others, der.SEQUENCE) else EMPTY
    extensions = dict(_extensions(others.pop(0))) if _starts(others, _CONTEXT) else {}
    if others:
        raise others[0].error("a revocation list has more parts than it may have")
    return Crl(
        signed=signed._replace(agrees=algorithm.whole == outer),
        version=version,
        issuer=issuer.whole,
        issuer_name=_common_name(issuer),
        this_update=der.time(this_update),
        next_update=next_update,
        revoked=revoked,
        extensions=extensions,
        entry_extensions=entry_extensions,
    )


EMPTY: tuple[frozenset[int], dict[str, Extension]] = (frozenset(), {})


def _starts(items: list[der.Item], tag: int) -> bool:
    return bool(items) and items[0].tag == tag


def _entries(item: der.Item) -> tuple[frozenset[int], dict[str, Extension]]:
    """Return the serial numbers of a list's entries, and the extensions of them all."""
    serials: set[int] = set()
    extensions: dict[str, Extension] = {}
    for entry in item.children():
        serial, date, *others = entry.fields(der.SEQUENCE, "a revoked certificate", 2, 3)
        serials.add(der.integer(serial))
        der.time(date)
        for name, found in _sequence_of_extensions(others[0]) if others else ():
            known = extensions.get(name, found)
            extensions[name] = found._replace(critical=found.critical or known.critical)
    return frozenset(serials), extensions


def _signed_parts(data: bytes) -> tuple[der.Item, bytes, Signed]:
    """Return the signed part of a certificate or list, its algorithm, and its signature."""
    outer = der.only(data)
    tbs, algorithm, signature = outer.fields(der.SEQUENCE, "a signed document", 3, 3)
    name, pss = _algorithm(algorithm)
    return tbs, algorithm.whole, Signed(tbs.whole, name, pss, der.bits(signature), agrees=False)


def _version(item: der.Item) -> int:
    inner = list(item.children())
    if len(inner) != 1 or der.integer(inner[0]) not in (0, 1, 2):
        raise item.error("the certificate's version is not 1, 2 or 3")
    return der.integer(inner[0]) + 1


def _algorithm(item: der.Item) -> tuple[str, Pss | None]:
    """Return the name of an algorithm, and the parameters if it is RSASSA-PSS."""
    name, *parameters = item.fields(der.SEQUENCE, "an algorithm", 1, 2)
    found = der.oid(name)
    if found != RSASSA_PSS or not parameters:
        return found, None
    return found, _pss(parameters[0])


def _pss(item: der.Item) -> Pss:
    """Read the parameters; missing ones have the defaults of RFC 4055, which are SHA-1."""
    found: dict[int, der.Item] = {}
    for part in item.fields(der.SEQUENCE, "signature parameters", 0, 4):
        inner = list(part.children()) if part.tag & 0xE0 == _CONTEXT else []
        if len(inner) != 1 or part.tag in found:
            raise part.error("signature parameters cannot be read")
        found[part.tag] = inner[0]
    sha1 = "1.3.14.3.2.26"
    mask = sha1
    if _CONTEXT + 1 in found:
        name, parameter = found[_CONTEXT + 1].fields(der.SEQUENCE, "a mask function", 2, 2)
        if der.oid(name) != MGF1:
            raise name.error("the mask function is not MGF1")
        mask = _algorithm(parameter)[0]
    return Pss(
        hash=_algorithm(found[_CONTEXT])[0] if _CONTEXT in found else sha1,
        mask_hash=mask,
        salt=der.integer(found[_CONTEXT + 2]) if _CONTEXT + 2 in found else 20,
        trailer=der.integer(found[_CONTEXT + 3]) if _CONTEXT + 3 in found else 1,
    )


def _common_name(name: der.Item) -> str:
    """Return the last common name in *name*, or an empty string."""
    found = ""
    for group in name.expect(der.SEQUENCE, "a name").children():
        for part in group.expect(der.SET, "a part of a name").children():
            kind, value = part.fields(der.SEQUENCE, "a part of a name", 2, 2)
            if der.oid(kind) == COMMON_NAME:
                found = der.text(value)
    return found


def _key(spki: der.Item) -> RsaKey | EcKey | None:
    algorithm, bits = spki.fields(der.SEQUENCE, "a public key", 2, 2)
    kind, *parameters = algorithm.fields(der.SEQUENCE, "an algorithm", 1, 2)
    found, data = der.oid(kind), der.bits(bits)
    if found == RSA:
        n, e = der.only(data).fields(der.SEQUENCE, "an RSA key", 2, 2)
        return RsaKey(der.integer(n), der.integer(e))
    curve = der.oid(parameters[0]) if parameters and parameters[0].tag == der.OID else ""
    if found == EC_PUBLIC_KEY and curve == P384:
        if len(data) != 97 or data[0] != 4:
            raise bits.error("a point of P-384 is not 97 bytes that start with 4")
        return EcKey(int.from_bytes(data[1:49], "big"), int.from_bytes(data[49:], "big"))
    return None


def _trailing_extensions(parts: list[der.Item]) -> Iterator[tuple[str, Extension]]:
    """Read what follows the key: two unique identifiers, which nobody uses, and extensions."""
    last = 0
    for part in parts:
        if part.tag not in _TRAILING or part.tag <= last:
            raise part.error(f"tag {part.tag:#04x} has no place behind a certificate's key")
        last = part.tag
        if part.tag == _CONTEXT + 3:
            yield from _extensions(part)


def _extensions(part: der.Item) -> Iterator[tuple[str, Extension]]:
    inner = list(part.children())
    if len(inner) != 1:
        raise part.error("extensions are not one sequence")
    yield from _sequence_of_extensions(inner[0])


def _sequence_of_extensions(sequence: der.Item) -> Iterator[tuple[str, Extension]]:
    known = set()
    for item in sequence.expect(der.SEQUENCE, "extensions").children():
        name, *flag, value = item.fields(der.SEQUENCE, "an extension", 2, 3)
        found = der.oid(name)
        if found in known:
            raise item.error(f"extension {found} occurs twice")
        known.add(found)
        critical = bool(flag) and der.boolean(flag[0])
        yield found, Extension(critical, value.expect(der.OCTET_STRING, "a value").contents)
