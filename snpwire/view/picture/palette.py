"""Paints of the states of pages, and of the guests that own them, on a map.

The hues are those of Okabe and Ito, distinct with the common kinds of colour blindness; similar
hues differ in lightness or have a pattern. One column of pixels identifies a state: no pattern has
a column of another.
"""

from __future__ import annotations

from ...wire.rmp import RmpState
from .canvas import Paint

_DIAGONAL = ("#...", ".#..", "..#.", "...#")
_LINES = ("####", "....", "....", "....")
_DOTS = ("....", ".##.", ".##.", "....")
_CHECKS = ("##..", "##..", "..##", "..##")

STATES: dict[RmpState, Paint] = {
    RmpState.HYPERVISOR: Paint("#e6e6e6"),
    RmpState.HV_FIXED: Paint("#c0c0c0", "#808080", _DIAGONAL),
    RmpState.GUEST_VALID: Paint("#009e73"),
    RmpState.GUEST_INVALID: Paint("#a6e0cc", "#009e73", _DOTS),
    RmpState.PRE_GUEST: Paint("#e69f00", "#7a5400", _LINES),
    RmpState.PRE_SWAP: Paint("#f7d58a", "#7a5400", _DIAGONAL),
    RmpState.FIRMWARE: Paint("#0072b2"),
    RmpState.FIRMWARE_IOMMU: Paint("#56b4e9", "#003a5c", _CHECKS),
    RmpState.CONTEXT: Paint("#cc79a7"),
    RmpState.METADATA: Paint("#cc79a7", "#5c2447", _DIAGONAL),
    RmpState.RECLAIM: Paint("#f0e442", "#9a9000", _DOTS),
    RmpState.INVALID: Paint("#d55e00", "#000000", _CHECKS),
}
"""Paints by state, in their order within a cell; DEFAULT is no entry."""

HOST = Paint("#efefef")
FIRMWARE = Paint("#b8b8b8", "#8c8c8c", _DIAGONAL)
OTHERS = Paint("#ffffff", "#303030", _DOTS)
"""Guests beyond those with a paint of their own."""

_HUES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#f0e442")
GUESTS: tuple[Paint, ...] = (
    *(Paint(hue) for hue in _HUES),
    Paint("#56b4e9", "#ffffff", _DOTS),
    *(Paint(hue, "#000000", _DIAGONAL) for hue in _HUES[:5]),
)
"""Paints of the guests with the most pages."""
