"""How the fuzzer changes an input.

A mutation is a function of a random source, the input and another input of the corpus. Those of
bytes fit every target; those of fields know where the fields of a kind lie.
"""

from __future__ import annotations

from functools import cache
from struct import pack_into
from typing import TYPE_CHECKING, Any

from fuzz_seeds import GHCB, KINDS, image, request

from snpwire.bits import OpenEnum, Word
from snpwire.wire import RECORDS
from snpwire.wire.events import EVENTS
from snpwire.wire.exits import ExitCode
from snpwire.wire.ghcb import SHARED_START, Page
from snpwire.wire.msr import WORDS
from snpwire.wire.operands import EventInject, GuestRequestResult, MalformedReason, ResponseInfo

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from snpwire.block import Block
    from snpwire.layout import Record
    from snpwire.wire.event import Event

    Mutation = Callable[[Random, bytes, bytes], bytes]

NUMBERS = [
    *(0, 1, 2, 3, 4, 7, 8, 13, 15, 16, 252, 253, 254, 255, 256, 511, 512, 4095, 4096, 65535, 65536),
    *(0x7FF, 0x800, 0xFE8, 0xFEF, 0xFF0, 0x1000800, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF),
    *(1 << 32, (1 << 52) - 1, 1 << 63, (1 << 64) - 1),
]

TOKENS = [
    *(b"0x", b"GHCB (GPA=", b" snapshot", b"is_valid: ", b"valid_bitmap ", b"*", b"|", b"<", b">"),
    *(b"-----BEGIN X-----\n", b"-----END X-----\n", b"```", b"/*", b"*/", b"//", b"{", b"}", b"["),
    *(b"]", b"\\x", b"\\", b'"', b"'", b"b'", b"=", b":", b";", b",", b"\r\n", b"\r", b"\n", b"\t"),
    *(b"\xef\xbb\xbf", b"\xc2\xa0", b"\0", b"\xff", b"\xe2\x80\xa8", b"\x1b[31m", b"-", b"_", b"."),
    *(b"00000000: ", b"00000010  ", b"0000020 ", b"0000100\n", b"[   12.345678] ", b"[ T1] "),
    *(b"<6>", b"6,1,123,-;", b"Jan  2 03:04:05 host kernel: ", b"(in):  ", b" <buf+1>:", b"00 "),
    *(b"QUJD", b"AAAA", b"-_-_", b"==", b"sw_exit_code ", b"sw_scratch ", b"bit_99", b"rax", b"@"),
    *(b"null", b"true", b"-1", b"1e999", b"NaN", b"1.5", b'"\\ud800"', b'"schema":', b'"fields":'),
    *(b'"rest":"00"', b'"entries":[', b'"absent":["rax"],', b"[0]", b"[999999]", b"entries", b".x"),
    *(f"{number:#x}".encode() for number in NUMBERS[-8:]),
    *(str(number).encode() for number in (*NUMBERS[-8:], -(1 << 64), 10**30)),
]

# Mutations of bytes


def _place(random: Random, data: bytes) -> int:
    return random.randrange(len(data) + 1)


def _piece(random: Random, data: bytes) -> tuple[int, int]:
    start = _place(random, data)
    size = random.choice((1, 1, 2, 4, 8, 16, 24, 64, len(data)))
    return start, min(len(data), start + random.randint(0, size))


def flip(random: Random, data: bytes, other: bytes) -> bytes:
    """Flip one bit."""
    image = bytearray(data or b"\0")
    image[random.randrange(len(image))] ^= 1 << random.randrange(8)
    return bytes(image)


def assign(random: Random, data: bytes, other: bytes) -> bytes:
    """Set one byte: to anything, or to a digit."""
    image = bytearray(data or b"\0")
    byte = random.choice((random.randrange(256), *b"0123456789abcdef *|:\n"))
    image[random.randrange(len(image))] = byte
    return bytes(image)


def number(random: Random, data: bytes, other: bytes) -> bytes:
    """Write a number of 1 to 8 bytes anywhere."""
    size = random.choice((1, 2, 4, 8))
    value = random.choice(NUMBERS) & ((1 << 8 * size) - 1)
    at = _place(random, data)
    return data[:at] + value.to_bytes(size, "little") + data[at + size :]


def delete(random: Random, data: bytes, other: bytes) -> bytes:
    """Take a piece out."""
    start, end = _piece(random, data)
    return data[:start] + data[end:]


def duplicate(random: Random, data: bytes, other: bytes) -> bytes:
    """Repeat a piece, now and then very often."""
    start, end = _piece(random, data)
    times = random.choice((1, 1, 1, 2, 3, 16)) if random.random() < 0.97 else 5000
    return data[:end] + data[start:end] * times + data[end:]


def move(random: Random, data: bytes, other: bytes) -> bytes:
    """Copy a piece over another place."""
    start, end = _piece(random, data)
    at = _place(random, data)
    return data[:at] + data[start:end] + data[at + end - start :]


def token(random: Random, data: bytes, other: bytes) -> bytes:
    """Put a token in, over what is there or between."""
    at, word = _place(random, data), random.choice(TOKENS)
    return data[:at] + word + data[at + random.choice((0, 0, 1, len(word))) :]


def splice(random: Random, data: bytes, other: bytes) -> bytes:
    """Put a piece of another input in, or go on with that one."""
    at = _place(random, data)
    start, end = _piece(random, other)
    return data[:at] + (other[start:] if random.random() < 0.5 else other[start:end] + data[at:])


