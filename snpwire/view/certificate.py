"""Certificates and revocation lists as sheets: a heading, and a row for each thing they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .table import Row, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .style import Style

MOST = 64
"""Sheets that are printed; how many more there are is said."""


class Sheet(NamedTuple):
    """What a certificate or a list says."""

    title: str
    rows: tuple[Row, ...]
    plain: dict[str, Any]
    """The same for JSON."""


def sheet_row(name: str, value: str, text: str = "", flag: str = "") -> Row:
    """Return a row of a sheet."""
    return Row("", "", name, value, text, flag)


def sheet_lines(sheets: list[Sheet], style: Style) -> Iterator[str]:
    """Yield the lines of all sheets, with an empty one between two."""
    for number, sheet in enumerate(sheets[:MOST]):
        if number:
            yield ""
        yield style.mark(style.strong, sheet.title)
        yield from table(list(sheet.rows), style)
    if len(sheets) > MOST:
        yield f"... and {len(sheets) - MOST} more: --json has all"
