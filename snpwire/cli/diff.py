"""``snpwire diff``: two values of one kind, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..view.diff import changes, lines, pairs, plain
from .documents import read
from .options import ContextOptions
from .output import terminal_style, write_json, write_lines, write_note

if TYPE_CHECKING:
    from .options import PieceOptions


def diff(
    name: str, left: str, right: str, piece: PieceOptions, *, command: str | None, json: bool
) -> int:
    """Print the fields that differ; return 1 if there are any."""
    context = ContextOptions(command=command)
    left_doc, source = read(name, left, piece, context)
    right_doc, other = read(name, right, piece, context)
    write_note(*source.notes, *other.notes)
    if left_doc.absent or right_doc.absent:
        write_note("fields that one input does not show are not compared")
    differences = changes(left_doc, right_doc)
    if json:
        write_json({"schema": f"diff-{left_doc.kind.name}/1", "changes": plain(differences)})
    else:
        write_lines(lines(differences, style=terminal_style()))
        write_note(f"{len(differences)} of {len(pairs(left_doc, right_doc))} fields differ")
    return int(bool(differences))
