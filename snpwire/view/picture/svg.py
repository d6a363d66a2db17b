"""A canvas as SVG 1.1, with a note for the box under the pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

from .canvas import ADVANCE, CAPITAL, PATTERN, Paint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .canvas import Box, Canvas, Words

EM = ADVANCE / 0.6
"""Font size in pixels at which the letters of a monospaced font are ADVANCE wide."""


def svg(canvas: Canvas) -> str:
    """Return *canvas* as the text of an SVG file."""
    size = f'width="{canvas.width}" height="{canvas.height}"'
    paints = {box.paint: None for layer in canvas.layers for box in layer if box.paint.pattern}
    names = {paint: f"p{number}" for number, paint in enumerate(paints)}
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="0 0 {canvas.width} {canvas.height}" '
        'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" shape-rendering="crispEdges">',
        f"<title>{escape(canvas.title)}</title>",
        "<defs>",
        *(_pattern(paint, name) for paint, name in names.items()),
        "</defs>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for layer in canvas.layers:
        lines += _layer(layer, names)
    lines += [_text(words) for words in canvas.words]
    return "\n".join([*lines, "</svg>", ""])


def _pattern(paint: Paint, name: str) -> str:
    dots = "".join(
        f"M{x} {y}h1v1h-1z"
        for y, row in enumerate(paint.pattern)
        for x, dot in enumerate(row)
        if dot == "#"
    )
    size = f'width="{PATTERN}" height="{PATTERN}"'
    return (
        f'<pattern id="{name}" {size} patternUnits="userSpaceOnUse">'
        f'<rect {size} fill="{paint.colour}"/><path fill="{paint.ink}" d="{dots}"/></pattern>'
    )


def _layer(boxes: Iterable[Box], names: dict[Paint, str]) -> Iterator[str]:
    """Yield one path for all boxes of a paint, and an element for each that has a note."""
    paths: dict[Paint, list[str]] = {}
    for box in boxes:
        if box.note:
            place = f'x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}"'
            fill = quoteattr(_fill(box.paint, names))
            yield f"<rect {place} fill={fill}><title>{escape(box.note)}</title></rect>"
        else:
            shape = f"M{box.x} {box.y}h{box.width}v{box.height}h-{box.width}z"
            paths.setdefault(box.paint, []).append(shape)
    for paint, shapes in paths.items():
        yield f'<path fill="{_fill(paint, names)}" d="{"".join(shapes)}"/>'


def _fill(paint: Paint, names: dict[Paint, str]) -> str:
    return f"url(#{names[paint]})" if paint in names else paint.colour


def _text(words: Words) -> str:
    base = words.y + CAPITAL * words.scale
    size = f"{EM * words.scale:g}"
    halo = f' stroke="{words.halo}" stroke-width="3" paint-order="stroke"' if words.halo else ""
    return (
        f'<text x="{words.x}" y="{base}" font-size="{size}" fill="{words.colour}"{halo} '
        f'xml:space="preserve">{escape(words.text)}</text>'
    )
