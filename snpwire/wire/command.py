"""Commands of the secure processor's firmware, and what goes with each.

The commands of SEV without SNP and those of SEV-TIO have numbers in ``command_id``; of their
buffers only those of RING_BUFFER and PLATFORM_STATUS are declared, so ``COMMANDS`` lacks the
others.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from . import kind as kind_named
from .command_id import CommandId

if TYPE_CHECKING:
    from . import Kind

__all__ = [
    "COMMANDS",
    "OTHER_LAYOUTS",
    "Command",
    "CommandId",
    "Direction",
    "Pointer",
    "buffer_kind",
]


class Direction(StrEnum):
    """Which way bytes go."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


class Pointer(NamedTuple):
    """A field of a buffer that holds a physical address, and what lies there."""

    field: str
    kind: str
    """Kind of what lies there, of the first of several; empty if it is a page of no known kind."""
    direction: Direction


class Command(NamedTuple):
    """What a command takes and gives."""

    id: CommandId
    buffer: str
    """Kind of the buffer; empty if there is none."""
    pointers: tuple[Pointer, ...]
    direction: Direction
    """Of the buffer itself: no command of SNP writes back its own."""
    source: str

    @property
    def answers(self) -> tuple[str, ...]:
        """Return the kinds that the firmware writes, the buffer's own first."""
        own = (self.buffer,) if self.buffer and self.direction is not Direction.IN else ()
        return own + tuple(p.kind for p in self.pointers if p.kind and p.direction is not IN)


IN, OUT, BOTH = Direction
MCMD, PATCHES = "AMD-ASPFW sev_mcmd.c", "patches to Linux, 2025 and 2026"
GCTX = Pointer("gctx_paddr", "", BOTH)
GUEST = Pointer("gctx_paddr", "", IN)


def _row(
    number: CommandId,
    buffer: str,
    *pointers: Pointer,
    direction: Direction = IN,
    source: str = MCMD,
) -> Command:
    return Command(number, buffer, pointers, direction, source)


