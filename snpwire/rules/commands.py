"""What can be wrong with the buffer of a command, in the order of the firmware's own checks.

Of AMD-ASPFW (Genoa, ABI 1.55.25), which newer firmware may differ from. All of its checks are in
``wire.command_checks``; those of the platform, of pages and of the guest are not decided here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire.status import Status
from . import launch_commands, page_commands, platform_commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..finding import Finding
    from .verdict import Check, Verdict

CHECKS: dict[str, tuple[Check, ...]] = {
    **platform_commands.CHECKS,
    **launch_commands.CHECKS,
    **page_commands.CHECKS,
}
"""The checks of each class, by its name."""


def verdicts(value: Any) -> Iterator[Verdict]:
    """Yield what is wrong with a buffer in the order of the firmware's checks."""
    for check in CHECKS[type(value).__name__]:
        yield from check(value)


def refusal(value: Any) -> tuple[Finding, Status] | None:
    """Return the first check that a buffer fails and the status for it; None if there is none."""
    if type(value).__name__ not in CHECKS:
        return None
    found = (v for v in verdicts(value) if v.status is not None)
    return next(((v.finding, v.status or Status.SUCCESS) for v in found), None)
