"""``--corrupt NAME``: make what is built wrong on purpose, by the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ...errors import FieldError, UsageError
from ..output import note, say, style

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...crypto.corruption import Corruption
    from ...wire.message import Header

T = TypeVar("T")
LIST = "list"
MESSAGE = "message"


def listing(rows: Iterable[Corruption]) -> int:
    """Print ways to be wrong: what each does, and what a correct receiver answers."""
    from ...view.table import Row, table

    lines = []
    for row in rows:
        lines.append(Row("", "", row.name, f"{row.help}  [{row.found}]", ""))
        lines.append(
            Row("", "", "", f"  {row.response}", f"for {' '.join(row.kinds)}" if row.kinds else "")
        )
    say(table(lines, style()))
    return 0


def chosen(names: Iterable[str], kind: str) -> list[Corruption]:
    """Return the rows that are asked for. Raises UsageError."""
    from ...crypto.corruption import check_fits, named

    rows = [named(name) for name in names]
    for row in rows:
        check_fits(row, kind)
    return rows


def announce(rows: list[Corruption]) -> None:
    """Say what is wrong with what is about to be written, and what is answered to it."""
    for row in rows:
        note(f"{row.name}: {row.help}; {row.response}")


def before(
    rows: list[Corruption], kind: str, header: Header, payload: bytes
) -> tuple[Header, bytes]:
    """Apply what is wrong before a message is sealed. Raises UsageError where it cannot be."""
    if not rows:
        return header, payload
    from ...crypto.corruption import Stage
    from ...crypto.mutations import Draft

    draft = Draft(kind, header, payload)
    for row in rows:
        if row.stage is Stage.BEFORE:
            draft = _changed(row, draft)
    return draft.header, draft.payload


def _changed(row: Corruption, what: T) -> T:
    """Apply a row. Raises UsageError, which names it, where it cannot be."""
    try:
        changed: T = row.change(what)
    except (FieldError, UsageError) as exc:
        raise UsageError(f"--corrupt {row.name}: {exc}", help=exc.help) from None
    return changed


def other_key(rows: list[Corruption], key: bytes) -> bytes:
    """Return the key that the message is sealed with in place of *key*."""
    if rows:
        from ...crypto.corruption import Stage

        for row in rows:
            key = row.change(key) if row.stage is Stage.KEY else key
    return key


def after(rows: list[Corruption], page: bytes) -> bytes:
    """Apply what is wrong with a page that is sealed. Raises UsageError where it cannot be."""
    if rows:
        from ...crypto.corruption import Stage

        for row in rows:
            page = _changed(row, page) if row.stage is Stage.AFTER else page
    return page
