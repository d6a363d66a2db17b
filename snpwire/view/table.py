"""Rows in aligned columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .style import Style

WIDE = 40
"""A value longer than this does not widen the column of its neighbours."""


class Row(NamedTuple):
    """The cells of one line."""

    offset: str
    size: str
    name: str
    value: str
    text: str
    flag: str = ""


def table(rows: list[Row], style: Style) -> Iterator[str]:
    """Yield rows in aligned columns."""
    width = [max((len(row[n]) for row in rows), default=0) for n in range(3)]
    values = max((len(row.value) for row in rows if len(row.value) <= WIDE), default=0)
    for offset, size, name, value, text, flag in rows:
        place = f"{offset:>{width[0]}} {size:>{width[1]}}  " if width[0] else ""
        cells = (
            style.mark(style.faint, place)
            + f"{style.mark(style.strong, f'{name:<{width[2]}}')}  {value:<{values}}  "
            + style.mark(style.faint, text)
        )
        yield (cells + (style.mark(style.warn, f"  ({flag})") if flag else "")).rstrip()
