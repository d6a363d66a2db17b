"""Commands for the firmware itself: its update, its features, its keys.

SNP_VERIFY_MITIGATION and SNP_HV_REPORT_REQ are known only from patches to Linux of 2025 and 2026;
AMD-ASPFW 1.55.25 has neither.
"""

from __future__ import annotations

from construct import Bytes, Int8ul, Int16ul, Int32ul, Int64ul

from ..bits import Flags, OpenEnum, Word, bit, bits
from ..codec import as_enum, as_word
from ..layout import Record, at
from .key import KeySel

MCMD = "56860 (AMD-ASPFW sev_mcmd.h)"
PATCHES = "56860, ABI 1.58 (patches to Linux, 2025 and 2026)"


class DownloadFlags(Flags, width=32, spec=f"{MCMD}, SNP_DOWNLOAD_FIRMWARE_EX"):
    """Actions after a firmware update."""

    commit = bit(0, "Commit the firmware once the update has succeeded")


class DownloadFirmwareEx(Record, size=0x18, spec=f"{MCMD}, SNP_DOWNLOAD_FIRMWARE_EX"):
    """Command buffer of SNP_DOWNLOAD_FIRMWARE_EX: a firmware image."""

    length: int = at(0x00, Int32ul, "Length of this command buffer: 0x18; AMD-ASPFW ignores it")
    fw_paddr: int = at(0x08, Int64ul, "Physical address of the firmware image, a multiple of 32")
    fw_len: int = at(0x10, Int32ul, "Length of the firmware image in bytes")
    flags: DownloadFlags = at(0x14, as_word(DownloadFlags), "Actions after the update")


class VlekLoad(Record, size=0x10, spec=f"{MCMD}, SNP_VLEK_LOAD"):
    """Command buffer of SNP_VLEK_LOAD: a wrapped VLEK."""

    length: int = at(0x0, Int32ul, "Length of this command buffer: 0x10")
    vlek_wrapped_version: int = at(0x4, Int8ul, "Version of the wrapped VLEK's layout: 0")
    vlek_wrapped_paddr: int = at(0x8, Int64ul, "Physical address of the wrapped VLEK")


class VlekWrapped(Record, size=0x1B0, spec="56860 (AMD-ASPFW sev_rmp.h)"):
    """Wrapped VLEK, sealed for one chip by AMD's server with AES-256-GCM.

    The sixteen bytes from ``tcb_version`` on are authenticated too.
    """

    iv: bytes = at(0x000, Bytes(12), "Nonce (IV) of AES-256-GCM")
    vlek_wrapped: bytes = at(0x010, Bytes(384), "Encrypted VLEK hashes: eight of 48 bytes")
    tcb_version: int = at(0x190, Int64ul, "TCB version the VLEK is for: the reported TCB")
    vlek_auth_tag: bytes = at(0x1A0, Bytes(16), "Authentication tag of the wrapped VLEK")


class FeatureInfoCommand(Record, size=0x10, spec=f"{MCMD}, SNP_FEATURE_INFO"):
    """Command buffer of SNP_FEATURE_INFO: the leaf to report, and its destination."""

    length: int = at(0x0, Int32ul, "Length of this command buffer: 0x10")
    ecx_in: int = at(0x4, Int32ul, "Feature leaf to report: 0 or 1")
    feature_info_paddr: int = at(
        0x8, Int64ul, "Physical address of 16 bytes in one page, a multiple of 4"
    )


class FeatureEbx(Flags, width=32, spec=f"{MCMD}; newer Linux psp-sev.h"):
    """Supported command families, in EBX of leaf 0."""

    legacy_sev = bit(0, "SEV and SEV-ES commands are supported")
    sev_tio = bit(1, "SEV-TIO commands are supported (newer firmware)")


