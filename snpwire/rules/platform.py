"""What can be wrong with the buffers of commands about the platform."""

from ..wire import platform
from .platform_commands import CHECKS
from .verdict import rules_of

RULES = rules_of(platform, CHECKS)
