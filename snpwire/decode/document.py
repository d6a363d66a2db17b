"""From bytes to a document: parse them, decide how they are read, check them.

Where a value needs more than its bytes, an interpreter decides. A chapter has the same name here as
in ``wire`` and ``rules``: ``INTERPRETERS`` of that module has a function for each class, so that
decoding one kind imports one chapter. A class without one is read by itself; the rules of a
command's buffer say whether the firmware refuses it.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import AbsentError
from ..fragment import is_whole, type_of
from ..rules import findings, refusal
from ..view.document import Document, Missing
from ..wire import Kind, chapter_of, kind
from .interpretation import NO_HINTS, Interpretation

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..block import Block
    from ..context import Decision
    from ..layout import Record
    from .interpretation import Hints

    Interpreter = Callable[[Any, Hints], Interpretation]


def document(
    chosen: Kind | str,
    data: bytes | Record | Block,
    hints: Hints = NO_HINTS,
    *,
    base: int = 0,
    decisions: tuple[Decision, ...] = (),
    strict: bool = True,
) -> Document:
    """Return what *data* of a kind says, what was decided to read it, and what is wrong with it.

    *data* is bytes or the value that was parsed of them, *base* its offset in its file, *decisions*
    why it is of that kind. Where *strict* is false, the beginning of a value is read as far as it
    goes. Raises DecodeError for bytes that the kind does not have, UsageError for a kind or a hint
    that is not known.
    """
    row = kind(chosen) if isinstance(chosen, str) else chosen
    value: Any = data
    missing: Missing | None = None
    if isinstance(data, bytes):
        value, missing = _parsed(row, data, strict=strict)
    if missing or (hints.absent and not _knows_absent(row)):
        doc = _fragment(row, value, hints, decisions, missing)
    else:
        doc = _whole(row, value, hints, decisions)
    size = len(data if isinstance(data, bytes) else value.build())
    return doc._replace(size=size, base=base, missing=missing)


def _parsed(row: Kind, data: bytes, *, strict: bool) -> tuple[Any, Missing | None]:
    """Return the value that *data* is, or that it is the beginning of. Raises DecodeError."""
    whole = row.type.SIZE
    if strict or not 0 < len(data) < whole:
        return row.type.parse(data), None
    return row.type.parse(data.ljust(whole, b"\0")), Missing(len(data), whole)


def _knows_absent(row: Kind) -> bool:
    """Return whether the rules of a kind ask which fields are known: KVM's dumps have a few."""
    return row.name == "ghcb"


def _whole(row: Kind, value: Any, hints: Hints, decisions: tuple[Decision, ...]) -> Document:
    """Return what a value says, and what is wrong with it."""
    reading = _decided(_interpretation(value, hints), decisions)
    found = tuple(findings(value, reading.context))
    return Document(row, value, 0, findings=found, **reading._asdict())


def _fragment(
    row: Kind, value: Any, hints: Hints, decisions: tuple[Decision, ...], missing: Missing | None
) -> Document:
    """Return what a value says of which not all is there, whatever the rest is."""
    from ..fragment import Fragment

    part: Any = Fragment(value, missing.start if missing else row.type.SIZE, hints.absent)
    there = {leaf.path for leaf in part.leaves()}
    absent = frozenset(leaf.path for leaf in value.leaves() if leaf.path not in there)
    reading = Interpretation(hints.context())
    with suppress(AbsentError):
        reading = _interpretation(part, hints._replace(absent=absent))
    reading = _decided(reading, decisions)
    found = tuple(findings(part, reading.context))
    context = reading.context._replace(absent=hints.absent)  # the rest is said by its extent
    return Document(row, value, 0, findings=found, **reading._replace(context=context)._asdict())


def _decided(reading: Interpretation, decisions: tuple[Decision, ...]) -> Interpretation:
    """Return *reading* with the *decisions* that were made before it."""
    context = reading.context
    context = context._replace(decisions=(*decisions, *context.decisions))
    return reading._replace(context=context)


def _interpretation(value: Any, hints: Hints) -> Interpretation:
    """Return how a value is read: as its class is, or with what the firmware refuses in it."""
    interpreter = _interpreters(chapter_of(value)).get(type_of(value))
    if interpreter:
        return interpreter(value, hints)
    failed = (
        refusal(value) if is_whole(value) else None
    )  # what is not there may fail a check before
    if failed is None:
        return Interpretation(hints.context())
    return Interpretation(hints.context(), refused=failed.finding, status=failed.status.name)


@cache
def _interpreters(chapter: str) -> dict[type, Interpreter]:
    """Return the interpreters of a chapter, by class; none where bytes say enough."""
    module = f"{__package__}.{chapter}"
    found: dict[type, Interpreter]
    found = import_module(module).INTERPRETERS if chapter and find_spec(module) else {}
    return found
