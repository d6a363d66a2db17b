"""What can be wrong with the buffer of RING_BUFFER."""

from ..wire import mailbox
from .platform_commands import CHECKS
from .verdict import rules_of

RULES = rules_of(mailbox, CHECKS)
