"""One message stream of a guest: a VMPCK, its sequence number, and what becomes of both.

Key and number live where Linux has them, in the secrets page: the number in the guest's part, 32
bits of it, from which the next kernel goes on where one starts another. A number is also the nonce,
so that no number may be used for two messages; where that could happen, the key is wiped instead
and the stream is over.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ..crypto.sealing import Vmpck, open_raw, seal_raw
from ..errors import AuthError, DriverError
from ..wire.message import (
    HEADER_SIZE,
    HEADER_VERSION,
    KEY_SIZE,
    MESSAGES,
    PAYLOAD_MAX,
    Aead,
    Header,
    MsgType,
)

if TYPE_CHECKING:
    from .space import Space

KEYS_AT = (0x20, 0x40, 0x60, 0x80)
NUMBERS_AT = 0xA0
LAST = 0xFFFF_FFFF
"""Linux takes this number for a sign that there are none left; the last it uses is two below."""
SEQNO = slice(0x20, 0x28)
SIZE = slice(0x36, 0x38)


@lru_cache(maxsize=256)
def template(msg_type: int, version: int, vmpck: int) -> tuple[bytes, bytes]:
    """Return a request's header in front of its sequence number, and behind it."""
    raw = Header(
        algo=Aead.AES_256_GCM,
        hdr_version=HEADER_VERSION,
        hdr_size=HEADER_SIZE,
        msg_type=msg_type,
        msg_version=version,
        msg_vmpck=vmpck,
    ).build()
    return raw[: SEQNO.start], raw[SEQNO.stop :]


class Stream:
    """The guest's end of one stream."""

    def __init__(self, space: Space, secrets_gpa: int, vmpck: int) -> None:
        self.vmpck = vmpck
        self._space = space
        self._key_at = secrets_gpa + KEYS_AT[vmpck]
        self._number_at = secrets_gpa + NUMBERS_AT + 4 * vmpck
        key = space.read(self._key_at, KEY_SIZE)
        self._key = Vmpck(key) if any(key) else None
        self._number = int.from_bytes(space.read(self._number_at, 4), "little")

    @property
    def alive(self) -> bool:
        """Tell whether there is a key."""
        return self._key is not None

    @property
    def number(self) -> int:
        """Return the number that was used last."""
        return self._number

    @number.setter
    def number(self, value: int) -> None:
        self._number = value
        self._space.write(self._number_at, value.to_bytes(4, "little"))

    def next_number(self) -> int:
        """Return the number of the next request. Raises DriverError if there is none left."""
        number = self._number + 1
        if number >= LAST:
            reason = f"sequence number {number:#x} of VMPCK{self.vmpck} is the end of them"
            raise DriverError("EIO", reason)
        return number

    def seal(self, msg_type: int, version: int, payload: bytes, number: int) -> bytes:
        """Return a request. Raises DriverError if there is no key."""
        if self._key is None:
            reason = f"VMPCK{self.vmpck} is disabled: all its bytes are zero"
            raise DriverError("ENOTTY", reason)
        front, behind = template(msg_type, version, self.vmpck)
        raw = front + number.to_bytes(8, "little") + behind
        return seal_raw(self._key, raw, payload)

    def open(self, request: bytes, answer: bytearray) -> bytes:
        """Return the payload of *answer* to *request*. Raises DriverError, as Linux's EBADMSG.

        Linux checks number, type, version and size, and then the tag; nothing else. What is
        checked is a copy, which nobody else can change.
        """
        raw = bytes(answer[:HEADER_SIZE])
        fields, asked = Header.ENGINE.unpack(raw), Header.ENGINE.unpack(request[:HEADER_SIZE])
        _, number, _, _, _, _, msg_type, version, size, _, _, _ = fields
        if number != asked[1] + 1:
            raise _bad(f"message number {number}, not {asked[1] + 1}")
        if msg_type != asked[6] + 1:
            raise _bad(f"message type {msg_type}, not {asked[6] + 1}")
        if version != asked[7]:
            raise _bad(f"message version {version}, not {asked[7]}")
        if size > room_for(asked[6]):
            raise _bad(f"payload of {size} bytes, there is room for {room_for(asked[6])}")
        if self._key is None:  # wiped by another thread while this one waited
            raise _bad("the key was wiped meanwhile")
        try:
            return open_raw(self._key, raw, bytes(answer[HEADER_SIZE : HEADER_SIZE + size]))
        except AuthError:
            raise _bad("it fails authentication") from None

    def disable(self) -> None:
        """Wipe the key, here and in the secrets page."""
        self._key = None
        self._space.write(self._key_at, bytes(KEY_SIZE))


@lru_cache
def room_for(msg_type: int) -> int:
    """Return how many bytes of payload the driver has room for in an answer.

    Linux takes a whole page for a report and what an answer has for a key.
    """
    row = MESSAGES.get(MsgType(msg_type))
    known = row is not None and row.request is MsgType.KEY_REQ and row.reply_size
    return known or PAYLOAD_MAX


def _bad(reason: str) -> DriverError:
    return DriverError("EBADMSG", f"the answer is refused: {reason}")
