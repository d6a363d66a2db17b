"""Seal and open guest messages: AES-256-GCM under a VM platform communication key (VMPCK).

The nonce is ``msg_seqno``, eight bytes little-endian, and four zero bytes; the associated data are
bytes 0x30 to 0x5F of the header, on opening as they were received; the tag is the first 16 bytes of
``auth_tag`` (56860, guest message header; AMD-ASPFW sev_mcmd.c:5184, Linux sev-guest.c).

Only what makes opening meaningless is refused here. A size of 0 or no multiple of 16, or a reserved
byte that is set, is a finding of the rules; so ``seal`` can make corrupt messages on purpose.
"""

from __future__ import annotations

from typing import Any, NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import AuthError, KeyFormatError, MessageError
from ..wire.address import PAGE
from ..wire.message import (
    AAD_END,
    AAD_START,
    HEADER_SIZE,
    KEY_SIZE,
    PAYLOAD_MAX,
    TAG_SIZE,
    Aead,
    Header,
)

NONCE_TAIL = bytes(4)
_TAG_REST = bytes(32 - TAG_SIZE)
_SEQNO = slice(0x20, 0x28)
_ALGO = 0x30
SIZE = slice(0x36, 0x38)
_GCM = int(Aead.AES_256_GCM)
TOO_LONG, CUT_SHORT = "message-too-long", "message-cut-short"


class Vmpck:
    """A key, held as the cipher it makes: it cannot be shown, compared, copied or pickled."""

    __slots__ = ("_cipher",)

    def __init__(self, key: bytes | bytearray | memoryview) -> None:
        self._cipher = AESGCM(valid_key(key))

    @classmethod
    def of_firmware(cls, key: bytes) -> Vmpck:
        """Make a key as the firmware does, which accepts one that is all zero."""
        made = cls.__new__(cls)
        made._cipher = AESGCM(key)
        return made

    def __repr__(self) -> str:
        return "<Vmpck>"

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a VMPCK cannot be copied or pickled")


def valid_key(key: bytes | bytearray | memoryview) -> bytes:
    """Return the bytes of a VMPCK. Raises KeyFormatError unless there are 32, not all zero."""
    data = bytes(key)
    if len(data) != KEY_SIZE:
        raise KeyFormatError(f"a VMPCK has {KEY_SIZE} bytes, got {len(data)}")
    if not any(data):
        raise KeyFormatError("the key is all zero, which means that this VMPCK is disabled")
    return data


def key_bytes(text: bytes) -> bytes:
    """Read a key file: 32 bytes, or 64 hex digits. Raises KeyFormatError.

    The general reader of hex text was rejected: its errors repeat the text.
    """
    if len(text) == KEY_SIZE:
        return valid_key(text)
    digits = b"".join(text.split()).removeprefix(b"0x")
    try:
        data = bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        reason = f"expected {KEY_SIZE} bytes or {2 * KEY_SIZE} hex digits, got {len(text)} bytes"
        raise KeyFormatError(f"{reason} that are neither") from None
    return valid_key(data)


def seal(key: Vmpck, header: Header, payload: bytes) -> bytes:
    """Return the message: *header* with its size and its tag filled in, and the ciphertext.

    Raises MessageError if *payload* is longer than what a page has room for.
    """
    if len(payload) > PAYLOAD_MAX:
        raise MessageError(
            f"a payload has at most {PAYLOAD_MAX} bytes after its header, got {len(payload)}",
            code=TOO_LONG,
        )
    return seal_raw(key, header.build(), payload)


def seal_raw(key: Vmpck, raw: bytes, payload: bytes) -> bytes:
    """Return the message whose header is *raw*, with its size and its tag filled in."""
    size = len(payload).to_bytes(2, "little")
    aad = raw[AAD_START : SIZE.start] + size + raw[SIZE.stop : AAD_END]
    return seal_parts(key, raw[_SEQNO.start : AAD_START], aad, payload)


def seal_parts(key: Vmpck, front: bytes, aad: bytes, payload: bytes) -> bytes:
    """Return the message of a header in parts, 0x20 to 0x2F and 0x30 to 0x5F, and its payload."""
    sealed = key._cipher.encrypt(front[:8] + NONCE_TAIL, payload, aad)
    size = len(payload)
    return b"".join((sealed[size:], _TAG_REST, front, aad, sealed[:size]))


def seal_page(key: Vmpck, header: Header, payload: bytes) -> bytes:
    """Return the message, padded with zeros to a page. Raises MessageError."""
    return seal(key, header, payload).ljust(PAGE, b"\0")


def open_message(key: Vmpck, data: bytes | bytearray | memoryview) -> tuple[Header, bytes]:
    """Authenticate the message that *data* starts with; return its header and its payload.

    Bytes after the payload are ignored: a message usually has a page to itself. Raises
    AuthError if the tag does not fit, and MessageError if there is no message to open.
    """
    raw = bytes(data)
    header, ciphertext = parts(raw)
    if raw[_ALGO] != _GCM:  # reading header.algo would make an enumeration's member of it
        raise _unknown_algorithm(raw)
    return header, open_raw(key, raw, ciphertext)


def open_raw(key: Vmpck, raw: bytes, ciphertext: bytes) -> bytes:
    """Return the payload of the message that has the header *raw*. Raises AuthError."""
    try:
        return key._cipher.decrypt(
            raw[_SEQNO] + NONCE_TAIL, ciphertext + raw[:TAG_SIZE], raw[AAD_START:AAD_END]
        )
    except InvalidTag:
        raise AuthError from None


def parts(raw: bytes) -> tuple[Header, bytes]:
    """Return the header and the ciphertext of a message. Raises MessageError if it is cut short."""
    if len(raw) < HEADER_SIZE:
        reason = f"a message has a header of {HEADER_SIZE} bytes, got {len(raw)} in all"
        raise MessageError(reason, code=CUT_SHORT)
    header = Header.parse(raw[:HEADER_SIZE])
    size = header.msg_size
    if size > PAYLOAD_MAX:
        reason = f"the payload cannot have {size} bytes, only {PAYLOAD_MAX} fit a page"
        raise MessageError(reason, code=TOO_LONG)
    ciphertext = raw[HEADER_SIZE : HEADER_SIZE + size]
    if len(ciphertext) < size:
        reason = f"the payload has {size} bytes, but {len(ciphertext)} are there"
        raise MessageError(reason, code=CUT_SHORT)
    return header, ciphertext


def _unknown_algorithm(raw: bytes) -> MessageError:
    if not any(raw):
        return MessageError("there is no message: every byte is zero", code="message-empty")
    reason = f"the algorithm is {raw[_ALGO]}, and only AES-256-GCM, 1, is known"
    code = "message-algorithm" if raw[_ALGO] else "message-algorithm-invalid"
    return MessageError(reason, code=code)
