"""What can be wrong with a value of the GHCB MSR.

A wrong message gets no reason code: KVM leaves the MSR as it is and resumes the guest where it does
not know the message, and ends the guest where a request is not for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import OpenEnum
from ..context import Direction
from ..finding import Finding, Findings, Severity, bit_list
from ..wire import msr as wire
from ..wire.operands import PscOperation, TermSet
from .features import without_support

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..bits import Word
    from ..context import Context

KVM = "Linux 6.12 sev_handle_vmgexit_msr_protocol"
LARGE_PAGE = 1 << 56
"""The bit that OpenVMM has in a page state request."""
ALL_ONES = wire.NO_PREFERENCE
HYPERV = range(0xF00, 0xF04)

MsrFinding = tuple[str, Severity, str, str]
"""Code, severity, text and source of a finding: the path and the offset are always the same."""


def message(word: Word) -> Iterator[MsrFinding]:
    """Expect a message that is known."""
    info = wire.MsrInfo(int(word) & 0xFFF)
    if info is wire.MsrInfo.RESERVED_AP_JUMP_TABLE:
        text = "message 0x003 is reserved; OpenVMM names it AP jump table"
        yield "msr-reserved", Severity.WARNING, text, "Xen; OpenVMM"
    elif info in HYPERV:
        text = f"message {int(info):#05x} is Hyper-V's own ({info.doc})"
        yield "msr-vendor", Severity.NOTE, text, "OpenVMM"
    elif not info.known:
        text = f"message {int(info):#05x} is none that is known: KVM leaves the MSR as it is"
        yield "msr-unknown", Severity.ERROR, text, KVM


def spare_bits(word: Word) -> Iterator[MsrFinding]:
    """Expect zero in bits without a name."""
    unknown = word.unknown
    if isinstance(word, wire.MsrPscReq) and unknown & LARGE_PAGE:
        text = "bit 56 is set: OpenVMM takes it for a 2 MiB page, all others want zero"
        yield "msr-large-page", Severity.WARNING, text, "OpenVMM"
        unknown &= ~LARGE_PAGE
    if unknown:
        text = f"{bit_list(unknown)} of {int(word):#018x} should be zero in {_name(word)}"
        yield "unknown-bits", Severity.WARNING, text, wire.SPEC


def _name(word: Word) -> str:
    return wire.MsrInfo(int(word) & 0xFFF).name


def message_rules(word: Word) -> Iterator[MsrFinding]:
    """Check the message by the rules of its kind."""
    rule = BY_WORD.get(type(word))
    if rule:
        yield from rule(word)


def ghcb_gpa(word: wire.MsrGhcbGpa) -> Iterator[MsrFinding]:
    """Expect a page that is not at 0 (KVM logs it, and resumes the guest without a response)."""
    if not word.gfn:
        text = "the GHCB is at 0: KVM takes it for no page and resumes the guest without an answer"
        yield "msr-no-page", Severity.ERROR, text, "Linux 6.12 sev_handle_vmgexit"


def sev_info(word: wire.MsrSevInfoResp) -> Iterator[MsrFinding]:
    """Expect versions in order, of those there are, and an encryption bit above the low frames."""
    low, high = word.min_version, word.max_version
    if low > high:
        text = f"min_version is {low}, max_version is {high}: no version is left"
        yield "msr-versions", Severity.ERROR, text, wire.SPEC
    elif low > 2 or high < 1:
        text = f"versions {low} to {high} are offered, there are 1 and 2"
        yield "msr-versions", Severity.ERROR, text, wire.SPEC
    if not 32 <= word.c_bit <= 63:
        text = f"c_bit is {word.c_bit}, an encryption bit is an address bit above 4 GiB"
        yield "msr-encryption-bit", Severity.WARNING, text, "APM volume 2, CPUID 0x8000001f"


def preferred(word: wire.MsrPrefGhcbGpaResp) -> Iterator[MsrFinding]:
    """Find that there is no preference (KVM always says so)."""
    if word.gfn == ALL_ONES:
        text = "all ones: the hypervisor has no preference; KVM always says so"
        yield "msr-no-preference", Severity.NOTE, text, KVM


def registered(word: wire.MsrRegGhcbGpaResp) -> Iterator[MsrFinding]:
    """Find what may be a refusal."""
    if word.gfn == ALL_ONES:
        text = "all ones: not the frame that was asked for, so a refusal; the value is not verified"
        yield "msr-refused", Severity.NOTE, text, "not verified"


def unregistered(word: wire.MsrUnregGhcbGpaResp) -> Iterator[MsrFinding]:
    """Find that nothing was unregistered (OpenVMM)."""
    if word.gfn in (0, ALL_ONES):
        what = "0: no page was registered" if word.gfn == 0 else "all ones: it failed"
        yield "msr-refused", Severity.NOTE, f"{what}, as OpenVMM has it", "OpenVMM"


def page_state(word: wire.MsrPscReq) -> Iterator[MsrFinding]:
    """Expect a page to be made private or shared; the MSR has no other operation (edk2)."""
    operation = PscOperation(word.operation)
    if operation not in (PscOperation.PRIVATE, PscOperation.SHARED):
        name = f" ({operation.name}, which the page protocol has)" if operation.known else ""
        text = f"operation is {int(operation)}{name}, over the MSR there are 1 and 2"
        yield "psc-operation", Severity.ERROR, text, "56421, GHCB MSR protocol; edk2"


def result(word: wire.MsrPscResp | wire.MsrRunVmplResp) -> Iterator[MsrFinding]:
    """Find that a request failed."""
    if word.error_code:
        text = f"error_code is {word.error_code:#x}: the request failed"
        yield "msr-failed", Severity.NOTE, text, wire.SPEC


def run_vmpl(word: wire.MsrRunVmplReq) -> Iterator[MsrFinding]:
    """Expect a privilege level of 0 to 3."""
    if word.vmpl > 3:
        yield "run-vmpl", Severity.WARNING, f"vmpl is {word.vmpl}, a VMPL is 0 to 3", wire.SPEC


def features(word: wire.MsrHvFeaturesResp) -> Iterator[MsrFinding]:
    """Expect each feature with those that it needs, and bits that have a name."""
    flags = word.flags
    for sentence in without_support(flags):
        yield "feature-dependency", Severity.WARNING, sentence, flags.SPEC
    if flags.unknown:
        text = f"feature {bit_list(flags.unknown)} (12 higher in the MSR) has no name"
        yield "unknown-bits", Severity.WARNING, text, flags.SPEC


def termination(word: wire.MsrTermReq) -> Iterator[MsrFinding]:
    """Expect a reason out of a set of codes that somebody defines."""
    owner, reason = TermSet(word.reason_set), word.reason
    source = "56421, termination; Linux, linux-svsm"
    if not owner.known:
        text = f"reason set {int(owner)} is none that is known: 0, 1 and 15 are"
        yield "termination-set", Severity.NOTE, text, source
    elif isinstance(reason, OpenEnum) and not reason.known:
        text = f"reason {int(reason)} is none of the codes of set {int(owner)} ({owner.doc})"
        yield "termination-reason", Severity.NOTE, text, source


BY_WORD: dict[type[Word], Callable[..., Iterator[MsrFinding]]] = {
    wire.MsrGhcbGpa: ghcb_gpa,
    wire.MsrSevInfoResp: sev_info,
    wire.MsrPrefGhcbGpaResp: preferred,
    wire.MsrRegGhcbGpaResp: registered,
    wire.MsrUnregGhcbGpaResp: unregistered,
    wire.MsrPscReq: page_state,
    wire.MsrPscResp: result,
    wire.MsrRunVmplReq: run_vmpl,
    wire.MsrRunVmplResp: result,
    wire.MsrHvFeaturesResp: features,
    wire.MsrTermReq: termination,
}


def value(msr: wire.Msr, context: Context) -> Findings:
    """Check the word in the MSR."""
    word = wire.word_of(msr.value)
    for rule in (message, spare_bits, message_rules):
        for code, severity, text, source in rule(word):
            yield Finding(code, severity, "value", 0, text, source)


def direction(msr: wire.Msr, context: Context) -> Findings:
    """Expect the guest to write requests and the hypervisor responses, where it is known who wrote.

    KVM returns a request unchanged where it does not know the message.
    """
    info = wire.MsrInfo(msr.value & 0xFFF)
    if context.direction is Direction.REQUEST and info in wire.RESPONSES:
        text = f"{info.name} is a response, a guest does not write it"
        yield Finding("msr-direction", Severity.WARNING, "value", 0, text, wire.SPEC)
    if context.direction is Direction.RESPONSE and info in wire.REQUESTS:
        text = f"{info.name} is a request: the hypervisor left the MSR as it was"
        yield Finding("msr-direction", Severity.WARNING, "value", 0, text, KVM)


RULES = {
    wire.Msr: (value, direction),
}
