"""How the buffer of a firmware command is read: the firmware may refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..rules.commands import refusal
from ..wire import RECORDS
from .interpretation import Interpretation

if TYPE_CHECKING:
    from .interpretation import Hints


def command_buffer(value: Any, hints: Hints) -> Interpretation:
    """Decide whether the firmware refuses a buffer, and with which status."""
    refused = refusal(value)
    if refused is None:
        return Interpretation(hints.context())
    finding, status = refused
    return Interpretation(hints.context(), refused=finding, status=status.name)


INTERPRETERS = {name: command_buffer for name in RECORDS if name.startswith("cmd-")}
