"""What RFC 5280 demands of a certificate in its place of a chain, and of a list of revoked ones.

AMD's chains need no more than basic constraints and key usage. What else a document calls critical
is refused unread, and so are constraints of names, critical or not: a rule that is not carried out
may not be passed over (4.2, 5.2, 5.3). A list has to be whole and to say when the next one is due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import CertificateError, SignatureError, shown
from . import der
from .certificates import check_signed

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from datetime import datetime

    from .x509 import X509, Crl, Extension

KEY_USAGE, BASIC_CONSTRAINTS = "2.5.29.15", "2.5.29.19"
NAME_CONSTRAINTS, EXT_KEY_USAGE = "2.5.29.30", "2.5.29.37"
ANY_EXT_KEY_USAGE = EXT_KEY_USAGE + ".0"
DELTA_CRL_INDICATOR, ISSUING_DISTRIBUTION_POINT = "2.5.29.27", "2.5.29.28"
DIGITAL_SIGNATURE, KEY_CERT_SIGN, CRL_SIGN = 0, 5, 6
"""Bits of a key usage (4.2.1.3)."""
OF_AUTHORITY = frozenset({KEY_USAGE, BASIC_CONSTRAINTS})
OF_LEAF = frozenset({KEY_USAGE, BASIC_CONSTRAINTS, EXT_KEY_USAGE})
"""Critical extensions that are read, beside AMD's own."""


class BasicConstraints(NamedTuple):
    """Whether a certificate is a CA's, and how many CAs may be below it."""

    ca: bool
    path_length: int | None
    """None for any number."""


def basic_constraints(certificate: X509) -> BasicConstraints:
    """Return the basic constraints; without any, it is no CA. Raises CertificateError."""
    found = certificate.extensions.get(BASIC_CONSTRAINTS)
    if found is None:
        return BasicConstraints(ca=False, path_length=None)
    parts = der.only(found.value).fields(der.SEQUENCE, "basic constraints", 0, 2)
    ca = bool(parts) and parts[0].tag == der.BOOLEAN and der.boolean(parts.pop(0))
    length = der.integer(parts.pop(0)) if parts else None
    if parts or (length is not None and (length < 0 or not ca)):
        raise CertificateError("basic constraints cannot be read")
    return BasicConstraints(ca, length)


def key_usage(certificate: X509) -> frozenset[int] | None:
    """Return what the key may be used for, None if anything. Raises CertificateError."""
    found = certificate.extensions.get(KEY_USAGE)
    return None if found is None else der.named_bits(der.only(found.value))


def check_authority(certificate: X509, below: int) -> None:
    """Check that a certificate may issue others, with *below* CAs under it. Raises SignatureError.

    6.1.4 (k) to (o), for a root too, of which the RFC asks for less.
    """
    try:
        constraints, usage = basic_constraints(certificate), key_usage(certificate)
    except CertificateError as exc:
        raise SignatureError(f"an extension cannot be read: {exc}") from None
    _check_version(certificate)
    if certificate.version != 3:
        raise SignatureError(f"it is of version {certificate.version}, and no CA: that needs 3")
    if not constraints.ca:
        raise SignatureError("it may not issue certificates: its basic constraints name no CA")
    if constraints.path_length is not None and constraints.path_length < below:
        raise SignatureError(
            f"its path length is {constraints.path_length}, and {below} CA is below it"
        )
    if usage is not None and KEY_CERT_SIGN not in usage:
        raise SignatureError("its key usage lacks keyCertSign")
    if NAME_CONSTRAINTS in certificate.extensions:
        raise SignatureError("it has name constraints, which are not carried out")
    _check_critical(certificate.extensions, OF_AUTHORITY)


