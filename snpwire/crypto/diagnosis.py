"""Name the mistake that explains a message which does not open, for a holder of its key.

Each attempt changes one input of opening and checks whether the tag fits. That covers mistakes of
the sender and changes in transit alike; two mistakes at once are not searched for. Nothing here
belongs in a receiver: ``sealing`` gives no reason for a failure.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ..errors import KeyFormatError, MessageError
from ..wire.address import PAGE
from ..wire.message import (
    AAD_END,
    AAD_START,
    HEADER_SIZE,
    KEY_SIZE,
    NONCE_SIZE,
    PAYLOAD_MAX,
    TAG_SIZE,
    VMPCKS,
    Header,
    MsgType,
)
from ..wire.secrets import SecretsPage
from .bit_flip import flips
from .open_attempt import Attempt, Mistake, OpenAttempt, fits
from .sealing import CUT_SHORT, NONCE_TAIL, SIZE, valid_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

NEARBY = 8
"""Distance from the header's sequence number up to which others are tried."""
STARTS = (0x30, 0x40, 0x50, 0x58, 0x64, 0x68, 0x70, 0x80, 0x100)
"""Other offsets at which a payload may start."""
SHORT_TAGS = (15, 14, 13, 12, 8, 4)
_LIMIT = 1 << 64
_RESETS: Mapping[str, tuple[int, ...]] = {
    "algo": (0, 1, 2),
    "hdr_version": (0, 1, 2),
    "hdr_size": (0, 0x60, 0x40, 0x6000),
    "msg_type": tuple(MsgType),
    "msg_version": (0, 1, 2),
    "msg_vmpck": tuple(range(VMPCKS)),
}
"""What the authenticated fields may have been when the message was sealed; sizes are apart."""
_RESERVED: Mapping[str, bytes] = {"reserved_0x038": bytes(4), "reserved_0x03d": bytes(35)}


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
        reason = f"a message has a header of {HEADER_SIZE} bytes, got {len(raw)} in all"
        raise MessageError(reason, code=CUT_SHORT)
    header = Header.parse(raw[:HEADER_SIZE])
    base = OpenAttempt(
        valid_key(key),
        _nonce(header.msg_seqno),
        raw[AAD_START:AAD_END],
        raw[HEADER_SIZE : HEADER_SIZE + header.msg_size],
        raw[:TAG_SIZE],
    )
    if base.opens():
        return [Attempt("as given", "as-given", True, "nothing is wrong")]
    attempts = [Attempt("as given", "as-given", False, "nothing is wrong")]
    others = {} if other_keys is None else other_keys
    attempts += _attempts(
        base,
        chain(
            _keys(base, others),
            _nonces(base, raw, header),
            _ranges(base, raw),
            _fields(base, header, others),
        ),
    )
    attempts += [*_tags(base, raw), *_places(base, raw)]
    if explanation(attempts) is None:  # a change that has a name says more than a bit of it
        attempts += flips(base)
    return [*attempts, *_attempts(base, _reserved(base, header)), _sizes(base, raw, header)]


def _attempts(base: OpenAttempt, mistakes: Iterable[Mistake]) -> Iterator[Attempt]:
    """Yield an attempt for each mistake whose inputs differ from all before it."""
    known = {base}
    for mistake in mistakes:
        if mistake.inputs not in known:
            known.add(mistake.inputs)
            yield mistake.attempt()


def explanation(attempts: list[Attempt]) -> Attempt | None:
    """Return the first attempt that opens, or None."""
    return next((attempt for attempt in attempts if attempt.opens), None)


def _nonce(number: int) -> bytes:
    return number.to_bytes(8, "little") + NONCE_TAIL


def _by_words(key: bytes, size: int) -> bytes:
    return b"".join(key[at : at + size][::-1] for at in range(0, len(key), size))


