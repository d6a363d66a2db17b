"""What other programs than QEMU say of a guest's exits: Cloud Hypervisor, OpenVMM and OpenHCL.

Under Microsoft's hypervisor the program itself answers the guest's exits, and panics over one that
it does not know. The number is then an exit code, or a request of the MSR protocol, in hex and
mostly without 0x.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.msr import MsrInfo
from ...wire.operands import DoorbellRequest, TermSet, term_reason
from ...wire.status import Status
from .host_tools import status_in
from .launch_reasons import firmware_reasons, shortened
from .operands import code_words, exit_name, status_words
from .qemu import COMMANDS, launch_failure
from .record import Fact
from .statement import Statement, statement
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_PANIC = "the program panics, and the guest stops with it; the guest did nothing forbidden"
_OLD = "this version of the program has no answer for the request"
_NEWER = "a newer version of the program; or a guest that is not made to ask for it"
_GUEST = "the guest's serial console has its reason"
_ENDING = 0x100
_HEX = re.compile(r"(?:0x)?([0-9a-fA-F]{1,16})\)?\Z")


def _exit(fields: dict[str, Any], log: LogState) -> Fact:
    code = int(fields["code"])
    return Fact(
        f"exit {code:#x} {exit_name(code)} not handled",
        f"the guest asked by its GHCB for {code:#x} {exit_name(code)}",
        cause=_OLD,
        consequence=_PANIC,
        remedy=_NEWER,
        fields={"name": exit_name(code), "side": "user space"},
    )


def _doorbell(fields: dict[str, Any], log: LogState) -> Fact:
    request = DoorbellRequest(fields["code"])
    return Fact(
        f"doorbell request {int(request):#x} not handled",
        f"exit HV_DOORBELL_PAGE, request {code_words(request)}",
        cause=_OLD,
        consequence=_PANIC,
        remedy=_NEWER,
        fields={"side": "user space"},
    )


def _operation(fields: dict[str, Any], log: LogState) -> Fact:
    code = int(fields["code"])
    info = MsrInfo(code & 0xFFF)
    ending = code & 0xFFF == _ENDING
    name = info.name if info.known else "unknown"
    return Fact(
        f"MSR protocol {code:#x} {name} not handled",
        "the guest asked to be terminated: it ended itself, the program did not fail first"
        if ending
        else f"the guest asked by the GHCB MSR for {code:#x} {code_words(info)}",
        cause="the guest met something that it cannot go on with" if ending else _OLD,
        consequence=_PANIC,
        remedy=f"{_GUEST}; set and code are in bits 23:12 of the MSR" if ending else _NEWER,
        fields={"name": name, "side": "guest" if ending else "user space"},
    )


def _termination(fields: dict[str, Any], log: LogState) -> Fact:
    owner, why = TermSet(fields["set"]), term_reason(fields["set"], fields["code"])
    return Fact(
        f"termination {int(owner):#x}:{fields['code']:#x}  set {code_words(owner)}",
        f"the guest ended itself: {getattr(why, 'doc', '') or 'this code is not documented'}",
        consequence="the guest stops",
        remedy=_GUEST,
        fields={"reason_set": owner, "side": "guest"},
    )


def _paravisor(fields: dict[str, Any], log: LogState) -> Fact:
    text = str(fields["code"]).rpartition("(")[2]
    found = _HEX.match(text)
    name = exit_name(int(found[1], 16)) if found else text
    return Fact(
        f"exit {fields['code']} {name if found else ''} not expected".replace("  ", " "),
        "the paravisor (OpenHCL) has no answer for this exit of VTL 0",
        consequence=_PANIC,
        fields={"name": name, "side": "hypervisor"},
    )


_STEPS = {
    "start": "SNP_LAUNCH_START",
    "update": "SNP_LAUNCH_UPDATE",
    "measure": "SNP_LAUNCH_UPDATE",
    "finish": "SNP_LAUNCH_FINISH",
}
_SEV_TERM = 6
"""KVM_SYSTEM_EVENT_SEV_TERM."""
_OS_CODE = re.compile(r"\bcode: (\d{1,3})\b")


def _event(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret a system event of KVM, as firecracker, libkrun and others show it."""
    msr = int(fields["msr"])
    if fields["event"] != _SEV_TERM or msr & 0xFFF != _ENDING:
        return Fact(f"system event {fields['event']} of KVM", "KVM hands the guest's end over")
    fact = _termination({"set": msr >> 12 & 0xF, "code": msr >> 16 & 0xFF}, log)
    return fact._replace(remedy=f"{_GUEST}; the host's dmesg has set and code, too")


