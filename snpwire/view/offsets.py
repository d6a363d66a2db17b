"""The layout of a kind: a table of offsets, JSON, C with assertions, or a Kaitai description."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import Flags, OpenEnum, Word
from ..layout import Record
from .ksy import as_ksy, identifier
from .style import PLAIN
from .table import Row, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..block import Block
    from ..codec import Codec
    from ..layout import Tile
    from ..wire import Kind


class FieldLine(NamedTuple):
    """One field of a kind, as the table shows it."""

    offset: int
    size: int
    path: str
    type: str
    doc: str
    kind: Any
    gap: bool


def text(kind: Kind) -> Iterator[str]:
    """Yield the offset table, with the bits of every word beneath it."""
    record, block = kind.type, _block(kind)
    tail = f", then up to {block.MAX} of {block.NAME}" if block else ""
    yield f"{kind.name}  {record.SIZE} bytes{tail}  {kind.title}"
    yield f"source  {record.SPEC}"
    rows = [row for line in _lines(record) if not line.gap for row in _rows(line)]
    yield from table(rows, PLAIN)


def _rows(line: FieldLine) -> Iterator[Row]:
    yield Row(f"{line.offset:#05x}", str(line.size), line.path, line.type, line.doc)
    if isinstance(line.kind, type) and issubclass(line.kind, Word):
        for field in line.kind.BITS.values():
            codes = field.kind.__name__ if field.kind else ""
            yield Row("", "", f"  [{field.span}] {field.name}", codes, field.doc)


def as_json(kind: Kind) -> Iterator[str]:
    """Yield one JSON object: every field with its offset, bits and codes."""
    from .json import dumps

    record, block = kind.type, _block(kind)
    head = {"kind": kind.name, "title": kind.title, "size": record.SIZE, "spec": record.SPEC}
    if block:
        head["repeats"] = {
            "name": block.NAME,
            "offset": block.SIZE,
            "size": block.ELEMENT.size,
            "counted_by": block.COUNT or None,
            "max": block.MAX,
        }
    yield dumps(head | {"fields": [_object(line) for line in _lines(record)]})


def as_c(kind: Kind) -> Iterator[str]:
    """Yield a packed C structure, with assertions that a compiler checks against its offsets."""
    yield f"/* {kind.title}: {kind.type.SPEC} */"
    yield "#include <stddef.h>"
    yield "#include <stdint.h>"
    yield ""
    name, made = identifier(kind.name), set[str]()
    if issubclass(kind.type, Record):
        yield from _structure(name, kind.type, made)
        return
    element = kind.type.ELEMENT
    inner = _record_of(element.codec)
    if inner:
        yield from _structure(identifier(inner.__name__), inner, made)
    if kind.type.SIZE:
        yield from _structure(name, kind.type.HEAD, made, element)
    yield f"/* up to {kind.type.MAX} elements of {element.size} bytes: {element.doc} */"


FORMATS: dict[str, Callable[[Kind], Iterator[str]]] = {
    "text": text,
    "json": as_json,
    "c": as_c,
    "ksy": as_ksy,
}


def _block(kind: Kind) -> type[Block] | None:
    """Return the class of a kind with elements, or None."""
    return None if issubclass(kind.type, Record) else kind.type


def fields(record: type[Record] | type[Block], at: int) -> Iterator[FieldLine]:
    """Yield the fields of a record; of a block, also those of the element at byte *at*."""
    if issubclass(record, Record):
        return _lines(record)
    return _lines(record, min(max(at - record.SIZE, 0) // record.ELEMENT.size, record.MAX - 1))


def _lines(record: type[Record] | type[Block], index: int = 0) -> Iterator[FieldLine]:
    if issubclass(record, Record):
        for leaf in record.zero().leaves():
            shown = _type_name(leaf.codec)
            yield FieldLine(
                leaf.offset, leaf.size, leaf.path, shown, leaf.doc, leaf.codec.type, leaf.gap
            )
        return
    yield from _lines(record.HEAD)
    element = record.ELEMENT
    inner = element.codec.type
    start, path = record.SIZE + index * element.size, f"{record.NAME}[{index}]"
    if isinstance(inner, type) and issubclass(inner, Record):
        for line in _lines(inner):
            yield line._replace(offset=start + line.offset, path=f"{path}.{line.path}")
    else:
        name = _type_name(element.codec)
        yield FieldLine(start, element.size, path, name, element.doc, inner, gap=False)


def _type_name(codec: Codec) -> str:
    """Return the name of a value's type: its class, or its width."""
    width = (
        f"u{8 * codec.size}" if codec.item is None else f"{_type_name(codec.item)}[{codec.times}]"
    )
    if codec.type is bytes:
        return f"u8[{codec.size}]"
    return width if codec.type in (int, tuple) else f"{codec.type.__name__} ({width})"


