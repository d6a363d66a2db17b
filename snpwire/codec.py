"""Codecs: a field's construct codec as seen by all but construct.

Codecs are construct's own (``Int32ul``, ``Bytes(16)``) and the adapters made here. From each comes
a ``Codec``: a ``struct`` format with conversions, the numpy format, the check of a new value, and
the plain form for JSON. Nothing else inspects a construct object.

construct 2.10 is kept as the description and out of the fast path: walking it costs some 80 times
one ``struct`` call (``tools/bench.py`` prints the figure of the day), and ``compile()`` accepts
short input. The property that both agree is tested on every record.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self, TypeVar, cast

from construct import (
    Adapter,
    Array,
    Bytes,
    BytesInteger,
    Construct,
    FormatField,
    Int8ul,
    Int16ul,
    Int32ul,
    Int64ul,
)

from .bits import OpenEnum, Word, integer
from .errors import EncodeError, LayoutError, cut, shown

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
E = TypeVar("E", bound=OpenEnum)
W = TypeVar("W", bound=Word)

FORMATS = {1: "B", 2: "H", 4: "L", 8: "Q"}  # construct has no "I"
INTEGERS = {1: Int8ul, 2: Int16ul, 4: Int32ul, 8: Int64ul, 16: BytesInteger(16, swapped=True)}
"""The codec of an unsigned little-endian integer by its size; the last is for the valid bitmap."""


class Plain(Protocol):
    """A value type with its own JSON form."""

    def to_plain(self) -> object:
        """Return the value in JSON's terms."""

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """Undo ``to_plain``. Raises ValueError."""


class As(Adapter):  # type: ignore[type-arg]
    """Present what *subcon* parses as an instance of *type*, a subclass of int or bytes."""

    def __init__(self, type_: type[Any], subcon: Construct[Any, Any]) -> None:
        super().__init__(subcon)
        self.type = type_

    def _decode(self, obj: Any, context: object, path: str) -> Any:
        return self.type(obj)

    def _encode(self, obj: Any, context: object, path: str) -> Any:
        return bytes(obj) if isinstance(obj, bytes) else int(obj)


def as_enum(type_: type[E], codec: Construct[int, int]) -> Construct[E, E]:
    """Read an integer as a member of *type_*."""
    return cast("Construct[E, E]", As(type_, codec))


def as_word(type_: type[W]) -> Construct[W, W]:
    """Read a word, little-endian, of as many bits as *type_* has."""
    size = type_.WIDTH // 8
    return cast("Construct[W, W]", As(type_, INTEGERS[size]))


def as_bytes(type_: type[T], size: int) -> Construct[T, T]:
    """Read *size* bytes as *type_*, a subclass of bytes with a plain form of its own."""
    return cast("Construct[T, T]", As(type_, Bytes(size)))


def array(count: int, codec: Construct[T, Any]) -> Construct[tuple[T, ...], Any]:
    """Read *count* consecutive values as a tuple."""
    return cast("Construct[tuple[T, ...], Any]", Array(count, codec))


class Codec(NamedTuple):
    """The table row behind one field: how each consumer of the layout treats its value."""

    fmt: str
    """``struct`` format, without byte order."""
    size: int
    decode: Callable[[Any], Any] | None
    """What turns the unpacked value into the typed one; None where they are the same."""
    encode: Callable[[Any], Any] | None
    check: Callable[[Any], Any]
    """Return the typed value of an argument, or raise EncodeError or ValueError."""
    to_plain: Callable[[Any], Any]
    from_plain: Callable[[Any], Any]
    dtype: Callable[[], Any]
    type: Any
    """The value's class: int, bytes, tuple, or a subclass or record."""
    item: Any = None
    """The row of one element, where the value is a tuple of *times* of them."""
    times: int = 1


def codec_of(con: Any) -> Codec:
    """Return the row for a construct codec. Raises LayoutError for one that has no fixed layout."""
    if hasattr(con, "record"):
        return _nested(con.record)
    match con:
        case As():
            return _as(con)
        case FormatField() if con.fmtstr[0] == "<" and con.fmtstr[1] in "BHLQ":
            return _integer(con.length)
        case BytesInteger() if con.swapped and not con.signed and isinstance(con.length, int):
            return _wide_integer(con.length)
        case Bytes() if isinstance(con.length, int):
            return _bytes(con.length)
        case Array() if isinstance(con.count, int):
            return _array(con.count, codec_of(con.subcon))
    raise LayoutError(
        f"{con!r} is no codec of a record: use Int8ul to Int64ul, Bytes, Array, nested or as_*"
    )


def _integer(size: int) -> Codec:
    limit = (1 << 8 * size) - 1

    def check(value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"expected a number, got {shown(value)}")
        if 0 <= value <= limit:
            return int(value)
        raise ValueError(f"{cut(f'{value:#x}')} does not fit {size} bytes (0 to {limit:#x})")

    def to_plain(value: int) -> int | str:
        return int(value) if size < 8 else f"{value:#0{2 + 2 * size}x}"

    def from_plain(plain: Any) -> int:
        return check(integer(plain) if isinstance(plain, str) else plain)

    def dtype() -> str:
        return f"<u{size}"  # not construct's "L", which is 8 bytes to numpy

    fmt = FORMATS.get(size, f"{size}s")
    return Codec(fmt, size, None, None, check, to_plain, from_plain, dtype, int)