def _keys(base: OpenAttempt, others: Mapping[str, bytes]) -> Iterator[Mistake]:
    key = base.key
    half, by_words = KEY_SIZE // 2, partial(_by_words, key)
    for name, code, meaning, other in (
        ("reversed", "reversed", "the key is byte-reversed", key[::-1]),
        ("with reversed words", "words", "each 32-bit word of the key is reversed", by_words(4)),
        ("with reversed quads", "quads", "each 64-bit word of the key is reversed", by_words(8)),
        ("with halves swapped", "halves", "the key's halves are swapped", key[half:] + key[:half]),
    ):
        yield Mistake(f"key {name}", f"auth-key-{code}", meaning, base._replace(key=other))
    for name, other in others.items():
        meaning = f"it is sealed with {name}"
        yield Mistake(f"key {name}", "auth-key-other", meaning, base._replace(key=valid_key(other)))


def _nonces(base: OpenAttempt, raw: bytes, header: Header) -> Iterator[Mistake]:
    number = header.msg_seqno
    nearby = [step * sign for step in range(1, NEARBY + 1) for sign in (1, -1)]
    for step in nearby:
        other = (number + step) % _LIMIT
        meaning = f"it is sealed as number {other}, and its header says {number}"
        yield Mistake(
            f"sequence number {step:+}", "auth-seqno", meaning, base._replace(nonce=_nonce(other))
        )
    low, big, zeros = number.to_bytes(8, "little"), number.to_bytes(8, "big"), NONCE_TAIL
    for name, code, meaning, nonce in (
        ("of zeros", "zero", "the sequence number was left out of the nonce", bytes(8)),
        ("with swapped halves", "halves", "the number's halves are swapped", low[4:] + low[:4]),
        ("of the low half", "low", "the number's high half was left out", low[:4] + bytes(4)),
        ("big-endian", "big-endian", "the number is big-endian in the nonce", big),
        ("with zeros first", "zeros-first", "the number is at the nonce's end", zeros + low),
        ("of 12 big-endian bytes", "number", "the nonce is one big-endian number", zeros + big),
    ):
        trial = base._replace(nonce=nonce.ljust(NONCE_SIZE, b"\0"))
        yield Mistake(f"nonce {name}", f"auth-nonce-{code}", meaning, trial)
    for name, code, meaning, nonce in (
        ("of 8 bytes", "8", "the nonce lacks its four zero bytes", low),
        ("of 16 bytes", "16", "the nonce has 16 bytes", low + bytes(8)),
        ("as received", "reserved", "the nonce takes in reserved bytes at 0x28", raw[0x20:0x2C]),
    ):
        yield Mistake(f"nonce {name}", f"auth-nonce-{code}", meaning, base._replace(nonce=nonce))


def _ranges(base: OpenAttempt, raw: bytes) -> Iterator[Mistake]:
    """Try other associated data; the sender's tag was still zero."""
    unsealed = bytes(0x20) + raw[0x20:HEADER_SIZE]
    bare = base._replace(aad=b"")
    yield Mistake("no associated data", "auth-aad-none", "the header is not authenticated", bare)
    for start, end in (
        *((start, AAD_END) for start in (0, 0x20, 0x28, 0x31, 0x34)),
        *((AAD_START, end) for end in (0x38, 0x3C, 0x3D, 0x40, 0x50, 0x58, 0x5F)),
        (0, AAD_START),
    ):
        name = f"aad {start:#04x}..{end - 1:#04x}"
        meaning = f"the associated data are {start:#04x} to {end - 1:#04x}"
        yield Mistake(name, "auth-aad-range", meaning, base._replace(aad=unsealed[start:end]))
    for payload, state in ((base.plain(), "plain"), (bytes(16), "zero")):
        for size in (1, 16):
            name = f"aad 0x30..{AAD_END + size - 1:#04x}, payload {state}"
            meaning = f"the associated data reach {size} bytes into the payload, {state} by then"
            yield Mistake(
                name, "auth-aad-payload", meaning, base._replace(aad=base.aad + payload[:size])
            )
    meaning = "the header was filled in after sealing"
    unfilled = base._replace(aad=bytes(AAD_END - AAD_START))
    yield Mistake("aad of zeros", "auth-aad-zero", meaning, unfilled)


