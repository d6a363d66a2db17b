"""What is drawn on a map: boxes and lines of text at whole pixels, for ``svg`` to write.

A paint has a pattern as well as its colours, so that no two states differ in hue alone.
"""

from __future__ import annotations

from typing import NamedTuple

PATTERN = 4
"""Width and height of a pattern in pixels."""
ADVANCE = 6
"""Width of a letter of scale 1 in pixels: that of a monospaced font of 10 pixels."""
CAPITAL = 7
"""Height of a capital letter of scale 1 in pixels."""


class Paint(NamedTuple):
    """A colour, and a second one for the dots of a pattern of 4 by 4 pixels."""

    colour: str
    ink: str = ""
    pattern: tuple[str, ...] = ()
    """Four rows of four, ``#`` where *ink* is; empty for a plain colour."""


class Box(NamedTuple):
    """A filled rectangle; *note* is shown while the pointer is over it."""

    x: int
    y: int
    width: int
    height: int
    paint: Paint
    note: str = ""


class Words(NamedTuple):
    """One line of text; *x*, *y* is its upper left corner."""

    x: int
    y: int
    text: str
    scale: int = 2
    """Font size in tens of pixels."""
    colour: str = "#000000"
    halo: str = ""
    """Colour of the outline that sets the text off from its background; empty for none."""


class Canvas(NamedTuple):
    """Everything that is drawn: later layers over earlier ones, words over all."""

    width: int
    height: int
    title: str
    layers: tuple[tuple[Box, ...], ...]
    """Boxes of one layer do not overlap."""
    words: tuple[Words, ...]


def text_width(text: str, scale: int) -> int:
    """Return the width of a line of text in pixels."""
    return len(text) * ADVANCE * scale
