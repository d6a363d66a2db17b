"""Commands of the secure processor's firmware with their buffers, by number or name.

The buffers of SEV-TIO are not declared, so ``COMMANDS`` lacks its commands; all others are in it,
including those without a buffer.
"""

from __future__ import annotations

from ..bits import integer, nearest
from ..errors import UsageError, cut, shown
from ..numeral import reading, readings
from .command import (
    BOTH,
    OUT,
    Command,
    CommandId,
    Pointer,
    Transfer,
    changes,
    command,
    reads,
    writes,
)
from .command import CommandId as Id

__all__ = [
    "COMMANDS",
    "OTHER_LAYOUTS",
    "Command",
    "CommandId",
    "Pointer",
    "Transfer",
    "command_named",
]

DISPATCH = "AMD-ASPFW sev_dispatch.c"
SEND = (writes("hdr_paddr"), reads("guest_paddr"), writes("trans_paddr"))
RECEIVE = (reads("hdr_paddr"), writes("guest_paddr"), reads("trans_paddr"))
COPY = (reads("src_paddr"), writes("dst_paddr"))

SEV = (
    command(Id.INIT, "cmd-sev-init", changes("tmr_paddr")),
    command(Id.SHUTDOWN),
    command(Id.PLATFORM_RESET),
    command(Id.PEK_GEN),
    command(
        Id.PEK_CSR,
        "cmd-sev-pek-csr",
        writes("pek_csr_paddr"),
        direction=BOTH,
        on_length=True,
    ),
    command(
        Id.PEK_CERT_IMPORT,
        "cmd-sev-pek-cert-import",
        reads("pek_cert_paddr"),
        reads("oca_cert_paddr"),
    ),
    command(
        Id.PDH_CERT_EXPORT,
        "cmd-sev-pdh-cert-export",
        writes("pdh_cert_paddr"),
        writes("cert_chain_paddr"),
        direction=BOTH,
        on_length=True,
    ),
    command(Id.PDH_GEN),
    command(Id.DF_FLUSH),
    command(Id.DOWNLOAD_FIRMWARE, "cmd-sev-download", reads("firmware_paddr")),
    command(Id.GET_ID, "cmd-sev-get-id", writes("id_paddr"), direction=BOTH, on_length=True),
    command(Id.INIT_EX, "cmd-sev-init-ex", changes("tmr_paddr"), changes("nv_paddr")),
    command(Id.NOP),
    command(Id.DECOMMISSION, "cmd-sev-handle"),
    command(Id.ACTIVATE, "cmd-sev-activate"),
    command(Id.DEACTIVATE, "cmd-sev-handle"),
    command(Id.GUEST_STATUS, "cmd-sev-guest-status", direction=BOTH),
    command(Id.COPY, "cmd-sev-copy", *COPY),
    command(Id.ACTIVATE_EX, "cmd-sev-activate-ex", reads("ids_paddr")),
    command(
        Id.LAUNCH_START,
        "cmd-sev-launch-start",
        reads("dh_cert_paddr"),
        reads("session_paddr"),
        direction=BOTH,
    ),
    command(Id.LAUNCH_UPDATE_DATA, "cmd-sev-launch-update", changes("paddr")),
    command(Id.LAUNCH_UPDATE_VMSA, "cmd-sev-launch-update", changes("paddr", "vmsa")),
    command(
        Id.LAUNCH_MEASURE,
        "cmd-sev-launch-measure",
        writes("measure_paddr"),
        direction=BOTH,
        on_length=True,
    ),
    command(Id.LAUNCH_SECRET, "cmd-sev-transport", *RECEIVE),
    command(Id.LAUNCH_FINISH, "cmd-sev-handle"),
    command(
        Id.ATTESTATION,
        "cmd-sev-attestation",
        writes("paddr", "sev-report"),
        direction=BOTH,
        on_length=True,
    ),
    command(
        Id.SEND_START,
        "cmd-sev-send-start",
        reads("pdh_cert_paddr"),
        reads("plat_certs_paddr"),
        reads("amd_certs_paddr"),
        writes("session_paddr"),
        direction=BOTH,
        on_length=True,
    ),
    command(Id.SEND_UPDATE_DATA, "cmd-sev-transport", *SEND, direction=BOTH, on_length=True),
    command(Id.SEND_UPDATE_VMSA, "cmd-sev-transport", *SEND, direction=BOTH, on_length=True),
    command(Id.SEND_FINISH, "cmd-sev-handle"),
    command(Id.SEND_CANCEL, "cmd-sev-handle"),
    command(
        Id.RECEIVE_START,
        "cmd-sev-receive-start",
        reads("pdh_cert_paddr"),
        reads("session_paddr"),
        direction=BOTH,
    ),
    command(Id.RECEIVE_UPDATE_DATA, "cmd-sev-transport", *RECEIVE),
    command(Id.RECEIVE_UPDATE_VMSA, "cmd-sev-transport", *RECEIVE),
    command(Id.RECEIVE_FINISH, "cmd-sev-handle"),
    command(Id.DBG_DECRYPT, "cmd-sev-dbg", *COPY),
    command(Id.DBG_ENCRYPT, "cmd-sev-dbg", *COPY),
    command(
        Id.SWAP_OUT,
        "cmd-sev-swap-out",
        *COPY,
        writes("mdata_paddr", "sev-swap-mdata"),
        direction=BOTH,
        on_length=True,
    ),
    command(Id.SWAP_IN, "cmd-sev-swap-in", *COPY, changes("mdata_paddr", "sev-swap-mdata")),
)
PATCHES = "patches to Linux, 2025 and 2026"
GCTX = changes("gctx_paddr")
GUEST = reads("gctx_paddr")

