import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from snpwire.crypto.diagnosis import diagnose, explanation, slots
from snpwire.crypto.sealing import Vmpck, seal, seal_page
from snpwire.errors import KeyFormatError, MessageError
from snpwire.wire.message import Header
from snpwire.wire.secrets import SecretsPage

KEY = bytes(range(32))
OTHER = bytes(range(50, 82))
NUMBER = 0x0000_0003_0000_0029
HEADER = Header(
    algo=1,
    hdr_version=1,
    hdr_size=0x60,
    msg_version=1,
    msg_seqno=NUMBER,
    msg_type=5,
    msg_size=96,
    msg_vmpck=1,
)
PAYLOAD = bytes(range(7, 103))
LITTLE, BIG = NUMBER.to_bytes(8, "little"), NUMBER.to_bytes(8, "big")


def mistaken(key=KEY, nonce=LITTLE + bytes(4), aad=None, header=HEADER, place=0x60, fix=bytes):
    """Seal PAYLOAD by hand, with a mistake; the page has the right header all the same."""
    image = header.build()
    sealed = AESGCM(key).encrypt(nonce, PAYLOAD, image[0x30:] if aad is None else aad)
    page = bytearray(0x1000)
    page[:0x60] = HEADER.build()
    page[place : place + len(PAYLOAD)] = sealed[:-16]
    page[:16] = fix(sealed[-16:])
    return bytes(page)


def words(data, size):
    return b"".join(data[at : at + size][::-1] for at in range(0, len(data), size))


def nonce_of(number):
    return mistaken(nonce=(number % (1 << 64)).to_bytes(8, "little") + bytes(4))


def reset(**fields):
    return mistaken(header=HEADER.replace(**fields))


def image_of(start, end):
    return HEADER.build()[start:end]


MISTAKES = {
    "key reversed": lambda: mistaken(key=KEY[::-1]),
    "key with reversed words": lambda: mistaken(key=words(KEY, 4)),
    "key with reversed quads": lambda: mistaken(key=words(KEY, 8)),
    "key with halves swapped": lambda: mistaken(key=KEY[16:] + KEY[:16]),
    "key vmpck3": lambda: mistaken(key=OTHER),
    **{
        f"sequence number {step:+}": lambda step=step: nonce_of(NUMBER + step)
        for step in range(-8, 9)
        if step
    },
    "nonce of zeros": lambda: nonce_of(0),
    "nonce with swapped halves": lambda: mistaken(nonce=LITTLE[4:] + LITTLE[:4] + bytes(4)),
    "nonce of the low half": lambda: mistaken(nonce=LITTLE[:4] + bytes(8)),
    "nonce big-endian": lambda: mistaken(nonce=BIG + bytes(4)),
    "nonce with zeros first": lambda: mistaken(nonce=bytes(4) + LITTLE),
    "nonce of 12 big-endian bytes": lambda: mistaken(nonce=bytes(4) + BIG),
    "nonce of 8 bytes": lambda: mistaken(nonce=LITTLE),
    "nonce of 16 bytes": lambda: mistaken(nonce=LITTLE + bytes(8)),
    "no associated data": lambda: mistaken(aad=b""),
    "aad 0x00..0x2f": lambda: mistaken(aad=bytes(0x20) + image_of(0x20, 0x30)),
    "aad 0x20..0x5f": lambda: mistaken(aad=image_of(0x20, 0x60)),
    "aad 0x28..0x5f": lambda: mistaken(aad=image_of(0x28, 0x60)),
    "aad 0x31..0x5f": lambda: mistaken(aad=image_of(0x31, 0x60)),
    "aad 0x34..0x5f": lambda: mistaken(aad=image_of(0x34, 0x60)),
    **{
        f"aad 0x30..{end - 1:#04x}": lambda end=end: mistaken(aad=image_of(0x30, end))
        for end in (0x38, 0x3C, 0x3D, 0x40, 0x50, 0x58, 0x5F)
    },
    "aad 0x00..0x5f": lambda: mistaken(aad=HEADER.build()),
    **{
        f"aad 0x30..{0x5F + size:#04x}, payload {said}": lambda size=size, data=data: mistaken(
            aad=HEADER.build()[0x30:] + data[:size]
        )
        for said, data in (("plain", PAYLOAD), ("zero", bytes(16)))
        for size in (1, 16)
    },
    "aad of zeros": lambda: mistaken(aad=bytes(48)),
    **{f"algo {value:#x}": lambda value=value: reset(algo=value) for value in (0, 2)},
    **{f"hdr_version {value:#x}": lambda value=value: reset(hdr_version=value) for value in (0, 2)},
    **{
        f"hdr_size {value:#x}": lambda value=value: reset(hdr_size=value)
        for value in (0, 0x40, 0x6000)
    },
    **{
        f"msg_type {value:#x}": lambda value=value: reset(msg_type=value)
        for value in range(27)
        if value != 5
    },
    **{f"msg_version {value:#x}": lambda value=value: reset(msg_version=value) for value in (0, 2)},
    **{f"msg_vmpck {value:#x}": lambda value=value: reset(msg_vmpck=value) for value in (0, 2, 3)},
    **{
        f"tag of {size} bytes": lambda size=size: mistaken(
            fix=lambda tag: tag[:size] + bytes(16 - size)
        )
        for size in (15, 14, 13, 12, 8, 4)
    },
    "tag reversed": lambda: mistaken(fix=lambda tag: tag[::-1]),
    "tag with reversed words": lambda: mistaken(fix=lambda tag: words(tag, 4)),
    "tag with reversed quads": lambda: mistaken(fix=lambda tag: words(tag, 8)),
    "tag in the upper half": lambda: moved_tag(0x10),
    "tag behind the payload": lambda: moved_tag(0x60 + len(PAYLOAD)),
    **{
        f"payload at {place:#04x}": lambda place=place: mistaken(place=place)
        for place in (0x64, 0x68, 0x70, 0x80, 0x100)
    },
}


