"""The commands of SEV without SNP, each with its buffer and what that points to.

What is written back is AMD-ASPFW's to say; INVALID_LENGTH comes with the length that is needed.
"""

from __future__ import annotations

from .command_id import CommandId as Id
from .command_row import BOTH, changes, command, reads, writes

DISPATCH = "AMD-ASPFW sev_dispatch.c"
SENT = (writes("hdr_paddr"), reads("guest_paddr"), writes("trans_paddr"))
RECEIVED = (reads("hdr_paddr"), writes("guest_paddr"), reads("trans_paddr"))
COPIED = (reads("src_paddr"), writes("dst_paddr"))

ROWS = (
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
    command(Id.COPY, "cmd-sev-copy", *COPIED),
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
    command(Id.LAUNCH_SECRET, "cmd-sev-transport", *RECEIVED),
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
    command(Id.SEND_UPDATE_DATA, "cmd-sev-transport", *SENT, direction=BOTH, on_length=True),
    command(Id.SEND_UPDATE_VMSA, "cmd-sev-transport", *SENT, direction=BOTH, on_length=True),
    command(Id.SEND_FINISH, "cmd-sev-handle"),
    command(Id.SEND_CANCEL, "cmd-sev-handle"),
    command(
        Id.RECEIVE_START,
        "cmd-sev-receive-start",
        reads("pdh_cert_paddr"),
        reads("session_paddr"),
        direction=BOTH,
    ),
    command(Id.RECEIVE_UPDATE_DATA, "cmd-sev-transport", *RECEIVED),
    command(Id.RECEIVE_UPDATE_VMSA, "cmd-sev-transport", *RECEIVED),
    command(Id.RECEIVE_FINISH, "cmd-sev-handle"),
    command(Id.DBG_DECRYPT, "cmd-sev-dbg", *COPIED),
    command(Id.DBG_ENCRYPT, "cmd-sev-dbg", *COPIED),
    command(
        Id.SWAP_OUT,
        "cmd-sev-swap-out",
        *COPIED,
        writes("mdata_paddr", "sev-swap-mdata"),
        direction=BOTH,
        on_length=True,
    ),
    command(Id.SWAP_IN, "cmd-sev-swap-in", *COPIED, changes("mdata_paddr", "sev-swap-mdata")),
)
SEV = tuple(row._replace(source=DISPATCH) for row in ROWS)
