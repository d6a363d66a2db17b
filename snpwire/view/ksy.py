"""The layout of a kind as a Kaitai Struct description (``.ksy``).

A record is a type, and its gaps are byte fields. A word is a type too: its bits in order from the
least significant, in a stream of the word's size, and ``word``, the same bytes as one integer.
Kaitai has no list that extends as far as the bytes reach, so a block counts its elements in
instances, as ``Block.parse`` does: the number announced, limited by the bytes available and by the
maximum.

The text is written here, without a YAML library: it is lists of short keys, and only sentences
need quotes. Only the name of the file has the prefix ``snpwire_``, since a nested type must not
have the name of the type around it (``report`` in ``report-rsp``, for Java).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import Bits, Flags, OpenEnum, Word
from ..layout import Record
from ..wire.certs import CertTable
from ..wire.hcl import HclBlob
from ..wire.psc import PscBuffer
from ..wire.rmp import SegmentTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..block import Block
    from ..codec import Codec
    from ..layout import Tile
    from ..wire import Kind

PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9 .,;'()_/+*<>=-]|:(?! ))*(?<![ :])")
"""Text that YAML reads without quotes, unless it is one of WORDS."""
WORDS = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"}
CODES_END = 1 << 63
"""Kaitai's compiler takes numbers of an enumeration as signed integers of 64 bits."""
GAP_BITS = 32
"""Unnamed bits are cut into pieces of at most so many, which JavaScript's numbers hold."""


class Counter(NamedTuple):
    """The number of elements of a block without a plain counter, as Kaitai expressions."""

    announced: str
    instance: tuple[str, ...] = ()


COUNTERS: dict[type[Block], Counter] = {
    PscBuffer: Counter("end_entry + 1"),
    CertTable: Counter(
        "entries_room == 0 ? 0 : (entries_ahead.last == [{zeros}] "
        "? entries_ahead.size - 1 : entries_ahead.size)",
        (
            "entries_ahead:",
            "  pos: 0",
            "  size: {size}",
            "  repeat: until",
            '  repeat-until: "_ == [{zeros}] or _index == entries_room - 1"',
            "  if: entries_room > 0",
            "  doc: Entries up to the first that is all zero",
        ),
    ),
    HclBlob: Counter("request_version >= 2 and data_size - variable_data_size >= 24 ? 1 : 0"),
    SegmentTable: Counter(
        "(segments_used.length + {size} - 1) / {size}",
        (
            "segments_used:",
            "  pos: 0",
            "  size-eos: true",
            "  pad-right: 0",
            "  doc: All bytes up to the last that is not zero",
        ),
    ),
}
"""A row for every block that overrides ``announced``."""


