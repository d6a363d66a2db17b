"""What KVM says of its guests' exits and pages. Reasons are those in its response to the guest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.operands import MalformedReason, SevFeatures
from .operands import exit_name, word_words
from .phrase import phrase
from .record import Fact, Hex
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_ORIGIN = re.compile(r"kvm \[(\d{1,10})\]: vcpu(\d{1,10}), guest rIP: 0x([0-9a-fA-F]{1,16})")


def _origin(log: LogState) -> dict[str, Any]:
    """Return process, virtual processor and instruction, which KVM puts before some messages."""
    found = _ORIGIN.search(log.line.text)
    if found is None:
        return {}
    return {"pid": int(found[1]), "vcpu": int(found[2]), "guest_rip": Hex(found[3], 16)}


def _refused(reason: MalformedReason | None, summary: str, meaning: str) -> Any:
    """Return what interprets a refused exit; *summary* and *meaning* may name fields."""

    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        origin = _origin(log)
        who = f"vcpu {origin['vcpu']}  " if origin else ""
        shown = dict(fields)
        if "exit_code" in fields:
            shown["name"] = exit_name(fields["exit_code"])
            origin["exit"] = shown["name"]
        text = meaning.format(**shown)
        if reason is not None:
            text += f"; KVM responds malformed input, reason {reason:d} {reason.name}"
            origin["reason"] = reason
        return Fact(f"{who}{summary.format(**shown)}", text, fields=origin)

    return interpret


def _unsupported(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret the exit by which a guest reports a #VC that it cannot handle."""
    code = int(fields["info1"])
    origin = _origin(log)
    who = f"vcpu {origin['vcpu']}  " if origin else ""
    return Fact(
        f"{who}unsupported #VC  error code {code:#x} {exit_name(code)}  info2 {fields['info2']:#x}",
        "the guest reports a #VC that it cannot handle",
        consequence="KVM_RUN fails with EINVAL",
        fields={**origin, "exit": exit_name(code)},
    )


def _features(fields: dict[str, Any], log: LogState) -> Fact:
    given, wanted = SevFeatures(fields["given"]), SevFeatures(fields["wanted"])
    interpret = _refused(
        _R.INVALID_INPUT,
        "AP creation with SEV_FEATURES {given:#x}, the guest has {wanted:#x}",
        f"they differ in {word_words(SevFeatures(given ^ wanted))}",
    )
    fact: Fact = interpret(fields, log)
    return fact


