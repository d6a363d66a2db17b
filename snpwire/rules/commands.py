"""What the firmware checks before it carries out a command, of all commands.

The rows are in the modules of the buffers, and ``command_check`` says how to read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import firmware, launch_commands, page_commands, platform

if TYPE_CHECKING:
    from ..wire.command_table import CommandId
    from .command_check import CommandCheck

CHECKS: dict[CommandId, tuple[CommandCheck, ...]] = {
    **platform.CHECKS,
    **firmware.CHECKS,
    **launch_commands.CHECKS,
    **page_commands.CHECKS,
}
"""The checks of each command of SNP whose handler was read, in the firmware's order."""