def _fields(base: OpenAttempt, header: Header, others: Mapping[str, bytes]) -> Iterator[Mistake]:
    """Try other values of fields; another VMPCK number also with that key."""
    for field, values in _RESETS.items():
        code = f"auth-{field.replace('_', '-')}"
        for value in values:
            trial = base._replace(aad=header.replace(**{field: value}).build()[AAD_START:])
            name, meaning = f"{field} {value:#x}", f"{field} was {value:#x} when it was sealed"
            yield Mistake(name, code, meaning, trial)
            slot = f"vmpck{int(value)}"
            if field == "msg_vmpck" and slot in others:
                sealed = trial._replace(key=valid_key(others[slot]))
                yield Mistake(f"{name} with {slot}", code, f"{meaning}, with {slot}", sealed)


def _reserved(base: OpenAttempt, header: Header) -> Iterator[Mistake]:
    fresh = header.replace(**_RESERVED).build()[AAD_START:]
    meaning = "all reserved bytes were zero when it was sealed"
    yield Mistake("reserved bytes zero", "auth-reserved", meaning, base._replace(aad=fresh))
    for field, zero in _RESERVED.items():
        changed = header.replace(**{field: zero}).build()[AAD_START:]
        meaning = f"{field} was zero when it was sealed"
        yield Mistake(f"{field} zero", "auth-reserved", meaning, base._replace(aad=changed))


def _tags(base: OpenAttempt, raw: bytes) -> Iterator[Attempt]:
    right, given, words = base.right_tag(), base.tag, partial(_by_words, base.tag)
    end = HEADER_SIZE + len(base.ciphertext)
    for size in SHORT_TAGS:
        cut = given[:size] == right[:size] and not any(given[size:])
        meaning = f"the tag is cut to {size} bytes"
        yield Attempt(f"tag of {size} bytes", "auth-tag-short", cut, meaning)
    for name, code, meaning, other in (
        ("reversed", "reversed", "the tag is byte-reversed", given[::-1]),
        ("with reversed words", "words", "each 32-bit word of the tag is reversed", words(4)),
        ("with reversed quads", "quads", "each 64-bit word of the tag is reversed", words(8)),
        ("in the upper half", "high-half", "the tag is in auth_tag's last 16 bytes", raw[16:32]),
        ("behind the payload", "behind", "the tag was left behind the payload", raw[end:][:16]),
    ):
        yield Attempt(f"tag {name}", f"auth-tag-{code}", other == right, meaning)


def _places(base: OpenAttempt, raw: bytes) -> Iterator[Attempt]:
    for start in STARTS:
        moved = base._replace(ciphertext=raw[start : start + len(base.ciphertext)])
        meaning = f"the payload starts at {start:#04x}, not at {HEADER_SIZE:#04x}"
        yield Attempt(f"payload at {start:#04x}", "auth-payload-at", moved.opens(), meaning)


def _sizes(base: OpenAttempt, raw: bytes, header: Header) -> Attempt:
    """Try every size of the payload, with the header's size as received and set right."""
    name, code, cipher = "payload of another size", "auth-msg-size", AESGCM(base.key)
    before, after = base.aad[: SIZE.start - AAD_START], base.aad[SIZE.stop - AAD_START :]
    for size in range(min(len(raw) - HEADER_SIZE, PAYLOAD_MAX) + 1):
        sealed = raw[HEADER_SIZE : HEADER_SIZE + size] + base.tag
        for aad in (base.aad, before + size.to_bytes(2, "little") + after):
            if fits(cipher, base.nonce, sealed, aad):
                meaning = f"the payload has {size} bytes, and msg_size says {header.msg_size}"
                return Attempt(name, code, True, meaning)
    return Attempt(name, code, False, "msg_size is not the payload's")
