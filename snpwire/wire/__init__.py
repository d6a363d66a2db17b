"""Declarations of everything on the wire, and the table of the kinds a person can name.

The command line, the tests and the documentation are driven by ``RECORDS``. A row names its class
as text, so that one decode imports one chapter.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from ..bits import nearest
from ..errors import UsageError

if TYPE_CHECKING:
    from ..block import Block
    from ..layout import Record

__all__ = ["RECORDS", "Kind", "kind"]


class Kind(NamedTuple):
    """A structure by the name a person calls it."""

    name: str
    home: str
    """``module:Class`` below ``snpwire.wire``."""
    title: str

    @property
    def type(self) -> type[Record] | type[Block]:
        """Return the class, importing its module."""
        module, _, name = self.home.partition(":")
        found: type[Record] | type[Block] = getattr(import_module(f".{module}", __name__), name)
        return found


RECORDS: dict[str, Kind] = {
    name: Kind(name, home, title)
    for name, home, title in (
        ("ghcb", "ghcb:Page", "GHCB page"),
        ("ghcb-hyperv", "ghcb:HypervPage", "GHCB page of a Hyper-V hypercall (usage 1)"),
        ("msr", "msr:Msr", "GHCB MSR value, eight bytes"),
        ("psc", "psc:PscBuffer", "page state change buffer: header and entries"),
        ("certs", "certs:CertTable", "certificate table of an extended guest request"),
        ("hv", "doorbell:DoorbellPage", "#HV doorbell page"),
        ("hv-ext-int", "doorbell:ExtIntInfo", "#HV descriptor of one VMPL"),
        ("apic-ids", "apic:ApicIdList", "APIC ID list"),
        ("ap-jump-table", "boot:ApJumpTable", "AP jump table"),
        ("cc-blob", "boot:CcBlob", "confidential computing blob"),
        ("tio-blob", "certs:TioBlobEntry", "SEV-TIO blob table entry"),
        ("svsm-caa", "svsm:Caa", "SVSM calling area"),
        ("svsm-pvalidate", "svsm:PvalidateRequest", "SVSM PVALIDATE request"),
        ("svsm-attest", "svsm:AttestServices", "SVSM attestation request, all services"),
        ("svsm-attest-single", "svsm:AttestSingleService", "SVSM attestation request, one service"),
        ("svsm-manifest", "svsm:ServicesManifest", "SVSM services manifest"),
        ("svsm-vtpm-req", "svsm:VtpmRequest", "SVSM vTPM command"),
        ("svsm-vtpm-rsp", "svsm:VtpmResponse", "SVSM vTPM response"),
        ("message", "message:MessagePage", "guest message: header and sealed payload"),
        ("report", "report:Report", "attestation report"),
        ("secrets", "secrets:SecretsPage", "secrets page"),
        ("cpuid", "cpuid:CpuidPage", "CPUID page"),
        ("vmsa", "vmsa:Vmsa", "save area of a virtual processor"),
        ("idblock", "launch:IdBlock", "ID block"),
        ("idauth", "launch:IdAuth", "ID authentication page"),
        ("cpuid-req", "cpuid:CpuidReq", "guest message payload: CPUID request"),
        ("cpuid-rsp", "cpuid:CpuidRsp", "guest message payload: CPUID answer"),
        ("key-req", "key:KeyReq", "guest message payload: key request"),
        ("key-req-v2", "key:KeyReqV2", "guest message payload: key request, version 2"),
        ("key-rsp", "key:KeyRsp", "guest message payload: key answer"),
        ("report-req", "report:ReportReq", "guest message payload: report request"),
        ("report-rsp", "report:ReportRsp", "guest message payload: report answer"),
        ("export-req", "migration:ExportReq", "guest message payload: export request"),
        ("export-rsp", "migration:ExportRsp", "guest message payload: export answer"),
        ("import-req", "migration:ImportReq", "guest message payload: import request"),
        ("absorb-req", "migration:AbsorbReq", "guest message payload: absorb request"),
        (
            "absorb-noma-req",
            "migration:AbsorbNomaReq",
            "guest message payload: absorb request without a migration agent",
        ),
        ("vmrk-req", "migration:VmrkReq", "guest message payload: VM root key request"),
        (
            "status-rsp",
            "migration:StatusRsp",
            "guest message payload: answer to import, absorb and VM root key",
        ),
        ("tsc-req", "tsc:TscInfoReq", "guest message payload: TSC request"),
        ("tsc-rsp", "tsc:TscInfoRsp", "guest message payload: TSC answer"),
        ("guest-context", "migration:GuestContext", "guest context, as exported"),
        ("cmd-ring-buffer", "mailbox:RingBuffer", "command buffer: RING_BUFFER"),
        ("cmd-ring-command", "mailbox:RingCommand", "command in a ring"),
        ("cmd-ring-status", "mailbox:RingStatus", "status of a command in a ring"),
        ("cmd-init-ex", "platform:InitEx", "command buffer: SNP_INIT_EX"),
        ("cmd-shutdown-ex", "platform:ShutdownEx", "command buffer: SNP_SHUTDOWN_EX"),
        (
            "cmd-platform-status",
            "platform:PlatformStatusCommand",
            "command buffer: SNP_PLATFORM_STATUS",
        ),
        ("platform-status", "platform:PlatformStatus", "answer of SNP_PLATFORM_STATUS"),
        ("cmd-config", "platform:Config", "command buffer: SNP_CONFIG"),
        ("cmd-commit", "platform:Commit", "command buffer: SNP_COMMIT"),
        ("range-list", "platform:RangeList", "ranges of pages that are to be HV_FIXED"),
        (
            "sev-platform-status",
            "platform:SevPlatformStatus",
            "command buffer and answer: PLATFORM_STATUS of SEV",
        ),
        ("cmd-download-ex", "firmware:DownloadFirmwareEx", "command buffer: firmware update"),
        ("cmd-vlek-load", "firmware:VlekLoad", "command buffer: SNP_VLEK_LOAD"),
        ("vlek-wrapped", "firmware:VlekWrapped", "wrapped VLEK"),
        ("cmd-feature-info", "firmware:FeatureInfoCommand", "command buffer: SNP_FEATURE_INFO"),
        ("feature-info", "firmware:FeatureInfo", "answer of SNP_FEATURE_INFO"),
        ("cmd-mitigation", "firmware:VerifyMitigation", "command buffer: SNP_VERIFY_MITIGATION"),
        ("mitigation-status", "firmware:MitigationStatus", "answer of SNP_VERIFY_MITIGATION"),
        ("cmd-hv-report", "firmware:HvReportReq", "command buffer: SNP_HV_REPORT_REQ"),
        ("cmd-gctx-create", "launch_commands:GctxCreate", "command buffer: SNP_GCTX_CREATE"),
        ("cmd-decommission", "launch_commands:Decommission", "command buffer: SNP_DECOMMISSION"),
        ("cmd-activate", "launch_commands:Activate", "command buffer: SNP_ACTIVATE"),
        (
            "cmd-activate-padded",
            "launch_commands:ActivatePadded",
            "command buffer: SNP_ACTIVATE, as AMD-ASPFW reads it",
        ),
        ("cmd-activate-ex", "launch_commands:ActivateEx", "command buffer: SNP_ACTIVATE_EX"),
        (
            "cmd-guest-status",
            "launch_commands:GuestStatusCommand",
            "command buffer: SNP_GUEST_STATUS",
        ),
        ("guest-status", "launch_commands:GuestStatus", "answer of SNP_GUEST_STATUS"),
        ("cmd-launch-start", "launch_commands:LaunchStart", "command buffer: SNP_LAUNCH_START"),
        ("cmd-launch-update", "launch_commands:LaunchUpdate", "command buffer: SNP_LAUNCH_UPDATE"),
        ("cmd-launch-finish", "launch_commands:LaunchFinish", "command buffer: SNP_LAUNCH_FINISH"),
        ("cmd-guest-request", "launch_commands:GuestRequest", "command buffer: SNP_GUEST_REQUEST"),
        ("cmd-dbg", "launch_commands:Dbg", "command buffer: SNP_DBG_DECRYPT, SNP_DBG_ENCRYPT"),
        ("page-info", "launch_commands:PageInfo", "what is hashed for a page of a launch"),
        ("cmd-page-swap-out", "page_commands:SwapOut", "command buffer: SNP_PAGE_SWAP_OUT"),
        ("cmd-page-swap-in", "page_commands:SwapIn", "command buffer: SNP_PAGE_SWAP_IN"),
        ("cmd-page-move", "page_commands:Move", "command buffer: SNP_PAGE_MOVE"),
        ("cmd-page-md-init", "page_commands:MdInit", "command buffer: SNP_PAGE_MD_INIT"),
        ("cmd-page-set-state", "page_commands:SetState", "command buffer: SNP_PAGE_SET_STATE"),
        ("cmd-page-reclaim", "page_commands:Reclaim", "command buffer: SNP_PAGE_RECLAIM"),
        ("cmd-page-unsmash", "page_commands:Unsmash", "command buffer: SNP_PAGE_UNSMASH"),
        ("metadata-entry", "migration:MetadataEntry", "what is kept of a page swapped out"),
        ("cmd-sev-init", "sev_commands:SevInit", "command buffer: INIT of SEV"),
        ("cmd-sev-init-ex", "sev_commands:SevInitEx", "command buffer: INIT_EX of SEV"),
        ("cmd-sev-pek-csr", "sev_commands:PekCsr", "command buffer: PEK_CSR of SEV"),
        (
            "cmd-sev-pek-cert-import",
            "sev_commands:PekCertImport",
            "command buffer: PEK_CERT_IMPORT of SEV",
        ),
        (
            "cmd-sev-pdh-cert-export",
            "sev_commands:PdhCertExport",
            "command buffer: PDH_CERT_EXPORT of SEV",
        ),
        (
            "cmd-sev-download",
            "sev_commands:SevDownload",
            "command buffer: DOWNLOAD_FIRMWARE of SEV",
        ),
        ("cmd-sev-get-id", "sev_commands:SevGetId", "command buffer: GET_ID of SEV"),
        ("cmd-sev-handle", "sev_commands:SevHandle", "command buffer: a guest of SEV and no more"),
        ("cmd-sev-activate", "sev_commands:SevActivate", "command buffer: ACTIVATE of SEV"),
        ("cmd-sev-activate-ex", "sev_commands:SevActivateEx", "command buffer: ACTIVATE_EX of SEV"),
        (
            "cmd-sev-guest-status",
            "sev_commands:SevGuestStatus",
            "command buffer and answer: GUEST_STATUS of SEV",
        ),
        ("cmd-sev-copy", "sev_commands:SevCopy", "command buffer: COPY of SEV"),
        (
            "cmd-sev-launch-start",
            "sev_commands:SevLaunchStart",
            "command buffer: LAUNCH_START of SEV",
        ),
        (
            "cmd-sev-launch-update",
            "sev_commands:SevLaunchUpdate",
            "command buffer: LAUNCH_UPDATE_DATA, _VMSA of SEV",
        ),
        (
            "cmd-sev-launch-measure",
            "sev_commands:SevLaunchMeasure",
            "command buffer: LAUNCH_MEASURE of SEV",
        ),
        ("cmd-sev-transport", "sev_commands:SevTransport", "command buffer: a packet of SEV"),
        (
            "cmd-sev-attestation",
            "sev_commands:SevAttestation",
            "command buffer: ATTESTATION of SEV",
        ),
        ("sev-report", "sev_commands:SevReport", "answer of ATTESTATION of SEV"),
        ("cmd-sev-send-start", "sev_commands:SevSendStart", "command buffer: SEND_START of SEV"),
        (
            "cmd-sev-receive-start",
            "sev_commands:SevReceiveStart",
            "command buffer: RECEIVE_START of SEV",
        ),
        ("cmd-sev-dbg", "sev_commands:SevDbg", "command buffer: DBG_DECRYPT, DBG_ENCRYPT of SEV"),
        ("cmd-sev-swap-out", "sev_commands:SevSwapOut", "command buffer: SWAP_OUT of SEV"),
        ("cmd-sev-swap-in", "sev_commands:SevSwapIn", "command buffer: SWAP_IN of SEV"),
        (
            "sev-swap-mdata",
            "sev_commands:SevSwapMdata",
            "what is kept of a page swapped out, of SEV",
        ),
        ("rmp", "rmp:RmpEntry", "entry of the reverse map table, as in memory"),
        ("rmpread", "rmp:RmpOperand", "entry of the reverse map table, as RMPREAD writes it"),
        ("rmpupdate", "rmp:RmpOperand", "operand of RMPUPDATE"),
        ("rst", "rmp:SegmentTable", "segment table of the reverse map table"),
        ("vmpl-masks", "rmp:VmplMasks", "rights of the four privilege levels"),
    )
}


def kind(name: str) -> Kind:
    """Return the kind called *name*. Raises UsageError, with the nearest one, if there is none."""
    try:
        return RECORDS[name]
    except KeyError:
        if name == "command":
            hint = "decode, encode and diff take it with --id; each buffer is a kind, cmd-..., too"
            raise UsageError("a command is of many kinds", help=hint) from None
        some = " ".join(list(RECORDS)[:20])
        hint = nearest(name, RECORDS) or f"kinds are: {some} and more; decode --help has all"
        raise UsageError(f"there is no kind {name!r}", help=hint) from None
