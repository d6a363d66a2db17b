"""Read CBOR (RFC 8949) as far as evidence needs it: maps, lists, texts, numbers, byte strings.

A reader of its own, not ``cbor2``: it tells where each byte string lies in the file, takes no
number at its word (what is announced has to be there), and is the same wherever it is installed.
Tags and floats are passed over; bytes that are not CBOR as a whole are no value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_DEPTH = 16
MAX_ITEMS = 200_000
BREAK = 0xFF
_FOLLOWING = {24: 1, 25: 2, 26: 4, 27: 8}
"""Bytes of the number that follows the first byte of an item."""


class CborBytes(bytes):
    """A byte string, and where its bytes lie as they are; nowhere if it came in pieces."""

    offset: int | None = None


class _NotCborError(Exception):
    """The bytes are no CBOR, or more of it than evidence has."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.items = data, 0, 0

    def item(self, depth: int) -> object:
        """Read one item: a text, bytes, a number, a list, a map; None for another."""
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise _NotCborError
        major, number = self._head()
        if major in (2, 3):
            return self._string(major, number, depth)
        if major == 4:
            return self._array(number, depth)
        if major == 5:
            return self._map(number, depth)
        if major == 6:
            return self.item(depth + 1)
        return {0: number, 1: -1 - (number or 0)}.get(major)

    def _head(self) -> tuple[int, int | None]:
        """Read the head of an item; no number stands for a length that is not announced."""
        major, low = divmod(self._take(1)[0], 32)
        if low < 24:
            return major, low
        if low in _FOLLOWING:
            return major, int.from_bytes(self._take(_FOLLOWING[low]), "big")
        if low == 31 and major in (2, 3, 4, 5):
            return major, None
        raise _NotCborError

    def _take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise _NotCborError
        self.at += count
        return self.data[self.at - count : self.at]

    def _string(self, major: int, size: int | None, depth: int) -> object:
        start = self.at
        data = CborBytes(b"".join(self._chunks(major, depth)) if size is None else self._take(size))
        data.offset = None if size is None else start
        return data.decode(errors="replace") if major == 3 else data

    def _chunks(self, major: int, depth: int) -> Iterator[bytes]:
        while not self._broke():
            if self.data[self.at] >> 5 != major:
                raise _NotCborError
            chunk = self.item(depth + 1)
            yield chunk if isinstance(chunk, bytes) else str(chunk).encode()

    def _broke(self) -> bool:
        if self.at >= len(self.data):
            raise _NotCborError
        if self.data[self.at] != BREAK:
            return False
        self.at += 1
        return True

    def _array(self, number: int | None, depth: int) -> list[object]:
        found: list[object] = []
        while not self._broke() if number is None else len(found) < number:
            found.append(self.item(depth + 1))
        return found

    def _map(self, number: int | None, depth: int) -> dict[object, object]:
        """Read a map; a key that is no name, or is there again, is named by its place."""
        found: dict[object, object] = {}
        while not self._broke() if number is None else len(found) < number:
            key = self.item(depth + 1)
            if not isinstance(key, str | int) or key in found:
                key = f"key {len(found)}"
            found[key] = self.item(depth + 1)
        return found


def is_cbor(data: bytes) -> bool:
    """Return whether *data* may be a list, a map or a tag; no text of ASCII begins so."""
    return data[:1] != b"" and data[0] >> 5 in (4, 5, 6)


def cbor_value(data: bytes) -> object:
    """Return the one item of CBOR that *data* is: a list or a map; None if it is none."""
    if not is_cbor(data):
        return None
    reader = _Reader(data)
    try:
        value = reader.item(0)
    except _NotCborError:
        return None
    return value if not any(data[reader.at :]) else None
