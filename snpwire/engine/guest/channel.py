"""The guest's end of one message channel: a VMPCK and its sequence number.

Key and number live where Linux has them, in the secrets page: the number in the guest's part, 32
bits of it, from which the next kernel goes on where one starts another. A number is also the nonce,
so that no number may be used for two messages; where that could happen, the key is wiped instead
and the channel is closed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ...crypto.sealing import Vmpck, open_raw, seal_parts
from ...errors import AuthError, DriverError
from ...wire.message import (
    AAD_START,
    HEADER_SIZE,
    HEADER_VERSION,
    KEY_SIZE,
    MESSAGES,
    PAYLOAD_MAX,
    VMPCKS,
    Aead,
    Header,
    MsgType,
)
from ...wire.secrets import SecretsPage

if TYPE_CHECKING:
    from .memory import GuestMemory
    from .request import Request

KEYS_AT = [SecretsPage.place(f"vmpck{vmpck}") for vmpck in range(VMPCKS)]
NUMBERS_AT = [SecretsPage.place(f"os_area.msg_seqno_{vmpck}") for vmpck in range(VMPCKS)]
LAST = 0xFFFF_FFFF
"""Linux takes this number as exhausted; the last that it uses is two below."""
CHECKED_AT, CHECKED = (
    Header.place("msg_seqno"),
    Header.struct("msg_seqno", "msg_type", "msg_version", "msg_size"),
)
"""What Linux checks of a response's header: number, type, version and size."""


@lru_cache(maxsize=1024)
def authenticated(msg_type: int, version: int, vmpck: int, size: int) -> bytes:
    """Return the part of a request's header that is authenticated."""
    raw = Header(
        algo=Aead.AES_256_GCM,
        hdr_version=HEADER_VERSION,
        hdr_size=HEADER_SIZE,
        msg_type=msg_type,
        msg_version=version,
        msg_size=size,
        msg_vmpck=vmpck,
    ).build()
    return raw[AAD_START:]


class VmpckChannel:
    """The guest's end of the channel of one VMPCK."""

    def __init__(self, memory: GuestMemory, secrets_gpa: int, vmpck: int) -> None:
        self.vmpck = vmpck
        self._memory = memory
        self._key_at = secrets_gpa + KEYS_AT[vmpck]
        number_at = secrets_gpa + NUMBERS_AT[vmpck]
        key = memory.read(self._key_at, KEY_SIZE)
        self._key = Vmpck(key) if any(key) else None
        self._number = int.from_bytes(memory.read(number_at, 4), "little")
        self._number_word = memory.private_word(number_at, 4)

    @property
    def alive(self) -> bool:
        """Return whether there is a key."""
        return self._key is not None

    @property
    def number(self) -> int:
        """Return the last number used."""
        return self._number

    @number.setter
    def number(self, value: int) -> None:
        self._number = value
        self._number_word.write(value)

    def next_number(self) -> int:
        """Return the number of the next request. Raises DriverError if there is none left."""
        number = self._number + 1
        if number >= LAST:
            if self._key is None:
                raise self._disabled()
            reason = f"sequence number {number:#x} of VMPCK{self.vmpck} is the end of them"
            raise DriverError("EIO", reason)
        return number

    def seal(self, msg_type: int, version: int, payload: bytes, number: int) -> bytes:
        """Return a request. Raises DriverError if there is no key."""
        if self._key is None:
            raise self._disabled()
        aad = authenticated(msg_type, version, self.vmpck, len(payload))
        return seal_parts(self._key, number.to_bytes(16, "little"), aad, payload)

    def open(self, request: Request, number: int, response: bytearray) -> bytes:
        """Return the payload of the response to a request of that number.

        Linux checks number, type, version and size, and then the tag; nothing else. It checks a
        copy, which the hypervisor cannot change. Raises DriverError, as Linux's EBADMSG.
        """
        raw = bytes(response)
        number_back, msg_type, version, size = CHECKED.unpack_from(raw, CHECKED_AT)
        if number_back != number + 1:
            raise _bad(f"message number {number_back}, not {number + 1}")
        if msg_type != request.type + 1:
            raise _bad(f"message type {msg_type}, not {request.type + 1}")
        if version != request.version:
            raise _bad(f"message version {version}, not {request.version}")
        room = room_for(request.type)
        if size > room:
            raise _bad(f"payload of {size} bytes, there is room for {room}")
        if self._key is None:  # wiped by another thread while this one waited
            raise _bad("the key was wiped meanwhile")
        try:
            return open_raw(self._key, raw, raw[HEADER_SIZE : HEADER_SIZE + size])
        except AuthError:
            raise _bad("it fails authentication") from None

    def _disabled(self) -> DriverError:
        reason = f"VMPCK{self.vmpck} is disabled: all its bytes are zero"
        return DriverError("ENOTTY", reason)

    def disable(self) -> None:
        """Wipe the key, here and in the secrets page."""
        self._key = None
        self._memory.write(self._key_at, bytes(KEY_SIZE))


@lru_cache
def room_for(msg_type: int) -> int:
    """Return how many bytes of payload the driver has room for in a response.

    Linux takes a whole page for a report, and the size of the response for a key.
    """
    row = MESSAGES.get(MsgType(msg_type))
    known = row is not None and row.request is MsgType.KEY_REQ and row.reply_size
    return known or PAYLOAD_MAX


def _bad(reason: str) -> DriverError:
    return DriverError("EBADMSG", f"the response is refused: {reason}")
