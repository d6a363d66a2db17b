"""``snpwire decode``: bytes to a tree, annotated hex or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import nearest
from ..errors import UsageError
from ..finding import reaches, summary
from ..wire import CERTIFICATES, COMMAND
from .documents import read
from .output import terminal_style, write_json, write_lines, write_note

if TYPE_CHECKING:
    from ..layout import Leaf
    from ..view.document import Document
    from .options import ContextOptions, PieceOptions, ViewOptions


def decode(
    name: str,
    file: str,
    piece: PieceOptions,
    context: ContextOptions,
    view: ViewOptions,
    *,
    redact: bool,
    fail_on: str | None,
    report: str | None = None,
) -> int:
    """Print one decoded value; return 1 if a finding reaches *fail_on*."""
    if name in CERTIFICATES:
        from .certificate import CertificateView, decode_certificates

        if view.hexdump or view.fields is not None:
            raise UsageError(f"--hex and --fields are for a record, not for a {name}")
        shown = CertificateView(view.json is not None, fail_on, report, context.product)
        return decode_certificates(file, piece, shown)
    if report is not None:
        raise UsageError(f"--report is for a certificate, not for {name}")
    doc, source = read(name, file, piece, context)
    doc = doc.without_secrets() if redact else doc
    hexdump, json, fields, everything = view
    write_note(*source.notes)
    only = None if fields is None else selected(doc, fields.split(","))
    if json is not None:
        from ..view.json import document

        write_json(document(doc, full=json == "full", only=only))
    elif hexdump or doc.kind.name == COMMAND:
        from ..view.hex import annotated, legend

        if not hexdump:
            from ..view.tree import decision_lines, heading

            write_lines([heading(doc), *decision_lines(doc)])
        write_lines(legend(doc))
        write_lines(annotated(doc, only=only, style=terminal_style()))
    else:
        from ..view.table import table
        from ..view.tree import leaf_rows, tree

        if only is None:
            write_lines(tree(doc, everything=everything, style=terminal_style()))
        else:
            rows = [row for leaf in only for row in leaf_rows(leaf, doc.meaning(leaf))]
            write_lines(table(rows, terminal_style()))
    write_note(f"findings: {summary(doc.findings)}")
    return int(fail_on is not None and reaches(doc.findings, fail_on))


def selected(doc: Document, paths: list[str]) -> list[Leaf]:
    """Return the leaves at or below each path. Raises UsageError for a path that has none."""
    leaves = [doc.shown(leaf) for leaf in doc.value.leaves()]
    found = []
    for path in paths:
        below = [leaf for leaf in leaves if f"{leaf.path}.".startswith((f"{path}.", f"{path}["))]
        if not below:
            hint = nearest(path, [leaf.path for leaf in leaves])
            raise UsageError(f"{doc.kind.name} has no field {path!r}", help=hint)
        found += [leaf for leaf in below if leaf.path not in doc.absent]
    return found
