"""Open a message with other inputs than its header gives, to learn which mistake explains it."""

from __future__ import annotations

from typing import NamedTuple

from cryptography.exceptions import InvalidTag
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


class OpenAttempt(NamedTuple):
    """The inputs of AES-256-GCM that open a message."""

    key: bytes
    nonce: bytes
    aad: bytes
    ciphertext: bytes
    tag: bytes

    def __repr__(self) -> str:
        return "<OpenAttempt>"

    def opens(self) -> bool:
        """Return whether the tag fits."""
        return fits(AESGCM(self.key), self.nonce, self.ciphertext + self.tag, self.aad)

    def plain(self) -> bytes:
        """Return what the payload would be: GCM encrypts and decrypts alike."""
        return AESGCM(self.key).encrypt(self.nonce, self.ciphertext, None)[:-TAG_SIZE]

    def right_tag(self) -> bytes:
        """Return the tag that would fit."""
        return AESGCM(self.key).encrypt(self.nonce, self.plain(), self.aad)[-TAG_SIZE:]


class Mistake(NamedTuple):
    """A mistake that may explain a message, and the inputs that open it if it was made."""

    name: str
    code: str
    meaning: str
    inputs: OpenAttempt

    def attempt(self) -> Attempt:
        """Return whether the mistake explains the message."""
        return Attempt(self.name, self.code, self.inputs.opens(), self.meaning)


def fits(cipher: AESGCM, nonce: bytes, sealed: bytes | bytearray, aad: bytes | bytearray) -> bool:
    """Return whether the tag at the end of *sealed* fits: for many attempts under one key."""
    try:
        cipher.decrypt(nonce, sealed, aad)
    except InvalidTag:
        return False
    return True
