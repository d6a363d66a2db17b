"""``snpwire diff``: two values of one kind, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..view.diff import change_lines, change_objects, changes, pairs
from .documents import read
from .output import note, say, style

if TYPE_CHECKING:
    from ..decode.document import Wanted


def diff(name: str, left: str, right: str, wanted: Wanted, *, json: bool) -> int:
    """Print the fields that differ; return 1 if there are any."""
    (ours, source), (theirs, other) = read(name, left, wanted), read(name, right, wanted)
    for said in (*source.notes, *other.notes):
        note(said)
    if ours.absent or theirs.absent:
        note("fields that one input does not show are left out")
    found = changes(ours, theirs)
    if json:
        from ..view.json import dumps

        say([dumps({"schema": f"diff-{ours.kind.name}/1", "changes": change_objects(found)})])
    else:
        say(change_lines(found, style=style()))
        note(f"{len(found)} of {len(pairs(ours, theirs))} fields differ")
    return int(bool(found))
