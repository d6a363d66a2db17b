"""How the buffer of a firmware command is read: the firmware may refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..rules import rules_of
from ..rules.command_check import BufferRules
from ..wire import RECORDS
from .interpretation import Interpretation

if TYPE_CHECKING:
    from .interpretation import Hints


def command_buffer(value: Any, hints: Hints) -> Interpretation:
    """Decide whether the firmware refuses a buffer, and with which status."""
    own = (rule for rule in rules_of(value) if isinstance(rule, BufferRules))
    failed = next((check for rule in own for check in rule.failures(value)), None)
    if failed is None:
        return Interpretation(hints.context())
    return Interpretation(hints.context(), refused=failed.finding, status=failed.status.name)


INTERPRETERS = {name: command_buffer for name in RECORDS if name.startswith("cmd-")}