SNP = (
    command(Id.PLATFORM_STATUS, "sev-platform-status", direction=OUT),
    command(
        Id.RING_BUFFER,
        "cmd-ring-buffer",
        reads("low_priority_cmd_ptr", "cmd-ring-command"),
        writes("low_priority_status_ptr", "cmd-ring-status"),
        reads("high_priority_cmd_ptr", "cmd-ring-command"),
        writes("high_priority_status_ptr", "cmd-ring-status"),
    ),
    command(Id.SNP_INIT),
    command(Id.SNP_SHUTDOWN),
    command(
        Id.SNP_PLATFORM_STATUS,
        "cmd-platform-status",
        writes("status_paddr", "platform-status"),
    ),
    command(Id.SNP_DF_FLUSH),
    command(Id.SNP_INIT_EX, "cmd-init-ex", reads("list_paddr", "range-list")),
    command(Id.SNP_SHUTDOWN_EX, "cmd-shutdown-ex"),
    command(Id.SNP_DECOMMISSION, "cmd-decommission", GCTX),
    command(Id.SNP_ACTIVATE, "cmd-activate", GCTX),
    command(
        Id.SNP_GUEST_STATUS,
        "cmd-guest-status",
        GUEST,
        writes("status_paddr", "guest-status"),
    ),
    command(Id.SNP_GCTX_CREATE, "cmd-gctx-create", writes("gctx_paddr")),
    command(
        Id.SNP_GUEST_REQUEST,
        "cmd-guest-request",
        GCTX,
        reads("request_paddr", "message"),
        writes("response_paddr", "message"),
    ),
    command(Id.SNP_ACTIVATE_EX, "cmd-activate-ex", GCTX, reads("ids_paddr")),
    command(
        Id.SNP_HV_REPORT_REQ,
        "cmd-hv-report",
        GUEST,
        writes("hv_report_paddr", "report-rsp"),
        source=PATCHES,
    ),
    command(
        Id.SNP_LAUNCH_START,
        "cmd-launch-start",
        GCTX,
        reads("ma_gctx_paddr"),
    ),
    command(Id.SNP_LAUNCH_UPDATE, "cmd-launch-update", GCTX, changes("page_paddr")),
    command(
        Id.SNP_LAUNCH_FINISH,
        "cmd-launch-finish",
        GCTX,
        reads("id_block_paddr", "idblock"),
        reads("id_auth_paddr", "idauth"),
    ),
    *(
        command(
            number,
            "cmd-dbg",
            GUEST,
            reads("src_paddr"),
            writes("dst_paddr"),
        )
        for number in (Id.SNP_DBG_DECRYPT, Id.SNP_DBG_ENCRYPT)
    ),
    command(
        Id.SNP_VERIFY_MITIGATION,
        "cmd-mitigation",
        reads("src_paddr"),
        writes("dst_paddr", "mitigation-status"),
        source=PATCHES,
    ),
    command(
        Id.SNP_PAGE_SWAP_OUT,
        "cmd-page-swap-out",
        GCTX,
        reads("src_paddr"),
        writes("dst_paddr"),
        writes("mdata_paddr", "metadata-entry"),
    ),
    command(
        Id.SNP_PAGE_SWAP_IN,
        "cmd-page-swap-in",
        GCTX,
        reads("src_paddr"),
        writes("dst_paddr"),
        changes("mdata_paddr", "metadata-entry"),
    ),
    command(
        Id.SNP_PAGE_MOVE,
        "cmd-page-move",
        GUEST,
        reads("src_paddr"),
        writes("dst_paddr"),
    ),
    command(Id.SNP_PAGE_MD_INIT, "cmd-page-md-init", GUEST, writes("page_paddr")),
    command(
        Id.SNP_PAGE_SET_STATE,
        "cmd-page-set-state",
        reads("list_paddr", "range-list"),
    ),
    command(Id.SNP_PAGE_RECLAIM, "cmd-page-reclaim"),
    command(Id.SNP_PAGE_UNSMASH, "cmd-page-unsmash", reads("page_paddr")),
    command(Id.SNP_CONFIG, "cmd-config"),
    command(Id.SNP_DOWNLOAD_FIRMWARE_EX, "cmd-download-ex", reads("fw_paddr")),
    command(Id.SNP_COMMIT, "cmd-commit"),
    command(Id.SNP_DLFW_CONTINUE),
    command(
        Id.SNP_VLEK_LOAD,
        "cmd-vlek-load",
        reads("vlek_wrapped_paddr", "vlek-wrapped"),
    ),
    command(
        Id.SNP_FEATURE_INFO,
        "cmd-feature-info",
        writes("feature_info_paddr", "feature-info"),
    ),
)


