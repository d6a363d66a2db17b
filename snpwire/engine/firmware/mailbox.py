"""The mailbox: a command's number and the address of its buffer in, a status out.

An unknown number, or one that this firmware does not have, is INVALID_COMMAND. Then the buffer is
copied in, wherever it lies: it needs no alignment, may cross a page, and may be an ordinary page of
the host, for no command of SNP writes its own buffer back (AMD-ASPFW sev_dispatch.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...wire.command_table import CommandId
from ...wire.status import Status
from . import activation, launch, pages, platform
from . import debug as debugging
from . import guest_request as request
from . import launch as measure
from . import platform as settings
from . import swap as moving
from .processor import CommandRefusal, Processor

if TYPE_CHECKING:
    from collections.abc import Callable


class Handler(NamedTuple):
    """What carries a command out."""

    size: int
    """Bytes of its buffer; 0 where it has none."""
    run: Callable[[Processor, bytes], None]


_SUCCESS = Status.SUCCESS
HANDLERS: dict[int, Handler] = {
    int(CommandId.SNP_INIT): Handler(0, platform.init),
    int(CommandId.SNP_INIT_EX): Handler(0x40, platform.init_ex),
    int(CommandId.SNP_SHUTDOWN): Handler(0, platform.shutdown),
    int(CommandId.SNP_SHUTDOWN_EX): Handler(0x8, platform.shutdown_ex),
    int(CommandId.SNP_CONFIG): Handler(0x40, settings.config),
    int(CommandId.SNP_COMMIT): Handler(0x4, settings.commit),
    int(CommandId.SNP_VLEK_LOAD): Handler(0x10, settings.load_vlek),
    int(CommandId.SNP_FEATURE_INFO): Handler(0x10, settings.feature_info),
    int(CommandId.SNP_PLATFORM_STATUS): Handler(0x8, platform.status),
    int(CommandId.SNP_DF_FLUSH): Handler(0, activation.df_flush),
    int(CommandId.SNP_GCTX_CREATE): Handler(0x8, activation.create),
    int(CommandId.SNP_DECOMMISSION): Handler(0x8, activation.decommission),
    int(CommandId.SNP_ACTIVATE): Handler(0x10, activation.activate),
    int(CommandId.SNP_ACTIVATE_EX): Handler(0x20, activation.activate_ex),
    int(CommandId.SNP_GUEST_STATUS): Handler(0x10, activation.guest_status),
    int(CommandId.SNP_GUEST_REQUEST): Handler(0x18, request.guest_request),
    int(CommandId.SNP_LAUNCH_START): Handler(0x30, launch.start),
    int(CommandId.SNP_LAUNCH_UPDATE): Handler(0x20, measure.update),
    int(CommandId.SNP_LAUNCH_FINISH): Handler(0x40, launch.finish),
    int(CommandId.SNP_DBG_DECRYPT): Handler(0x18, debugging.decrypt),
    int(CommandId.SNP_DBG_ENCRYPT): Handler(0x18, debugging.encrypt),
    int(CommandId.SNP_PAGE_SWAP_OUT): Handler(0x30, moving.swap_out),
    int(CommandId.SNP_PAGE_SWAP_IN): Handler(0x30, moving.swap_in),
    int(CommandId.SNP_PAGE_MOVE): Handler(0x20, moving.move),
    int(CommandId.SNP_PAGE_MD_INIT): Handler(0x10, pages.md_init),
    int(CommandId.SNP_PAGE_SET_STATE): Handler(0x10, pages.set_state),
    int(CommandId.SNP_PAGE_RECLAIM): Handler(0x8, pages.reclaim),
    int(CommandId.SNP_PAGE_UNSMASH): Handler(0x8, pages.unsmash),
}


class Firmware(Processor):
    """The secure processor with its mailbox."""

    def wbinvd(self) -> None:
        """Take note that every core of the host has written its caches back."""
        self.asids.written_back = True

    def mailbox(self, command: int, buffer: int = 0) -> Status:
        """Carry a command out and return its status; what host and guest do raises nothing."""
        handler = HANDLERS.get(command)
        if handler is None:
            return Status.INVALID_COMMAND
        try:
            handler.run(self, self.load(buffer, handler.size) if handler.size else b"")
        except CommandRefusal as exc:
            return exc.status
        return _SUCCESS
