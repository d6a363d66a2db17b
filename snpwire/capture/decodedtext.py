"""What every reader of text returns: the bytes, the form they came in, and what was decided."""

from __future__ import annotations

from typing import NamedTuple


class DecodedText(NamedTuple):
    """The bytes of a text, the form they came in, and the decisions a user may want to see."""

    data: bytes
    form: str
    notes: tuple[str, ...] = ()


def order_note(width: int, why: str, *, words: bool) -> str:
    """Return how groups of *width* bytes were read, in words."""
    how = "as little-endian words" if words else "in memory order"
    return f"groups of {width} read {how}, {why}"
