"""Reasons for which KVM returns to the program that runs a virtual machine.

Source: Linux 7.3 ``include/uapi/linux/kvm.h``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import OpenEnum

if TYPE_CHECKING:
    from collections.abc import Mapping


class KvmExit(OpenEnum):
    """``exit_reason`` of KVM_RUN."""

    UNKNOWN = 0, "the processor left the guest for a reason that KVM does not know"
    EXCEPTION = 1, "exception"
    IO = 2, "the guest asks for a port"
    HYPERCALL = 3, "the guest asks the program, with SNP to convert pages (KVM_HC_MAP_GPA_RANGE)"
    DEBUG = 4, "debugging"
    HLT = 5, "the guest halts"
    MMIO = 6, "the guest asks for device memory"
    IRQ_WINDOW_OPEN = 7, "an interrupt can be injected"
    SHUTDOWN = 8, "triple fault"
    FAIL_ENTRY = 9, "the processor refused to enter the guest"
    INTR = 10, "a signal"
    SET_TPR = 11, "task priority"
    TPR_ACCESS = 12, "task priority is accessed"
    S390_SIEIC = 13, "not of x86"
    S390_RESET = 14, "not of x86"
    DCR = 15, "not used any more"
    NMI = 16, "NMI"
    INTERNAL_ERROR = 17, "KVM cannot go on; the suberror says why"
    OSI = 18, "not of x86"
    PAPR_HCALL = 19, "not of x86"
    S390_UCONTROL = 20, "not of x86"
    WATCHDOG = 21, "watchdog"
    S390_TSCH = 22, "not of x86"
    EPR = 23, "not of x86"
    SYSTEM_EVENT = 24, "system event: its type says which"
    S390_STSI = 25, "not of x86"
    IOAPIC_EOI = 26, "end of an interrupt of the IOAPIC"
    HYPERV = 27, "Hyper-V"
    ARM_NISV = 28, "not of x86"
    X86_RDMSR = 29, "the guest reads an MSR that the program handles"
    X86_WRMSR = 30, "the guest writes an MSR that the program handles"
    DIRTY_RING_FULL = 31, "the ring of changed pages is full"
    AP_RESET_HOLD = 32, "a processor waits for its start"
    X86_BUS_LOCK = 33, "bus lock"
    XEN = 34, "Xen"
    RISCV_SBI = 35, "not of x86"
    RISCV_CSR = 36, "not of x86"
    NOTIFY = 37, "the guest ran too long without a window for interrupts"
    LOONGARCH_IOCSR = 38, "not of x86"
    MEMORY_FAULT = 39, "memory is private and was asked for as shared, or the other way about"
    TDX = 40, "not of AMD"
    ARM_SEA = 41, "not of x86"
    ARM_LDST64B = 42, "not of x86; a draft had SNP_REQ_CERTS here"
    SNP_REQ_CERTS = 43, "the guest asks for a report with certificates: the program gives them"


class SystemEvent(OpenEnum):
    """Type of KVM_EXIT_SYSTEM_EVENT."""

    SHUTDOWN = 1, "the guest wants to be switched off"
    RESET = 2, "the guest wants to be restarted"
    CRASH = 3, "the guest has crashed"
    WAKEUP = 4, "a processor wakes up"
    SUSPEND = 5, "the guest wants to sleep"
    SEV_TERM = 6, "an SEV-ES or SNP guest ended itself, or KVM ended it"
    TDX_FATAL = 7, "a TDX guest gave up"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of other sources."""
        return {"SEV_TERMINATE": "SEV_TERM", "SEV_TERMINATED": "SEV_TERM"}
