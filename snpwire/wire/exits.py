"""Exit codes: their names, and which row of ``events`` says what they carry.

The processor's codes and those that only software defines share one number space, ``sw_exit_code``,
so they are one enumeration. Codes that Linux 6.12 does not name are from OpenVMM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import OpenEnum
from .event import NOTHING, Event, Operand
from .events import EVENTS
from .operands import Action, EventInject, MalformedReason

if TYPE_CHECKING:
    from collections.abc import Mapping

_FAULTS = "DE DB NMI BP OF BR UD NM DF . TS NP SS GP PF . MF AC MC XF VE CP"
_VECTORS = {n: name for n, name in enumerate(_FAULTS.split()) if name != "."}
_VECTORS |= {28: "HV", 29: "VC", 30: "SX"}


def _exception(vector: int) -> str:
    name = _VECTORS.get(vector)
    return f"exception {vector}" if name is None else f"exception {vector}, #{name}"


class ExitCode(OpenEnum):
    """Exit code: an intercepted event of the processor, or a request to the hypervisor."""

    vars().update({f"CR{n}_READ": (n, f"read CR{n}") for n in range(16)})
    vars().update({f"CR{n}_WRITE": (0x10 + n, f"write CR{n}") for n in range(16)})
    vars().update({f"DR{n}_READ": (0x20 + n, f"read DR{n}") for n in range(16)})
    vars().update({f"DR{n}_WRITE": (0x30 + n, f"write DR{n}") for n in range(16)})
    vars().update({f"EXCP{n}": (0x40 + n, _exception(n)) for n in range(32)})
    INTR = 0x60, "interrupt"
    NMI = 0x61, "non-maskable interrupt"
    SMI = 0x62, "system management interrupt"
    INIT = 0x63, "INIT"
    VINTR = 0x64, "virtual interrupt"
    CR0_SEL_WRITE = 0x65, "write CR0, bits other than TS and MP"
    IDTR_READ = 0x66, "SIDT"
    GDTR_READ = 0x67, "SGDT"
    LDTR_READ = 0x68, "SLDT"
    TR_READ = 0x69, "STR"
    IDTR_WRITE = 0x6A, "LIDT"
    GDTR_WRITE = 0x6B, "LGDT"
    LDTR_WRITE = 0x6C, "LLDT"
    TR_WRITE = 0x6D, "LTR"
    RDTSC = 0x6E, "RDTSC"
    RDPMC = 0x6F, "RDPMC"
    PUSHF = 0x70, "PUSHF"
    POPF = 0x71, "POPF"
    CPUID = 0x72, "CPUID"
    RSM = 0x73, "RSM"
    IRET = 0x74, "IRET"
    SWINT = 0x75, "INT n"
    INVD = 0x76, "INVD"
    PAUSE = 0x77, "PAUSE"
    HLT = 0x78, "HLT"
    INVLPG = 0x79, "INVLPG"
    INVLPGA = 0x7A, "INVLPGA"
    IOIO = 0x7B, "IN or OUT"
    MSR = 0x7C, "RDMSR or WRMSR"
    TASK_SWITCH = 0x7D, "task switch"
    FERR_FREEZE = 0x7E, "frozen on an x87 error"
    SHUTDOWN = 0x7F, "shutdown"
    VMRUN = 0x80, "VMRUN"
    VMMCALL = 0x81, "VMMCALL"
    VMLOAD = 0x82, "VMLOAD"
    VMSAVE = 0x83, "VMSAVE"
    STGI = 0x84, "STGI"
    CLGI = 0x85, "CLGI"
    SKINIT = 0x86, "SKINIT"
    RDTSCP = 0x87, "RDTSCP"
    ICEBP = 0x88, "ICEBP"
    WBINVD = 0x89, "WBINVD"
    MONITOR = 0x8A, "MONITOR"
    MWAIT = 0x8B, "MWAIT"
    MWAIT_COND = 0x8C, "MWAIT, monitor armed"
    XSETBV = 0x8D, "XSETBV"
    RDPRU = 0x8E, "RDPRU"
    EFER_WRITE_TRAP = 0x8F, "EFER write, trapped after the instruction"
    vars().update({f"CR{n}_WRITE_TRAP": (0x90 + n, f"CR{n} was written") for n in range(16)})
    INVLPGB = 0xA0, "INVLPGB"
    ILLEGAL_INVLPGB = 0xA1, "INVLPGB that is not allowed"
    INVPCID = 0xA2, "INVPCID"
    BUSLOCK = 0xA5, "bus lock"
    IDLE_HLT = 0xA6, "HLT with no virtual interrupt pending"
    NPF = 0x400, "nested page fault"
    AVIC_INCOMPLETE_IPI = 0x401, "AVIC could not deliver an IPI"
    AVIC_UNACCELERATED_ACCESS = 0x402, "AVIC does not handle this access"
    VMGEXIT = 0x403, "VMGEXIT"
    PAGE_NOT_VALIDATED = 0x404, "page not validated; raised as #VC in the guest"
    NOT_RESTARTABLE = 0x406, "the guest cannot be resumed at the interrupted instruction"
    MMIO_READ = 0x8000_0001, "MMIO read"
    MMIO_WRITE = 0x8000_0002, "MMIO write"
    NMI_COMPLETE = 0x8000_0003, "NMI handled"
    AP_RESET_HOLD = 0x8000_0004, "wait for SIPI; AP_HLT_LOOP in Linux"
    AP_JUMP_TABLE = 0x8000_0005, "AP jump table of SEV-ES"
    SNP_PAGE_STATE_CHANGE = 0x8000_0010, "page state change"
    SNP_GUEST_REQUEST = 0x8000_0011, "guest request"
    SNP_EXT_GUEST_REQUEST = 0x8000_0012, "guest request with certificates"
    SNP_AP_CREATION = 0x8000_0013, "AP creation"
    SNP_HV_DOORBELL_PAGE = 0x8000_0014, "#HV doorbell page"
    SNP_HV_IPI = 0x8000_0015, "#HV IPI"
    SNP_HV_TIMER = 0x8000_0016, "#HV timer (number not verified)"
    GET_APIC_IDS = 0x8000_0017, "list of APIC IDs"
    SNP_RUN_VMPL = 0x8000_0018, "run VMPL; 0x80000017 in an early SVSM draft"
    UNKNOWN_19 = 0x8000_0019, "assigned, meaning not known"
    SECURE_AVIC = 0x8000_001A, "secure AVIC backing page"
    CONFIGURE_INT_INJ = 0x8000_001B, "configure interrupt injection (draft)"
    DISABLE_ALT_INJ = 0x8000_001C, "disable alternate injection (draft)"
    SPECIFIC_EOI = 0x8000_001D, "end of one interrupt (draft)"
    SEV_TIO_GUEST_REQUEST = 0x8000_0020, "guest request about a device (draft)"
    SEV_TIO_OP = 0x8000_0021, "trusted device operation (draft)"
    HV_FEATURES = 0x8000_FFFD, "hypervisor features"
    TERM_REQUEST = 0x8000_FFFE, "termination request of the guest"
    UNSUPPORTED_EVENT = 0x8000_FFFF, "#VC that the guest cannot handle"
    SW = 0xF000_0000, "reserved for hypervisors and software"
    INVALID_PMC = 0xFFFF_FFFF_FFFF_FFFC, "performance counter state invalid"
    IDLE_REQUIRED = 0xFFFF_FFFF_FFFF_FFFD, "the sibling thread was not idle"
    VMSA_BUSY = 0xFFFF_FFFF_FFFF_FFFE, "the VMSA is busy: a vCPU runs on it"
    INVALID_VMCB = 0xFFFF_FFFF_FFFF_FFFF, "guest state invalid; SVM_EXIT_ERR in Linux"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of other sources: Linux, edk2, coconut-svsm, OpenVMM."""
        return SPELLINGS


