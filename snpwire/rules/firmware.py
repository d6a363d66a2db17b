"""What can be wrong with the buffers of commands about the firmware."""

from ..wire import firmware
from .platform_commands import CHECKS
from .verdict import rules_of

RULES = rules_of(firmware, CHECKS)
