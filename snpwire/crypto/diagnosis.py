"""Say which mistake would explain a message that does not open, for who has the key in hand.

Every attempt changes one thing of how a message is opened and asks whether the tag fits then. That
covers what a sender did wrong and what was changed on the way alike. Two mistakes at once are not
looked for. Nothing here belongs in a receiver: ``sealing`` tells a sender nothing.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import KeyFormatError, MessageError
from ..wire.message import (
    AAD_END,
    AAD_START,
    HEADER_SIZE,
    KEY_SIZE,
    PAYLOAD_MAX,
    TAG_SIZE,
    VMPCKS,
    Header,
    MsgType,
)
from ..wire.secrets import SecretsPage
from .sealing import NONCE_TAIL, PAGE, checked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NEARBY = 8
"""How far from the header's sequence number others are tried."""
STARTS = (0x30, 0x40, 0x50, 0x58, 0x64, 0x68, 0x70, 0x80, 0x100)
"""Where else a payload may have been put."""
SHORT_TAGS = (15, 14, 13, 12, 8, 4)
_LIMIT = 1 << 64
_RESETS: Mapping[str, tuple[int | bytes, ...]] = {
    "algo": (0, 1, 2),
    "hdr_version": (0, 1, 2),
    "hdr_size": (0, 0x60, 0x40, 0x6000),
    "msg_type": tuple(MsgType),
    "msg_version": (0, 1, 2),
    "msg_vmpck": tuple(range(VMPCKS)),
    "reserved_0x038": (bytes(4),),
    "reserved_0x03d": (bytes(35),),
}
"""What the authenticated fields may have been when the message was sealed; sizes are apart."""


class Attempt(NamedTuple):
    """One way to open a message, and whether it does."""

    name: str
    opens: bool
    meaning: str
    """What is wrong, if this opens it."""


class _Trial(NamedTuple):
    key: bytes
    nonce: bytes
    aad: bytes
    ciphertext: bytes
    tag: bytes

    def opens(self) -> bool:
        try:
            AESGCM(self.key).decrypt(self.nonce, self.ciphertext + self.tag, self.aad)
        except InvalidTag:
            return False
        return True

    def plain(self) -> bytes:
        """Return what the payload would be: GCM encrypts and decrypts alike."""
        return AESGCM(self.key).encrypt(self.nonce, self.ciphertext, None)[:-TAG_SIZE]

    def right_tag(self) -> bytes:
        """Return the tag that would fit."""
        return AESGCM(self.key).encrypt(self.nonce, self.plain(), self.aad)[-TAG_SIZE:]


_Named = tuple[str, str, _Trial]


def slots(secrets_page: bytes) -> dict[str, bytes]:
    """Return the VMPCKs of a secrets page by name, without those that are zero.

    Raises KeyFormatError if it is not a page.
    """
    if len(secrets_page) != PAGE:
        raise KeyFormatError(f"a secrets page has {PAGE} bytes, got {len(secrets_page)}")
    keys = SecretsPage.parse(secrets_page).vmpcks
    return {f"vmpck{slot}": key for slot, key in enumerate(keys) if any(key)}


def diagnose(
    key: bytes, data: bytes, other_keys: Mapping[str, bytes] | None = None
) -> list[Attempt]:
    """Try to open the message that *data* starts with, as it stands and with each mistake.

    *other_keys* are tried in place of *key*; ``slots`` makes them of a secrets page. The first
    attempt is the message as it stands, and the only one if that opens. Raises KeyFormatError, and
    MessageError if there is no header.
    """
    raw = bytes(data[:PAGE])
    if len(raw) < HEADER_SIZE:
        raise MessageError(f"a message has a header of {HEADER_SIZE} bytes, got {len(raw)} in all")
    header = Header.parse(raw[:HEADER_SIZE])
    base = _Trial(
        checked(key),
        _nonce(header.msg_seqno),
        raw[AAD_START:AAD_END],
        raw[HEADER_SIZE : HEADER_SIZE + header.msg_size],
        raw[:TAG_SIZE],
    )
    if base.opens():
        return [Attempt("as given", True, "nothing is wrong")]
    attempts, seen = [Attempt("as given", False, "nothing is wrong")], {base}
    others = {} if other_keys is None else other_keys
    for name, meaning, trial in chain(
        _keys(base, others), _nonces(base, raw, header), _ranges(base, raw), _fields(base, header)
    ):
        if trial not in seen:
            seen.add(trial)
            attempts.append(Attempt(name, trial.opens(), meaning))
    return [*attempts, *_tags(base, raw), *_places(base, raw), _sizes(base, raw, header)]


def found(attempts: list[Attempt]) -> Attempt | None:
    """Return the first attempt that opens, or None."""
    return next((attempt for attempt in attempts if attempt.opens), None)


def _nonce(number: int) -> bytes:
    return number.to_bytes(8, "little") + NONCE_TAIL


def _by_words(key: bytes, size: int) -> bytes:
    return b"".join(key[at : at + size][::-1] for at in range(0, len(key), size))


def _keys(base: _Trial, others: Mapping[str, bytes]) -> Iterator[_Named]:
    key = base.key
    half = KEY_SIZE // 2
    for name, meaning, other in (
        ("key reversed", "the key is byte-reversed", key[::-1]),
        ("key with reversed words", "each 32-bit word of the key is reversed", _by_words(key, 4)),
        ("key with reversed quads", "each 64-bit word of the key is reversed", _by_words(key, 8)),
        ("key with halves swapped", "the key's halves are swapped", key[half:] + key[:half]),
    ):
        yield name, meaning, base._replace(key=other)
    for name, other in others.items():
        yield f"key {name}", f"it is sealed with {name}", base._replace(key=checked(other))


