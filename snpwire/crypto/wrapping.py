"""Data the firmware seals besides messages: swapped-out pages, and a VLEK to be loaded.

Both are AES-256-GCM. A page has a number of 64 bits for a nonce, little-endian and filled up with
zeros, and no associated data (AMD-ASPFW ccp_direct_cipher.c, sev_mcmd.c:7853). A VLEK travels as
eight hashes under a key derived from the VCEK's hash, with its TCB version as associated data.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import AuthError
from ..wire.firmware import VlekWrapped
from .kdf import VLEK_WRAPPING_LABEL, kdf
from .sealing import NONCE_TAIL

TAG_SIZE = 16
_KEY_SIZE = 32
_AAD = slice(0x190, 0x1A0)


def wrap_page(key: bytes, number: int, data: bytes) -> tuple[bytes, bytes]:
    """Return *data* sealed, and the tag."""
    sealed = AESGCM(key).encrypt(number.to_bytes(8, "little") + NONCE_TAIL, data, None)
    return sealed[:-TAG_SIZE], sealed[-TAG_SIZE:]


def unwrap_page(key: bytes, number: int, sealed: bytes, tag: bytes) -> bytes:
    """Return the page that was sealed. Raises AuthError."""
    try:
        return AESGCM(key).decrypt(number.to_bytes(8, "little") + NONCE_TAIL, sealed + tag, None)
    except InvalidTag:
        raise AuthError from None


def wrap_vlek(vcek_hash: bytes, hashes: bytes, *, tcb: int, iv: bytes) -> bytes:
    """Return eight *hashes* (of 48 bytes) wrapped for the chip with *vcek_hash*.

    AMD's key server does this for a real chip. Raises EncodeError for a size that is wrong.
    """
    blank = VlekWrapped(iv=iv, vlek_wrapped=hashes, tcb_version=tcb)
    cipher = AESGCM(_wrapping_key(vcek_hash))
    sealed = cipher.encrypt(iv, hashes, blank.build()[_AAD])
    tag = sealed[-TAG_SIZE:]
    return blank.replace(vlek_wrapped=sealed[:-TAG_SIZE], vlek_auth_tag=tag).build()


def unwrap_vlek(vcek_hash: bytes, wrapped: bytes) -> bytes:
    """Return the eight hashes. Raises AuthError, and DecodeError for a size that is wrong."""
    vlek = VlekWrapped.parse(wrapped)
    sealed = vlek.vlek_wrapped + vlek.vlek_auth_tag
    try:
        return AESGCM(_wrapping_key(vcek_hash)).decrypt(vlek.iv, sealed, wrapped[_AAD])
    except InvalidTag:
        raise AuthError from None


def _wrapping_key(vcek_hash: bytes) -> bytes:
    return kdf(vcek_hash, VLEK_WRAPPING_LABEL, b"", _KEY_SIZE)
