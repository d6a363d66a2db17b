import copy
import logging
import pickle

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from realfiles import needed, rows

from snpwire.crypto.sealing import Vmpck, key_bytes, open_message, seal, seal_page
from snpwire.errors import AuthError, KeyFormatError, MessageError
from snpwire.wire.message import PAYLOAD_MAX, Header, MsgType

KEY = bytes(range(32))
ASKED = Header(algo=1, hdr_version=1, hdr_size=0x60, msg_version=1, msg_seqno=1, msg_type=5)
PAYLOAD = bytes(range(64)) + bytes(32)

headers = st.builds(
    lambda seqno, kind, version, slot, spare, reserved: ASKED.replace(
        msg_seqno=seqno,
        msg_type=kind,
        msg_version=version,
        msg_vmpck=slot,
        reserved_0x028=spare,
        reserved_0x03d=reserved,
    ),
    st.integers(0, (1 << 64) - 1),
    st.sampled_from(MsgType),
    st.integers(0, 255),
    st.integers(0, 3),
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=35, max_size=35),
)
keys = st.binary(min_size=32, max_size=32).filter(any)


@given(keys, headers, st.binary(max_size=200), st.binary(max_size=20))
def test_what_is_sealed_opens_to_itself(key, header, payload, behind):
    message = seal(Vmpck(key), header, payload)
    opened, plain = open_message(Vmpck(key), message + behind)

    assert plain == payload
    assert opened.build() == message[:0x60]
    assert opened == header.replace(auth_tag=opened.auth_tag, msg_size=len(payload))
    assert opened.auth_tag[16:] == bytes(16)


@pytest.mark.parametrize("slot", range(4))
@pytest.mark.parametrize("kind", MsgType)
def test_every_type_under_every_key_opens_to_itself(kind, slot):
    key = Vmpck(bytes([slot + 1]) * 32)
    header = ASKED.replace(msg_type=kind, msg_vmpck=slot)

    for size in (0, 1, 16, PAYLOAD_MAX):
        page = seal_page(key, header, bytes(size))
        assert len(page) == 0x1000
        assert open_message(key, page)[1] == bytes(size)


def test_nonce_tag_and_associated_data_are_where_others_have_them():
    # Spelt out with cryptography alone. The tag is one that was worked out from the description in
    # AMD-ASPFW before there was any code of this project.
    payload = bytes(range(64)) + bytes(32)
    message = seal(Vmpck(KEY), ASKED, payload)
    nonce = (1).to_bytes(8, "little") + bytes(4)

    assert message[0x30:0x40].hex() == "01016000" + "05016000" + "00000000" + "00000000"
    assert message[:16].hex() == "0f354f26b13f7433d3674d8eebcaf847"
    assert message[0x60:0x68].hex() == "e22d803ca0aaea00"
    assert AESGCM(KEY).decrypt(nonce, message[0x60:] + message[:16], message[0x30:0x60]) == payload


@needed
def test_messages_of_the_firmware_open_and_are_sealed_alike():
    opened = sealed = 0
    for row in rows("guest_request"):
        expected, asked = row["expect"], row["request_header"]
        if expected["status"] or asked["vmpck"] > 3:
            continue
        key = Vmpck(bytes.fromhex(row["gctx"][f"vmpck{asked['vmpck']}"]))
        page = bytes.fromhex(row["request_page"]).ljust(0x1000, b"\0")
        header, payload = open_message(key, page)
        assert payload.hex() == row["request_payload_plain"], row["name"]
        assert header.msg_seqno == asked["seqno"]
        opened += 1
        response = expected["response_header"]
        names = ("algo", "hdr_version", "hdr_size", "msg_type", "msg_version")
        header = Header(
            msg_seqno=response["seqno"],
            msg_vmpck=response["vmpck"],
            **{name: response[name] for name in names},
        )
        made = seal(key, header, bytes.fromhex(expected["response_payload"]))
        assert made[:32].hex() == response["tag"], row["name"]
        sealed += 1

    assert opened == sealed > 400


@needed
def test_what_the_firmware_refuses_for_its_tag_does_not_open():
    refused = [row for row in rows("guest_request") if row["expect"]["status"] == 0x0B]

    assert len(refused) > 20
    for row in refused:
        key = Vmpck(bytes.fromhex(row["gctx"][f"vmpck{row['request_header']['vmpck']}"]))
        with pytest.raises(AuthError):
            open_message(key, bytes.fromhex(row["request_page"]).ljust(0x1000, b"\0"))


def test_the_number_is_the_nonce_up_to_its_last_bit():
    message = seal(Vmpck(KEY), ASKED.replace(msg_seqno=0x8877_6655_4433_2211), PAYLOAD)
    nonce = bytes.fromhex("112233445566778800000000")

    assert AESGCM(KEY).decrypt(nonce, message[0x60:] + message[:16], message[0x30:0x60]) == PAYLOAD


AUTHENTICATED = [*range(0x10), *range(0x20, 0x28), *range(0x30, 0x60 + len(PAYLOAD))]