# 0x60 to 0x8B, without a gap
_CONSECUTIVE = (
    "interrupt nmi smi init vintr cr0_sel_write read_idtr read_gdtr read_ldtr read_rt write_idtr"
    " write_gdtr write_ldtr write_rt rdtsc rdpmc pushf popf cpuid rsm iret swint invd pause hlt"
    " invlpg invlpga io msr task_switch ferr_freeze shutdown vmrun hypercall vmload vmsave stgi"
    " clgi skinit rdtscp icebp wbinvd monitor mwait"
)
_EXCEPTIONS = [n for n in _VECTORS if n < 20 and n != 2]  # those that Linux has a string for

KVM_REASONS: dict[int, str] = {
    **{n: f"read_cr{n}" for n in (0, 2, 3, 4, 8)},
    **{0x10 + n: f"write_cr{n}" for n in (0, 2, 3, 4, 8)},
    **{0x20 + n: f"read_dr{n}" for n in range(8)},
    **{0x30 + n: f"write_dr{n}" for n in range(8)},
    **{0x40 + n: f"{_VECTORS[n]} excp" for n in _EXCEPTIONS},
    **dict(enumerate(_CONSECUTIVE.split(), 0x60)),
    0x8D: "xsetbv",
    0x8F: "write_efer_trap",
    **{0x90 + n: f"write_cr{n}_trap" for n in (0, 4, 8)},
    0xA2: "invpcid",
    0x400: "npf",
    0x401: "avic_incomplete_ipi",
    0x402: "avic_unaccelerated_access",
    0x403: "vmgexit",
    0x8000_0001: "vmgexit_mmio_read",
    0x8000_0002: "vmgexit_mmio_write",
    0x8000_0003: "vmgexit_nmi_complete",
    0x8000_0004: "vmgexit_ap_hlt_loop",
    0x8000_0005: "vmgexit_ap_jump_table",
    0x8000_0010: "vmgexit_page_state_change",
    0x8000_0011: "vmgexit_guest_request",
    0x8000_0012: "vmgexit_ext_guest_request",
    0x8000_0013: "vmgexit_ap_creation",
    0x8000_FFFD: "vmgexit_hypervisor_feature",
    0xFFFF_FFFF_FFFF_FFFF: "invalid_guest_state",
}
"""Names of codes in KVM's tracepoints; ``read_rt`` is how Linux 6.12 spells it."""