def _object(line: FieldLine) -> dict[str, Any]:
    out: dict[str, Any] = {
        "path": line.path,
        "offset": line.offset,
        "size": line.size,
        "type": line.type,
        "doc": line.doc,
        "reserved": line.gap,
    }
    if isinstance(line.kind, type) and issubclass(line.kind, Word):
        out["flags"] = issubclass(line.kind, Flags)
        out["bits"] = [
            {"name": f.name, "low": f.low, "width": f.width, "doc": f.doc}
            | ({"codes": _codes(f.kind)} if f.kind else {})
            for f in line.kind.BITS.values()
        ]
    elif isinstance(line.kind, type) and issubclass(line.kind, OpenEnum):
        out["codes"] = _codes(line.kind)
    return out


def _codes(codes: type[OpenEnum]) -> dict[str, str]:
    """Return names and numbers; numbers as hex strings, since some need 64 bits."""
    return {name: hex(member) for name, member in codes.__members__.items()}


def _structure(
    name: str, record: type[Record], made: set[str], element: Tile | None = None
) -> Iterator[str]:
    """Yield the structures nested in a record, each once, then its own, all with include guards."""
    for tile in record.TILES:
        inner = _record_of(tile.codec.item or tile.codec)
        if inner and inner.__name__ not in made:
            made.add(inner.__name__)
            yield from _structure(identifier(inner.__name__), inner, made)
    yield f"#ifndef SNPWIRE_STRUCT_{name.upper()}"
    yield f"#define SNPWIRE_STRUCT_{name.upper()}"
    yield f"struct snpwire_{name} {{"
    for tile in record.TILES:
        yield f"\t{_member(tile)};{'' if tile.gap else f' /* {tile.offset:#05x} {tile.doc} */'}"
    if element:
        yield f"\t{_member(element)}[]; /* {element.offset:#05x} {element.doc} */"
    yield "} __attribute__((packed));"
    for tile in (*record.FIELDS, *([element] if element else ())):
        yield (
            f"_Static_assert(offsetof(struct snpwire_{name}, {tile.path}) == {tile.offset:#x}, "
            f'"{tile.path}");'
        )
    yield f'_Static_assert(sizeof(struct snpwire_{name}) == {record.SIZE:#x}, "size");'
    yield "#endif"
    yield ""


def _record_of(codec: Codec) -> type[Record] | None:
    kind = codec.type
    return kind if isinstance(kind, type) and issubclass(kind, Record) else None


def _member(tile: Tile) -> str:
    """Return the C declaration of a field or gap."""
    codec = tile.codec if tile.codec.item is None else tile.codec.item
    inner = _record_of(codec)
    many = f"[{tile.codec.times}]" if tile.codec.item else ""
    if inner:
        return f"struct snpwire_{identifier(inner.__name__)} {tile.path}{many}"
    if issubclass(codec.type, int) and codec.size <= 8:
        return f"uint{8 * codec.size}_t {tile.path}{many}"
    return f"uint8_t {tile.path}[{tile.size}]"