def _prepared(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret the error of a launch that libkrun prints as Rust shows it."""
    text = f"{fields.pop('rest')} KnownSevError({fields.pop('name', '')})"
    step = text.partition("(")[0].lower()
    command = next((name for word, name in _STEPS.items() if word in step), "INIT")
    found, status = _OS_CODE.search(text), status_in(text)
    ret = -int(found[1]) if found else -5
    return launch_failure({"what": command, "ret": ret, "fw_error": int(status or 0)})


def _command(fields: dict[str, Any], log: LogState) -> Fact:
    what, status = fields["what"], int(fields["status"])
    rows = firmware_reasons(COMMANDS.get(what, ()), status)
    return Fact(
        f"{what}  fw_error {status:#x}",
        f"the firmware refused: {status_words(status)}"
        if status
        else "the kernel refused, the firmware was not asked",
        cause=shortened(rows),
        remedy=f"all checks in their order: snpwire explain command {what}" if rows else "",
        fields={
            "command": what,
            "status": Status(status),
            "refused_by": "firmware" if status else "kernel",
            "errno": "",
            "reasons": [row.text for row in rows],
        },
    )


_IGVM = "the image's own directives decide: snpwire identify shows what it has"
ROWS = (
    Statement(
        "vmm_init",
        "vmm-launch",
        ("Failed to initialize SEV-SNP",),
        "SNP could not be set up for the guest",
        "INIT2 or LAUNCH_START failed; the cause behind it has the error",
        remedy="the host's dmesg: ccp and kvm_amd",
    ),
    Statement(
        "vmm_id_blocks",
        "vmm-launch",
        ("multiple SNP ID blocks in IGVM file",),
        "more than one ID block in the image",
        "one is allowed",
        remedy=_IGVM,
    ),
    Statement(
        "vmm_no_snp",
        "vmm-launch",
        ("igvm file does not support SNP",),
        "the image is not for SNP",
        "none of its platforms is SEV_SNP",
        remedy=_IGVM,
    ),
    Statement(
        "vmm_no_policy",
        "vmm-launch",
        ("SNP IGVM file does not contain a guest policy",),
        "the image has no guest policy",
        "a launch of SNP begins with one",
        remedy=_IGVM,
    ),
    Statement(
        "vmm_launch_failed",
        "vmm-launch",
        ("SNP launch previously failed",),
        "a launch failed before",
        "a guest context is not used twice",
    ),
    Statement(
        "vmm_report",
        "vmm-report",
        (
            "failed to get an SNP report via /dev/sev-guest",
            "failed to get an SNP derived key via /dev/sev-guest",
            "SNP_GET_REPORT ioctl failed",
            "SNP_GET_DERIVED_KEY ioctl failed",
        ),
        "no report or key from /dev/sev-guest",
        "the paravisor's own kernel has the reason",
        remedy="look for 'Detected error from ASP request' there",
        side="guest",
    ),
    Statement(
        "vmm_ghcb",
        "vmm-exit",
        ("ghcb page used for vmgexit does not match overlay page",),
        "VMGEXIT with another GHCB page",
        "the guest uses a page that is not the registered one",
        side="guest",
    ),
)
_DETAILED = (
    form("vmm_exit", "vmm-exit", "GHCB_INFO_NORMAL: Unhandled exit code: {code:p}", _exit),
    form(
        "vmm_doorbell",
        "vmm-exit",
        "SVM_EXITCODE_HV_DOORBELL_PAGE: Unhandled exit code: {code:p}",
        _doorbell,
    ),
    form("vmm_operation", "vmm-exit", "Unsupported VMGEXIT operation: {code:p}", _operation),
    form(
        "vmm_termination",
        "termination",
        "GHCB_MSR_TERM_REQ: Guest terminated! ghcb_msr=0x{msr:x}, reason_set={set:d},"
        " reason_val={code:d}",
        _termination,
        "GHCB_MSR_TERM_REQ (reason_set={set:d}, reason_val={code:d})",
    ),
    form("vmm_event", "termination", "SystemEvent({event:d}, [{msr:n}", _event),
    form(
        "vmm_paravisor",
        "vmm-exit",
        "Received unexpected SEV exit code {code:o}",
        _paravisor,
        "SEV exit code {code:o} sev features",
        "SEV error exit code {code:o}",
    ),
    form(
        "vmm_prepared",
        "launch-failed",
        "SnpSecVirtPrepare({rest:r}KnownSevError({name:s})",
        _prepared,
        "SnpSecVirtPrepare({rest:r}",
    ),
    form(
        "vmm_command",
        "launch-failed",
        "KVM_SEV_{what:o} op failed. error code: 0x{status:x}",
        _command,
    ),
)
FORMATS = (*_DETAILED, *map(statement, ROWS))