def lines(random: Random, data: bytes, other: bytes) -> bytes:
    """Delete, repeat, exchange or import a line."""
    rows = data.split(b"\n")
    a, b = random.randrange(len(rows)), random.randrange(len(rows))
    what = random.randrange(4)
    if what == 0:
        del rows[a]
    elif what == 1:
        rows.insert(b, rows[a])
    elif what == 2:
        rows[a], rows[b] = rows[b], rows[a]
    else:
        rows.insert(a, random.choice(other.split(b"\n")))
    return b"\n".join(rows)


BYTES: tuple[Mutation, ...] = (
    *(flip, assign, number, delete, duplicate, move, token, token, splice, lines),
)

# Mutations of fields


@cache
def fields_of(name: str) -> list[tuple[int, int, Any]]:
    """Return offset, size and type of every value of a kind."""
    kind: type[Record] | type[Block] = RECORDS[name].type
    value = kind.parse(image(name))
    return [(leaf.offset, leaf.size, leaf.codec.type) for leaf in value.leaves() if leaf.size]


def worth(random: Random, size: int, kind: Any) -> bytes:
    """Return a value for a field of *kind*: a code it has, some of its bits, a name, a limit."""
    mask = (1 << 8 * size) - 1
    if issubclass(kind, bytes):
        names = list(getattr(kind, "NAMES", {}))
        some = bytes(kind.from_plain(random.choice(names))) if names else random.randbytes(8)
        return (some * size)[:size]
    return (_number(random, kind) & mask).to_bytes(size, "little")


def _number(random: Random, kind: Any) -> int:
    if random.random() < 0.2:
        return random.choice((*NUMBERS, random.getrandbits(64)))
    if issubclass(kind, OpenEnum):
        return int(random.choice(list(kind)))
    if issubclass(kind, Word) and kind.BITS:
        value, fields = 0, list(kind.BITS.values())
        for part in random.sample(fields, random.randint(1, min(4, len(fields)))):
            value |= (_number(random, part.kind or int) & part.limit) << part.low
        return value
    return random.choice(NUMBERS)


def field(random: Random, data: bytes, other: bytes) -> bytes:
    """Write one field of the kind that the first byte names."""
    if len(data) < 2:
        return data + b"\0"
    body = bytearray(data[2:])
    name = KINDS[data[0] % len(KINDS)]
    offset, size, kind = random.choice(fields_of(name))
    body[offset : offset + size] = worth(random, size, kind)
    if name == "msr":
        info, word = random.choice(list(WORDS.items()))
        body[:8] = (_number(random, word) & ~0xFFF & (1 << 64) - 1 | info).to_bytes(8, "little")
    return data[:2] + bytes(body)


def _asked(random: Random, page: bytearray, event: Event) -> None:
    """Make the page ask for *event*, with operands of the types that it has."""
    first, second = (_number(random, operand.type) for operand in (event.info1, event.info2))
    request(page, event.code, event.when[1] | first & ~event.when[0], event.required)
    pack_into("<Q", page, 0x3A0, second & (1 << 64) - 1)
    for name, operand in event.inputs.items():
        _store(page, name, _number(random, operand.type))
    page[0xFFA] = random.choice((0, 1, 1, 2, 2, 3))


def _answered(random: Random, page: bytearray, event: Event) -> None:
    """Make the page an answer to *event*."""
    request(page, event.code, _number(random, ResponseInfo), ())
    kind = random.choice((event.result.type, EventInject, MalformedReason, GuestRequestResult))
    _store(page, "sw_exit_info_2", _number(random, kind))
    page[0x3F0:0x400] = random.choice((0, 1 << 115, 3 << 115)).to_bytes(16, "little")


def _store(page: bytearray, name: str, value: int) -> None:
    tile = Page.tile(name)
    if tile and tile.size == 8:
        pack_into("<Q", page, tile.offset, value & (1 << 64) - 1)


def exchange(random: Random, data: bytes, other: bytes) -> bytes:
    """Make a page speak of another exit, mark a field, move its scratch area, or fill that."""
    page = bytearray(data[2:].ljust(Page.SIZE, b"\0"))
    what = random.randrange(8)
    if what in (0, 6, 7):
        event = random.choice(EVENTS)
        (_asked if what else _answered)(random, page, event)
    elif what == 1:
        pack_into("<Q", page, 0x390, random.choice(list(ExitCode)))
    elif what == 2:
        place = 0x3F0 + random.randrange(16)
        page[place] ^= 1 << random.randrange(8)
    elif what == 3:
        offset = random.choice((0, 0x7F8, 0x800, 0x804, 0x808, 0xFE8, 0xFF0, 0xFFF))
        _store(page, "sw_scratch", random.choice((0, 0x1000, 1 << 63)) + offset)
    elif what == 4:
        ends = random.choice((0, 1, 2, 251, 252, 253, 0xFFFF)), random.choice((0, 1, 252, 253))
        pack_into("<HHLQ", page, SHARED_START, *ends, 0, random.getrandbits(64))
    else:
        name = random.choice(("sw_exit_info_1", "sw_exit_info_2", "sw_scratch", "rax", "rcx"))
        _store(page, name, random.choice((0, 1, 8, random.getrandbits(64), *NUMBERS[-16:])))
    return bytes([GHCB, random.randrange(256)]) + bytes(page)


FIELDS: tuple[Mutation, ...] = (field, field, field, field, exchange, exchange, exchange)