def identifier(name: str) -> str:
    """Return *name* in lower snake case, as Kaitai and C take it."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    valid = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
    return valid if valid[:1].isalpha() else f"x_{valid}"


def as_ksy(kind: Kind) -> Iterator[str]:
    """Yield a Kaitai Struct description, of which its compiler makes parsers."""
    record = kind.type
    yield "meta:"
    yield f"  id: snpwire_{identifier(kind.name)}"
    yield f"  title: {quoted(kind.title)}"
    yield "  endian: le"
    yield "  bit-endian: le"
    yield '  ks-version: "0.9"'
    kinds: dict[str, type[Any]] = {}
    if issubclass(record, Record):
        yield from _record(record)
        _collect(record.TILES, kinds)
    else:
        yield from _block(record)
        _collect((*record.HEAD.TILES, record.ELEMENT), kinds)
    yield from _section("types", [k for k in kinds.values() if not issubclass(k, OpenEnum)])
    yield from _section("enums", [k for k in kinds.values() if issubclass(k, OpenEnum)])


def quoted(text: str) -> str:
    """Return *text* as a YAML scalar: plain where that is safe, else in double quotes."""
    if PLAIN.fullmatch(text) and text.lower() not in WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def _collect(tiles: Iterable[Tile], kinds: dict[str, type[Any]]) -> None:
    """Add the records, words and enumerations that *tiles* are made of, each once."""
    for tile in tiles:
        kind = _item(tile.codec).type
        if kind.__name__ in kinds or not issubclass(kind, Record | Word | OpenEnum):
            continue
        kinds[kind.__name__] = kind
        if issubclass(kind, Record):
            _collect(kind.TILES, kinds)
        elif issubclass(kind, Word):
            kinds |= {f.kind.__name__: f.kind for f in kind.BITS.values() if f.kind}


def _item(codec: Codec) -> Codec:
    """Return the codec of one element of an array, or *codec* itself."""
    item: Codec = codec.item or codec
    return item


def _section(title: str, kinds: list[type[Any]]) -> Iterator[str]:
    if kinds:
        yield f"{title}:"
    for kind in kinds:
        yield f"  {identifier(kind.__name__)}:"
        made = (
            _codes if issubclass(kind, OpenEnum) else _word if issubclass(kind, Word) else _record
        )
        yield from _indented(made(kind), 4)


def _indented(lines: Iterable[str], depth: int) -> Iterator[str]:
    for line in lines:
        yield " " * depth + line


def _about(kind: type[Any], size: str) -> Iterator[str]:
    """Yield the description, the size and the source of a type."""
    sentence = (kind.__doc__ or "").partition("\n")[0].replace("``", "")
    yield f"doc: {quoted(f'{sentence} {size}.'.lstrip())}"
    yield f"doc-ref: {quoted(kind.SPEC)}"


def _record(record: type[Record]) -> Iterator[str]:
    yield from _about(record, f"{record.SIZE} bytes")
    yield "seq:"
    for tile in record.TILES:
        yield from _indented(_field(tile), 2)


def _field(tile: Tile) -> Iterator[str]:
    """Yield one byte-aligned field or gap."""
    codec, item = tile.codec, _item(tile.codec)
    yield f"- id: {identifier(tile.path)}  # {tile.offset:#05x} {tile.size}"
    yield from _indented(_typed(item), 2)
    if codec.item:
        yield "  repeat: expr"
        yield f"  repeat-expr: {codec.times}"
    yield f"  doc: {quoted(tile.doc)}"


def _typed(codec: Codec) -> Iterator[str]:
    kind, size = codec.type, codec.size
    if issubclass(kind, Record):
        yield f"type: {identifier(kind.__name__)}"
    elif issubclass(kind, Word):
        yield f"type: {identifier(kind.__name__)}"
        yield f"size: {size}"
    elif issubclass(kind, int) and size <= 8:
        yield f"type: u{size}"
        if issubclass(kind, OpenEnum):
            yield f"enum: {identifier(kind.__name__)}"
    else:
        yield f"size: {size}"


def _word(word: type[Word]) -> Iterator[str]:
    yield from _about(word, f"{word.WIDTH} bits")
    yield "seq:"
    cursor = 0
    for field in sorted(word.BITS.values(), key=lambda field: field.low):
        yield from _unnamed(cursor, field.low)
        yield f"  - id: {identifier(field.name)}  # [{field.span}]"
        yield f"    type: b{field.width}"
        if field.kind:
            yield f"    enum: {identifier(field.kind.__name__)}"
        yield f"    doc: {quoted(field.doc)}"
        cursor = field.low + field.width
    yield from _unnamed(cursor, word.WIDTH)
    yield "instances:"
    yield "  word:"
    yield "    pos: 0"
    yield f"    type: u{word.WIDTH // 8}" if word.WIDTH <= 64 else f"    size: {word.WIDTH // 8}"
    yield f"    doc: {'The whole set' if issubclass(word, Flags) else 'The whole word'}"


def _unnamed(low: int, end: int) -> Iterator[str]:
    """Yield the bits from *low* to *end*, which have no name."""
    for start in range(low, end, GAP_BITS):
        width = min(GAP_BITS, end - start)
        yield f"  - id: reserved_{start}  # [{Bits(start, width, '', None).span}]"
        yield f"    type: b{width}"


def _codes(codes: type[OpenEnum]) -> Iterator[str]:
    for name, member in codes.__members__.items():
        if member >= CODES_END:
            yield f"# {member:#x}: {identifier(name)}, too large for Kaitai: {member.doc}"
            continue
        yield f"{member:#x}:"
        yield f"  id: {identifier(name)}"
        if member.doc:
            yield f"  doc: {quoted(member.doc)}"


def _block(block: type[Block]) -> Iterator[str]:
    """Yield the head's fields, the elements that they count, and the rest."""
    name, size = identifier(block.NAME), block.ELEMENT.size
    many = f"up to {block.MAX} times {size} bytes"
    yield from _about(block, f"{block.SIZE} bytes, then {many}" if block.SIZE else f"U{many[1:]}")
    yield "seq:"
    for tile in (*block.HEAD.TILES, block.ELEMENT):
        yield from _indented(_field(tile), 2)
    yield "    repeat: expr"
    yield f"    repeat-expr: {name}_count"
    yield "  - id: rest"
    yield "    size-eos: true"
    yield "    doc: Bytes behind the last element"
    yield "instances:"
    yield from _indented(_counted(block), 2)


def _counted(block: type[Block]) -> Iterator[str]:
    """Yield the instances that compute the number of elements, as ``Block.parse`` does."""
    name, size = identifier(block.NAME), block.ELEMENT.size
    counter = COUNTERS.get(block) or Counter(identifier(block.COUNT))
    filled = {"size": size, "zeros": ", ".join(["0"] * size)}
    yield from (line.format(**filled) for line in counter.instance)
    values = {
        "whole": f"(_io.size - {block.SIZE}) / {size}" if block.SIZE else f"_io.size / {size}",
        "room": f"{name}_whole < {block.MAX} ? {name}_whole : {block.MAX}",
        "announced": counter.announced.format(**filled),
        "count": f"{name}_announced < {name}_room ? {name}_announced : {name}_room",
    }
    for what, expression in values.items():
        yield f"{name}_{what}:"
        yield f"  value: {quoted(expression)}"