_V = "vmgexit: "
_R = MalformedReason
_FORMATS = (
    form(
        "kvm_vmgexit_bad_usage",
        "kvm-refused",
        f"{_V}ghcb usage {{usage:p}} is not valid",
        _refused(_R.INVALID_USAGE, "ghcb usage {usage:#x}", "KVM knows usage 0 alone"),
    ),
    form(
        "kvm_vmgexit_bad_event",
        "kvm-refused",
        f"{_V}exit code {{exit_code:p}} is not valid",
        _refused(_R.INVALID_EVENT, "exit {exit_code:#x} {name}", "KVM does not serve this exit"),
    ),
    form(
        "kvm_vmgexit_bad_input",
        "kvm-refused",
        f"{_V}exit code {{exit_code:p}} input is not valid",
        _refused(
            _R.MISSING_INPUT,
            "exit {exit_code:#x} {name}",
            "a field that it needs is not marked valid, or operands cannot be right; the GHCB"
            " follows if kvm_amd.dump_invalid_vmcb=1",
        ),
    ),
    form(
        "kvm_vmgexit_not_registered",
        "kvm-refused",
        f"{_V}GHCB GPA [{{gpa:p}}] is not registered.",
        _refused(
            None,
            "GHCB at gpa {gpa:#x}",
            "not the page that the guest registered; KVM_RUN fails with EINVAL",
        ),
    ),
    form(
        "kvm_vmgexit_no_gpa",
        "kvm-refused",
        f"{_V}GHCB gpa is not set",
        _refused(None, "GHCB gpa is 0", "the MSR holds no page; the guest goes on unanswered"),
    ),
    form(
        "kvm_vmgexit_map_fail",
        "kvm-refused",
        f"{_V}error mapping GHCB [{{gpa:p}}] from guest",
        _refused(
            None,
            "GHCB at gpa {gpa:#x}",
            "no guest memory is there; the guest resumes without a response",
        ),
    ),
    form(
        "kvm_vmgexit_unsupported",
        "kvm-unsupported-event",
        f"{_V}unsupported event - exit_info_1={{info1:p}}, exit_info_2={{info2:p}}",
        _unsupported,
    ),
    form(
        "kvm_scratch_missing",
        "kvm-scratch",
        f"{_V}scratch gpa not provided",
        _refused(_R.INVALID_SCRATCH_AREA, "sw_scratch is 0", "this exit needs a scratch area"),
    ),
    form(
        "kvm_scratch_range",
        "kvm-scratch",
        f"{_V}scratch area is outside of GHCB shared buffer area ({{first:p}} - {{last:p}})",
        _refused(
            _R.INVALID_SCRATCH_AREA,
            "sw_scratch {first:#x} to {last:#x}",
            "it begins in the GHCB and does not stay in the shared buffer, 0x800 to 0xfef",
        ),
    ),
    form(
        "kvm_scratch_len",
        "kvm-scratch",
        f"{_V}scratch length ({{length:p}}) not valid for scratch address ({{address:p}})",
        _refused(
            _R.INVALID_SCRATCH_AREA,
            "sw_scratch {address:#x}  {length:#x} bytes",
            "its end is beyond all addresses",
        ),
    ),
    form(
        "kvm_scratch_limit",
        "kvm-scratch",
        f"{_V}scratch area exceeds KVM limits ({{length:p}} requested, {{limit:p}} limit)",
        _refused(
            _R.INVALID_SCRATCH_AREA,
            "sw_scratch of {length:#x} bytes",
            "outside the GHCB KVM takes at most {limit:#x}",
        ),
    ),
    form(
        "kvm_ap_bad_apic",
        "kvm-ap-refused",
        f"{_V}invalid AP APIC ID [{{apic_id:p}}] from guest",
        _refused(
            _R.INVALID_INPUT,
            "AP creation for APIC id {apic_id:#x}",
            "no virtual processor has this APIC id",
        ),
    ),
    form(
        "kvm_ap_bad_inj",
        "kvm-ap-refused",
        f"{_V}invalid AP injection mode [{{features:p}}] from guest",
        _refused(
            _R.INVALID_INPUT,
            "AP creation with SEV_FEATURES {features:#x}",
            "bits 3 and 4, restricted and alternate injection, have to be those of the guest",
        ),
    ),
    form(
        "kvm_ap_bad_features",
        "kvm-ap-refused",
        f"{_V}mismatched AP sev_features [{{given:p}}] != [{{wanted:p}}] from guest",
        _features,
    ),
    form(
        "kvm_ap_bad_vmsa",
        "kvm-ap-refused",
        f"{_V}invalid AP VMSA address [{{gpa:p}}] from guest",
        _refused(
            _R.INVALID_INPUT,
            "AP creation with the save area at {gpa:#x}",
            "it does not start a page of memory",
        ),
    ),
    form(
        "kvm_ap_2m_vmsa",
        "kvm-ap-refused",
        f"{_V}AP VMSA address [{{gpa:p}}] from guest is unsafe as it is 2M aligned",
        _refused(
            _R.INVALID_INPUT,
            "AP creation with the save area at {gpa:#x}",
            "an erratum: a save area on a 2M boundary makes the 2M next to it look in use",
        ),
    ),
    form(
        "kvm_ap_bad_request",
        "kvm-ap-refused",
        f"{_V}invalid AP creation request [{{request:p}}] from guest",
        _refused(
            _R.INVALID_INPUT, "AP creation request {request:#x}", "0, 1 and 2 are known, no others"
        ),
    ),
    form(
        "kvm_jump_table",
        "kvm-refused",
        f"{_V}unsupported AP jump table request - exit_info_1={{info1:p}}",
        _refused(_R.INVALID_INPUT, "AP jump table request {info1:#x}", "0 sets it, 1 asks for it"),
    ),
)


