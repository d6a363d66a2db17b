"""Fixed-size binary records, declared once.

A record class names, for every field, its byte offset and the construct codec that reads it::

    class Header(Record, size=0x60, spec="SNP ABI, guest message header"):
        auth_tag: bytes = at(0x00, Bytes(32), "Authentication tag")
        msg_seqno: int = at(0x20, Int64ul, "Sequence number")

From that one table come ``parse`` and ``build``, the construct ``SCHEMA``, the numpy ``dtype()``,
``TILES`` (the path, offset, size and meaning of every byte), and JSON in both directions.

Rules: every string of ``SIZE`` bytes decodes; no byte is lost, since what no field claims is a
field of its own, ``reserved_0x...``; values are checked elsewhere.

A value is the tuple that ``struct`` unpacked, fields and gaps in offset order, so it is immutable,
hashable, and costs little more than ``struct`` itself; a field takes on its type (an enumeration, a
word, a nested record) when it is read. A frozen dataclass was measured at seven times ``unpack``,
converting three fields at once at six. The price: values can be indexed, which none should be.
Values are checked when they are made, not when they are built, so ``build`` cannot fail. A field
left out is zero, which a type checker cannot see: the constructor takes any keyword, and refuses an
unknown one when it runs.
"""

from __future__ import annotations

from operator import itemgetter
from struct import Struct, error
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, TypeVar, cast

from construct import Adapter, Bytes, Construct
from construct import Struct as Schema

from .bits import nearest
from .codec import Codec, codec_of
from .errors import DecodeError, EncodeError, LayoutError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

T = TypeVar("T")
R = TypeVar("R", bound="Record")

UNUSED = ("count", "index")
"""Methods of tuple that nothing calls on a record, so that a field may have the name."""


SECRETS = frozenset(
    ("vmpck0", "vmpck1", "vmpck2", "vmpck3", "oek", "vmrk", "derived_key", "reg_prot_nonce")
)
"""Names of fields that hold a key, in any record: no representation and no error shows them."""


class Tile(NamedTuple):
    """A run of bytes of a record: a field, or a gap between fields."""

    path: str
    offset: int
    doc: str
    con: Construct[Any, Any]
    codec: Codec
    gap: bool = False

    @property
    def size(self) -> int:
        """Length in bytes."""
        return self.codec.size

    @property
    def end(self) -> int:
        """Offset of the first byte after the tile."""
        return self.offset + self.codec.size


class Leaf(NamedTuple):
    """One value that has no parts, its place, and its meaning."""

    path: str
    offset: int
    size: int
    doc: str
    value: Any
    codec: Codec
    gap: bool


class _Field(NamedTuple):
    offset: int
    con: Construct[Any, Any]
    doc: str


class _Nested(Adapter):  # type: ignore[type-arg]
    """Present what a record's schema parses as an instance of the record."""

    def __init__(self, record: type[Record]) -> None:
        super().__init__(record.SCHEMA)
        self.record = record

    def _decode(self, obj: dict[str, Any], context: object, path: str) -> Record:
        return self.record(**{tile.path: obj[tile.path] for tile in self.record.TILES})

    def _encode(self, obj: Record, context: object, path: str) -> dict[str, Any]:
        return {tile.path: value for tile, value in obj.values()}


def at(offset: int, con: Construct[T, Any], doc: str) -> T:
    """Place a field at *offset*."""
    return cast("T", _Field(offset, con, doc))


def nested(record: type[R]) -> Construct[R, R]:
    """Embed one record in another."""
    return cast("Construct[R, R]", _Nested(record))


class _Schema:
    """The construct Struct of a record class, made at its first use."""

    def __get__(self, value: object, owner: type[Record]) -> Schema:
        schema = Schema(*(tile.path / tile.con for tile in owner.TILES))
        if owner is not Record:  # whose schema every record would inherit
            owner.SCHEMA = schema
        return schema


def _place_text(value: object) -> str:
    return f" at {value.offset:#x}" if isinstance(value, _Field) else ""


class _Once(dict[str, Any]):
    """The namespace of a record class, which refuses to declare one name twice."""

    def __init__(self, record: str) -> None:
        super().__init__()
        self.record = record

    def __setitem__(self, name: str, value: Any) -> None:
        first, second = _place_text(self.get(name)), _place_text(value)
        if name in self and (first or second):
            raise LayoutError(f"{self.record}.{name}{second} repeats the name of {name}{first}")
        super().__setitem__(name, value)


class Layout(type):
    """The type of record classes: one name once, and no instance dictionary."""

    @classmethod
    def __prepare__(cls, name: str, bases: tuple[type, ...], /, **_: Any) -> dict[str, object]:
        return _Once(name)

    def __new__(
        cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwds: Any
    ) -> Layout:
        """Make the class."""
        return super().__new__(cls, name, bases, {"__slots__": (), **namespace}, **kwds)


