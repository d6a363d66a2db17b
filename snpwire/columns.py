"""The integers of many records at once, each field as one array.

An image of records that follow one another, a memory image or a file of pages, is taken apart
without making a value of each::

    codes = columns(Page, image, fields=["sw_exit_code"])["sw_exit_code"]

Arrays are unsigned and little-endian, of the field's size; codes and words stay numbers, since the
bits of a word read arrays too (``Policy.smt.of(array)``). An integer that no numpy type holds is a
row of words, the lowest first: the 16 bytes of a valid bitmap are two numbers of 64 bits. Integers
inside nested records count, under their dotted path; bytes, arrays and gaps do not.

Reading one field of all records, then the next, fetches every cache line from memory once for each
field. So the records are taken in blocks: the bytes that hold the wanted fields are copied to a
tile that stays in the cache, and the fields are taken from there. For GHCB pages that is twice as
fast as copying the whole image (``tools/performance.md``).
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from .bits import nearest
from .errors import DecodeError, EncodeError
from .layout import Record, Tile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from mmap import mmap

    from numpy.typing import NDArray

TILE = 1 << 20
"""Bytes of a tile. Half and twice as many were no better."""
NEAR = 256
"""Bytes between two fields that are copied along rather than skipped."""
LINE = 64
"""Each new array starts at a multiple of this many bytes: a cache line."""


class _Run(NamedTuple):
    """Fields that lie close together, and the bytes from the first to behind the last."""

    start: int
    end: int
    fields: tuple[Tile, ...]


class _Cut(NamedTuple):
    """A tile of one run, and each column with the view of the tile that fills it."""

    span: slice
    tile: NDArray[Any]
    pairs: list[tuple[NDArray[Any], NDArray[Any]]]


def columns(
    record: type[Record],
    image: bytes | bytearray | memoryview | mmap | NDArray[Any],
    *,
    fields: Sequence[str] | None = None,
    out: Mapping[str, NDArray[Any]] | None = None,
) -> dict[str, NDArray[Any]]:
    """Return the integer fields of the records in *image*, by name, in the order of *fields*.

    Arrays in *out*, of the right shape, are filled and returned; all others are parts of one piece
    of memory, which lives as long as one of them. Raises DecodeError for a part of a record,
    TypeError for an unknown field, EncodeError for a field that is no integer or an array in *out*
    that does not fit.
    """
    import numpy as np

    source = np.frombuffer(image, np.uint8)
    if not record.SIZE or len(source) % record.SIZE:
        reason = f"expected a multiple of {record.SIZE} bytes, got {len(source)}"
        raise DecodeError(record.__name__, "", None, reason)
    rows = source.reshape(-1, record.SIZE)
    chosen, given = _tiles_of(record, fields), out or {}
    arrays = _fresh([tile for tile in chosen if tile.path not in given], len(rows))
    arrays |= {t.path: _fitting(record, t, len(rows), given) for t in chosen if t.path in given}
    runs = _runs(chosen)
    width = sum(run.end - run.start for run in runs)
    block = max(1, min(len(rows), TILE // max(1, width)))
    _fill(rows, [_cut(arrays, run, block) for run in runs], block)
    return {tile.path: arrays[tile.path] for tile in chosen}


def integers(record: type[Record]) -> Iterator[Tile]:
    """Yield the fields that ``columns`` can read, with the path and offset seen from *record*."""
    for tile in record.FIELDS:
        if issubclass(tile.codec.type, int):
            yield tile
        elif issubclass(tile.codec.type, Record):
            for part in integers(tile.codec.type):
                path, offset = f"{tile.path}.{part.path}", tile.offset + part.offset
                yield part._replace(path=path, offset=offset)


def _tiles_of(record: type[Record], fields: Sequence[str] | None) -> list[Tile]:
    known = {tile.path: tile for tile in integers(record)}
    for name in fields or ():
        if (other := record.tile(name)) and name not in known:
            raise EncodeError(record.__name__, name, other.offset, "is no integer")
        if name not in known:
            hint = nearest(name, known)
            raise TypeError(f"{record.__name__} has no field {name!r}. {hint}".rstrip())
    return list(known.values()) if fields is None else [known[name] for name in fields]


def _form(tile: Tile, count: int) -> tuple[tuple[int, ...], str, int]:
    """Return shape and dtype of a column, and the size of one element."""
    word = min(tile.size & -tile.size, 8)
    parts = tile.size // word
    return (count,) if parts == 1 else (count, parts), f"<u{word}", word


def _fresh(tiles: Sequence[Tile], count: int) -> dict[str, NDArray[Any]]:
    """Return new arrays, all parts of one piece of memory.

    The system hands out one large piece in huge pages, many small ones in pages of 4 KiB that each
    cost a fault. The price: an array that is kept keeps the memory of all.
    """
    import numpy as np

    rooms = [-(-tile.size * count // LINE) * LINE for tile in tiles]
    memory = np.empty(sum(rooms), np.uint8)
    starts = accumulate(rooms, initial=0)
    return {
        tile.path: np.ndarray(*_form(tile, count)[:2], memory.data, start)
        for tile, start in zip(tiles, starts, strict=False)
    }


def _fitting(
    record: type[Record], tile: Tile, count: int, out: Mapping[str, NDArray[Any]]
) -> NDArray[Any]:
    shape, dtype, _ = _form(tile, count)
    array = out[tile.path]
    if array.shape != shape or array.dtype != dtype or not array.flags.writeable:
        got = f"{array.dtype.str} of shape {array.shape}"
        reason = f"expected writeable {dtype} of shape {shape}, got {got}"
        raise EncodeError(record.__name__, tile.path, tile.offset, reason)
    return array


def _runs(fields: Sequence[Tile]) -> list[_Run]:
    runs: list[_Run] = []
    for tile in sorted(fields, key=lambda tile: tile.offset):
        if runs and tile.offset - runs[-1].end <= NEAR:
            last = runs.pop()
            runs.append(_Run(last.start, max(last.end, tile.end), (*last.fields, tile)))
        else:
            runs.append(_Run(tile.offset & ~7, tile.end, (tile,)))
    return runs


def _cut(arrays: dict[str, NDArray[Any]], run: _Run, block: int) -> _Cut:
    """Return a tile for *block* records, and where each of its fields goes."""
    import numpy as np

    width = run.end - run.start
    stride = -(-width // 8) * 8  # rows that start at multiples of 8 keep the numbers aligned
    tile = np.empty((block, stride), np.uint8)
    pairs = []
    for field in run.fields:
        shape, dtype, word = _form(field, block)
        steps = (stride, word)[: len(shape)]
        view = np.ndarray(shape, dtype, tile.data, field.offset - run.start, steps)
        pairs.append((arrays[field.path], view))
    return _Cut(slice(run.start, run.end), tile[:, :width], pairs)


def _fill(rows: NDArray[Any], cuts: list[_Cut], block: int) -> None:
    """Copy all fields, *block* records at a time."""
    for first in range(0, len(rows), block):
        part = rows[first : first + block]
        end = len(part)
        for cut in cuts:
            cut.tile[:end] = part[:, cut.span]
            for array, view in cut.pairs:
                array[first : first + end] = view[:end]
