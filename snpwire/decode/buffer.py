"""How the buffer of a firmware command is read: the firmware may refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..rules.command_check import refusal
from ..wire import RECORDS
from .interpretation import Interpretation

if TYPE_CHECKING:
    from .interpretation import Hints


def command_buffer(value: Any, hints: Hints) -> Interpretation:
    """Decide whether the firmware refuses a buffer, and with which status."""
    failed = refusal(value)
    if failed is None:
        return Interpretation(hints.context())
    return Interpretation(hints.context(), refused=failed.finding, status=failed.status.name)


INTERPRETERS = {name: command_buffer for name in RECORDS if name.startswith("cmd-")}
