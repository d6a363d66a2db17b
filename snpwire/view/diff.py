"""Two values of one kind, field by field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import Flags, Word
from .meaning import plain_meaning
from .style import PLAIN, Style
from .text import SHOWN, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..layout import Leaf
    from .document import Document


class FieldChange(NamedTuple):
    """A field on both sides; one side is None if it has no such field."""

    path: str
    offset: int
    left: Leaf | None
    right: Leaf | None


def pairs(left: Document, right: Document) -> list[FieldChange]:
    """Return the fields of both, in offset order; only common ones if a document is partial."""
    ours = {leaf.path: leaf for leaf in left.leaves()}
    theirs = {leaf.path: leaf for leaf in right.leaves()}
    one, other = left.cut(), right.cut()
    if one and other and left.missing == right.missing:
        ours[one.path], theirs[other.path] = one, other
    paths = ours.keys() & theirs if left.is_partial or right.is_partial else ours | theirs
    offsets = {path: leaf.offset for leaves in (theirs, ours) for path, leaf in leaves.items()}
    rows = [FieldChange(path, offsets[path], ours.get(path), theirs.get(path)) for path in paths]
    return sorted(rows, key=lambda change: change.offset)


def changes(left: Document, right: Document) -> list[FieldChange]:
    """Return the fields that differ, in offset order."""
    return [pair for pair in pairs(left, right) if _differ(pair.left, pair.right)]


def _differ(left: Leaf | None, right: Leaf | None) -> bool:
    return left is None or right is None or bool(left.value != right.value)


def change_lines(changed: list[FieldChange], *, style: Style = PLAIN) -> Iterator[str]:
    """Yield a heading and both values for each change; the heading names changed bits."""
    for change in changed:
        size = (change.left or change.right or changed[0].left).size  # type: ignore[union-attr]
        head = style.mark(style.faint, f"{change.offset:#05x} {size:>4}")
        yield f"{head}  {style.mark(style.strong, change.path)}{_note(change)}"
        yield style.mark(style.bad, f"    - {_side(change, change.left)}")
        yield style.mark(style.good, f"    + {_side(change, change.right)}")


def change_objects(changed: list[FieldChange]) -> list[dict[str, Any]]:
    """Return the changes as JSON objects."""
    return [
        {
            "path": change.path,
            "offset": change.offset,
            "left": change.left and change.left.codec.to_plain(change.left.value),
            "right": change.right and change.right.codec.to_plain(change.right.value),
        }
        for change in changed
    ]


def _note(change: FieldChange) -> str:
    """Return which bits changed, or where bytes begin to differ."""
    if change.left is None or change.right is None:
        return ""
    a, b = change.left.value, change.right.value
    if isinstance(a, Flags) and isinstance(b, Flags):
        cleared = [f"-{name}" for name in a.names() if name not in b.names()]
        added = [f"+{name}" for name in b.names() if name not in a.names()]
        return f"  {' '.join(cleared + added)}"
    if isinstance(a, Word) and isinstance(b, Word):
        names = [f.name for f in a.BITS.values() if f.value(a) != f.value(b)]
        return f"  in {' '.join(names)}" if names else ""
    if isinstance(a, bytes) and isinstance(b, bytes) and len(a) > SHOWN:
        first = first_difference(a, b)
        count = sum(x != y for x, y in zip(a, b, strict=False)) + abs(len(a) - len(b))
        return f"  {count} bytes differ, the first at {change.offset + first:#x}"
    return ""


def first_difference(a: bytes, b: bytes) -> int:
    """Return the index of the first byte that differs, or where the shorter one ends."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((n for n, (x, y) in pairs if x != y), min(len(a), len(b)))


def _side(change: FieldChange, leaf: Leaf | None) -> str:
    if leaf is None:
        return "absent"
    other = change.right if leaf is change.left else change.left
    if isinstance(leaf.value, bytes) and len(leaf.value) > SHOWN and other is not None:
        start = first_difference(leaf.value, other.value) // SHOWN * SHOWN
        return f"{change.offset + start:#05x}: {leaf.value[start : start + SHOWN].hex(' ')}"
    meaning = plain_meaning(leaf.value).text
    shown = value_text(leaf)
    return f"{shown}  {meaning}" if meaning and meaning != shown else shown
