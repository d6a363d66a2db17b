"""From bytes to a document: parse them, decide how they are read, check them.

Where a value needs more than its bytes, interpreters decide: ``INTERPRETERS`` of a module here has
them by the name of the kind, since RMPREAD and RMPUPDATE share one class. ``CHAPTERS`` has the
module of each chapter of ``wire``, so that decoding one kind imports one chapter.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import AbsentError
from ..rules import findings
from ..view.document import Document, Missing
from ..wire import Kind, kind
from .interpretation import NO_HINTS, Interpretation

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..block import Block
    from ..context import Decision
    from ..layout import Record
    from .interpretation import Hints

    Interpreter = Callable[[Any, Hints], Interpretation]

CHAPTERS = {
    **{name: name for name in ("ghcb", "hcl", "message", "msr", "report", "rmp")},
    **dict.fromkeys(("key", "migration"), "tcb"),
    **dict.fromkeys(
        ("firmware", "launch_commands", "mailbox", "page_commands", "platform"), "buffer"
    ),
}
"""The chapters of ``wire`` that have interpreters, and the module here that has those."""


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
    interpreter = _interpreters(row.chapter).get(row.name)
    reading = interpreter(value, hints) if interpreter else Interpretation(hints.context())
    reading = _decided(reading, decisions)
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
    interpreter = _interpreters(row.chapter).get(row.name)
    reading = Interpretation(hints.context())
    if interpreter:
        with suppress(AbsentError):
            reading = interpreter(part, hints._replace(absent=absent))
    reading = _decided(reading, decisions)
    found = tuple(findings(part, reading.context))
    context = reading.context._replace(absent=hints.absent)  # the rest is said by its extent
    return Document(row, value, 0, findings=found, **reading._replace(context=context)._asdict())


def _decided(reading: Interpretation, decisions: tuple[Decision, ...]) -> Interpretation:
    """Return *reading* with the *decisions* that were made before it."""
    context = reading.context
    context = context._replace(decisions=(*decisions, *context.decisions))
    return reading._replace(context=context)


def _interpreters(chapter: str) -> dict[str, Interpreter]:
    if chapter not in CHAPTERS:
        return {}
    found: dict[str, Interpreter]
    found = import_module(f".{CHAPTERS[chapter]}", __package__).INTERPRETERS
    return found
