"""The mailbox: a command's number and the address of its buffer in, a status out.

An unknown number, or one that this firmware does not have, is INVALID_COMMAND. Then the buffer is
copied in, wherever it lies: it needs no alignment, may cross a page, and may be an ordinary page of
the host, for no command of SNP writes its own buffer back (AMD-ASPFW sev_dispatch.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...wire.command import CommandId
from ...wire.status import Status
from . import platform, request
from .processor import Processor, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable


class Handler(NamedTuple):
    """What carries a command out."""

    size: int
    """Bytes of its buffer; 0 where it has none."""
    run: Callable[[Processor, bytes], None]


HANDLERS: dict[int, Handler] = {
    int(CommandId.SNP_INIT): Handler(0, platform.init),
    int(CommandId.SNP_INIT_EX): Handler(0x40, platform.init_ex),
    int(CommandId.SNP_PLATFORM_STATUS): Handler(0x8, platform.status),
    int(CommandId.SNP_GUEST_REQUEST): Handler(0x18, request.guest_request),
}


class Firmware(Processor):
    """The secure processor with its mailbox."""

    def mailbox(self, command: int, buffer: int = 0) -> Status:
        """Carry a command out and return its status; what host and guest do raises nothing."""
        handler = HANDLERS.get(command)
        if handler is None:
            return Status.INVALID_COMMAND
        try:
            handler.run(self, self.load(buffer, handler.size) if handler.size else b"")
        except Refusal as exc:
            return exc.status
        return Status.SUCCESS
