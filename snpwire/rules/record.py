"""Rules that fit every record and block, because its declaration is all they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..bits import OpenEnum, Word
from ..context import BARE, Context
from ..finding import Finding, Findings, Severity, nameless_bits
from ..fragment import is_whole
from ..layout import any_bit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..layout import Leaf

SHOWN = 16
"""How many bytes a finding shows of a run."""


def reserved(value: Any, context: Context = BARE) -> Findings:
    """Find bytes that no field claims and that are not zero."""
    for leaf in value.leaves():
        if leaf.gap and leaf.path != "rest" and leaf.path not in context.absent and any(leaf.value):
            yield reserved_run(leaf, value.SPEC)


def reserved_run(leaf: Leaf, source: str) -> Finding:
    """Return the finding for one gap with something in it."""
    data: bytes = leaf.value
    body = data.lstrip(b"\0")
    first = len(data) - len(body)
    run = body.rstrip(b"\0")
    count = len(run) - run.count(0)
    text = (
        f"reserved bytes are not zero: {count} of {len(data)},"
        f" from {leaf.offset + first:#05x}: {shown_bytes(run)}"
    )
    place = leaf.offset + first
    return Finding("reserved-not-zero", Severity.WARNING, leaf.path, place, text, source)


def shown_bytes(data: bytes) -> str:
    """Return *data* in hex, cut off where it gets long."""
    return data[:SHOWN].hex(" ") + (" ..." if len(data) > SHOWN else "")


def unknown(value: Any, context: Context = BARE) -> Findings:
    """Find codes without a name, and set bits without one."""
    return unknown_except(value, ())


def unknown_except(value: Any, skip: Iterable[str]) -> Findings:
    """Find codes and bits without a name, leaving out the fields of words named in *skip*."""
    for leaf in value.leaves():
        if isinstance(leaf.value, OpenEnum):
            yield from unknown_code(leaf.value, leaf.path, leaf.offset, value.SPEC)
        elif isinstance(leaf.value, Word):
            yield from unknown_bits(leaf.value, leaf.path, leaf.offset, value.SPEC)
            yield from _codes_within(leaf.value, leaf, value.SPEC, frozenset(skip))


def _codes_within(word: Word, leaf: Leaf, source: str, skip: frozenset[str]) -> Findings:
    for name, field in word.BITS.items():
        code = field.value(word)
        if isinstance(code, OpenEnum) and name not in skip:
            yield from unknown_code(code, f"{leaf.path}.{name}", leaf.offset, source)


def unknown_code(code: OpenEnum, path: str, offset: int, source: str) -> Findings:
    """Find that *code* has no name."""
    if not code.known:
        text = f"{int(code):#x} is a number that no source names"
        yield Finding("unknown-code", Severity.WARNING, path, offset, text, source)


def unknown_bits(word: Word, path: str, offset: int, source: str) -> Findings:
    """Find set bits of *word* that have no name."""
    if word.unknown:
        text = nameless_bits(word, word.unknown)
        yield Finding("unknown-bits", Severity.WARNING, path, offset, text, source)


def rest(value: Any, context: Context = BARE) -> Findings:
    """Find bytes behind the last element that are not zero."""
    body = value.rest.lstrip(b"\0")
    if body:
        start = value.SIZE + len(value.elements) * value.ELEMENT.size
        place = start + len(value.rest) - len(body)
        run = body.rstrip(b"\0")
        text = f"bytes behind the last element are not zero, from {place:#x}: {shown_bytes(run)}"
        yield Finding("bytes-behind", Severity.NOTE, "rest", place, text, value.SPEC)


def cut_short(value: Any, context: Context = BARE) -> Findings:
    """Find that the head announces more elements than there are bytes for."""
    announced = value.announced(value.head, b"")
    if announced > len(value.elements):
        tile = value.HEAD.tile(value.COUNT)
        text = (
            f"{value.COUNT} announces {announced} elements,"
            f" the bytes hold {len(value.elements)} of them"
        )
        yield Finding("cut-short", Severity.WARNING, value.COUNT, tile.offset, text, value.SPEC)


def empty(value: Any) -> bool:
    """Return whether every byte is zero. Raises AbsentError where nothing tells."""
    if not is_whole(value) and any(any_bit(leaf.value) for leaf in value.leaves()):
        return False
    return not any(value.build())


RULES = (reserved, unknown)
BLOCK = (reserved, unknown, cut_short, rest)
