"""Judgements over decoded values: named checks that say what is wrong, where, and for whom.

A rule is a function that yields findings, and a module keeps its rules in tuples. The table below
names the tuple for each class, as text, so that judging a GHCB page imports what that page needs
and no more. A class that is not in the table is judged by ``record.RULES``, which fit every one.

A receiver refuses an error; over a warning implementations differ, or a mistake is likely; a note
is what correct senders do as well.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..context import BARE, Context
from ..errors import UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..finding import Finding

__all__ = ["TABLE", "findings"]

TABLE: dict[str, str] = {
    "ghcb:Page": "ghcb:RULES",
    "ghcb:HypervPage": "ghcb:HYPERV",
    "msr:Msr": "msr:RULES",
    "psc:PscBuffer": "psc:RULES",
    "certs:CertTable": "certs:RULES",
    "certs:TioBlobEntry": "certs:TIO",
    "doorbell:DoorbellPage": "others:DOORBELL",
    "doorbell:ExtIntInfo": "others:EXT_INT",
    "apic:ApicIdList": "others:APIC_IDS",
    "boot:CcBlob": "others:CC_BLOB",
    "svsm:Caa": "svsm:CAA",
    "svsm:PvalidateRequest": "svsm:PVALIDATE",
    "svsm:AttestServices": "svsm:ATTEST",
    "svsm:AttestSingleService": "svsm:ATTEST_SINGLE",
    "svsm:ServicesManifest": "svsm:MANIFEST",
    "svsm:VtpmRequest": "svsm:VTPM_REQUEST",
    "svsm:VtpmResponse": "svsm:VTPM_RESPONSE",
    "message:MessagePage": "message:RULES",
    "message:Header": "message:HEADER",
    "report:Report": "report:RULES",
    "secrets:SecretsPage": "secrets:RULES",
    "cpuid:CpuidPage": "cpuid:RULES",
    "vmsa:Vmsa": "vmsa:RULES",
    "launch:IdBlock": "launch:ID_BLOCK",
    "launch:IdAuth": "launch:ID_AUTH",
    "cpuid:CpuidReq": "payloads:CPUID_REQ",
    "cpuid:CpuidRsp": "payloads:CPUID_RSP",
    "key:KeyReq": "payloads:KEY_REQ",
    "key:KeyReqV2": "payloads:KEY_REQ_V2",
    "key:KeyRsp": "payloads:KEY_RSP",
    "report:ReportReq": "payloads:REPORT_REQ",
    "report:ReportRsp": "payloads:REPORT_RSP",
    "migration:ExportReq": "migration:EXPORT_REQ",
    "migration:ExportRsp": "migration:EXPORT_RSP",
    "migration:ImportReq": "migration:IMPORT_REQ",
    "migration:AbsorbReq": "migration:ABSORB_REQ",
    "migration:AbsorbNomaReq": "migration:ABSORB_NOMA_REQ",
    "migration:VmrkReq": "migration:VMRK_REQ",
    "migration:StatusRsp": "migration:STATUS_RSP",
    "migration:GuestContext": "migration:CONTEXT",
    "tsc:TscInfoReq": "payloads:TSC_REQ",
    "tsc:TscInfoRsp": "payloads:TSC_RSP",
    "platform:InitEx": "commands:RULES",
    "platform:ShutdownEx": "commands:RULES",
    "platform:PlatformStatusCommand": "commands:RULES",
    "platform:Config": "commands:RULES",
    "platform:Commit": "commands:RULES",
    "platform:RangeList": "commands:RULES",
    "firmware:DownloadFirmwareEx": "commands:RULES",
    "firmware:VlekLoad": "commands:RULES",
    "firmware:FeatureInfoCommand": "commands:RULES",
    "firmware:VerifyMitigation": "commands:RULES",
    "firmware:HvReportReq": "commands:RULES",
    "mailbox:RingBuffer": "commands:RULES",
    "launch_commands:GctxCreate": "commands:RULES",
    "launch_commands:Decommission": "commands:RULES",
    "launch_commands:Activate": "commands:RULES",
    "launch_commands:ActivatePadded": "commands:RULES",
    "launch_commands:ActivateEx": "commands:RULES",
    "launch_commands:GuestStatusCommand": "commands:RULES",
    "launch_commands:LaunchStart": "commands:RULES",
    "launch_commands:LaunchUpdate": "commands:RULES",
    "launch_commands:LaunchFinish": "commands:RULES",
    "launch_commands:GuestRequest": "commands:RULES",
    "launch_commands:Dbg": "commands:RULES",
    "launch_commands:PageInfo": "commands:RULES",
    "page_commands:SwapOut": "commands:RULES",
    "page_commands:SwapIn": "commands:RULES",
    "page_commands:Move": "commands:RULES",
    "page_commands:MdInit": "commands:RULES",
    "page_commands:SetState": "commands:RULES",
    "page_commands:Reclaim": "commands:RULES",
    "page_commands:Unsmash": "commands:RULES",
    "rmp:RmpEntry": "rmp:ENTRY",
    "rmp:RmpOperand": "rmp:OPERAND",
    "rmp:SegmentTable": "rmp:SEGMENTS",
    "rmp:VmplMasks": "rmp:MASKS",
}
"""``module:Class`` below ``wire``, and ``module:TUPLE`` below ``rules``."""


def findings(value: Any, context: Context = BARE) -> list[Finding]:
    """Return what the rules say about *value*, a record or a block, by offset, the worst first.

    What *context* leaves open is decided from the value. Raises UsageError for any other context.
    """
    if not isinstance(context, Context):
        hint = "snpwire.context.Context(direction=...) has what is known besides the bytes"
        raise UsageError(f"{shown(context)} is no Context", help=hint)
    kind = type(value)
    home = f"{kind.__module__.rpartition('.')[2]}:{kind.__name__}"
    module, _, name = TABLE.get(home, "record:RULES").partition(":")
    rules: tuple[Callable[[Any, Any], Iterator[Finding]], ...] = getattr(
        import_module(f".{module}", __name__), name
    )
    found = [finding for rule in rules for finding in rule(value, context)]
    return sorted(found, key=lambda finding: (finding.offset, -finding.severity))
