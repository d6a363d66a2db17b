"""One way to open a message that does not open as it stands."""

from __future__ import annotations

from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..wire.message import TAG_SIZE


class Attempt(NamedTuple):
    """One way to open a message, and whether it does."""

    name: str
    code: str
    """A stable name for the mistake that this would show; those of one family share it."""
    opens: bool
    meaning: str
    """What is wrong, if this opens it."""


class Trial(NamedTuple):
    """What opening a message takes."""

    key: bytes
    nonce: bytes
    aad: bytes
    ciphertext: bytes
    tag: bytes

    def opens(self) -> bool:
        """Tell whether the tag fits."""
        return fits(AESGCM(self.key), self.nonce, self.ciphertext + self.tag, self.aad)

    def plain(self) -> bytes:
        """Return what the payload would be: GCM encrypts and decrypts alike."""
        return AESGCM(self.key).encrypt(self.nonce, self.ciphertext, None)[:-TAG_SIZE]

    def right_tag(self) -> bytes:
        """Return the tag that would fit."""
        return AESGCM(self.key).encrypt(self.nonce, self.plain(), self.aad)[-TAG_SIZE:]

    def hash_key(self) -> bytes:
        """Return the key of GHASH: a block of zeros, encrypted."""
        return Cipher(algorithms.AES(self.key), modes.ECB()).encryptor().update(bytes(16))


def fits(cipher: AESGCM, nonce: bytes, sealed: bytes, aad: bytes) -> bool:
    """Tell whether the tag at the end of *sealed* fits: for many trials under one key."""
    try:
        cipher.decrypt(nonce, sealed, aad)
    except InvalidTag:
        return False
    return True
