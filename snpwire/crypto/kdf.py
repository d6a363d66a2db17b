"""Keys as the firmware derives them: from the chip's secret to a VCEK, a VLEK, a guest's own key.

The function is SP 800-108 in counter mode with HMAC-SHA-256; counter and length are little-endian,
as the secure processor stores them; the usual reading is big-endian (AMD-ASPFW hmac.c). The chip's
hash chain lets a holder of the sticks of one TCB version make those of lower ones, and of no higher
one (AMD-ASPFW secure_ops.c, amd_cert.c).
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha384
from hmac import digest
from struct import Struct
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from ..errors import KeyFormatError

PrivateKey = ec.EllipticCurvePrivateKey
"""The type of the keys made here, for modules that must not import ``cryptography``."""
HASH_SIZE = 48
KDF_BLOCK = 32
KDF_KEY_MAX = 64
"""AMD-ASPFW refuses a longer key; HMAC would hash it."""
VCEK_LABEL = b"sev-versioned-chip-endorsement-key"
VLEK_LABEL = b"sev-versioned-loaded-attestation-key"
GUEST_KEY_LABEL = b"gmsg-keyreq"
VLEK_WRAPPING_LABEL = b"vlek-wrapping-key"
P384_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
_LONG = Struct("<L").pack
_FIRST = _LONG(1)
_KEY_PAIR_SIZE = 56
_COMPONENTS = 8


def kdf(key: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """Return *size* bytes derived from *key*.

    Raises KeyFormatError for a key of no bytes or of more than 64.
    """
    if not 0 < len(key) <= KDF_KEY_MAX:
        raise KeyFormatError(f"a key to derive from has 1 to {KDF_KEY_MAX} bytes, got {len(key)}")
    tail = b"%b\0%b%b" % (label, context, _LONG(8 * size))
    if size <= KDF_BLOCK:
        return digest(key, _FIRST + tail, "sha256")[:size]
    blocks = range(1, -(-size // KDF_BLOCK) + 1)
    return b"".join([digest(key, _LONG(n) + tail, "sha256") for n in blocks])[:size]


class Sticks(NamedTuple):
    """The chip's hashes for one TCB version, from which those of lower ones follow."""

    tcb: int
    hashes: tuple[bytes, ...]
    """Seven finished sticks, and the base of the microcode's."""

    def __repr__(self) -> str:
        return f"<Sticks of TCB {self.tcb:#x}>"


@lru_cache(maxsize=64)
def sticks(seed: bytes, tcb: int) -> Sticks:
    """Return the sticks of a chip whose secret is *seed* (48 bytes), for TCB version *tcb*."""
    finished, base = [], seed
    for level in tcb.to_bytes(8, "little")[:-1]:
        last = _hash_chain(base, 255 - level)
        finished.append(_hash(last))
        base = _next_base(last)
    return Sticks(tcb, (*finished, base))


@lru_cache(maxsize=256)
def chip_hash(known: Sticks, tcb: int) -> bytes:
    """Return the hash that the VCEK of TCB version *tcb* is derived from.

    Derivation begins at the first component that is below that of *known*, or at the microcode. A
    component above it cannot be derived and is taken as equal.
    """
    wanted, have = tcb.to_bytes(8, "little"), known.tcb.to_bytes(8, "little")
    last = _COMPONENTS - 1
    first = next((i for i in range(last) if wanted[i] < have[i]), last)
    if first == last:
        return _hash(_hash_chain(known.hashes[last], 255 - wanted[last]))
    done = _hash_chain(known.hashes[first], have[first] - wanted[first] - 1)
    for level in wanted[first + 1 :]:
        done = _hash_chain(_next_base(done), 255 - level)
    return _hash(done)


@lru_cache(maxsize=64)
def key_pair(secret: bytes, label: bytes) -> PrivateKey:
    """Return the P-384 key derived from a hash, with the label of a VCEK or a VLEK."""
    return ec.derive_private_key(key_number(secret, label), ec.SECP384R1())


def key_number(secret: bytes, label: bytes) -> int:
    """Return the private number of the key derived from a hash."""
    drawn = int.from_bytes(kdf(secret, label, b"", _KEY_PAIR_SIZE), "little")
    return drawn % (P384_ORDER - 1) + 1


def _hash(data: bytes) -> bytes:
    return sha384(data).digest()


def _hash_chain(data: bytes, times: int) -> bytes:
    for _ in range(times):
        data = sha384(data).digest()
    return data


def _next_base(last: bytes) -> bytes:
    return sha384(bytes(8) + last).digest()
