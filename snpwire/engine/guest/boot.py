"""The start of a guest: it registers a GHCB, accepts its memory and shares its driver's buffers.

The addresses of secrets and CPUID page are OVMF's, that of the VMSAs is KVM's. All other memory is
hypervisor-owned at first. The guest registers its GHCB over the MSR, accepts its memory as private,
and has the pages shared that its driver needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import ExitError
from ...wire.address import PAGE
from ...wire.exits import ExitCode
from ...wire.ghcb import SHARED_START, Page
from ...wire.message import VMPCKS
from ...wire.msr import MsrInfo, MsrPscReq, MsrRegGhcbGpaReq
from ...wire.operands import ApCreationInfo, ApCreationRequest, PscOperation
from ...wire.psc import PscBuffer, PscEntry, PscHeader
from ...wire.rmp_words import RmpAdjust
from ..guest_layout import EACH, LAYOUT
from .vmgexit import leave

if TYPE_CHECKING:
    from ..hypervisor.vm import Vcpu, Vm
    from ..hypervisor.vmgexit import Hypervisor
    from .memory import GuestMemory

PRIVATE, SHARED = PscOperation.PRIVATE, PscOperation.SHARED


def start(hypervisor: Hypervisor, memory: GuestMemory, vm: Vm) -> None:
    """Start a launched guest, up to where its driver can work. Raises EngineError."""
    boot, *others = vm.vcpus
    for message in (MsrInfo.SEV_INFO_REQ, MsrInfo.HV_FEATURES_REQ):
        _msr(hypervisor, boot, int(message))
    register(hypervisor, memory, boot)
    buffers = [LAYOUT.buffers + n * PAGE for n in range(VMPCKS * EACH)]
    areas = [LAYOUT.save_areas + n * PAGE for n in range(len(others))]
    change(hypervisor, memory, boot, buffers + areas, PRIVATE)
    change(hypervisor, memory, boot, buffers, SHARED)
    for vcpu, area in zip(others, areas, strict=True):
        bring_up(hypervisor, memory, boot, vcpu, area)


def register(hypervisor: Hypervisor, memory: GuestMemory, vcpu: Vcpu) -> None:
    """Share the page of a processor, and register it as its GHCB. Raises ExitError."""
    gpa = LAYOUT.ghcb + vcpu.apic_id * PAGE
    word = MsrPscReq.of(info=int(MsrInfo.PSC_REQ), gfn=gpa >> 12, operation=int(SHARED))
    _msr(hypervisor, vcpu, word)
    gfn = gpa >> 12
    word_back = _msr(
        hypervisor, vcpu, MsrRegGhcbGpaReq.of(info=int(MsrInfo.REG_GHCB_GPA_REQ), gfn=gfn)
    )
    if word_back >> 12 != gfn:
        raise ExitError("the hypervisor refused to register the GHCB", gpa)
    vcpu.msr = gpa
    memory.shared(gpa)[:] = Page(protocol_version=2).build()


def _msr(hypervisor: Hypervisor, vcpu: Vcpu, word: int) -> int:
    vcpu.msr = int(word)
    hypervisor.vmgexit(vcpu)
    return vcpu.msr


def change(
    hypervisor: Hypervisor,
    memory: GuestMemory,
    vcpu: Vcpu,
    pages: list[int],
    operation: PscOperation,
) -> None:
    """Change the state of pages. Raises ExitError if the hypervisor does not.

    The guest accepts pages once they are private, and gives them up before they are shared.
    """
    if operation is SHARED:
        for gpa in pages:
            memory.accept(gpa, validate=False)
    words = [PscEntry.of(gfn=gpa >> 12, operation=int(operation)) for gpa in pages]
    head = PscHeader(end_entry=len(words) - 1)
    buffer = PscBuffer(head, words).build()
    ghcb = memory.shared(vcpu.msr)
    ghcb[SHARED_START : SHARED_START + len(buffer)] = buffer
    scratch = vcpu.msr + SHARED_START
    info2 = leave(hypervisor, memory, vcpu, ExitCode.SNP_PAGE_STATE_CHANGE, sw_scratch=scratch)
    done = PscHeader.parse(memory.shared(vcpu.msr)[SHARED_START : SHARED_START + 8])
    if info2 or done.cur_entry <= done.end_entry:
        failed = pages[min(done.cur_entry, len(pages) - 1)]
        raise ExitError(f"the hypervisor did not change a page: {info2:#x}", failed)
    if operation is PRIVATE:
        for gpa in pages:
            memory.accept(gpa)


def bring_up(
    hypervisor: Hypervisor, memory: GuestMemory, boot: Vcpu, vcpu: Vcpu, area: int
) -> None:
    """Make a page a VMSA and start a processor on it."""
    memory.adjust(area, RmpAdjust.of(target_vmpl=1, vmsa=1))
    info = ApCreationInfo.of(request=int(ApCreationRequest.CREATE), apic_id=vcpu.apic_id)
    leave(hypervisor, memory, boot, ExitCode.SNP_AP_CREATION, info, area, rax=0)
    register(hypervisor, memory, vcpu)
