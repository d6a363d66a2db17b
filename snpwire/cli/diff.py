"""``snpwire diff``: two values of one kind, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..view.diff import changes, lines, pairs, plain
from .documents import read
from .output import terminal_style, write_json, write_lines, write_note

if TYPE_CHECKING:
    from ..decode.document import Wanted


def diff(name: str, left: str, right: str, wanted: Wanted, *, json: bool) -> int:
    """Print the fields that differ; return 1 if there are any."""
    (ours, source), (theirs, other) = read(name, left, wanted), read(name, right, wanted)
    write_note(*source.notes, *other.notes)
    if ours.absent or theirs.absent:
        write_note("fields that one input does not show are left out")
    found = changes(ours, theirs)
    if json:
        write_json({"schema": f"diff-{ours.kind.name}/1", "changes": plain(found)})
    else:
        write_lines(lines(found, style=terminal_style()))
        write_note(f"{len(found)} of {len(pairs(ours, theirs))} fields differ")
    return int(bool(found))