@pytest.mark.parametrize("at", AUTHENTICATED)
def test_any_flipped_bit_fails(at):
    key = Vmpck(KEY)
    page = bytearray(seal_page(key, ASKED, PAYLOAD))

    for bit in range(8):
        page[at] ^= 1 << bit
        with pytest.raises(MessageError):
            open_message(key, page)
        page[at] ^= 1 << bit
    assert open_message(key, page)[1] == PAYLOAD


def test_bytes_that_nothing_authenticates_may_be_anything():
    key = Vmpck(KEY)
    page = bytearray(seal_page(key, ASKED, PAYLOAD))
    for at in (*range(0x10, 0x20), *range(0x28, 0x30), 0xFFF):
        page[at] = 0xA5

    header, plain = open_message(key, memoryview(page))

    assert plain == PAYLOAD
    assert header.reserved_0x028 == b"\xa5" * 8


def test_reserved_bytes_are_authenticated_as_they_were_received():
    header = ASKED.replace(reserved_0x038=b"\1\2\3\4", reserved_0x03d=bytes(range(35)))

    opened, plain = open_message(Vmpck(KEY), seal(Vmpck(KEY), header, PAYLOAD))

    assert plain == PAYLOAD
    assert opened.reserved_0x038 == b"\1\2\3\4"


def test_a_failure_says_nothing_about_why():
    page = seal_page(Vmpck(KEY), ASKED, PAYLOAD)
    said = set()
    for at in (0, 0x20, 0x3C, 0x60):
        wrong = bytearray(page)
        wrong[at] ^= 1
        with pytest.raises(AuthError) as caught:
            open_message(Vmpck(KEY), wrong)
        said.add((str(caught.value), caught.value.__cause__, repr(vars(caught.value))))
    with pytest.raises(AuthError) as caught:
        open_message(Vmpck(KEY[::-1]), page)
    said.add((str(caught.value), caught.value.__cause__, repr(vars(caught.value))))

    assert said == {("the message fails authentication", None, "{'code': 'auth'}")}
    assert caught.value.__suppress_context__
    assert type(pickle.loads(pickle.dumps(caught.value))) is AuthError


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "^a message has a header of 96 bytes, got 0 in all$"),
        (bytes(95), "^a message has a header of 96 bytes, got 95 in all$"),
        (bytes(0x1000), "^there is no message: every byte is zero$"),
        (
            ASKED.replace(algo=2).build(),
            "^the algorithm is 2, and only AES-256-GCM, 1, is known$",
        ),
        (ASKED.replace(msg_size=16).build() + bytes(15), "^the payload has 16 bytes, but 15 are"),
        (
            ASKED.replace(msg_size=4001).build() + bytes(5000),
            "^the payload cannot have 4001 bytes, only 4000 fit a page$",
        ),
    ],
)
def test_what_is_no_message_is_refused(data, text):
    with pytest.raises(MessageError, match=text) as caught:
        open_message(Vmpck(KEY), data)

    assert not isinstance(caught.value, AuthError)


def test_a_payload_longer_than_its_page_is_refused():
    with pytest.raises(MessageError, match=r"^a payload has at most 4000 bytes .* got 4001$"):
        seal(Vmpck(KEY), ASKED, bytes(4001))


@pytest.mark.parametrize("size", [0, 16, 24, 31, 33, 64])
def test_a_key_of_another_length_is_refused(size):
    with pytest.raises(KeyFormatError, match=f"^a VMPCK has 32 bytes, got {size}$"):
        Vmpck(b"\1" * size)


def test_a_disabled_key_is_refused():
    with pytest.raises(KeyFormatError, match="all zero, which means that this VMPCK is disabled"):
        Vmpck(bytes(32))


def test_a_key_is_never_shown(caplog):
    secret = b"not to be shown, in no form....."
    key = Vmpck(secret)
    caplog.set_level(logging.DEBUG)
    logging.getLogger().info("%s %r", key, key)

    text = repr(key) + str(key) + f"{key}" + caplog.text + repr([getattr(key, "__dict__", None)])
    assert text.count("<Vmpck>") == 5
    assert "shown" not in text
    assert secret.hex() not in text
    for spread in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=r"^a VMPCK cannot be copied or pickled$"):
            spread(key)


def test_keys_are_not_compared():
    assert Vmpck(KEY) != Vmpck(KEY)


@pytest.mark.parametrize(
    "text",
    [KEY, KEY.hex().encode(), b"0x" + KEY.hex().upper().encode() + b"\n", KEY.hex(" ").encode()],
)
def test_a_key_file_is_raw_or_hex(text):
    assert key_bytes(text) == KEY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            b"correct horse battery",
            "expected 32 bytes or 64 hex digits, got 21 bytes that are neither",
        ),
        (b"\xff" * 31, "expected 32 bytes or 64 hex digits, got 31 bytes that are neither"),
        (b"aabb", "a VMPCK has 32 bytes, got 2"),
        (b"", "a VMPCK has 32 bytes, got 0"),
        (b"0" * 64, "the key is all zero, which means that this VMPCK is disabled"),
    ],
)
def test_a_key_file_that_cannot_be_read_is_not_repeated(text, said):
    with pytest.raises(KeyFormatError) as caught:
        key_bytes(text)

    assert str(caught.value) == said
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
