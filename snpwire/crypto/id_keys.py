"""The keys of a guest's owner; a report has the SHA-384 of their 0x404 bytes.

A key is given as those bytes, in the page that authenticates an ID block, as PEM (public or
private), or as its digest: the formats of the tools that make ID blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import KeyFormatError
from ..wire.launch import IdAuth, IdKey
from .check import Check, CheckGroup, made
from .signing import id_key, key_digest, private_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..wire.report import Report

DIGEST_SIZE = 48


class OwnerKeys(NamedTuple):
    """Keys to compare a report with, in any form of ``digest_of``; None skips the comparison."""

    id_keys: Iterable[bytes] | None = None
    author_keys: Iterable[bytes] | None = None


def digest_of(data: bytes, *, author: bool = False) -> bytes:
    """Return the digest of the key in a file: of the ID key, or of the author's where both are.

    Raises KeyFormatError, which does not show the data.
    """
    if len(data) == DIGEST_SIZE:
        return data
    if len(data) == IdKey.SIZE:
        return key_digest(IdKey.parse(data))
    if len(data) == IdAuth.SIZE:
        page = IdAuth.parse(data)
        return _page_digest(page.author_key if author else page.id_key)
    if b"-----BEGIN " in data:
        return key_digest(_pem(data))
    return _digits(data)


def checks(report: Report, owner: OwnerKeys) -> Iterator[Check]:
    """Compare the digests in *report* with those of the owner's keys. Raises KeyFormatError."""
    if owner.id_keys is not None:
        digests = {digest_of(key) for key in owner.id_keys}
        none = "the guest was launched without an ID block"
        yield _digest_check("id-key", report.id_key_digest, digests, none)
    if owner.author_keys is not None:
        digests = {digest_of(key, author=True) for key in owner.author_keys}
        none = "no author signed the ID key"
        yield _digest_check("author-key", report.author_key_digest, digests, none)


def _digest_check(name: str, digest: bytes, known: set[bytes], none: str) -> Check:
    if not any(digest):
        return made(name, False, none, CheckGroup.APPRAISAL)
    owner = "a key given" if digest in known else "none of the keys"
    return made(name, digest in known, f"the digest is that of {owner}", CheckGroup.APPRAISAL)


def _page_digest(key: IdKey) -> bytes:
    if not any(key.build()):
        raise KeyFormatError("the page of an ID block's authentication has no such key: it is zero")
    return key_digest(key)


def _digits(text: bytes) -> bytes:
    try:
        data = bytes.fromhex(text.decode("ascii"))
    except ValueError:
        data = b""
    if len(data) != DIGEST_SIZE:
        reason = "expected PEM, a key of 0x404 bytes, a page of 0x1000 or a digest of 48"
        raise KeyFormatError(f"{reason}, got {len(text)} bytes that are none of them")
    return data


def _pem(data: bytes) -> IdKey:
    if b"PRIVATE KEY-----" in data:
        return id_key(private_key(data))
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # slow to load

    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFormatError("the public key cannot be read as PEM") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise KeyFormatError("the public key is not one of P-384")
    numbers = key.public_numbers()
    return IdKey.of(numbers.x, numbers.y)
