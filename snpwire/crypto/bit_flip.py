"""Find the one bit of a message that was flipped, for who has its key.

A flipped bit of the tag is all that differs from the right one; one of the associated data or of
the payload follows from the difference of the two tags (``ghash``); those of the sequence number
are 64, and are tried. What is found is opened before it is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.message import AAD_START, HEADER_SIZE
from .attempt import Attempt, Trial

if TYPE_CHECKING:
    from collections.abc import Iterator


BLOCK = 16
_BITS = 8 * BLOCK
_REDUCED = 0xE1 << (_BITS - 8)
"""What x^128 is: 1 + x + x^2 + x^7."""


def flipped_bit(hash_key: bytes, difference: bytes, blocks: int) -> int | None:
    """Return which bit of *blocks* blocks makes two tags differ by *difference*, or None.

    Bits count from the first block's first byte, in a byte from the most significant one.
    """
    wanted = int.from_bytes(difference, "big")
    power = int.from_bytes(hash_key, "big")
    multiples = _multiples(power)
    for block in reversed(range(blocks)):
        power = _times(power, multiples)
        element = power
        for bit in range(_BITS):
            if element == wanted:
                return _BITS * block + bit
            element = _times_x(element)
    return None


def _times_x(element: int) -> int:
    return element >> 1 ^ (_REDUCED if element & 1 else 0)


def _multiples(element: int) -> list[int]:
    """Return *element* times x^0 to x^127."""
    found = [element]
    for _ in range(_BITS - 1):
        found.append(_times_x(found[-1]))
    return found


def _times(element: int, multiples: list[int]) -> int:
    """Return *element* times that of which *multiples* are."""
    product = 0
    for bit, multiple in enumerate(multiples):
        if element >> (_BITS - 1 - bit) & 1:
            product ^= multiple
    return product


NUMBER, NUMBER_SIZE = 0x20, 8
"""Where the sequence number is."""
_PAYLOAD = 8 * HEADER_SIZE
"""Number of the payload's first bit; bits are numbered through the page, bit 0 of a byte first."""


def flips(trial: Trial) -> Iterator[Attempt]:
    """Yield an attempt for each part of the message, which opens if one bit there was flipped."""
    hashed = _in_hashed(trial)
    inside = hashed is not None and hashed >= _PAYLOAD
    for name, code, place in (
        ("tag", "auth-bit-tag", _in_tag(trial)),
        ("sequence number", "auth-bit-seqno", _in_number(trial)),
        ("header", "auth-bit-header", None if inside else hashed),
        ("payload", "auth-bit-payload", hashed if inside else None),
    ):
        where = "one bit" if place is None else f"bit {place % 8} of byte {place // 8:#04x}"
        yield Attempt(f"bit of the {name}", code, place is not None, f"{where} is flipped")


def _in_tag(trial: Trial) -> int | None:
    right = int.from_bytes(trial.right_tag(), "little")
    differs = right ^ int.from_bytes(trial.tag, "little")
    return differs.bit_length() - 1 if differs.bit_count() == 1 else None


def _in_number(trial: Trial) -> int | None:
    number, rest = trial.nonce[:NUMBER_SIZE], trial.nonce[NUMBER_SIZE:]
    for bit in range(8 * NUMBER_SIZE):
        if trial._replace(nonce=_flipped(number, bit) + rest).opens():
            return 8 * NUMBER + bit
    return None


def _in_hashed(trial: Trial) -> int | None:
    """Look in what is hashed: the associated data, three whole blocks, and the payload."""
    data = trial.aad + trial.ciphertext
    differs = bytes(a ^ b for a, b in zip(trial.right_tag(), trial.tag, strict=True))
    found = flipped_bit(trial.hash_key(), differs, -(-len(data) // BLOCK))
    if found is None or found >= 8 * len(data):  # the last block is filled up with zeros
        return None
    bit = found ^ 7  # GHASH has a byte's most significant bit first
    right, split = _flipped(data, bit), len(trial.aad)
    opens = trial._replace(aad=right[:split], ciphertext=right[split:]).opens()
    return 8 * AAD_START + bit if opens else None


def _flipped(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data, "little") ^ 1 << bit).to_bytes(len(data), "little")
