"""``snpwire diff``: two values of one kind, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..view.diff import change_lines, change_objects, changes, pairs
from .documents import read
from .output import terminal_style, write_json, write_lines, write_note

if TYPE_CHECKING:
    from ..decode.document import Wanted


def diff(name: str, left: str, right: str, wanted: Wanted, *, json: bool) -> int:
    """Print the fields that differ; return 1 if there are any."""
    (left_doc, source), (right_doc, other) = read(name, left, wanted), read(name, right, wanted)
    write_note(*source.notes, *other.notes)
    if left_doc.absent or right_doc.absent:
        write_note("fields that one input does not show are not compared")
    differences = changes(left_doc, right_doc)
    if json:
        rows = change_objects(differences)
        write_json({"schema": f"diff-{left_doc.kind.name}/1", "changes": rows})
    else:
        write_lines(change_lines(differences, style=terminal_style()))
        write_note(f"{len(differences)} of {len(pairs(left_doc, right_doc))} fields differ")
    return int(bool(differences))
