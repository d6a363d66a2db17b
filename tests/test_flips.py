"""The one bit that was flipped is found, wherever in a message it is, and no other is blamed."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from snpwire.crypto.bit_flip import flips
from snpwire.crypto.diagnosis import diagnose, explanation
from snpwire.crypto.open_attempt import OpenAttempt
from snpwire.crypto.sealing import Vmpck, seal_page
from snpwire.wire.message import Header

KEY = bytes(range(32))
HEADER = Header(algo=1, hdr_version=1, hdr_size=0x60, msg_version=1, msg_seqno=41, msg_type=5)
PARTS = {"tag": (0x00, 0x10), "seqno": (0x20, 0x28), "header": (0x30, 0x60)}


def sealed(size):
    return seal_page(Vmpck(KEY), HEADER, bytes(byte % 251 for byte in range(size)))


def flipped(page, *bits):
    data = bytearray(page)
    for bit in bits:
        data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def message(page, size):
    nonce = page[0x20:0x28] + bytes(4)
    return OpenAttempt(KEY, nonce, page[0x30:0x60], page[0x60 : 0x60 + size], page[:0x10])


def blamed(page, size):
    return [(row.code, row.meaning) for row in flips(message(page, size)) if row.opens]


@pytest.mark.parametrize("part", [*PARTS, "payload"])
@pytest.mark.parametrize("size", [0, 1, 40, 96])
def test_every_bit_is_found_where_it_was_flipped(size, part):
    page = sealed(size)
    for at in range(*PARTS.get(part, (0x60, 0x60 + size))):
        for bit in range(8):
            said = f"bit {bit} of byte {at:#04x} is flipped"

            assert blamed(flipped(page, 8 * at + bit), size) == [(f"auth-bit-{part}", said)]


@pytest.mark.parametrize("at", [0x60, 0x7FF, 0x1000 - 1])
def test_a_bit_of_the_longest_payload_is_found(at):
    page = flipped(sealed(4000), 8 * at + 5)

    assert blamed(page, 4000) == [("auth-bit-payload", f"bit 5 of byte {at:#04x} is flipped")]


@given(st.sets(st.integers(0, 0xC0 * 8 - 1), min_size=2, max_size=4))
def test_of_several_bits_none_is_blamed(bits):
    hashed = {bit for bit in bits if not 0x10 * 8 <= bit < 0x30 * 8}
    if len(hashed) > 1:
        assert blamed(flipped(sealed(96), *hashed), 96) == []


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=1, max_size=80), st.data())
def test_a_bit_of_the_header_is_found_under_any_key(key, data, drawn):
    bit = drawn.draw(st.integers(0, 8 * len(data) - 1))
    tag = AESGCM(key).encrypt(bytes(12), b"", data)

    attempts = flips(OpenAttempt(key, bytes(12), flipped(data, bit), b"", tag))

    meaning = f"bit {bit % 8} of byte {0x30 + bit // 8:#04x} is flipped"
    assert [row.meaning for row in attempts if row.opens] == [meaning]


@pytest.mark.parametrize(
    ("at", "code"),
    [
        (0x34, "auth-msg-type"),
        (0x36, "auth-msg-size"),
        (0x3C, "auth-msg-vmpck"),
        (0x20, "auth-seqno"),
        (0x5F, "auth-bit-header"),
    ],
)
def test_what_has_a_name_is_named_before_its_bit(at, code):
    attempts = diagnose(KEY, flipped(sealed(96), 8 * at))

    assert explanation(attempts).code == code
    assert any(row.code.startswith("auth-bit-") for row in attempts) == (at in (0x36, 0x5F))
