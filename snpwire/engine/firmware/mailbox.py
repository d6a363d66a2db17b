"""The mailbox: a command's number and the address of its buffer in, a status out.

A handler takes the buffer as its record and raises CommandRefusal for a check that fails. An
unknown number, or one that this firmware does not have, is INVALID_COMMAND. The buffer is copied in
from wherever it is: it needs no alignment, may cross a page, and may be an ordinary page of the
host, because no command of SNP writes its own buffer back (AMD-ASPFW sev_dispatch.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ...wire import kind
from ...wire.command_table import COMMANDS, OTHER_LAYOUTS, CommandId
from ...wire.status import Status
from . import activation, debug, guest_request, launch, pages, platform, swap
from .processor import CommandRefusal, Processor

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...layout import Record


class CommandHandler(NamedTuple):
    """How the firmware carries out one command."""

    size: int
    """Bytes of its buffer; 0 if it has none."""
    read: Callable[[bytes], Any]
    """Return the buffer's fields, as *run* takes them."""
    run: Callable[[Processor, Any], None]


def _buffer(command: CommandId) -> type[Record] | None:
    """Return the record that the firmware reads as a command's buffer: the longest layout."""
    name = COMMANDS[command].buffer
    names = (name, *OTHER_LAYOUTS.get(command, ())) if name else ()
    records = [cast("type[Record]", kind(name).type) for name in names]
    return max(records, key=lambda record: record.SIZE, default=None)


def _handler(command: CommandId, run: Callable[[Processor, Any], None]) -> CommandHandler:
    """Return the handler of a command; those of every request get plain numbers, not a record."""
    record = _buffer(command)
    if record is None:
        return CommandHandler(0, lambda _: None, run)
    plain = command in (CommandId.SNP_GUEST_REQUEST, CommandId.SNP_PAGE_RECLAIM)
    return CommandHandler(record.SIZE, record.ENGINE.unpack if plain else record.parse, run)


HANDLERS: dict[int, CommandHandler] = {
    int(command): _handler(command, run)
    for command, run in (
        (CommandId.SNP_INIT, platform.init),
        (CommandId.SNP_INIT_EX, platform.init_ex),
        (CommandId.SNP_SHUTDOWN, platform.shutdown),
        (CommandId.SNP_SHUTDOWN_EX, platform.shutdown_ex),
        (CommandId.SNP_CONFIG, platform.config),
        (CommandId.SNP_COMMIT, platform.commit),
        (CommandId.SNP_VLEK_LOAD, platform.load_vlek),
        (CommandId.SNP_FEATURE_INFO, platform.feature_info),
        (CommandId.SNP_PLATFORM_STATUS, platform.status),
        (CommandId.SNP_DF_FLUSH, activation.df_flush),
        (CommandId.SNP_GCTX_CREATE, activation.create),
        (CommandId.SNP_DECOMMISSION, activation.decommission),
        (CommandId.SNP_ACTIVATE, activation.activate),
        (CommandId.SNP_ACTIVATE_EX, activation.activate_ex),
        (CommandId.SNP_GUEST_STATUS, activation.guest_status),
        (CommandId.SNP_GUEST_REQUEST, guest_request.guest_request),
        (CommandId.SNP_LAUNCH_START, launch.start),
        (CommandId.SNP_LAUNCH_UPDATE, launch.update),
        (CommandId.SNP_LAUNCH_FINISH, launch.finish),
        (CommandId.SNP_DBG_DECRYPT, debug.decrypt),
        (CommandId.SNP_DBG_ENCRYPT, debug.encrypt),
        (CommandId.SNP_PAGE_SWAP_OUT, swap.swap_out),
        (CommandId.SNP_PAGE_SWAP_IN, swap.swap_in),
        (CommandId.SNP_PAGE_MOVE, swap.move),
        (CommandId.SNP_PAGE_MD_INIT, pages.md_init),
        (CommandId.SNP_PAGE_SET_STATE, pages.set_state),
        (CommandId.SNP_PAGE_RECLAIM, pages.reclaim),
        (CommandId.SNP_PAGE_UNSMASH, pages.unsmash),
    )
}


class Firmware(Processor):
    """The secure processor with its mailbox."""

    def wbinvd(self) -> None:
        """Record that every core of the host has written its caches back."""
        self.asids.written_back = True

    def mailbox(self, command: int, buffer: int = 0) -> Status:
        """Carry a command out and return its status; nothing that host or guest does raises."""
        handler = HANDLERS.get(command)
        if handler is None:
            return Status.INVALID_COMMAND
        size, read, run = handler
        try:
            run(self, read(self.load(buffer, size) if size else b""))
        except CommandRefusal as exc:
            return exc.status
        return _SUCCESS


_SUCCESS = Status.SUCCESS
"""A member of an enumeration costs more to name, before Python 3.12."""
