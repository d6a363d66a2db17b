"""Read CBOR (RFC 8949) as far as evidence needs it: byte strings, texts, and the way to them.

A reader of its own, not ``cbor2``: it tells where each byte string lies in the file, takes no
number at its word (what is announced has to be there), and is the same wherever it is installed.
Floats and numbers are passed over; of bytes that are not CBOR as a whole nothing is yielded.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_DEPTH = 16
MAX_ITEMS = 50_000
BREAK = 0xFF
_FOLLOWING = {24: 1, 25: 2, 26: 4, 27: 8}
"""Bytes of the number that follows the first byte of an item."""


class CborString(NamedTuple):
    """A byte string or a text, and where it lies."""

    path: str
    data: bytes
    offset: int
    text: bool


class _NotCborError(Exception):
    """The bytes are no CBOR, or more of it than evidence has."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.items = data, 0, 0
        self.found: list[CborString] = []

    def item(self, path: str, depth: int) -> object:
        """Read one item; return it if it can be a key of a map."""
        self.items += 1
        if depth > MAX_DEPTH or self.items > MAX_ITEMS:
            raise _NotCborError
        major, number = self._head()
        if major in (2, 3):
            return self._string(major, number, path, depth)
        if major == 4:
            self._array(number, path, depth)
        elif major == 5:
            self._map(number, path, depth)
        elif major == 6:
            self.item(path, depth + 1)
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

    def _string(self, major: int, size: int | None, path: str, depth: int) -> object:
        start = self.at
        data = b"".join(self._chunks(major, path, depth)) if size is None else self._take(size)
        self.found.append(CborString(path, data, start, major == 3))
        return data.decode(errors="replace") if major == 3 else None

    def _chunks(self, major: int, path: str, depth: int) -> list[bytes]:
        kept = len(self.found)
        while not self._broke():
            if self.data[self.at] >> 5 != major:
                raise _NotCborError
            self.item(path, depth + 1)
        chunks = [row.data for row in self.found[kept:]]
        del self.found[kept:]
        return chunks

    def _broke(self) -> bool:
        if self.at >= len(self.data):
            raise _NotCborError
        if self.data[self.at] != BREAK:
            return False
        self.at += 1
        return True

    def _array(self, number: int | None, path: str, depth: int) -> None:
        index = 0
        while not self._broke() if number is None else index < number:
            self.item(f"{path}[{index}]", depth + 1)
            index += 1

    def _map(self, number: int | None, path: str, depth: int) -> None:
        from .path import child

        index = 0
        while not self._broke() if number is None else index < number:
            kept = len(self.found)
            key = self.item(path, depth + 1)
            del self.found[kept:]
            self.item(child(path, key), depth + 1)
            index += 1


def cbor_strings(data: bytes, path: str = "$") -> list[CborString]:
    """Return the strings of *data* with their paths; none unless all of it is one item of CBOR."""
    reader = _Reader(data)
    if not data or data[0] >> 5 not in (4, 5, 6):
        return []
    try:
        reader.item(path, 0)
    except _NotCborError:
        return []
    return reader.found if not any(data[reader.at :]) else []
