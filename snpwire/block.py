"""Variable-length structures: a fixed head, some elements, and the rest.

A block class names its parts; the number of elements comes from the head, bounded by the bytes that
are present::

    class Buffer(Block, head=Header, element=("entries", as_word(Entry)), spec="..."):
        @classmethod
        def announced(cls, head, data): return head.end_entry + 1

Every byte string that holds the head decodes, and builds to itself: bytes after the last element
are ``rest``.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, ClassVar, Self

from construct import Bytes

from .bits import nearest
from .codec import codec_of, from_hex
from .errors import DecodeError, EncodeError, LayoutError, shown
from .layout import Leaf, Record, Structure, Tile, leaves_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from construct import Construct


class Block(Structure):
    """Base class of every structure of a head and elements."""

    HEAD: ClassVar[type[Record]]
    SIZE: ClassVar[int]
    SPEC: ClassVar[str]
    NAME: ClassVar[str]
    ELEMENT: ClassVar[Tile]
    COUNT: ClassVar[str]
    MAX: ClassVar[int]

    def __init_subclass__(
        cls,
        *,
        head: type[Record],
        element: tuple[str, Construct[Any, Any], str],
        count: str,
        limit: int,
        spec: str,
    ) -> None:
        super().__init_subclass__()
        cls.HEAD, cls.SIZE, cls.SPEC = head, head.SIZE, spec
        cls.NAME, con, doc = element
        if head.tile(cls.NAME) or hasattr(Block, cls.NAME):
            raise LayoutError(
                f"{cls.__name__}.{cls.NAME} repeats a name of {head.__name__} or Block"
            )
        try:
            cls.ELEMENT = Tile(cls.NAME, head.SIZE, doc, con, codec_of(con))
        except LayoutError as exc:
            raise LayoutError(f"{cls.__name__}.{cls.NAME}: {exc}") from None
        cls.COUNT, cls.MAX = count, limit

    def __new__(
        cls, head: Record | None = None, elements: Sequence[Any] = (), rest: bytes = b""
    ) -> Self:
        """Make a value; without a head, the head counts the elements. Raises EncodeError.

        Elements that *head* does not count become ``rest``.
        """
        checked = cls._elements(cls.ELEMENT.codec.check, elements)
        if head is None:
            head = cls._count_in(cls.HEAD.zero(), len(checked))
        elif type(head) is not cls.HEAD:
            reason = f"expected a {cls.HEAD.__name__}, got {shown(head)}"
            raise EncodeError(cls.__name__, "", None, reason)
        if not isinstance(rest, bytes | bytearray | memoryview):
            reason = f"expected bytes, got {shown(rest)}"
            raise EncodeError(cls.__name__, "rest", None, reason)
        return cls._join(head, checked, bytes(rest))

    @classmethod
    def _join(cls, head: Any, elements: tuple[Any, ...], rest: bytes) -> Self:
        return cls.parse(tuple.__new__(cls, (head, elements, rest)).build())

    @classmethod
    def _count_in(cls, head: Any, number: int) -> Any:
        try:
            return cls.counting(head, number)
        except EncodeError as exc:
            raise exc.within(cls.__name__, "", 0) from None

    @property
    def head(self) -> Any:
        """The fixed part in front."""
        return self[0]

    @property
    def elements(self) -> tuple[Any, ...]:
        """The elements that the head counts and the bytes contain."""
        elements: tuple[Any, ...] = self[1]
        return elements

    @property
    def rest(self) -> bytes:
        """The bytes after the last element."""
        rest: bytes = self[2]
        return rest

    @classmethod
    def announced(cls, head: Any, data: bytes) -> int:
        """Return how many elements *head* announces, not yet bounded by the bytes present."""
        number: int = getattr(head, cls.COUNT)
        return number

    @classmethod
    def counting(cls, head: Any, number: int) -> Any:
        """Return *head* changed so that it counts *number* elements."""
        return head.replace(**{cls.COUNT: number})

    @classmethod
    def fits(cls, size: int) -> bool:
        """Return whether a block can have *size* bytes."""
        return size >= cls.SIZE

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> Self:
        """Decode any bytes that hold the head. Raises DecodeError."""
        image = bytes(data)
        if len(image) < cls.SIZE:
            reason = f"expected at least {cls.SIZE} bytes, got {len(image)}"
            raise DecodeError(cls.__name__, "", None, reason)
        head = cls.HEAD.parse(image[: cls.SIZE])
        codec = cls.ELEMENT.codec
        room = (len(image) - cls.SIZE) // codec.size
        number = min(cls.announced(head, image), room, cls.MAX)
        end = cls.SIZE + number * codec.size
        values = Struct("<" + codec.fmt * number).unpack(image[cls.SIZE : end])
        elements = tuple(map(codec.decode, values)) if codec.decode else values
        return tuple.__new__(cls, (head, elements, image[end:]))

    def build(self) -> bytes:
        """Encode head, elements and rest."""
        codec = self.ELEMENT.codec
        raw = map(codec.encode, self.elements) if codec.encode else self.elements
        body = Struct("<" + codec.fmt * len(self.elements)).pack(*raw)
        return bytes(self.head.build() + body + self.rest)

    def to_plain(self) -> dict[str, Any]:
        """Return the head's fields, the elements, and the rest if there is any."""
        plain: dict[str, Any] = self.head.to_plain()
        plain[self.NAME] = [self.ELEMENT.codec.to_plain(element) for element in self.elements]
        return plain | ({"rest": self.rest.hex()} if self.rest else {})

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """Undo ``to_plain``; a count left out is that of the elements. Raises EncodeError."""
        if not isinstance(plain, dict):
            raise EncodeError(cls.__name__, "", None, f"expected an object, got {shown(plain)}")
        given = plain.get(cls.NAME, [])
        if not isinstance(given, list):
            reason = f"expected a list, got {shown(given)}"
            raise EncodeError(cls.__name__, cls.NAME, cls.SIZE, reason)
        elements = cls._elements(cls.ELEMENT.codec.from_plain, given)
        fixed = {name: v for name, v in plain.items() if name not in (cls.NAME, "rest")}
        for name in fixed:
            if cls.HEAD.tile(name) is None:
                known = [*(tile.path for tile in cls.HEAD.FIELDS), cls.NAME, "rest"]
                hint = nearest(str(name), known)
                raise EncodeError(cls.__name__, str(name), None, "no such field", help=hint)
        try:
            head = cls.HEAD.from_plain(fixed)
            rest = from_hex(plain.get("rest", ""), 1 << 32)
        except EncodeError as exc:
            raise exc.within(cls.__name__, "", 0) from None
        except ValueError as exc:
            raise EncodeError(cls.__name__, "rest", None, str(exc)) from None
        if cls.COUNT not in fixed and elements:
            head = cls._count_in(head, len(elements))
        return cls._join(head, elements, rest)

    @classmethod
    def _elements(cls, convert: Callable[[Any], Any], given: Sequence[Any]) -> tuple[Any, ...]:
        if len(given) > cls.MAX:
            reason = f"there are at most {cls.MAX} elements, got {len(given)}"
            raise EncodeError(cls.__name__, cls.NAME, cls.SIZE, reason)
        return tuple(cls._element(convert, index, value) for index, value in enumerate(given))

    @classmethod
    def _element(cls, convert: Callable[[Any], Any], index: int, value: object) -> Any:
        path, offset = f"{cls.NAME}[{index}]", cls.SIZE + index * cls.ELEMENT.size
        try:
            return convert(value)
        except EncodeError as exc:
            raise exc.within(cls.__name__, path, offset) from None
        except ValueError as exc:
            raise EncodeError(cls.__name__, path, offset, str(exc)) from None

    def leaves(self) -> Iterator[Leaf]:
        """Yield every value that has no parts, in offset order."""
        yield from self.head.leaves()
        for index, element in enumerate(self.elements):
            offset = self.SIZE + index * self.ELEMENT.size
            tile = self.ELEMENT._replace(path=f"{self.NAME}[{index}]", offset=offset)
            yield from leaves_of(tile, element)
        if self.rest:
            offset = self.SIZE + len(self.elements) * self.ELEMENT.size
            doc = "Bytes behind the last element"
            codec = codec_of(Bytes(len(self.rest)))
            yield Leaf("rest", offset, len(self.rest), doc, self.rest, codec, gap=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.head!r}, {self.elements!r}, rest={len(self.rest)})"
