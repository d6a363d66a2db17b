"""GHASH, the hash inside AES-GCM, as far as it tells which single bit of a message was flipped.

The hash is linear: where two messages of one size differ in one bit, their tags differ by that bit
times a power of the hash key, whatever else is in them. So one pass over the powers finds the bit,
where opening the message once for each bit would take as many passes as it has bits. A block is a
polynomial over GF(2) whose first bit, 0x80 of its first byte, is the coefficient of 1 (SP 800-38D,
6.3); the last block is that of the sizes, which has the first power.
"""

from __future__ import annotations

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
