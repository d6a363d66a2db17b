"""Other libraries' readings of a record's layout, made from the record's own table.

Each gets the same fields and gaps in its own terms, so that only the libraries differ. ``struct``
alone skips the gaps: it is the limit the others are held against.
"""

from __future__ import annotations

import ctypes
from struct import Struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snpwire.layout import Record, Tile

WORDS = {1: ctypes.c_uint8, 2: ctypes.c_uint16, 4: ctypes.c_uint32, 8: ctypes.c_uint64}


def struct_of(record: type[Record]) -> Struct:
    """Return the fields of *record* as one ``struct`` format, gaps as pad bytes."""
    return Struct("<" + "".join(f"{t.size}x" if t.gap else t.codec.fmt for t in record.TILES))


def ctypes_of(record: type[Record]) -> type[ctypes.LittleEndianStructure]:
    """Return *record* as a ctypes structure."""
    fields = [(tile.path, _ctype(tile)) for tile in record.TILES]
    return type(record.__name__, (ctypes.LittleEndianStructure,), {"_pack_": 1, "_fields_": fields})


def _ctype(tile: Tile) -> Any:
    return WORDS[tile.size] if _number(tile) and tile.size in WORDS else ctypes.c_uint8 * tile.size


def cstruct_of(record: type[Record]) -> Any:
    """Return *record* as a compiled dissect.cstruct type. Raises ImportError without dissect."""
    from dissect.cstruct import cstruct  # type: ignore[import-untyped]

    lines = "".join(f"    {_declaration(tile)};\n" for tile in record.TILES)
    library = cstruct()
    library.load(f"struct {record.__name__} {{\n{lines}}};", compiled=True)
    return getattr(library, record.__name__)


def _declaration(tile: Tile) -> str:
    if _number(tile) and tile.size in (*WORDS, 16):
        return f"uint{8 * tile.size} {tile.path}"
    return f"char {tile.path}[{tile.size}]"


def _number(tile: Tile) -> bool:
    return issubclass(tile.codec.type, int)