def check_leaf(certificate: X509, own: Container[str]) -> None:
    """Check that a certificate's key may sign reports; *own* are AMD's extensions.

    Raises SignatureError. 4.2.1.3, 4.2.1.12, 6.1.5 (f).
    """
    _check_version(certificate)
    try:
        usage, purposes = key_usage(certificate), _purposes(certificate)
        basic_constraints(certificate)
    except CertificateError as exc:
        raise SignatureError(f"an extension cannot be read: {exc}") from None
    if usage is not None and DIGITAL_SIGNATURE not in usage:
        raise SignatureError("its key usage lacks digitalSignature")
    if purposes and ANY_EXT_KEY_USAGE not in purposes:
        raise SignatureError(f"its extended key usage is another: {shown(' '.join(purposes))}")
    foreign = {name: row for name, row in certificate.extensions.items() if name not in own}
    _check_critical(foreign, OF_LEAF)


def _purposes(certificate: X509) -> list[str]:
    found = certificate.extensions.get(EXT_KEY_USAGE)
    if found is None:
        return []
    return [der.oid(row) for row in der.only(found.value).fields(der.SEQUENCE, "purposes", 1, 64)]


def _check_version(certificate: X509) -> None:
    if certificate.extensions and certificate.version != 3:
        raise SignatureError(
            f"it is of version {certificate.version} and has extensions: they need version 3"
        )


def _check_critical(extensions: Mapping[str, Extension], known: Container[str]) -> None:
    for name, found in extensions.items():
        if found.critical and name not in known:
            raise SignatureError(f"its critical extension {name} is not known")


def check_dates(certificate: X509, at: datetime) -> None:
    """Check that *certificate* is valid *at* a time that knows its zone. Raises SignatureError."""
    if at < certificate.not_before:
        raise SignatureError(
            f"it is not valid before {certificate.not_before:%Y-%m-%d %H:%M:%S} UTC"
        )
    if at > certificate.not_after:
        raise SignatureError(f"it is not valid after {certificate.not_after:%Y-%m-%d %H:%M:%S} UTC")


def check_revoked(crl: Crl, certificate: X509, root: X509, at: datetime) -> None:
    """Check that *root* signed the list, that it is fresh, and that *certificate* is not in it.

    Raises SignatureError. 6.3.3.
    """
    if crl.issuer != root.subject:
        raise SignatureError(f"the list is of {shown(crl.issuer_name)}, not of the root")
    try:
        check_signed(crl.signed, root)
        usage = key_usage(root)
    except (SignatureError, CertificateError) as exc:
        raise SignatureError(f"the list: {exc}") from None
    if usage is not None and CRL_SIGN not in usage:
        raise SignatureError("the list's issuer may not sign lists: its key usage lacks cRLSign")
    check_whole(crl)
    check_fresh(crl, at)
    for row in (certificate, root):
        if row.serial in crl.revoked:
            raise SignatureError(f"serial {row.serial:#x} is revoked")


def check_whole(crl: Crl) -> None:
    """Check that the list is about every certificate of its issuer, and read to its end.

    Raises SignatureError.
    """
    if (crl.extensions or crl.entry_extensions) and crl.version != 2:
        raise SignatureError(f"the list is of version {crl.version} and has extensions")
    if DELTA_CRL_INDICATOR in crl.extensions:
        raise SignatureError("the list has only what changed since another: a delta")
    if ISSUING_DISTRIBUTION_POINT in crl.extensions:
        raise SignatureError("the list may be about some certificates alone: it says which")
    for extensions in (crl.extensions, crl.entry_extensions):
        for name, found in extensions.items():
            if found.critical:
                raise SignatureError(f"the list's critical extension {name} is not known")


def check_fresh(crl: Crl, at: datetime) -> None:
    """Check that the list is of *at*, not later and not outdated. Raises SignatureError."""
    if at < crl.this_update:
        raise SignatureError(f"the list is of {crl.this_update:%Y-%m-%d}, later than asked for")
    if crl.next_update is None:
        raise SignatureError("the list does not say when the next one is due: no nextUpdate")
    if at > crl.next_update:
        raise SignatureError(f"the list was to be renewed on {crl.next_update:%Y-%m-%d}")
