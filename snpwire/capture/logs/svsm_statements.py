"""What COCONUT-SVSM says without numbers: that it starts, and what it lacks."""

from __future__ import annotations

from .statement import Statement, statement

HOST = "a kernel and a QEMU on the host that have SVSM support, such as the COCONUT trees"
_KEYS = "VMPCK0 is wiped: the SVSM gets no further report"
ROWS = (
    Statement(
        "svsm_version",
        "svsm-start",
        (
            "COCONUT Secure Virtual Machine Service Module Version {version:o}",
            "COCONUT Secure Virtual Machine Service Module (SVSM) Stage 2 Loader",
            "COCONUT Secure Virtual Machine Service Module (SVSM)",
        ),
        "COCONUT-SVSM starts",
        "it runs at VMPL 0, under firmware and kernel of the guest",
    ),
    Statement(
        "svsm_init",
        "svsm-start",
        (
            "[SVSM] Failed to launch /init",
            "[SVSM] ERROR: Failed to launch /init",
        ),
        "the SVSM has no user program /init",
        "harmless for a guest that needs none: the SVSM goes on",
        cause="the image was built without a file system, or without a user program in it",
        side="guest",
    ),
    Statement(
        "svsm_firmware",
        "svsm-start",
        ("[SVSM] Launching Firmware",),
        "the SVSM starts the guest's firmware",
        "what follows runs at a VMPL above 0",
    ),
    Statement(
        "svsm_seqno",
        "svsm-request",
        ("SNP_GUEST_REQUEST: sequence number overflow",),
        "sequence numbers used up",
        "no message may have a number twice",
        consequence=_KEYS,
        side="guest",
    ),
    Statement(
        "svsm_busy",
        "svsm-request",
        ("SNP_GUEST_REQ_ERR_BUSY. Aborting, request resend failed",),
        "guest request throttled twice",
        "the hypervisor is busy, and was when asked again",
        consequence=_KEYS,
        side="hypervisor",
    ),
    Statement(
        "svsm_length",
        "svsm-request",
        ("SNP_GUEST_REQ_INVALID_LEN. Aborting, request resend failed",),
        "certificates do not fit",
        "nor was the request answered without them",
        consequence=_KEYS,
        side="hypervisor",
    ),
    Statement(
        "svsm_certs",
        "svsm-request",
        ("SEV-SNP certificates not found. Make sure they were loaded from the host.",),
        "no certificates from the host",
        "the report itself is there",
        remedy="snphost import, or fetch them from AMD's key server",
    ),
    Statement(
        "svsm_pvalidate",
        "svsm-instruction",
        ("PVALIDATE: unexpected return value: {ret:d}",),
        "PVALIDATE returned {ret}",
        "no result that the SVSM knows",
        side="guest",
    ),
    Statement(
        "svsm_rmpadjust",
        "svsm-instruction",
        ("RMPADJUST: Unexpected return value: {ret:p}",),
        "RMPADJUST returned {ret}",
        "no result that the SVSM knows",
        side="guest",
    ),
    Statement(
        "svsm_needed",
        "svsm-panic",
        ("Required hypervisor GHCB features not available",),
        "hypervisor features missing",
        "the SVSM stops",
        remedy=HOST,
        side="hypervisor",
    ),
    Statement(
        "svsm_sev_needed",
        "svsm-panic",
        (
            "Required SEV features not available",
            "Unsupported SEV features enabled",
        ),
        "SEV features wrong",
        "the SVSM panics; which ones, a line before says",
        side="guest",
    ),
    Statement(
        "svsm_ghcb",
        "svsm-panic",
        ("Alternate injection required but not available",),
        "no alternate injection",
        "the launch asks for it, and the hypervisor has none",
        side="hypervisor",
    ),
    Statement(
        "svsm_c_bit",
        "svsm-panic",
        ("Cannot get C-Bit position from CPUID",),
        "no C-bit",
        "the CPUID page has no leaf 0x8000001f",
        side="hypervisor",
    ),
)
FORMATS = tuple(map(statement, ROWS))
