"""The beginning of a value: the fields that are there, and an error for every other.

A dump that was cut, the first lines of one, a transfer that stopped: what is there has a meaning,
and what is not is neither zero nor wrong. A fragment answers for the value as long as it is asked
for what it has. It raises AbsentError for any other field, and for all that takes every byte. So a
rule says what the bytes support, and ends where they do: ``finding.as_far`` is where.
"""

from __future__ import annotations

from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import AbsentError
from .layout import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .layout import Leaf, Tile


class Fragment:
    """The first bytes of a record, or of the head of a block, perhaps without some fields.

    It has the fields, properties and methods of the value, as far as they are there.
    """

    __slots__ = ("_lost", "_size", "_value")

    def __init__(self, value: Any, size: int, lost: frozenset[str] = frozenset()) -> None:
        """Make the first *size* bytes of *value*, without the fields at the paths *lost*."""
        self._value, self._size, self._lost = value, size, lost

    def __getattr__(self, name: str) -> Any:
        """Return a field or what its class computes of fields. Raises AbsentError."""
        owner: Any = type(self._value)
        tile = owner.tile(name) if isinstance(self._value, Record) else None
        if tile is not None:
            return self._field(tile)
        if name == "head":
            return Fragment(self._value.head, self._size)
        if name in ("elements", "rest"):
            raise self._absent(name, owner.SIZE)
        found = next((vars(base)[name] for base in owner.__mro__ if name in vars(base)), None)
        if isinstance(found, property) and found.fget:
            return found.fget(self)
        if isinstance(found, FunctionType):
            return MethodType(found, self)
        return getattr(self._value, name)

    def _field(self, tile: Tile) -> Any:
        prefix = f"{tile.path}."
        lost = frozenset(x.removeprefix(prefix) for x in self._lost if x.startswith(prefix))
        value = getattr(self._value, tile.path)
        if tile.path in self._lost or tile.offset >= self._size:
            raise self._absent(tile.path, tile.offset)
        if tile.end <= self._size and not lost:
            return value
        if isinstance(value, Record):
            return Fragment(value, min(self._size - tile.offset, tile.size), lost)
        raise self._absent(tile.path, tile.offset)

    def _absent(self, path: str, offset: int) -> AbsentError:
        reason = "it is not known" if self._lost else f"there are only {self._size} bytes"
        return AbsentError(type(self._value).__name__, path, offset, reason)

    def leaves(self) -> Iterator[Leaf]:
        """Yield every value that is whole, in offset order."""
        for leaf in self._value.leaves():
            if leaf.offset + leaf.size <= self._size and leaf.path not in self._lost:
                yield leaf

    def build(self) -> NoReturn:
        """Raise AbsentError: what is not there cannot be written."""
        raise self._absent("", self._size)

    def __iter__(self) -> NoReturn:
        raise self._absent("", self._size)

    def __eq__(self, other: object) -> NoReturn:
        raise self._absent("", self._size)

    __hash__ = None  # type: ignore[assignment]


def is_whole(value: object) -> bool:
    """Return whether every byte of *value* is there."""
    return type(value) is not Fragment


def type_of(value: Any) -> type:
    """Return the class of a value, or of the value that a fragment is of."""
    return type(value) if is_whole(value) else type(value._value)