def _wide_integer(size: int) -> Codec:
    def decode(raw: bytes) -> int:
        return int.from_bytes(raw, "little")

    def encode(value: int) -> bytes:
        return value.to_bytes(size, "little")

    return _integer(size)._replace(
        fmt=f"{size}s", decode=decode, encode=encode, dtype=lambda: f"V{size}"
    )


def _bytes(size: int) -> Codec:
    def check(value: Any) -> bytes:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise ValueError(f"expected {size} bytes, got {shown(value)}")
        data = bytes(value)  # before its length is taken: a memoryview's counts its own items
        if len(data) != size:
            raise ValueError(f"expected {size} bytes, got {len(data)}")
        return data

    def from_plain(plain: Any) -> bytes:
        return from_hex(plain, size).ljust(size, b"\0")

    return Codec(
        f"{size}s", size, None, None, check, bytes.hex, from_plain, lambda: f"V{size}", bytes
    )


def from_hex(plain: object, limit: int) -> bytes:
    """Read at most *limit* bytes of hex digits. Raises ValueError."""
    if not isinstance(plain, str):
        raise ValueError(f"expected a string of hex digits, got {shown(plain)}")
    try:
        data = bytes.fromhex(plain.removeprefix("0x"))
    except ValueError:
        raise ValueError(f"expected hex digits, two for a byte, got {shown(plain)}") from None
    if len(data) > limit:
        raise ValueError(f"expected at most {limit} bytes, got {len(data)}")
    return data


def _as(con: As) -> Codec:
    """Wrap the row of the raw value: convert after it decodes, convert back before it encodes."""
    raw = codec_of(con.subcon)
    kind = con.type

    def check(value: Any) -> Any:
        return kind(raw.check(value))

    def from_plain(plain: Any) -> Any:
        return check(kind.from_plain(plain))

    def to_plain(value: Any) -> Any:
        plain = value.to_plain()
        return raw.to_plain(plain) if isinstance(plain, int) else plain

    members = {int(m): m for m in kind} if issubclass(kind, OpenEnum) else {}

    def decode(value: Any) -> Any:
        member = members.get(value)  # the call of an enumeration costs ten times as much
        if member is None:
            return kind(raw.decode(value) if raw.decode else value)
        return member

    return raw._replace(
        decode=decode,
        encode=raw.encode or (bytes if raw.type is bytes else int),
        check=check,
        to_plain=to_plain,
        from_plain=from_plain,
        type=kind,
    )


def _nested(record: Any) -> Codec:
    def check(value: Any) -> Any:
        if type(value) is not record:
            raise ValueError(f"expected a {record.__name__}, got {shown(value)}")
        return value

    return Codec(
        f"{record.SIZE}s",
        record.SIZE,
        record.parse,
        record.build,
        check,
        record.to_plain,
        record.from_plain,
        record.dtype,
        record,
    )


def _array(count: int, item: Codec) -> Codec:
    engine = Struct("<" + item.fmt * count)

    def decode(raw: bytes) -> tuple[Any, ...]:
        values = engine.unpack(raw)
        return tuple(map(item.decode, values)) if item.decode else values

    def encode(values: tuple[Any, ...]) -> bytes:
        return engine.pack(*(map(item.encode, values) if item.encode else values))

    def each(convert: Callable[[Any], Any], values: Any, room: int) -> list[Any]:
        done = []
        for index, value in enumerate(values):
            place = f"[{index}]"
            try:
                if index >= room:
                    raise ValueError(f"there are only {count} elements")
                done.append(convert(value))
            except EncodeError as exc:
                raise exc.within("", place, index * item.size) from None
            except ValueError as exc:
                raise EncodeError("", place, index * item.size, str(exc)) from None
        return done

    def check(values: Any) -> tuple[Any, ...]:
        if not isinstance(values, tuple | list) or len(values) < count:
            raise ValueError(f"expected {count} elements, got {shown(values)}")
        return tuple(each(item.check, values, count))

    def from_plain(plain: Any) -> tuple[Any, ...]:
        if not isinstance(plain, list):
            raise ValueError(f"expected a list of at most {count} elements, got {shown(plain)}")
        given = each(item.from_plain, plain, count)
        zero = bytes(item.size * (count - len(given)))
        rest = Struct("<" + item.fmt * (count - len(given))).unpack(zero)
        return tuple(given) + (tuple(map(item.decode, rest)) if item.decode else rest)

    def to_plain(values: tuple[Any, ...]) -> list[Any]:
        return [item.to_plain(value) for value in values]

    size = item.size * count
    return Codec(
        f"{size}s",
        size,
        decode,
        encode,
        check,
        to_plain,
        from_plain,
        lambda: (item.dtype(), (count,)),
        tuple,
        item,
        count,
    )