COMMANDS: dict[CommandId, Command] = {
    command.id: command for command in (*SNP, *(row._replace(source=DISPATCH) for row in SEV))
}
"""Every command whose buffer is known, or known not to exist."""

LISTED = "a number as in 0x94, or a name as in SNP_GUEST_REQUEST"

OTHER_LAYOUTS: dict[CommandId, tuple[str, ...]] = {
    CommandId.SNP_ACTIVATE: ("cmd-activate-padded",),
}
"""Other kinds of a buffer, for a layout that is disputed."""


def _number(text: str) -> int:
    """Return the number of a command, by the rule for numbers. Raises ValueError and UsageError."""
    if text.startswith("-") or not readings(text):
        return integer(text)
    return reading(text, possible=lambda value: CommandId(value).known).value


def command_named(text: str) -> CommandId:
    """Return the command of a number or a name, in any case.

    Raises UsageError, with the nearest commands.
    """
    name = text.upper().replace("-", "_").removeprefix("SEV_CMD_")
    if name in CommandId.__members__:
        return CommandId[name]
    if text[:1].isalpha() and (known := CommandId.spelt(text)) is not None:
        return known
    try:
        number = _number(text)
    except ValueError:
        hint = nearest(name, CommandId.__members__)
        raise UsageError(f"there is no command {shown(text)}", help=hint or LISTED) from None
    if CommandId(number).known:
        return CommandId(number)
    below = [known for known in CommandId if known < number][-1:]
    above = [known for known in CommandId if known > number][:1]
    hint = " and ".join(f"{int(known):#04x} {known.name}" for known in below + above)
    raise UsageError(f"no command has the number {cut(text)}", help=f"beside it: {hint}")
