"""What a guest's kernel says apart from its guest driver: #VC, pages, CPUID table, start-up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...wire.exits import ExitCode
from ...wire.operands import PscReturn
from ...wire.rmp_words import PvalidateResult
from .operands import code_words, exit_name
from .record import Fact
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_UNCHANGED = 255
"""What Linux makes of the carry flag that PVALIDATE sets."""


def _vc(why: str) -> Any:
    """Return what interprets a #VC that could not be handled, *why* being the reason."""

    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        code = ExitCode(fields["exit_code"])
        early = "PANIC: " in log.line.text or "early" in log.line.text
        kind = f"{why}: {code.doc}" if code.doc else why
        return Fact(
            f"#VC  exit {int(code):#x} {exit_name(code)}  ip {fields['ip']:#x}",
            kind,
            consequence="the guest stops" if early else "the process, or the guest, stops",
            fields={"exit": exit_name(code)},
        )

    return interpret


_unsupported = _vc("the guest has no handler for this exit")
_vmm = _vc("the hypervisor's response made no sense")
_undecoded = _vc("the instruction could not be decoded")


def _psc_failed(fields: dict[str, Any], log: LogState) -> Fact:
    result = PscReturn(int(fields["exitinfo2"]))
    text = f"{result.name}: {result.doc}" if result.known else "no result that is known"
    if not fields["exitinfo2"]:
        text = "the hypervisor reported nothing; its response was refused, or went backwards"
    return Fact(
        f"page state change failed  ret {fields['ret']}  exitinfo2 {int(fields['exitinfo2']):#x}",
        text,
        consequence="the guest ends itself, set 1, code 1 (PSC)",
    )


def _psc_code(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"page state change, response {fields['code']:#x}",
        "the hypervisor put another message than 0x15 into the GHCB MSR",
        consequence="the guest ends itself, set 1, code 1 (PSC)",
    )


def _psc_msr(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"page {fields['paddr']:#x} did not become {fields['state']}  error {fields['error']:#x}",
        "the hypervisor, or the user's program on the host, refused",
        consequence="the guest ends itself, set 1, code 1 (PSC)",
    )


def _pvalidate(fields: dict[str, Any], log: LogState) -> Fact:
    action = "accept" if fields["action"] else "give up"
    size = "2M" if fields["size"] else "4K"
    result = code_words(PvalidateResult(fields["ret"]))
    if fields["ret"] == _UNCHANGED:
        result = "nothing had to change: the page was so before"
    svsm = f"  SVSM {fields['svsm_ret']:#x}" if fields["svsm_ret"] else ""
    return Fact(
        f"PFN {fields['pfn']:#x}  PVALIDATE {action} {size}  ret {fields['ret']}{svsm}",
        result,
        consequence="the guest ends itself, set 1, code 2 (PVALIDATE)",
    )


def _ap(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        "a processor could not be started",
        "the hypervisor refused to create it: KVM's own log has the reason (vmgexit: invalid AP)",
    )


def _count(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"CPUID table with {fields['count']} entries", "the guest trusts it, not the hypervisor"
    )


def _table(fields: dict[str, Any], log: LogState) -> Fact:
    more = fields["reserved"] or fields["reserved2"]
    meaning = "reserved fields are not zero" if more else "64 rows follow, the rest of them empty"
    return Fact(f"CPUID table with {fields['count']} entries", meaning)


def _row(fields: dict[str, Any], log: LogState) -> Fact:
    names = ("eax", "ebx", "ecx", "edx")
    values = "  ".join(f"{name} {fields[name]:#010x}" for name in names)
    where = f"CPUID {fields['fn']:#x} index {fields['subfn']:#x}"
    inputs = [f"{n} {int(fields[n]):#x}" for n in ("xcr0_in", "xss_in") if fields[n]]
    meaning = f"of {', '.join(inputs)}" if inputs else ""
    if not any(fields[n] for n in ("fn", "subfn", *names)):
        meaning = "empty"
    return Fact(f"row {fields['index']}  {where}  {values}", meaning)


