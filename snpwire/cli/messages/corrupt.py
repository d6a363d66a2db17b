"""``--corrupt NAME``: corrupt a message or a payload on purpose, by the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ...errors import FieldError, UsageError
from ..output import terminal_style, write_lines, write_note

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...crypto.corruption import Corruption
    from ...wire.message import Header

T = TypeVar("T")
LIST = "list"
MESSAGE = "message"


def write_catalogue(rows: Iterable[Corruption]) -> int:
    """Print corruptions: what each does, what detects it, how a correct receiver responds."""
    from ...view.table import Row, table

    lines = []
    for row in rows:
        lines.append(Row("", "", row.name, f"{row.help}  [{row.found}]", ""))
        lines.append(
            Row("", "", "", f"  {row.response}", f"for {' '.join(row.kinds)}" if row.kinds else "")
        )
    write_lines(table(lines, terminal_style()))
    return 0


def corruptions_of(names: Iterable[str], kind: str) -> list[Corruption]:
    """Return the corruptions called *names*. Raises UsageError, also if one does not fit *kind*."""
    from ...crypto.corruption import check_fits, named

    rows = [named(name) for name in names]
    for row in rows:
        check_fits(row, kind)
    return rows


def note_corruptions(rows: list[Corruption]) -> None:
    """Note each corruption, and the response to it."""
    for row in rows:
        write_note(f"{row.name}: {row.help}; {row.response}")


def sealed_page(
    rows: list[Corruption], kind: str, header: Header, payload: bytes, key: bytes
) -> bytes:
    """Return the page of a message, sealed and corrupted. Raises UsageError, MessageError."""
    from ...crypto.sealing import Vmpck, seal_page

    if not rows:
        return seal_page(Vmpck(key), header, payload)
    from ...crypto.corruption import Stage

    header, payload = _before(rows, kind, header, payload)
    for row in rows:
        key = row.change(key) if row.stage is Stage.KEY else key
    return _after(rows, seal_page(Vmpck(key), header, payload))


def corrupt_bytes(name: str, data: bytes, names: tuple[str, ...]) -> bytes:
    """Return a corrupted message, or payload as sent with VMPCK 1. Raises UsageError."""
    if not names:
        return data
    from ...crypto.corruption import wrong_alone
    from ...wire.message import HEADER_SIZE, Header

    rows = corruptions_of(names, name)
    for row in rows:
        if row not in wrong_alone(name):
            raise UsageError(
                f"{row.name} is about a sealed message, not about {name} alone",
                help="seal --corrupt, or encode message --corrupt",
            )
    if name != MESSAGE:
        changed = _before(rows, name, Header(msg_vmpck=1), data)[1]
    else:
        header = Header.parse(data[:HEADER_SIZE])
        payload = data[HEADER_SIZE : HEADER_SIZE + header.msg_size]
        header, other = _before(rows, "", header, payload)
        if other != payload:
            header = header.replace(msg_size=len(other))
            data = data[:HEADER_SIZE] + other.ljust(len(data) - HEADER_SIZE, b"\0")
        changed = _after(rows, header.build() + data[HEADER_SIZE:])
    note_corruptions(rows)
    return changed


def _before(
    rows: list[Corruption], kind: str, header: Header, payload: bytes
) -> tuple[Header, bytes]:
    """Apply the corruptions that come before sealing. Raises UsageError if one cannot apply."""
    if not rows:
        return header, payload
    from ...crypto.corruption import Stage
    from ...crypto.mutations import Draft

    draft = Draft(kind, header, payload)
    for row in rows:
        if row.stage is Stage.BEFORE:
            draft = _apply(row, draft)
    return draft.header, draft.payload


def _after(rows: list[Corruption], page: bytes) -> bytes:
    """Apply the corruptions of a sealed page. Raises UsageError if one cannot apply."""
    from ...crypto.corruption import Stage

    for row in rows:
        page = _apply(row, page) if row.stage is Stage.AFTER else page
    return page


def _apply(row: Corruption, what: T) -> T:
    """Apply a corruption. Raises UsageError, which names it, if it cannot apply."""
    try:
        changed: T = row.change(what)
    except (FieldError, UsageError) as exc:
        raise UsageError(f"--corrupt {row.name}: {exc}", help=exc.help) from None
    return changed
