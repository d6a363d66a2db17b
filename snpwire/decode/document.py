"""From bytes to a document: parse them, decide how they are read, check them.

Where a value needs more than its bytes, an interpreter decides. A chapter has the same name here as
in ``wire`` and ``rules``: ``INTERPRETERS`` of that module has a function for each class, so that
decoding one kind imports one chapter. A class without one is read by itself; the rules of a
command's buffer say whether the firmware refuses it.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..rules import findings, refusal
from ..view.document import Document
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
) -> Document:
    """Return what *data* of a kind says, what was decided to read it, and what is wrong with it.

    *data* is bytes or the value that was parsed of them, *base* its offset in its file, *decisions*
    why it is of that kind. Raises DecodeError for bytes that the kind does not have, UsageError for
    a kind or a hint that is not known.
    """
    row = kind(chosen) if isinstance(chosen, str) else chosen
    value: Any = row.type.parse(data) if isinstance(data, bytes) else data
    reading = _interpretation(value, hints)
    context = reading.context
    if decisions:
        context = context._replace(decisions=(*decisions, *context.decisions))
        reading = reading._replace(context=context)
    return Document(
        row,
        value,
        size=len(data if isinstance(data, bytes) else value.build()),
        base=base,
        findings=tuple(findings(value, context)),
        **reading._asdict(),
    )


def _interpretation(value: Any, hints: Hints) -> Interpretation:
    """Return how a value is read: as its class is, or with what the firmware refuses in it."""
    interpreter = _interpreters(chapter_of(value)).get(type(value))
    if interpreter:
        return interpreter(value, hints)
    failed = refusal(value)
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
