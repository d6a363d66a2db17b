"""Certificates and revocation lists as sheets: a heading, and a row for each thing they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .table import Row, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


def change_lines(
    name: str, verdict: str, parts: Iterable[tuple[str, str | None, str | None]], style: Style
) -> Iterator[str]:
    """Yield what two certificates are to each other, and both values of each part that differs."""
    yield f"{style.mark(style.strong, name)}: {verdict}"
    for part, left, right in parts:
        yield f"  {part}"
        yield style.mark(style.bad, f"    - {'absent' if left is None else left}")
        yield style.mark(style.good, f"    + {'absent' if right is None else right}")


def change_object(
    name: str, verdict: str, parts: Iterable[tuple[str, str | None, str | None]]
) -> dict[str, Any]:
    """Return the same for JSON."""
    keys = ("part", "left", "right")
    rows = [dict(zip(keys, part, strict=True)) for part in parts]
    return {"name": name, "verdict": verdict, "parts": rows}
