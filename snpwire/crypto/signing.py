"""Sign and verify as the firmware does: ECDSA over P-384 with SHA-384, numbers little-endian.

A report is verified over its bytes as received. Encoding it again first was rejected: that has to
know every bit, and refuses genuine reports that have one more.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha384
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA384

from ..errors import KeyFormatError, SignatureError
from ..wire.launch import Curve, IdAuth, IdBlock, IdKey
from ..wire.report import SIGNED, Report, Signature, SignatureAlgo
from .x509 import EcKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey as PrivateKey

ECDSA = ec.ECDSA(SHA384())


def _repeatable() -> ec.ECDSA:
    """Return the deterministic signature scheme, if the library has it."""
    try:
        return ec.ECDSA(SHA384(), deterministic_signing=True)
    except UnsupportedAlgorithm:  # built with OpenSSL before 3.2
        return ECDSA


SIGNING = _repeatable()
USED = 48
"""Bytes of each number that the curve uses."""
NUMBERS_SIZE = 0x90


def check(data: bytes, signature: Signature, key: EcKey) -> None:
    """Verify *signature* over *data*. Raises SignatureError."""
    r, s = signature.r_number, signature.s_number
    if not r and not s:
        raise SignatureError("there is no signature: it is zero")
    public = _public_key(key)
    try:
        public.verify(encode_dss_signature(r, s), data, ECDSA)
    except InvalidSignature:
        raise SignatureError("the signature does not fit") from None


@lru_cache(maxsize=8)  # one key signs many reports, and its point is checked when it is made
def _public_key(key: EcKey) -> ec.EllipticCurvePublicKey:
    try:
        return ec.EllipticCurvePublicNumbers(key.x, key.y, ec.SECP384R1()).public_key()
    except ValueError:
        raise SignatureError("the public key is no point of P-384") from None


def sign(data: bytes, key: PrivateKey) -> Signature:
    """Sign *data*, always the same way (RFC 6979). Raises KeyFormatError for another curve."""
    r, s = decode_dss_signature(_p384(key).sign(data, SIGNING))
    return Signature.of(r, s)


def check_report(report: bytes, key: EcKey) -> None:
    """Verify the signature of *report*, over its bytes as they are, to its last bit.

    Raises SignatureError, and DecodeError if it has not the size of a report.
    """
    signature = Report.parse(report).signature
    check_unused(signature)
    check(report[:SIGNED], signature, key)


def check_unused(signature: Signature) -> None:
    """Check that the unused bytes of *signature* are zero. Raises SignatureError.

    No signature covers those bytes. go-sev-guest refuses them; the firmware ignores them in an ID
    block's, and so does ``check``.
    """
    if any(signature.r[USED:] + signature.s[USED:] + signature.build()[NUMBERS_SIZE:]):
        raise SignatureError("bytes that the signature does not use are set")


def sign_report(report: bytes, key: PrivateKey) -> bytes:
    """Return *report* with its signature replaced. Raises KeyFormatError and DecodeError."""
    value = Report.parse(report)
    return value.replace(signature=sign(report[:SIGNED], key)).build()


def private_key(pem: bytes) -> PrivateKey:
    """Read a private key of P-384 from PEM without a password. Raises KeyFormatError."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # slow to load

    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFormatError("the private key cannot be read as PEM without a password") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise KeyFormatError("the private key is not one of P-384")
    return _p384(key)


def id_key(key: PrivateKey) -> IdKey:
    """Return the public half of *key* as an ID block's key. Raises KeyFormatError."""
    numbers = _p384(key).public_key().public_numbers()
    return IdKey.of(numbers.x, numbers.y)


def key_digest(key: IdKey) -> bytes:
    """Return the digest of *key* in a report: the SHA-384 of all its bytes."""
    return sha384(key.build()).digest()


def sign_id_block(block: bytes, key: PrivateKey, author: PrivateKey | None = None) -> IdAuth:
    """Return the page that authenticates *block*. Raises KeyFormatError and DecodeError."""
    IdBlock.parse(block)
    public = id_key(key)
    algo = SignatureAlgo.ECDSA_P384_SHA384
    auth = IdAuth(id_key_algo=algo, id_block_sig=sign(block, key), id_key=public)
    if author is None:
        return auth
    return auth.replace(
        auth_key_algo=algo,
        id_key_sig=sign(public.build(), author),
        author_key=id_key(author),
    )


def check_id_block(block: bytes, auth: bytes, *, author: bool = False) -> None:
    """Verify the ID key's signature over *block*, and with *author* the author key's over that key.

    The order is AMD-ASPFW's (SNP_LAUNCH_FINISH). Raises SignatureError and DecodeError.
    """
    IdBlock.parse(block)
    page = IdAuth.parse(auth)
    known = SignatureAlgo.ECDSA_P384_SHA384
    if page.id_key_algo != known or (author and page.auth_key_algo != known):
        raise SignatureError("the algorithm is not ECDSA P-384 with SHA-384")
    check_by("ID key", block, page.id_block_sig, page.id_key)
    if author:
        check_by("author key", page.id_key.build(), page.id_key_sig, page.author_key)


def check_by(name: str, data: bytes, signature: Signature, key: IdKey) -> None:
    """Verify a signature by the key called *name*. Raises SignatureError, which names it."""
    if key.curve != Curve.P384:
        raise SignatureError(f"the {name} is not on P-384")
    try:
        check(data, signature, EcKey(key.qx_number, key.qy_number))
    except SignatureError as exc:
        raise SignatureError(f"{name}: {exc}") from None


def _p384(key: PrivateKey) -> PrivateKey:
    if not isinstance(key.curve, ec.SECP384R1):
        raise KeyFormatError("the private key is not one of P-384")
    return key
