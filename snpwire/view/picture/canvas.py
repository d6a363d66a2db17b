"""A picture before it is one: boxes and words at whole pixels, for ``png`` and ``svg`` to write.

Both writers draw the same scene, so a test of one says something of the other. A paint has a
pattern besides its colours: nobody has to tell two states by hue.
"""

from __future__ import annotations

from typing import NamedTuple

from .font import ADVANCE

PATTERN = 4
"""A pattern repeats after so many pixels, across and down."""


class Paint(NamedTuple):
    """A colour, and a second one for the dots of a pattern of 4 by 4 pixels."""

    colour: str
    ink: str = ""
    pattern: tuple[str, ...] = ()
    """Four rows of four, ``#`` where *ink* is; none for a plain colour."""

    def at(self, x: int, y: int) -> str:
        """Return the colour of one pixel of the picture."""
        inked = self.pattern and self.pattern[y % PATTERN][x % PATTERN] == "#"
        return self.ink if inked else self.colour


class Box(NamedTuple):
    """A filled rectangle; *note* is what a viewer shows for it, where the form allows that."""

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
    """Pixels for a dot of a letter."""
    colour: str = "#000000"
    halo: str = ""
    """Colour of the rim that sets it off from what lies below; none if it is empty."""


class Scene(NamedTuple):
    """Everything that is drawn: later layers over earlier ones, words over all."""

    width: int
    height: int
    title: str
    layers: tuple[tuple[Box, ...], ...]
    """Boxes of one layer do not overlap."""
    words: tuple[Words, ...]


def text_width(text: str, scale: int) -> int:
    """Return how many pixels a line of text is wide."""
    return len(text) * ADVANCE * scale
