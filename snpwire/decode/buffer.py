"""How the buffer of a firmware command is read: the firmware may refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..fragment import is_whole
from ..rules import rules_of
from ..rules.command_check import BufferRules, FailedCheck
from ..wire import RECORDS
from .interpretation import Interpretation

if TYPE_CHECKING:
    from .interpretation import Hints


def refusal(value: Any) -> FailedCheck | None:
    """Return the first check of the firmware that a buffer fails; None if there is none."""
    rules = (rule for rule in rules_of(value) if isinstance(rule, BufferRules))
    return next((failed for rule in rules for failed in rule.failures(value)), None)


def command_buffer(value: Any, hints: Hints) -> Interpretation:
    """Decide whether the firmware refuses a buffer, and with which status.

    What is not there may fail an earlier check.
    """
    failed = refusal(value) if is_whole(value) else None
    if failed is None:
        return Interpretation(hints.context())
    return Interpretation(hints.context(), refused=failed.finding, status=failed.status.name)


INTERPRETERS = {name: command_buffer for name in RECORDS if name.startswith("cmd-")}