class Structure(tuple[Any, ...], metaclass=Layout):
    """Base class of records and blocks: equal if type and bytes are."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        value: Any = self  # parse and build belong to the subclasses
        return type(value).parse, (value.build(),)


class Record(Structure):
    """Base class of every fixed-size structure."""

    SIZE: ClassVar[int] = 0
    SPEC: ClassVar[str] = ""
    TILES: ClassVar[tuple[Tile, ...]] = ()
    FIELDS: ClassVar[tuple[Tile, ...]] = ()
    SCHEMA: ClassVar[Any] = _Schema()
    ENGINE: ClassVar[Struct] = Struct("")
    _INDEX: ClassVar[dict[str, int]] = {}

    if TYPE_CHECKING:  # a field may have these names, of any type
        count: Any
        index: Any

    def __init_subclass__(cls, *, size: int, spec: str) -> None:
        super().__init_subclass__()
        if cls.TILES:
            base = cls.__base__.__name__ if cls.__base__ else ""
            raise LayoutError(f"{cls.__name__} extends the record {base}; nest it instead")
        cls.SIZE, cls.SPEC = size, spec
        cls.FIELDS = tuple(_fields(cls))
        cls.TILES = tuple(_tiles(cls.__name__, cls.FIELDS, size))
        cls.ENGINE = Struct("<" + "".join(tile.codec.fmt for tile in cls.TILES))
        cls._INDEX = {tile.path: index for index, tile in enumerate(cls.TILES)}
        for index, tile in enumerate(cls.TILES):
            setattr(cls, tile.path, property(_getter(index, tile.codec), doc=tile.doc))

    def __new__(cls, /, **fields: Any) -> Self:
        """Make a value; fields left out are zero. Raises TypeError and EncodeError."""
        return cls.zero().replace(**fields) if fields else cls.zero()

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> Self:
        """Decode exactly ``SIZE`` bytes. Raises DecodeError."""
        try:
            return tuple.__new__(cls, cls.ENGINE.unpack(data))
        except error:
            reason = f"expected {cls.SIZE} bytes, got {memoryview(data).nbytes}"
            raise DecodeError(cls.__name__, "", None, reason) from None

    def build(self) -> bytes:
        """Encode to exactly ``SIZE`` bytes."""
        return self.ENGINE.pack(*self)

    def values(self) -> Iterator[tuple[Tile, Any]]:
        """Yield every field and gap with its typed value, in offset order."""
        for tile, raw in zip(self.TILES, self, strict=True):
            yield tile, tile.codec.decode(raw) if tile.codec.decode else raw

    @classmethod
    def fits(cls, size: int) -> bool:
        """Return whether a record can have *size* bytes."""
        return size == cls.SIZE

    @classmethod
    def zero(cls) -> Self:
        """Return the record whose every byte is zero."""
        return cls.parse(bytes(cls.SIZE))

    def replace(self, /, **fields: Any) -> Self:
        """Return a copy with the given fields changed; gaps may be named as well.

        Raises TypeError for a name that is no field and EncodeError for a value that does not fit.
        """
        parts = list(self)
        for name, value in fields.items():
            tile = self.tile(name)
            if tile is None:
                hint = nearest(name, self._INDEX)
                raise TypeError(f"{type(self).__name__} has no field {name!r}. {hint}".rstrip())
            parts[self._INDEX[name]] = self._raw_value(tile, tile.codec.check, value)
        return tuple.__new__(type(self), parts)

    @classmethod
    def tile(cls, name: str) -> Tile | None:
        """Return the field or gap called *name*, or None."""
        index = cls._INDEX.get(name)
        return None if index is None else cls.TILES[index]

    @classmethod
    def place(cls, path: str) -> int:
        """Return the offset of the field at *path*, ``a`` or ``a.b``. Raises LayoutError."""
        name, _, below = path.partition(".")
        tile = cls.tile(name)
        if tile and not below:
            return tile.offset
        record: type[Record] | None = getattr(tile and tile.con, "record", None)
        if tile is None or record is None:
            raise LayoutError(f"{cls.__name__} has no field {path!r}")
        return tile.offset + record.place(below)

    @classmethod
    def struct(cls, *names: str) -> Struct:
        """Return the Struct of the fields *names*, in offset order, as plain numbers and bytes.

        It begins at the offset of the first and ends with the last. Other bytes between them are
        skipped, and cleared by ``pack_into``, so write only adjacent fields. Raises
        LayoutError.
        """
        end = cls.place(names[0])
        parts = ["<"]
        for name in names:
            tile = cls.tile(name)
            if tile is None or tile.offset < end:
                raise LayoutError(f"{cls.__name__}.{name} is not after the field before it")
            skipped = f"{tile.offset - end}x" if tile.offset > end else ""
            parts.append(skipped + tile.codec.fmt)
            end = tile.end
        return Struct("".join(parts))

    @classmethod
    def _raw_value(cls, tile: Tile, convert: Any, value: object) -> Any:
        encode = tile.codec.encode
        try:
            return encode(convert(value)) if encode else convert(value)
        except EncodeError as exc:
            raise exc.within(cls.__name__, tile.path, tile.offset) from None
        except ValueError as exc:
            secret = f"a key of {tile.size} bytes cannot be what was given, which is not shown"
            reason = secret if tile.path in SECRETS else str(exc)
            raise EncodeError(cls.__name__, tile.path, tile.offset, reason) from None

    def to_plain(self) -> dict[str, Any]:
        """Return names and values in JSON's terms. Gaps appear where they are not zero."""
        return {
            tile.path: tile.codec.to_plain(value)
            for tile, value in self.values()
            if not tile.gap or any(value)
        }

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """Undo ``to_plain``. Fields left out are zero. Raises EncodeError."""
        if not isinstance(plain, dict):
            raise EncodeError(cls.__name__, "", None, f"expected an object, got {shown(plain)}")
        parts = list(cls.zero())
        for name, value in plain.items():
            tile = cls.tile(name)
            if tile is None:
                hint = nearest(str(name), cls._INDEX)
                raise EncodeError(cls.__name__, str(name), None, "no such field", help=hint)
            parts[cls._INDEX[name]] = cls._raw_value(tile, tile.codec.from_plain, value)
        return tuple.__new__(cls, parts)

    def leaves(self) -> Iterator[Leaf]:
        """Yield every value that has no parts, in offset order, gaps included."""
        for tile, value in self.values():
            if isinstance(value, tuple):
                yield from leaves_of(tile, value)
            else:
                yield Leaf(tile.path, tile.offset, tile.size, tile.doc, value, tile.codec, tile.gap)

    @classmethod
    def dtype(cls) -> np.dtype[np.void]:
        """Return the structured dtype of an array of these records.

        Integers are little-endian and unsigned, all else is raw bytes. Gaps are named members:
        numpy drops the bytes between members when it copies.
        """
        import numpy as np

        return np.dtype([_member(tile) for tile in cls.TILES])

    def __repr__(self) -> str:
        shown = (
            f"{tile.path}={'...' if tile.path in SECRETS else repr(value)}"
            for tile, value in self.values()
            if any_bit(value)
        )
        return f"{type(self).__name__}({', '.join(shown)})"