COMMANDS: dict[CommandId, Command] = {
    command.id: command
    for command in (
        _row(CommandId.PLATFORM_STATUS, "sev-platform-status", direction=OUT),
        _row(
            CommandId.RING_BUFFER,
            "cmd-ring-buffer",
            Pointer("low_priority_cmd_ptr", "cmd-ring-command", IN),
            Pointer("low_priority_status_ptr", "cmd-ring-status", OUT),
            Pointer("high_priority_cmd_ptr", "cmd-ring-command", IN),
            Pointer("high_priority_status_ptr", "cmd-ring-status", OUT),
        ),
        _row(CommandId.SNP_INIT, ""),
        _row(CommandId.SNP_SHUTDOWN, ""),
        _row(
            CommandId.SNP_PLATFORM_STATUS,
            "cmd-platform-status",
            Pointer("status_paddr", "platform-status", OUT),
        ),
        _row(CommandId.SNP_DF_FLUSH, ""),
        _row(CommandId.SNP_INIT_EX, "cmd-init-ex", Pointer("list_paddr", "range-list", IN)),
        _row(CommandId.SNP_SHUTDOWN_EX, "cmd-shutdown-ex"),
        _row(CommandId.SNP_DECOMMISSION, "cmd-decommission", GCTX),
        _row(CommandId.SNP_ACTIVATE, "cmd-activate", GCTX),
        _row(
            CommandId.SNP_GUEST_STATUS,
            "cmd-guest-status",
            GUEST,
            Pointer("status_paddr", "guest-status", OUT),
        ),
        _row(CommandId.SNP_GCTX_CREATE, "cmd-gctx-create", Pointer("gctx_paddr", "", OUT)),
        _row(
            CommandId.SNP_GUEST_REQUEST,
            "cmd-guest-request",
            GCTX,
            Pointer("request_paddr", "message", IN),
            Pointer("response_paddr", "message", OUT),
        ),
        _row(CommandId.SNP_ACTIVATE_EX, "cmd-activate-ex", GCTX, Pointer("ids_paddr", "", IN)),
        _row(
            CommandId.SNP_HV_REPORT_REQ,
            "cmd-hv-report",
            GUEST,
            Pointer("hv_report_paddr", "report-rsp", OUT),
            source=PATCHES,
        ),
        _row(
            CommandId.SNP_LAUNCH_START,
            "cmd-launch-start",
            GCTX,
            Pointer("ma_gctx_paddr", "", IN),
        ),
        _row(
            CommandId.SNP_LAUNCH_UPDATE, "cmd-launch-update", GCTX, Pointer("page_paddr", "", BOTH)
        ),
        _row(
            CommandId.SNP_LAUNCH_FINISH,
            "cmd-launch-finish",
            GCTX,
            Pointer("id_block_paddr", "idblock", IN),
            Pointer("id_auth_paddr", "idauth", IN),
        ),
        *(
            _row(
                number,
                "cmd-dbg",
                GUEST,
                Pointer("src_paddr", "", IN),
                Pointer("dst_paddr", "", OUT),
            )
            for number in (CommandId.SNP_DBG_DECRYPT, CommandId.SNP_DBG_ENCRYPT)
        ),
        _row(
            CommandId.SNP_VERIFY_MITIGATION,
            "cmd-mitigation",
            Pointer("src_paddr", "", IN),
            Pointer("dst_paddr", "mitigation-status", OUT),
            source=PATCHES,
        ),
        _row(
            CommandId.SNP_PAGE_SWAP_OUT,
            "cmd-page-swap-out",
            GCTX,
            Pointer("src_paddr", "", IN),
            Pointer("dst_paddr", "", OUT),
            Pointer("mdata_paddr", "metadata-entry", OUT),
        ),
        _row(
            CommandId.SNP_PAGE_SWAP_IN,
            "cmd-page-swap-in",
            GCTX,
            Pointer("src_paddr", "", IN),
            Pointer("dst_paddr", "", OUT),
            Pointer("mdata_paddr", "metadata-entry", BOTH),
        ),
        _row(
            CommandId.SNP_PAGE_MOVE,
            "cmd-page-move",
            GUEST,
            Pointer("src_paddr", "", IN),
            Pointer("dst_paddr", "", OUT),
        ),
        _row(CommandId.SNP_PAGE_MD_INIT, "cmd-page-md-init", GUEST, Pointer("page_paddr", "", OUT)),
        _row(
            CommandId.SNP_PAGE_SET_STATE,
            "cmd-page-set-state",
            Pointer("list_paddr", "range-list", IN),
        ),
        _row(CommandId.SNP_PAGE_RECLAIM, "cmd-page-reclaim"),
        _row(CommandId.SNP_PAGE_UNSMASH, "cmd-page-unsmash", Pointer("page_paddr", "", IN)),
        _row(CommandId.SNP_CONFIG, "cmd-config"),
        _row(CommandId.SNP_DOWNLOAD_FIRMWARE_EX, "cmd-download-ex", Pointer("fw_paddr", "", IN)),
        _row(CommandId.SNP_COMMIT, "cmd-commit"),
        _row(
            CommandId.SNP_VLEK_LOAD,
            "cmd-vlek-load",
            Pointer("vlek_wrapped_paddr", "vlek-wrapped", IN),
        ),
        _row(
            CommandId.SNP_FEATURE_INFO,
            "cmd-feature-info",
            Pointer("feature_info_paddr", "feature-info", OUT),
        ),
    )
}


OTHER_LAYOUTS: dict[CommandId, tuple[str, ...]] = {
    CommandId.SNP_ACTIVATE: ("cmd-activate-padded",),
}
"""Kinds of a buffer that not everybody lays out as its command's row says."""


def buffer_kind(command_id: int, size: int | None = None) -> Kind | None:
    """Return the kind of a command's buffer; None where it has none, or none is declared.

    *command_id* is any number, as a log or a register gives it. The buffer is what the firmware
    reads when the command begins; where ``COMMANDS[...].direction`` is not ``in``, the same bytes
    hold the answer afterwards, so that a driver's dumps before and after it are of this one kind.
    *size* chooses among layouts where there are several; one that none has chooses the first,
    which is Linux's: whether the bytes fit is the reader's to ask (``kind.type.fits``).
    """
    number = CommandId(command_id)
    command = COMMANDS.get(number)
    if command is None or not command.buffer:
        return None
    kinds = [kind_named(name) for name in (command.buffer, *OTHER_LAYOUTS.get(number, ()))]
    return next((kind for kind in kinds if size is not None and kind.type.fits(size)), kinds[0])
