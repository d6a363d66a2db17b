"""Sign with RSASSA-PSS so that the same text has the same signature.

The salt is made from the text, not drawn (RFC 8017, 8.1 and 9.1 allow any). The cipher library
draws it and cannot be told otherwise. Plain big numbers are slow and leak the key by their timing:
the keys that sign here are known to everybody.
"""

from __future__ import annotations

from hashlib import sha384
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SALT_SIZE = HASH_SIZE = 48
_TRAILER = b"\xbc"


def sign(key: RSAPrivateKey, data: bytes) -> bytes:
    """Return the signature over *data*: SHA-384, MGF1 with SHA-384, salt of 48 bytes."""
    numbers = key.private_numbers()
    size = (key.key_size + 7) // 8
    message = int.from_bytes(_encoded(data, key.key_size - 1), "big")
    first = pow(message % numbers.p, numbers.dmp1, numbers.p)
    second = pow(message % numbers.q, numbers.dmq1, numbers.q)
    joined = second + numbers.q * (numbers.iqmp * (first - second) % numbers.p)
    return joined.to_bytes(size, "big")


def _encoded(data: bytes, bits: int) -> bytes:
    """Return the message that is signed, EMSA-PSS of *bits* bits."""
    size = (bits + 7) // 8
    digest = sha384(data).digest()
    salt = sha384(b"salt" + digest).digest()
    proof = sha384(bytes(8) + digest + salt).digest()
    block = b"\1".rjust(size - SALT_SIZE - HASH_SIZE - 1, b"\0") + salt
    mask = _mask(proof, len(block))
    masked = int.from_bytes(block, "big") ^ int.from_bytes(mask, "big")
    masked &= (1 << 8 * len(block) - (8 * size - bits)) - 1
    return masked.to_bytes(len(block), "big") + proof + _TRAILER


def _mask(seed: bytes, size: int) -> bytes:
    """Return *size* bytes of MGF1."""
    count = -(-size // HASH_SIZE)
    blocks = (sha384(seed + number.to_bytes(4, "big")).digest() for number in range(count))
    return b"".join(blocks)[:size]