SPELLINGS = {
    **{f"EXCP_{name}": f"EXCP{n}" for n, name in _VECTORS.items()},
    **{name: ExitCode(n).name for n, name in KVM_REASONS.items()},
    **{
        f"{way}_{reg}": f"{reg}_{way}"
        for way in ("READ", "WRITE")
        for reg in ("IDTR", "GDTR", "LDTR", "TR")
    },
    **{
        f"{way}_{r}R{n}": f"{r}R{n}_{way}"
        for way in ("READ", "WRITE")
        for r in "CD"
        for n in range(16)
    },
    "ERR": "INVALID_VMCB",
    "INVALID": "INVALID_VMCB",
    "BUSY": "VMSA_BUSY",
    "IOIO_PROT": "IOIO",
    "AVIC_NOACCEL": "AVIC_UNACCELERATED_ACCESS",
    "MWAIT_CONDITIONAL": "MWAIT_COND",
    "HLT_INSTRUCTION": "HLT",
    "PSC": "SNP_PAGE_STATE_CHANGE",
    "AP_HLT_LOOP": "AP_RESET_HOLD",
    "AP_CREATE": "SNP_AP_CREATION",
    "EXTENDED_GUEST_REQUEST": "SNP_EXT_GUEST_REQUEST",
    "GUEST_EXT_REQUEST": "SNP_EXT_GUEST_REQUEST",
    "HV_DOORBELL": "SNP_HV_DOORBELL_PAGE",
    "DOORBELL_PAGE": "SNP_HV_DOORBELL_PAGE",
    "HV_FT": "HV_FEATURES",
    "HYPERVISOR_FEATURES": "HV_FEATURES",
    "UNSUPPORTED": "UNSUPPORTED_EVENT",
    "TERMINATE": "TERM_REQUEST",
    "SAVIC": "SECURE_AVIC",
    "APIC_IDS": "GET_APIC_IDS",
}
"""Names that sources give to codes, where they are not those here with an owner before them."""

KVM_ACCEPTED: frozenset[int] = frozenset(
    {0x27, 0x37, 0x6E, 0x6F, 0x72, 0x76, 0x7B, 0x7C, 0x81, 0x87, 0x89, 0x8A, 0x8B}
    | set(range(0x8000_0001, 0x8000_0006))
    | set(range(0x8000_0010, 0x8000_0014))
    | set(range(0x8000_FFFD, 0x8001_0000))
)
"""Codes that KVM of Linux 6.12 handles; it returns INVALID_EVENT for all others."""

_ROWS: dict[int, tuple[Event, ...]] = {
    code: tuple(event for event in EVENTS if event.code == code)
    for code in sorted({event.code for event in EVENTS})
}


def events_of(code: int) -> tuple[Event, ...]:
    """Return every row of an exit code, in the order in which they are tried."""
    return _ROWS.get(code, ())


def event_of(code: int, info1: int) -> Event | None:
    """Return the row for an exit code and its first operand, or None if there is none."""
    for event in events_of(code):
        mask, value = event.when
        if info1 & mask == value:
            return event
    return None


_REFUSALS = {
    Action.ISSUE_EXCEPTION: Operand("exception", EventInject),
    Action.MALFORMED_INPUT: Operand("reason", MalformedReason),
}


def response(event: Event | None, info1: int) -> Operand:
    """Return the meaning of ``sw_exit_info_2`` in a response whose first operand is *info1*.

    The action is the low half of *info1*; the high half has no meaning that is known.
    """
    action = Action(info1 & 0xFFFF_FFFF)
    if action is Action.NO_ACTION:
        return NOTHING if event is None else event.result
    return _REFUSALS.get(action, Operand("unknown"))