def _vmpl(fields: dict[str, Any], log: LogState) -> Fact:
    level = fields["vmpl"]
    meaning = "nothing runs above the kernel" if level == 0 else "an SVSM runs above the kernel"
    return Fact(f"VMPL {level}", meaning)


def _device(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact("guest device made", "the guest driver can be loaded")


def _status(fields: dict[str, Any], log: LogState) -> Fact:
    features = f"SEV{fields['features']}".split()
    snp = any(word.startswith("SEV-SNP") for word in features)
    meaning = "the guest runs under SNP" if snp else "the guest does not run under SNP"
    return Fact(f"features {' '.join(features)}", meaning, fields={"features": features})


_ROW = (
    "index={index:b} fn=0x{fn:w} subfn=0x{subfn:w}: eax=0x{eax:w} ebx=0x{ebx:w} ecx=0x{ecx:w}"
    " edx=0x{edx:w} xcr0_in=0x{xcr0_in:q} xss_in=0x{xss_in:q} reserved=0x{reserved:q}"
)
FORMATS = (
    form(
        "guest_vc_unsupported",
        "vc-unsupported",
        "Unsupported exit-code 0x{exit_code:x} in #VC exception (IP: 0x{ip:x})",
        _unsupported,
        "Unsupported exit-code 0x{exit_code:x} in early #VC exception (IP: 0x{ip:x})",
    ),
    form(
        "guest_vc_vmm",
        "vc-vmm-error",
        "Failure in communication with VMM (exit-code 0x{exit_code:x} IP: 0x{ip:x})",
        _vmm,
    ),
    form(
        "guest_vc_decode",
        "vc-undecoded",
        "Failed to decode instruction (exit-code 0x{exit_code:x} IP: 0x{ip:x})",
        _undecoded,
    ),
    form(
        "guest_psc_fail",
        "psc-failed",
        "SNP: PSC failed ret={ret:d} exit_info_2={exitinfo2:x}",
        _psc_failed,
    ),
    form("guest_psc_msr_code", "psc-failed", "Wrong PSC response code: 0x{code:x}", _psc_code),
    form(
        "guest_psc_msr_fail",
        "psc-failed",
        "Failed to change page state to '{state:s}' paddr 0x{paddr:x} error 0x{error:x}",
        _psc_msr,
    ),
    form(
        "guest_pvalidate",
        "pvalidate-failed",
        "PVALIDATE failure: pfn: 0x{pfn:x}, action: {action:d}, size: {size:d}, ret: {ret:d},"
        " svsm_ret: 0x{svsm_ret:x}",
        _pvalidate,
        "PVALIDATE failure: pfn 0x{pfn:x}, action={action:d}, size={size:d} - ret={ret:d},"
        " svsm_ret=0x{svsm_ret:x}",
    ),
    form("guest_ap_fail", "ap-failed", "SNP AP Creation error", _ap),
    form(
        "guest_cpuid_count",
        "cpuid-table",
        "Using SNP CPUID table, {count:d} entries present.",
        _count,
    ),
    form(
        "guest_cpuid_dump_head",
        "cpuid-table",
        "count={count:d} reserved=0x{reserved:x} reserved2=0x{reserved2:x}",
        _table,
    ),
    form("guest_cpuid_dump", "cpuid-row", _ROW, _row),
    form("guest_vmpl", "guest-vmpl", "SNP running at VMPL{vmpl:d}.", _vmpl),
    form("guest_platdev", "guest-device", "SNP guest platform device initialized.", _device),
    form(
        "guest_status",
        "guest-features",
        "Status: SEV{features:r}",
        _status,
        "Memory Encryption Features active: AMD SEV{features:r}",
        "Memory Encryption Features active: SEV{features:r}",
        "AMD Secure Encrypted Virtualization (SEV) active{features:r}",
    ),
)