def moved_tag(place):
    page = bytearray(mistaken())
    page[place : place + 16], page[:16] = page[:16], bytes(16)
    return bytes(page)


SECRETS = SecretsPage(vmpck1=KEY, vmpck3=OTHER).build()


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_found_by_making_it(name):
    attempts = diagnose(KEY, MISTAKES[name](), slots(SECRETS))

    assert explanation(attempts).name == name


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("size", [1, 16, 95, 97, 112, 4000])
def test_a_wrong_message_size_is_found(size, inside):
    sealed = seal(Vmpck(KEY), HEADER, b"\5" * size)
    page = bytearray(0x1000)
    page[: len(sealed)] = sealed
    page[0x36:0x38] = HEADER.build()[0x36:0x38]
    if inside:  # the sender authenticated the wrong size
        tagged = AESGCM(KEY).encrypt(LITTLE + bytes(4), b"\5" * size, bytes(page[0x30:0x60]))
        page[:16] = tagged[-16:]

    attempts = diagnose(KEY, page)

    assert [a.name for a in attempts if a.opens] == ["payload of another size"]
    assert explanation(attempts).meaning == f"the payload has {size} bytes, and msg_size says 96"


def test_reserved_bytes_that_were_set_on_the_way_are_found():
    page = bytearray(seal_page(Vmpck(KEY), HEADER, PAYLOAD))
    page[0x38] = page[0x50] = 1

    assert explanation(diagnose(KEY, page)).name == "reserved bytes zero"


@pytest.mark.parametrize("name", ["reserved_0x038", "reserved_0x03d"])
def test_one_reserved_field_that_was_set_on_the_way_is_found(name):
    fields = {"reserved_0x038": b"\1" * 4, "reserved_0x03d": b"\2" * 35}
    clean = HEADER.replace(**{**fields, name: bytes(len(fields[name]))})
    page = mistaken(header=clean)

    page = page[:0x30] + HEADER.replace(**fields).build()[0x30:] + page[0x60:]

    assert explanation(diagnose(KEY, page)).name == f"{name} zero"


def test_reserved_bytes_in_the_nonce_are_found():
    page = bytearray(mistaken(nonce=LITTLE + b"\1\2\3\4"))
    page[0x28:0x2C] = b"\1\2\3\4"

    assert explanation(diagnose(KEY, page)).name == "nonce as received"


def test_a_good_message_needs_no_attempts():
    attempts = diagnose(KEY, seal_page(Vmpck(KEY), HEADER, PAYLOAD))

    assert attempts == [("as given", "as-given", True, "nothing is wrong")]


def test_it_says_so_when_nothing_helps():
    page = bytearray(seal_page(Vmpck(OTHER), HEADER.replace(msg_seqno=99), PAYLOAD))

    attempts = diagnose(KEY, page)

    assert explanation(attempts) is None
    assert len(attempts) > 90
    assert len({attempt.name for attempt in attempts}) == len(attempts)
    assert attempts[0].name == "as given"
    assert not any(OTHER.hex() in repr(a) or KEY.hex() in repr(a) for a in attempts)


def test_a_message_cut_short_is_looked_at_all_the_same():
    page = seal(Vmpck(KEY), HEADER, PAYLOAD)

    assert explanation(diagnose(KEY, page[:-1])) is None
    assert explanation(diagnose(KEY, page)).name == "as given"


def test_what_has_no_header_is_refused():
    with pytest.raises(MessageError, match=r"^a message has a header of 96 bytes, got 95 in all$"):
        diagnose(KEY, bytes(95))
    with pytest.raises(KeyFormatError, match=r"^a VMPCK has 32 bytes, got 31$"):
        diagnose(KEY[1:], bytes(96))


def test_the_keys_of_a_secrets_page_have_names():
    assert slots(SECRETS) == {"vmpck1": KEY, "vmpck3": OTHER}
    with pytest.raises(KeyFormatError, match=r"^a secrets page has 4096 bytes, got 32$"):
        slots(KEY)