def _hint(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        "no dump of the GHCB",
        "KVM printed this in its place",
        remedy="set kvm_amd.dump_invalid_vmcb=1 and let it happen again",
    )


FORMATS = (
    *_FORMATS,
    form(
        "kvm_ghcb_dump_hint",
        "kvm-hint",
        "set kvm_amd.dump_invalid_vmcb=1 to dump internal KVM state.",
        _hint,
    ),
    form(
        "kvm_vmgexit_snp_only",
        "kvm-refused",
        f"{_V}exit code {{exit_code:p}} is SNP-only",
        _refused(
            _R.INVALID_EVENT, "exit {exit_code:#x} {name}", "the guest is none of SNP, the exit is"
        ),
    ),
    form(
        "kvm_scratch_unread",
        "kvm-scratch",
        f"{_V}kvm_read_guest for scratch area failed",
        _refused(None, "scratch area not read", "no memory of the guest is there"),
    ),
    form(
        "kvm_guest_debug",
        "kvm-refused",
        "KVM_SET_GUEST_DEBUG for SEV-ES guest is not supported",
        phrase("no debugger", "the registers of such a guest are encrypted"),
    ),
    form(
        "kvm_lbrv",
        "kvm-refused",
        "LBRV must be present for SEV-ES support",
        phrase(
            "no SEV-ES, no SNP", "the processor lacks virtual LBRs, or an option turned them off"
        ),
    ),
    form(
        "kvm_lock_limit",
        "kvm-memory",
        "SEV: {pages:d} total pages would exceed the lock limit of {limit:d}.",
        phrase(
            "{pages} pages locked, {limit} are allowed",
            "RLIMIT_MEMLOCK is too small for the memory of an SEV guest",
            remedy="raise it (ulimit -l), for the user that runs QEMU",
        ),
        "SEV: {pages:d} locked pages exceed the lock limit of {limit:d}.",
    ),
    form(
        "kvm_lock",
        "kvm-memory",
        "SEV: Failure locking {pages:d} pages.",
        phrase("{pages} pages not locked", "memory of the guest could not be pinned"),
    ),
    form(
        "kvm_flush_failed",
        "kvm-firmware",
        "SEV-SNP: DF_FLUSH failed, ret={rc:d}, error={error:p}",
        phrase("DF_FLUSH failed  rc {rc}  error {error:#x}", "{answer}; {errno}"),
        "SEV: DF_FLUSH failed, ret={rc:d}, error={error:p}",
    ),
    form(
        "kvm_platform_status",
        "kvm-firmware",
        "SEV: SNP_PLATFORM_STATUS failed ret={rc:d}, fw_error={error:d}",
        phrase("SNP_PLATFORM_STATUS failed  rc {rc}  error {error:#x}", "{answer}; {errno}"),
    ),
    form(
        "kvm_debug_failed",
        "kvm-firmware",
        "SEV: SEV_CMD_DBG_DECRYPT failed ret={rc:d}, fw_error={error:d}",
        phrase("debug read failed  rc {rc}  error {error:#x}", "{answer}; {errno}"),
        "SEV: SNP_DBG_DECRYPT failed ret={rc:d}, fw_error={error:d}",
    ),
    form(
        "kvm_context_failed",
        "kvm-firmware",
        "Failed to create SEV-SNP context, rc {rc:d} fw_error {error:d}",
        phrase("SNP_GCTX_CREATE failed  rc {rc}  error {error:#x}", "{answer}; {errno}"),
    ),
    form(
        "kvm_start_failed",
        "kvm-firmware",
        "SEV_CMD_SNP_LAUNCH_START firmware command failed, rc {rc:d}",
        phrase("SNP_LAUNCH_START failed", "{errno}"),
    ),
    form(
        "kvm_asid_failed",
        "kvm-firmware",
        "Failed to bind ASID to SEV-SNP context, rc {rc:d}",
        phrase("SNP_ACTIVATE failed", "{errno}"),
    ),
    form(
        "kvm_page_failed",
        "kvm-firmware",
        "sev_gmem_post_populate: error updating GFN {gfn:x}, return code {rc:d}"
        " (fw_error {error:d})",
        phrase("launch page GFN {gfn:#x} refused  rc {rc}  error {error:#x}", "{answer}; {errno}"),
    ),
    form(
        "kvm_populate_failed",
        "kvm-firmware",
        "kvm_gmem_populate failed, ret {rc:d} (fw_error {error:d})",
        phrase("launch page refused  rc {rc}  error {error:#x}", "{answer}; {errno}"),
    ),
    form(
        "kvm_page_shared",
        "kvm-rmp",
        "Failed to ensure GFN 0x{gfn:x} RMP entry is initial shared state, ret: {rc:d} assigned:"
        " {assigned:d}",
        phrase(
            "GFN {gfn:#x}  assigned {assigned}", "the page was not the host's before the launch"
        ),
    ),
    form(
        "kvm_page_assigned",
        "kvm-rmp",
        "sev_gmem_prepare: already assigned: gfn {gfn:x} pfn {pfn:x} nr_pages {pages:x}"
        " level {level:d}",
        phrase("GFN {gfn:#x}  PFN {pfn:#x}  level {level}", "the page is the guest's already"),
    ),
    form(
        "kvm_page_updated",
        "kvm-rmp",
        "sev_gmem_prepare: updated: gfn {gfn:x} pfn {pfn:x} pfn_aligned {aligned:x}"
        " nr_pages {pages:x} level {level:d}",
        phrase("GFN {gfn:#x}  PFN {pfn:#x}  level {level}", "the page was given to the guest"),
    ),
    form(
        "kvm_page_overlap",
        "kvm-rmp",
        "overlap detected, PFN 0x{pfn:x} start 0x{start:x} end 0x{end:x} RMP level {level:d}",
        phrase("PFN {pfn:#x}  level {level}", "a 2M entry reaches beyond {start:#x} to {end:#x}"),
    ),
    form(
        "kvm_page_unread",
        "kvm-rmp",
        "SEV: Failed to look up RMP entry: GFN {gfn:x} PFN {pfn:x} error {rc:d}",
        phrase("GFN {gfn:#x}  PFN {pfn:#x}", "its entry could not be read: {errno}"),
    ),
    form(
        "kvm_range_unread",
        "kvm-rmp",
        "SEV: Failed to retrieve RMP entry: PFN 0x{pfn:x} GFN start 0x{start:x} GFN end 0x{end:x}"
        " RMP level {level:d} error {rc:d}",
        phrase(
            "PFN {pfn:#x}  GFN {start:#x} to {end:#x}  level {level}",
            "its entry could not be read: {errno}",
        ),
    ),
    form(
        "kvm_psmash_failed",
        "kvm-rmp",
        "SEV: Failed to PSMASH RMP entry for PFN 0x{pfn:x} error {ret:d}",
        phrase("PFN {pfn:#x}  PSMASH ret {ret}", "a 2M entry was not split"),
    ),
    form(
        "kvm_page_kept",
        "kvm-rmp",
        "SEV: Failed to update RMP entry for PFN 0x{pfn:x} error {ret:d}",
        phrase("PFN {pfn:#x}  RMPUPDATE ret {ret}", "the page did not come back to the host"),
    ),
)