def _getter(index: int, codec: Codec) -> Any:
    """Return the reader of the field at *index*, which converts it to the field's type."""
    decode = codec.decode
    return itemgetter(index) if decode is None else lambda value: decode(value[index])


def any_bit(value: object) -> bool:
    """Return whether a value, or any part of it, has a bit set."""
    if isinstance(value, bytes):
        return any(value)
    return any(map(any_bit, value)) if isinstance(value, tuple) else bool(value)


def _member(tile: Tile) -> Any:
    dtype = tile.codec.dtype()
    return (tile.path, *dtype) if isinstance(dtype, tuple) else (tile.path, dtype)


def leaves_of(tile: Tile, value: Any) -> Iterator[Leaf]:
    """Yield *value* itself, or the leaves of its parts."""
    if isinstance(value, Record):
        for leaf in value.leaves():
            yield leaf._replace(path=f"{tile.path}.{leaf.path}", offset=tile.offset + leaf.offset)
    elif isinstance(value, tuple) and value and isinstance(value[0], Record):
        for index, item in enumerate(value):
            for leaf in item.leaves():
                yield leaf._replace(
                    path=f"{tile.path}[{index}].{leaf.path}",
                    offset=tile.offset + index * item.SIZE + leaf.offset,
                )
    else:
        yield Leaf(tile.path, tile.offset, tile.size, tile.doc, value, tile.codec, tile.gap)


def _fields(cls: type[Record]) -> Iterator[Tile]:
    """Yield the fields of a record class in offset order."""
    rows = [(name, row) for name, row in vars(cls).items() if isinstance(row, _Field)]
    for name, (offset, con, doc) in sorted(rows, key=lambda row: row[1].offset):
        taken = hasattr(Record, name) and name not in UNUSED
        if taken or name.startswith("reserved_0x"):
            raise LayoutError(f"{cls.__name__}.{name} has a name that every record already uses")
        try:
            yield Tile(name, offset, doc, con, codec_of(con))
        except LayoutError as exc:
            raise LayoutError(f"{cls.__name__}.{name} at {offset:#x}: {exc}") from None


def _tiles(record: str, fields: tuple[Tile, ...], size: int) -> Iterator[Tile]:
    """Yield the fields and the gaps between them. Raises LayoutError where two fields overlap."""
    cursor, before = 0, ""
    for field in fields:
        if field.offset < cursor:
            raise LayoutError(
                f"{record}.{field.path} at {field.offset:#x} overlaps {before}, "
                f"which ends at {cursor:#x}"
            )
        if field.offset > cursor:
            yield _gap(cursor, field.offset - cursor)
        yield field
        cursor, before = field.end, field.path
    if cursor > size:
        raise LayoutError(f"{record}.{before} ends at {cursor:#x}, past {record}'s size {size:#x}")
    if cursor < size:
        yield _gap(cursor, size - cursor)


def _gap(offset: int, size: int) -> Tile:
    con = Bytes(size)
    return Tile(f"reserved_{offset:#05x}", offset, "Reserved", con, codec_of(con), gap=True)
