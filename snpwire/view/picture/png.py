"""A scene as a PNG: one byte a pixel, by palette (W3C PNG, third edition)."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from .canvas import PATTERN, Paint
from .font import ADVANCE, HEIGHT, WIDTH, glyph

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .canvas import Box, Scene, Words

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GROUND = Paint("#ffffff")
INDEXED = 3
"""Colour type of a picture whose pixels are numbers of a palette of at most 256 colours."""


def png(scene: Scene) -> bytes:
    """Return *scene* as the bytes of a PNG file."""
    palette = _palette(scene)
    index = {colour: number for number, colour in enumerate(palette)}
    rows = [bytearray([index[GROUND.colour]]) * scene.width for _ in range(scene.height)]
    for layer in scene.layers:
        _fill(rows, layer, index)
    for words in scene.words:
        _write(rows, words, index)
    head = struct.pack(">IIBBBBB", scene.width, scene.height, 8, INDEXED, 0, 0, 0)
    colours = b"".join(bytes.fromhex(colour[1:]) for colour in palette)
    pixels = b"".join(b"\0" + row for row in rows)  # filter 0: each row as it is
    return SIGNATURE + b"".join(
        (
            _chunk(b"IHDR", head),
            _chunk(b"PLTE", colours),
            _chunk(b"tEXt", b"Title\0" + scene.title.encode("latin-1", "replace")),
            _chunk(b"IDAT", zlib.compress(pixels, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def _palette(scene: Scene) -> list[str]:
    """Return every colour that is used, once."""
    found = {GROUND.colour: None}
    for layer in scene.layers:
        for box in layer:
            found |= dict.fromkeys(filter(None, (box.paint.colour, box.paint.ink)))
    for words in scene.words:
        found |= dict.fromkeys(filter(None, (words.colour, words.halo)))
    return list(found)


def _fill(rows: list[bytearray], boxes: Iterable[Box], index: dict[str, int]) -> None:
    """Fill boxes with slices of rows that have their pattern all across the picture."""
    across: dict[Paint, list[bytes]] = {}
    for box in boxes:
        if box.paint not in across:
            across[box.paint] = _across(box.paint, len(rows[0]), index)
        wide = across[box.paint]
        right = box.x + box.width
        for y in range(box.y, box.y + box.height):
            rows[y][box.x : right] = wide[y % PATTERN][box.x : right]


def _across(paint: Paint, width: int, index: dict[str, int]) -> list[bytes]:
    count = -(-width // PATTERN)
    return [
        bytes(index[paint.at(x, y)] for x in range(PATTERN)) * count
        for y in range(PATTERN)
    ]  # fmt: skip


def _write(rows: list[bytearray], words: Words, index: dict[str, int]) -> None:
    """Draw a line of text: first the rim, if it has one, then the letters."""
    if words.halo:
        for x, y in ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (1, 1), (-1, 1), (1, -1)):
            moved = words._replace(x=words.x + x, y=words.y + y)
            _letters(rows, moved, index[words.halo])
    _letters(rows, words, index[words.colour])


def _letters(rows: list[bytearray], words: Words, colour: int) -> None:
    scale = words.scale
    dot = bytes([colour]) * scale
    for number, letter in enumerate(words.text):
        left = words.x + number * ADVANCE * scale
        for y in range(HEIGHT * scale):
            row = glyph(letter)[y // scale]
            for x in range(WIDTH):
                start = left + x * scale
                inside = 0 <= words.y + y < len(rows) and 0 <= start <= len(rows[0]) - scale
                if row[x] == "#" and inside:
                    rows[words.y + y][start : start + scale] = dot