class FeatureEcx(Flags, width=32, spec=f"{MCMD}, bits 0 and 1; newer Linux psp-sev.h"):
    """Supported features, in ECX of leaf 0."""

    vlek = bit(0, "VLEKs are supported")
    x86_snp_shutdown = bit(1, "SNP can be disabled on the x86 cores")
    rapl_dis = bit(2, "RAPL energy counters can be disabled")
    ciphertext_hiding = bit(3, "Ciphertext hiding is supported")
    aes_256_xts_policy = bit(4, "The guest policy can require AES-256-XTS")
    cxl_allow_policy = bit(5, "The guest policy can allow CXL")
    verify_mitigation = bit(13, "SNP_VERIFY_MITIGATION is supported")


class FeatureInfo(Record, size=0x10, spec=f"{MCMD}, SNP_FEATURE_INFO; CPUID 0x80000024"):
    """Feature leaf written by SNP_FEATURE_INFO; ebx and ecx of leaf 1 are zero."""

    eax: int = at(0x0, Int32ul, "Leaf 0: highest leaf; leaf 1: supported guest messages as bits")
    ebx: FeatureEbx = at(0x4, as_word(FeatureEbx), "Supported command families")
    ecx: FeatureEcx = at(0x8, as_word(FeatureEcx), "Supported firmware features")
    edx: int = at(0xC, Int32ul, "EDX of the feature leaf, reserved")


class MitigationSubcommand(OpenEnum):
    """Operation of SNP_VERIFY_MITIGATION."""

    REQ_STATUS = 0, "report the supported and the verified mitigations"
    REQ_VERIFY = 1, "verify the mitigations in the vector"


class MitigationFlags(Flags, width=32, spec=PATCHES):
    """Flags of the valid addresses."""

    dst_paddr_en = bit(0, "dst_paddr is valid")
    src_paddr_en = bit(1, "src_paddr is valid")


class VerifyMitigation(Record, size=0x40, spec=f"{PATCHES}, SNP_VERIFY_MITIGATION"):
    """Command buffer of SNP_VERIFY_MITIGATION."""

    length: int = at(0x00, Int32ul, "Length of this command buffer: 0x40")
    subcommand: MitigationSubcommand = at(
        0x04, as_enum(MitigationSubcommand, Int16ul), "Operation: report or verify mitigations"
    )
    vector: int = at(0x08, Int64ul, "Mitigation vector, a bit for each mitigation")
    flags: MitigationFlags = at(0x10, as_word(MitigationFlags), "Flags of the valid addresses")
    src_paddr: int = at(0x18, Int64ul, "Physical address of the data to verify")
    dst_paddr: int = at(0x20, Int64ul, "Physical address for the mitigation status")


class MitigationStatus(Record, size=0x14, spec=f"{PATCHES}, SNP_VERIFY_MITIGATION"):
    """Mitigation status written by SNP_VERIFY_MITIGATION."""

    mit_verified_vector: int = at(0x00, Int64ul, "Vector of verified mitigations")
    mit_supported_vector: int = at(0x08, Int64ul, "Vector of mitigations the firmware supports")
    mit_failure_status: int = at(0x10, Int32ul, "Cause of a failed verification, codes not known")


class HvReportSelect(Word, width=32, spec=PATCHES):
    """Key selection for a host-requested report, as in a report request."""

    key_sel = bits(0, 2, "Key that signs the report", KeySel)


class HvReportReq(Record, size=0x18, spec=f"{PATCHES}, SNP_HV_REPORT_REQ"):
    """Command buffer of SNP_HV_REPORT_REQ: a guest's report for the host."""

    length: int = at(0x00, Int32ul, "Length of this command buffer: 0x18")
    select: HvReportSelect = at(0x04, as_word(HvReportSelect), "Selection of the signing key")
    gctx_paddr: int = at(0x08, Int64ul, "Physical address of the guest context page")
    hv_report_paddr: int = at(0x10, Int64ul, "Physical address of a firmware page for the report")


KINDS = {
    "cmd-download-ex": DownloadFirmwareEx,
    "cmd-vlek-load": VlekLoad,
    "vlek-wrapped": VlekWrapped,
    "cmd-feature-info": FeatureInfoCommand,
    "feature-info": FeatureInfo,
    "cmd-mitigation": VerifyMitigation,
    "mitigation-status": MitigationStatus,
    "cmd-hv-report": HvReportReq,
}
