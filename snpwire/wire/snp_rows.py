"""The commands of SNP and of the mailbox, each with its buffer and what that points to."""

from __future__ import annotations

from .command_id import CommandId as Id
from .command_row import OUT, changes, command, reads, writes

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
