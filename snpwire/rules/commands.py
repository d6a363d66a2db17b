"""What the firmware checks before it carries out a command, and what it refuses in a buffer.

The rows are in the modules of the buffers: ``platform``, ``firmware``, ``launch_commands`` and
``page_commands``; ``command_check`` says how to read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import firmware, launch_commands, mailbox, page_commands, platform

if TYPE_CHECKING:
    from ..wire.command_table import CommandId
    from .command_check import BufferRules, CommandCheck, FailedCheck

CHECKS: dict[CommandId, tuple[CommandCheck, ...]] = {
    **platform.CHECKS,
    **firmware.CHECKS,
    **launch_commands.CHECKS,
    **page_commands.CHECKS,
}
"""The checks of each command of SNP whose handler was read, in the firmware's order."""
RULES: dict[type, tuple[BufferRules]] = {
    **platform.RULES,
    **firmware.RULES,
    **mailbox.RULES,
    **launch_commands.RULES,
    **page_commands.RULES,
}
"""The rule of each buffer."""


def refusal(value: Any) -> FailedCheck | None:
    """Return the first check of the firmware that a buffer fails; None if there is none."""
    for rule in RULES.get(type(value), ()):
        return next(rule.failures(value), None)
    return None
