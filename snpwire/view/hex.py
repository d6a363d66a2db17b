"""Annotated hex: every byte beside the name of the field it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .style import PLAIN, Style

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..layout import Leaf
    from .document import Document

ROW = 16


def annotated(
    doc: Document, *, only: Iterable[Leaf] | None = None, style: Style = PLAIN
) -> Iterator[str]:
    """Yield lines of up to 16 bytes, each field beginning a line of its own.

    Rows of zeros after the first are folded into one that counts them. Fields that are absent have
    no bytes.
    """
    data = doc.value.build()
    leaves = list(doc.leaves() if only is None else only)
    width = max((len(leaf.path) for leaf in leaves), default=0)
    for leaf in leaves:
        name = "" if not leaf.size else leaf.path
        for offset, row, folded in _folded(data[leaf.offset : leaf.offset + leaf.size]):
            shown = f".. {folded} zero bytes" if folded else row.hex(" ")
            head = style.mark(style.faint, f"{leaf.offset + offset:#05x}")
            label = style.mark(style.strong, f"{name:<{width}}")
            yield f"{head}  {shown:<{3 * ROW - 1}}  {label}".rstrip()
            name = ""


def _folded(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Yield offset and bytes of each row; runs of several rows of zeros as one, with a count."""
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
