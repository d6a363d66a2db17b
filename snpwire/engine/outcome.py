"""How a request ended, as the guest's programs see it."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import AccessError, DriverError, EngineError, ExitError, StoppedError
from ..wire.operands import VmmError
from ..wire.status import Status

STOPPED, CRASHED = "stopped", "crashed"
NO_RESPONSE = (1 << 64) - 1
"""``exitinfo2`` before the exit; it stays so where the hypervisor refuses the exit."""
BUSY, INVALID_LEN = int(VmmError.BUSY) << 32, int(VmmError.INVALID_LEN) << 32
"""Errors of the hypervisor, in the upper half of ``exitinfo2``."""


class Outcome(NamedTuple):
    """How a request ended."""

    errno: str = ""
    """Linux's name of the error; empty for a response. ``stopped``: the VM does not run on;
    ``crashed``: the guest made an access that the processor does not allow."""
    exitinfo2: int = 0
    alive: bool = True
    """The key can be used for the next request."""

    def __str__(self) -> str:
        """Return it in words: ``EIO, firmware BAD_MEASUREMENT, key wiped``."""
        if not self.errno:
            return "answered"
        parts = [self.errno, *exitinfo2_words(self.exitinfo2)]
        if self.errno not in (STOPPED, CRASHED):
            parts.append("key alive" if self.alive else "key wiped")
        return ", ".join(parts)

    def to_plain(self) -> dict[str, object]:
        """Return it in JSON's terms."""
        return {
            "errno": self.errno or None,
            "exitinfo2": f"{self.exitinfo2:#018x}",
            "key_alive": self.alive,
        }


SHORT = Outcome("EIO", INVALID_LEN, alive=True)
"""The certificates take more pages than there are."""


def exitinfo2_words(value: int) -> list[str]:
    """Return the errors in both halves of ``exitinfo2`` as words."""
    if value in (0, NO_RESPONSE):
        return ["no response from the hypervisor"] if value else []
    fw_error, vmm_error = value & 0xFFFF_FFFF, value >> 32
    words = [f"hypervisor {VmmError(vmm_error).name}"] if vmm_error else []
    return words + ([f"firmware {Status(fw_error).name}"] if fw_error else [])


def outcome_of(error: EngineError, *, alive: bool) -> Outcome:
    """Return the outcome of a request that ended with an error."""
    if isinstance(error, DriverError):
        return Outcome(error.errno, error.exitinfo2, alive)
    if isinstance(error, ExitError):
        return Outcome("EIO", NO_RESPONSE, alive)
    if isinstance(error, StoppedError):
        return Outcome(STOPPED)
    if isinstance(error, AccessError):
        return Outcome(CRASHED)
    raise error
