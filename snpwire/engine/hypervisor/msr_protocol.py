"""The GHCB MSR protocol in the hypervisor: its responses before there is a page.

As KVM of Linux 6.12 does: a message it does not know leaves the MSR as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import StoppedError
from ...wire.event import Value
from ...wire.msr import (
    KVM_PSC_FAILED,
    NO_PREFERENCE,
    MsrCpuidReq,
    MsrCpuidResp,
    MsrHvFeaturesResp,
    MsrInfo,
    MsrPrefGhcbGpaResp,
    MsrPscReq,
    MsrPscResp,
    MsrRegGhcbGpaReq,
    MsrRegGhcbGpaResp,
    MsrTermReq,
)
from ..trace import HYPERVISOR
from .page_state import change
from .vm import FEATURES, RESET_MSR

if TYPE_CHECKING:
    from collections.abc import Callable

    from .host import Host
    from .vm import Vcpu


def response(host: Host, vcpu: Vcpu) -> None:
    """Respond to the message in a processor's MSR. Raises StoppedError if the guest ends itself."""
    asked = vcpu.msr
    serve = SERVED.get(asked & 0xFFF)
    vcpu.msr = int(serve(host, vcpu, asked)) if serve else CONSTANT.get(asked & 0xFFF, asked)
    if host.simulation.trace:
        facts = {"asked": Value(asked), "answer": Value(vcpu.msr)}
        host.simulation.note(HYPERVISOR, vcpu.vm.name, vcpu.apic_id, "msr", (), (), **facts)


def _cpuid(host: Host, vcpu: Vcpu, asked: int) -> int:
    """Return zero: the CPUID values are in the guest's CPUID page."""
    register = MsrCpuidReq.register.value(asked)
    return MsrCpuidResp.of(info=int(MsrInfo.CPUID_RESP), register=int(register))


def _register(host: Host, vcpu: Vcpu, asked: int) -> int:
    gfn = MsrRegGhcbGpaReq.gfn.value(asked)
    vcpu.ghcb_gpa = gfn << 12
    return MsrRegGhcbGpaResp.of(info=int(MsrInfo.REG_GHCB_GPA_RESP), gfn=gfn)


def _page_state(host: Host, vcpu: Vcpu, asked: int) -> int:
    word = MsrPscReq(asked)
    done = change(host, vcpu.vm, word.gfn, int(word.operation))
    return MsrPscResp.of(info=int(MsrInfo.PSC_RESP)) if done else KVM_PSC_FAILED


def _terminate(host: Host, vcpu: Vcpu, asked: int) -> int:
    word = MsrTermReq(asked)
    reason = f"it ended itself: {int(word.reason_set):#x}:{word.reason_code:#x}"
    raise StoppedError(vcpu.vm.name, reason)


SERVED: dict[int, Callable[[Host, Vcpu, int], int]] = {
    int(MsrInfo.CPUID_REQ): _cpuid,
    int(MsrInfo.REG_GHCB_GPA_REQ): _register,
    int(MsrInfo.PSC_REQ): _page_state,
    int(MsrInfo.TERM_REQ): _terminate,
}
"""What serves each message whose response depends on something."""
CONSTANT: dict[int, int] = {
    int(MsrInfo.SEV_INFO_REQ): int(RESET_MSR),
    int(MsrInfo.HV_FEATURES_REQ): int(
        MsrHvFeaturesResp.of(info=int(MsrInfo.HV_FEATURES_RESP), features=int(FEATURES))
    ),
    int(MsrInfo.PREF_GHCB_GPA_REQ): int(
        MsrPrefGhcbGpaResp.of(info=int(MsrInfo.PREF_GHCB_GPA_RESP), gfn=NO_PREFERENCE)
    ),
}
"""The response to each other message."""
