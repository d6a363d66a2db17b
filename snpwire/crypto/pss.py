"""The signature of AMD's authorities: RSASSA-PSS with SHA-384 and 48 bytes of salt."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA384

from ..errors import SignatureError

if TYPE_CHECKING:
    from .x509 import RsaKey, Signed

SALT = 48


@lru_cache(maxsize=16)
def _public_key(key: RsaKey) -> rsa.RSAPublicKey:
    """Return the key as the library has it; those of AMD's CAs are few. Raises ValueError."""
    return rsa.RSAPublicNumbers(key.e, key.n).public_key()


def check_pss(signed: Signed, key: RsaKey, owner: str) -> None:
    """Verify a signature by the key of *owner*. Raises SignatureError."""
    try:
        scheme = padding.PSS(padding.MGF1(SHA384()), SALT)
        _public_key(key).verify(signed.signature, signed.tbs, scheme, SHA384())
    except InvalidSignature:
        raise SignatureError("the signature does not fit") from None
    except (ValueError, OverflowError, UnsupportedAlgorithm):
        raise SignatureError(f"the RSA key of {owner} cannot be") from None
