"""Keys derived as the firmware derives them."""

from hashlib import sha384
from hmac import digest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snpwire.crypto.kdf import (
    P384_ORDER,
    VCEK_LABEL,
    VLEK_LABEL,
    chip_hash,
    kdf,
    key_number,
    key_pair,
    sticks,
)
from snpwire.crypto.wrapping import unwrap_page, unwrap_vlek, wrap_page, wrap_vlek
from snpwire.errors import AuthError, KeyFormatError

SEED = bytes(range(48))
LEVELS = st.lists(st.integers(0, 255), min_size=8, max_size=8).map(
    lambda levels: bytes([*levels[:2], 0, 0, 0, 0, *levels[6:]])
)


def test_counter_and_length_are_least_byte_first():
    block = digest(b"k", b"\1\0\0\0" + b"label" + b"\0" + b"context" + b"\0\1\0\0", "sha256")

    assert kdf(b"k", b"label", b"context", 32) == block
    assert kdf(b"k", b"label", b"context", 64)[:32] != block  # the length is in every block


@given(st.integers(1, 200))
def test_a_key_has_the_length_asked_for(size):
    assert len(kdf(b"k", b"label", b"", size)) == size


@pytest.mark.parametrize("size", [0, 65, 1000])
def test_a_key_that_the_firmware_refuses_is_refused(size):
    with pytest.raises(KeyFormatError, match=f"has 1 to 64 bytes, got {size}"):
        kdf(bytes(size), b"label", b"", 32)


def test_sticks_are_as_the_manual_steps_make_them():
    levels = bytes([3, 0, 0, 0, 0, 0, 8, 115])
    base = SEED
    for level in levels:
        last = base
        for _ in range(255 - level):
            last = sha384(last).digest()
        base = sha384(bytes(8) + last).digest()

    held = sticks(SEED, int.from_bytes(levels, "little"))

    assert chip_hash(held, held.tcb) == sha384(last).digest()


@given(LEVELS, LEVELS)
def test_a_lower_version_follows_from_the_sticks_of_a_higher(one, other):
    high = bytes(map(max, one, other))
    low = int.from_bytes(bytes(map(min, one, other)), "little")

    held = sticks(SEED, int.from_bytes(high, "little"))

    assert chip_hash(held, low) == chip_hash(sticks(SEED, low), low)


def test_a_higher_version_does_not_follow():
    low, high = 3, 4

    assert chip_hash(sticks(SEED, low), high) != chip_hash(sticks(SEED, high), high)


def test_a_key_pair_is_on_the_curve_and_depends_on_its_label():
    numbers = [key_number(SEED, label) for label in (VCEK_LABEL, VLEK_LABEL)]

    assert numbers[0] != numbers[1]
    assert all(0 < number < P384_ORDER for number in numbers)
    assert key_pair(SEED, VCEK_LABEL).private_numbers().private_value == numbers[0]


@given(st.integers(0, (1 << 64) - 1), st.binary(max_size=64))
def test_a_page_is_opened_with_its_number_and_no_other(number, data):
    sealed, tag = wrap_page(bytes(32), number, data)

    assert unwrap_page(bytes(32), number, sealed, tag) == data
    with pytest.raises(AuthError):
        unwrap_page(bytes(32), number ^ 1, sealed, tag)


def test_a_wrapped_vlek_is_opened_by_its_chip_and_for_its_version():
    hashes = bytes(range(48)) * 8
    wrapped = wrap_vlek(SEED, hashes, tcb=7, iv=b"n" * 12)

    assert unwrap_vlek(SEED, wrapped) == hashes
    for changed in (wrapped[:0x190] + b"\x08" + wrapped[0x191:], wrapped[:-1] + b"\xff"):
        with pytest.raises(AuthError):
            unwrap_vlek(SEED, changed)
    with pytest.raises(AuthError):
        unwrap_vlek(SEED[::-1], wrapped)
