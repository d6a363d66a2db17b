"""Annotated hex: every byte next to the name of its field."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from .style import PLAIN, Style

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..layout import Leaf
    from .document import Document, Mark

ROW = 16


def annotated(
    doc: Document, *, only: Iterable[Leaf] | None = None, style: Style = PLAIN
) -> Iterator[str]:
    """Yield lines of up to 16 bytes; each field begins on a new line.

    Several rows of zeros are folded into one that counts them. Absent fields have no bytes, and
    redacted ones only their number. The name of a mark follows its bytes; see ``legend``.
    """
    data = doc.value.build()
    leaves = list(doc.leaves() if only is None else only)
    cut = doc.cut() if only is None else None
    leaves += [cut] if cut else []
    width = max((len(leaf.path) for leaf in leaves), default=0)
    for leaf in leaves:
        name = leaf.path if leaf.size else ""
        for offset, row, mark in _rows(doc, leaf, data):
            head = style.mark(style.faint, f"{offset:#05x}")
            label = style.mark(style.strong, f"{name:<{width}}")
            part = f"  {leaf.doc}" if leaf is cut and name else ""
            role = style.mark(style.faint, f"{part}  {mark}" if mark else part)
            yield f"{head}  {row:<{3 * ROW - 1}}  {label}{role}".rstrip()
            name = ""


def legend(doc: Document) -> Iterator[str]:
    """Yield a line for each mark: its name, its bytes, its role."""
    marks = [mark for mark in doc.marks if mark.start < doc.size]
    width = max((len(mark.name) for mark in marks), default=0)
    for mark in marks:
        yield f"{mark.name:<{width}}  {mark.start:#05x}..{mark.end - 1:#05x}  {mark.text}"


def _rows(doc: Document, leaf: Leaf, data: bytes) -> Iterator[tuple[int, str, str]]:
    """Yield offset, bytes and mark of each line of a field."""
    for start, end, mark in _pieces(doc.marks, leaf.offset, leaf.offset + leaf.size):
        if leaf.path in doc.redacted:
            yield start, f"-- {end - start} bytes redacted", mark
            continue
        for offset, row, folded in _folded(data[start:end]):
            yield start + offset, f".. {folded} zero bytes" if folded else row.hex(" "), mark


def _pieces(marks: tuple[Mark, ...], start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yield the pieces of a run of bytes between marks, and the name of the mark of each."""
    edges = {edge for mark in marks for edge in (mark.start, mark.end) if start < edge < end}
    cuts = [start, *sorted(edges), end]
    for first, last in pairwise(cuts):
        name = next((mark.name for mark in marks if mark.start <= first < mark.end), "")
        yield first, last, name


def _folded(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield offset and bytes of each row; several rows of zeros as one, with their count."""
    start = 0
    while start < len(data):
        end = start
        while end < len(data) and not any(data[end : end + ROW]):
            end += ROW
        end = min(end, len(data))
        if end - start > ROW:
            yield start, b"", end - start
        else:
            end = min(start + ROW, len(data))
            yield start, data[start:end], 0
        start = end
