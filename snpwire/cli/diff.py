"""``snpwire diff``: two values of one kind, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..view.diff import FieldChange, change_lines, change_objects, changes, pairs
from ..view.secret import redacted_leaf, secret_fields
from ..wire import CERTIFICATES
from .documents import read
from .options import ContextOptions
from .output import terminal_style, write_json, write_lines, write_note

if TYPE_CHECKING:
    from .options import PieceOptions


def diff(
    name: str,
    left: str,
    right: str,
    piece: PieceOptions,
    *,
    command: str | None,
    json: bool,
    show_secrets: bool,
    strict: bool,
) -> int:
    """Print the fields that differ, keys without their values.

    Return 1 if there are any, or if one value goes further than the other.
    """
    if name in CERTIFICATES:
        from .certificate import diff_certificates

        return diff_certificates(left, right, piece, json=json)
    context = ContextOptions(command=command)
    left_doc, source = read(name, left, piece, context, strict=strict)
    right_doc, other = read(name, right, piece, context, strict=strict)
    write_note(*source.notes, *other.notes)
    if any(doc.absent or doc.missing for doc in (left_doc, right_doc)):
        write_note("fields that one input does not show are not compared")
    differences = changes(left_doc, right_doc)
    if not show_secrets:
        secrets = {*secret_fields(left_doc.value), *secret_fields(right_doc.value)}
        differences = [_redacted(row) if row.path in secrets else row for row in differences]
    if json:
        rows = change_objects(differences)
        write_json({"schema": f"diff-{left_doc.kind.name}/1", "changes": rows})
    else:
        write_lines(change_lines(differences, style=terminal_style()))
        write_note(f"{len(differences)} of {len(pairs(left_doc, right_doc))} fields differ")
    return int(bool(differences) or left_doc.missing != right_doc.missing)


def _redacted(change: FieldChange) -> FieldChange:
    """Return the change without its values."""
    left, right = change.left, change.right
    return change._replace(left=left and redacted_leaf(left), right=right and redacted_leaf(right))