def _nonces(base: _Trial, raw: bytes, header: Header) -> Iterator[_Named]:
    number = header.msg_seqno
    nearby = [step * sign for step in range(1, NEARBY + 1) for sign in (1, -1)]
    for step in nearby:
        other = (number + step) % _LIMIT
        meaning = f"it is sealed as number {other}, and its header says {number}"
        yield f"sequence number {step:+}", meaning, base._replace(nonce=_nonce(other))
    little, big = number.to_bytes(8, "little"), number.to_bytes(8, "big")
    for name, meaning, nonce in (
        ("nonce of zeros", "the sequence number was left out of the nonce", bytes(12)),
        ("nonce with swapped halves", "the number's halves are swapped", little[4:] + little[:4]),
        ("nonce of the low half", "the number's high half was left out", little[:4] + bytes(4)),
        ("nonce big-endian", "the number is big-endian in the nonce", big),
    ):
        yield name, meaning, base._replace(nonce=nonce.ljust(12, b"\0"))
    for name, meaning, nonce in (
        ("nonce with zeros first", "the number is at the nonce's end", NONCE_TAIL + little),
        ("nonce of 12 big-endian bytes", "the nonce is one big-endian number", NONCE_TAIL + big),
        ("nonce of 8 bytes", "the nonce lacks its four zero bytes", little),
        ("nonce of 16 bytes", "the nonce has 16 bytes", little + bytes(8)),
        ("nonce as received", "the nonce takes in reserved bytes at 0x28", raw[0x20:0x2C]),
    ):
        yield name, meaning, base._replace(nonce=nonce)


def _ranges(base: _Trial, raw: bytes) -> Iterator[_Named]:
    """Try other associated data; what a sender had of its tag was zero."""
    unsealed = bytes(0x20) + raw[0x20:HEADER_SIZE]
    yield "no associated data", "the header is not authenticated", base._replace(aad=b"")
    for start, end in (
        *((start, AAD_END) for start in (0, 0x20, 0x28, 0x31, 0x34)),
        *((AAD_START, end) for end in (0x38, 0x3C, 0x3D, 0x40, 0x50, 0x58, 0x5F)),
        (0, AAD_START),
    ):
        name = f"aad {start:#04x}..{end - 1:#04x}"
        meaning = f"the associated data are {start:#04x} to {end - 1:#04x}"
        yield name, meaning, base._replace(aad=unsealed[start:end])
    for payload, said in ((base.plain(), "plain"), (bytes(16), "zero")):
        for size in (1, 16):
            name = f"aad 0x30..{AAD_END + size - 1:#04x}, payload {said}"
            meaning = f"the associated data reach {size} bytes into the payload, {said} by then"
            yield name, meaning, base._replace(aad=base.aad + payload[:size])
    meaning = "the header was filled in after sealing"
    yield "aad of zeros", meaning, base._replace(aad=bytes(AAD_END - AAD_START))


def _fields(base: _Trial, header: Header) -> Iterator[_Named]:
    fresh = header.replace(reserved_0x038=bytes(4), reserved_0x03d=bytes(35))
    meaning = "all reserved bytes were zero when it was sealed"
    yield "reserved bytes zero", meaning, base._replace(aad=fresh.build()[AAD_START:])
    for field, values in _RESETS.items():
        for value in values:
            changed = header.replace(**{field: value}).build()[AAD_START:]
            said = value.hex() if isinstance(value, bytes) else f"{int(value):#x}"
            meaning = f"{field} was {said} when it was sealed"
            yield f"{field} {said}", meaning, base._replace(aad=changed)


def _tags(base: _Trial, raw: bytes) -> Iterator[Attempt]:
    right, given = base.right_tag(), base.tag
    end = HEADER_SIZE + len(base.ciphertext)
    for size in SHORT_TAGS:
        cut = given[:size] == right[:size] and not any(given[size:])
        yield Attempt(f"tag of {size} bytes", cut, f"the tag is cut to {size} bytes")
    for name, meaning, other in (
        ("tag reversed", "the tag is byte-reversed", given[::-1]),
        ("tag with reversed words", "each 32-bit word of the tag is reversed", _by_words(given, 4)),
        ("tag with reversed quads", "each 64-bit word of the tag is reversed", _by_words(given, 8)),
        ("tag in the upper half", "the tag is in auth_tag's last 16 bytes", raw[0x10:0x20]),
        ("tag behind the payload", "the tag was left behind the payload", raw[end : end + 16]),
    ):
        yield Attempt(name, other == right, meaning)


def _places(base: _Trial, raw: bytes) -> Iterator[Attempt]:
    for start in STARTS:
        moved = base._replace(ciphertext=raw[start : start + len(base.ciphertext)])
        meaning = f"the payload starts at {start:#04x}, not at {HEADER_SIZE:#04x}"
        yield Attempt(f"payload at {start:#04x}", moved.opens(), meaning)


def _sizes(base: _Trial, raw: bytes, header: Header) -> Attempt:
    """Try every size of the payload, with the header's size as received and set right."""
    name = "payload of another size"
    for size in range(min(len(raw) - HEADER_SIZE, PAYLOAD_MAX) + 1):
        ciphertext = raw[HEADER_SIZE : HEADER_SIZE + size]
        for aad in (base.aad, header.replace(msg_size=size).build()[AAD_START:]):
            if base._replace(ciphertext=ciphertext, aad=aad).opens():
                meaning = f"the payload has {size} bytes, and msg_size says {header.msg_size}"
                return Attempt(name, True, meaning)
    return Attempt(name, False, "msg_size is not the payload's")
