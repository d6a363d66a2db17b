"""Rules over decoded values: named checks that say what is wrong, where, and who refuses it.

A rule is a function that yields findings about a value, given its ``Context``. A chapter has the
same name here as in ``wire``: ``RULES`` of that module has a tuple of rules for each class, so that
judging a GHCB page imports what that page needs and no more. A class without a tuple is judged by
``record.RULES``, which fit every one.

A receiver refuses an error; over a warning implementations differ, or a mistake is likely; a note
is what correct senders do as well.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..context import BARE, Context
from ..errors import UsageError, shown
from ..finding import as_far
from ..fragment import type_of
from ..wire import chapter_of
from . import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..finding import Finding, Findings
    from .command_check import FailedCheck

    RuleFunction = Callable[[Any, Context], Findings]

__all__ = ["findings", "refusal", "rules_of"]


def findings(value: Any, context: Context = BARE) -> list[Finding]:
    """Return what the rules say about *value*, a record or a block, by offset, the worst first.

    Of a fragment, a rule says what it can before it needs a field that is not there. What *context*
    leaves open is decided from the value. Raises UsageError for any other context.
    """
    if not isinstance(context, Context):
        hint = "snpwire.context.Context(direction=...) has what is known besides the bytes"
        raise UsageError(f"{shown(context)} is no Context", help=hint)
    found = [finding for rule in rules_of(value) for finding in as_far(rule, value, context)]
    return sorted(found, key=lambda finding: (finding.offset, -finding.severity))


def rules_of(value: Any) -> tuple[RuleFunction, ...]:
    """Return the rules of the class of *value*, those of its chapter or of every record."""
    return _chapter_rules(chapter_of(value)).get(type_of(value), record.RULES)


def refusal(value: Any) -> FailedCheck | None:
    """Return the first check of the firmware that a command's buffer fails; None if there is none.

    Only ``BufferRules`` have such checks; they are known by their method, since importing the class
    would cost every other value its start-up.
    """
    failures = (getattr(rule, "failures", None) for rule in rules_of(value))
    return next((failed for each in failures if each for failed in each(value)), None)


@cache
def _chapter_rules(chapter: str) -> dict[type, tuple[RuleFunction, ...]]:
    """Return the rules of a chapter, by class; none where every record's are enough."""
    module = f"{__name__}.{chapter}"
    found: dict[type, tuple[RuleFunction, ...]]
    found = import_module(module).RULES if chapter and find_spec(module) else {}
    return found
