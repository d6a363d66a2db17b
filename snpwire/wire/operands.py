"""Words and enumerations of the operands of an exit.

Bit positions are those of Linux, edk2, coconut-svsm and OpenVMM; where they differ, the class says
so. Sections of AMD 56421 are cited where one of these cites them.

This is a pure table, which is why it is longer than a module should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import Flags, OpenEnum, Word, bit, bits
from .event import Value
from .status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

# Responses


class Action(OpenEnum):
    """Action required of the guest: the low half of ``sw_exit_info_1`` in a response.

    Linux takes any other value as an error. edk2 raises #GP for it, and for 2.
    """

    NO_ACTION = 0, "no action; sw_exit_info_2 holds the event's own result"
    ISSUE_EXCEPTION = 1, "raise the exception that sw_exit_info_2 describes"
    MALFORMED_INPUT = 2, "the request was refused; sw_exit_info_2 says why (from revision 2.03)"


class ResponseInfo(Word, width=64, spec="56421 2.03, 4.1: SW_EXITINFO1 on return"):
    """``sw_exit_info_1`` of a response."""

    action = bits(0, 32, "Action the guest has to take", Action)


class MalformedReason(OpenEnum):
    """Reason of a MALFORMED_INPUT response, in ``sw_exit_info_2``."""

    GHCB_NOT_REGISTERED = 1, "the GHCB is not the registered one; KVM 6.12 fails KVM_RUN instead"
    INVALID_USAGE = 2, "ghcb_usage is not supported by the hypervisor"
    INVALID_SCRATCH_AREA = 3, "sw_scratch is zero, or the data does not fit where it points"
    MISSING_INPUT = 4, "a required field is not marked valid; KVM also: invalid operands"
    INVALID_INPUT = 5, "a field is marked valid and its value cannot be used"
    INVALID_EVENT = 6, "the hypervisor does not support this exit code"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of other sources: Linux, coconut-svsm."""
        return {"NOT_REGISTERED": "GHCB_NOT_REGISTERED", "INVALID_SCRATCH": "INVALID_SCRATCH_AREA"}


class EventType(OpenEnum):
    """Type of event to inject."""

    INTR = 0, "external interrupt"
    NMI = 2, "non-maskable interrupt"
    EXCEPTION = 3, "exception, the only type that guests accept"
    SOFT_INT = 4, "software interrupt"


class EventInject(Word, width=64, spec="56421, SW_EXITINFO2 with ISSUE_EXCEPTION"):
    """Exception that a guest is to raise. KVM sends 0x8000030D for an MSR it refuses."""

    vector = bits(0, 8, "Exception vector; guests accept only 13 (#GP) and 6 (#UD)")
    type = bits(8, 3, "Event type: interrupt, NMI, exception or software interrupt", EventType)
    error_code_valid = bit(11, "The exception has an error code")
    valid = bit(31, "The event is valid and is to be injected")
    error_code = bits(32, 32, "Error code of the exception")


class VmmError(OpenEnum):
    """Hypervisor error of a guest request. Any value but 0 is an error."""

    NONE = 0, "no hypervisor error: the low half is the firmware's status"
    INVALID_LEN = (
        1,
        "certificate buffer too small; rbx gives the pages needed, the firmware was not called",
    )
    BUSY = 2, "busy; send the same message again, its sequence number is not used up"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of virtee/sev."""
        return {
            "INVALID_CERTIFICATE_PAGE_LENGTH": "INVALID_LEN",
            "RATE_LIMIT_RETRY_REQUEST": "BUSY",
        }

    KVM_GENERIC = 0xFFFF_FFFF, "newer KVM: certificates could not be fetched"


class GuestRequestResult(Word, width=64, spec="56421, SW_EXITINFO2 after a guest request"):
    """Hypervisor error and firmware status of a guest request."""

    fw_error = bits(0, 32, "Firmware status of the guest request", Status)
    vmm_error = bits(32, 32, "Hypervisor (VMM) error of the guest request", VmmError)


class PscReturn(OpenEnum):
    """Result of a page state change: values of ``sw_exit_info_2`` when the action is 0."""

    INTERRUPTED_OR_DONE = 0, "interrupted or complete: compare cur_entry with end_entry"
    INVALID_HEADER = 0x1_0000_0001, "invalid header; KVM: end_entry is beyond the buffer"
    INVALID_ENTRY = (
        0x1_0000_0002,
        "invalid entry at cur_entry; KVM: cur_page too large, or a 2 MiB frame not aligned",
    )
    KVM_GENERIC = 0x100_0000_0000, "KVM failed; the document's wording is not known"


# Requests


class IoSegment(OpenEnum):
    """Segment register of a string instruction, numbered as in an instruction's encoding."""

    ES = 0, "ES segment"
    CS = 1, "CS segment"
    SS = 2, "SS segment"
    DS = 3, "DS segment"
    FS = 4, "FS segment"
    GS = 5, "GS segment"


class IoioInfo(Word, width=64, spec="56421, SW_EXITINFO1 of IOIO"):
    """Port access. coconut-svsm and OpenVMM set no address size."""

    in_ = bit(0, "Direction: 1 for IN, 0 for OUT")
    string = bit(2, "String instruction (INS or OUTS): the data is in the scratch area")
    rep = bit(3, "The instruction has a REP prefix")
    size8 = bit(4, "Operand size of 8 bits")
    size16 = bit(5, "Operand size of 16 bits")
    size32 = bit(6, "Operand size of 32 bits")
    addr16 = bit(7, "Address size of 16 bits")
    addr32 = bit(8, "Address size of 32 bits")
    addr64 = bit(9, "Address size of 64 bits")
    segment = bits(10, 3, "Segment register of a string operand", IoSegment)
    port = bits(16, 16, "I/O port number")

    @property
    def size(self) -> int:
        """Return the bytes of one operand; 0 if not exactly one size is set."""
        return {0x10: 1, 0x20: 2, 0x40: 4}.get(self & 0x70, 0)

    @property
    def address_bits(self) -> int:
        """Return the address size in bits; 0 if not exactly one is set."""
        return {0x80: 16, 0x100: 32, 0x200: 64}.get(self & 0x380, 0)


class ApJumpTableRequest(OpenEnum):
    """Operation of AP_JUMP_TABLE."""

    SET = 0, "set the address of the AP jump table"
    GET = 1, "get the address of the AP jump table"


class DoorbellRequest(OpenEnum):
    """Operation of SNP_HV_DOORBELL_PAGE."""

    GET_PREFERRED = 0, "get the hypervisor's preferred address of the doorbell page"
    SET = 1, "set the doorbell page to sw_exit_info_2"
    QUERY = 2, "query the doorbell page in use"
    CLEAR = 3, "clear the doorbell page"


class SecureAvicRequest(OpenEnum):
    """Operation of SECURE_AVIC."""

    REGISTER_GPA = 0, "register an APIC backing page"
    UNREGISTER_GPA = 1, "unregister an APIC backing page"


class ApCreationRequest(OpenEnum):
    """Operation of SNP_AP_CREATION."""

    CREATE_ON_INIT = 0, "run on the VMSA after the next INIT"
    CREATE = 1, "run on the VMSA immediately"
    DESTROY = 2, "stop the vCPU and release its VMSA; rax is not needed"


class ApCreationInfo(Word, width=64, spec="56421, SW_EXITINFO1 of SNP_AP_CREATION"):
    """Operation, VMPL and APIC ID of an AP creation.

    coconut-svsm and newer KVM take four bits for the VMPL, OpenVMM sixteen. KVM 6.12 compares the
    low half with the request as a whole, so there any VMPL but 0 is refused.
    """

    request = bits(0, 16, "AP creation request: create (on INIT) or destroy", ApCreationRequest)
    vmpl = bits(16, 4, "VMPL of the VMSA")
    apic_id = bits(32, 32, "APIC ID of the vCPU")


class SevTioAction(OpenEnum):
    """Operation of SEV_TIO_OP on a device interface (draft)."""

    BIND = 0, "bind the device interface to the guest; rcx returns its ID"
    UNBIND = 1, "unbind the device interface"
    RUN = 2, "start the device interface"
    STOP = 3, "stop the device interface"


class SevTioOpInfo(Word, width=64, spec="Linux SEV-TIO series, draft: SW_EXITINFO1 of SEV_TIO_OP"):
    """Device and operation of SEV_TIO_OP."""

    guest_rid = bits(0, 32, "Requester ID of the device as the guest sees it")
    action = bits(32, 32, "Operation on the device interface", SevTioAction)


class DisableAltInjInfo(Word, width=64, spec="coconut-svsm, draft: SW_EXITINFO1"):
    """Interrupt state of a VMPL that disables alternate injection."""

    interrupts_enabled = bit(0, "Interrupts are enabled: RFLAGS.IF is set")
    interrupt_shadow = bit(1, "Interrupt shadow: interrupts are blocked for one instruction")
    tpr = bits(8, 8, "Task priority (TPR)")
    vmpl = bits(16, 16, "VMPL that disables alternate injection")


class SpecificEoiInfo(Word, width=64, spec="coconut-svsm, draft: SW_EXITINFO1"):
    """Interrupt that is finished."""

    vector = bits(0, 8, "Vector of the finished interrupt")
    vmpl = bits(16, 16, "VMPL that the interrupt was for")


class PscOperation(OpenEnum):
    """Operation of a page state change.

    Over the MSR only the first two exist; KVM reports the others as done and does nothing.
    """

    PRIVATE = 1, "assign the page to the guest"
    SHARED = 2, "make the page shared with the hypervisor"
    PSMASH = 3, "split a 2 MiB page into 4 KiB pages"
    UNSMASH = 4, "join 4 KiB pages into a 2 MiB page"


class PscPageSize(OpenEnum):
    """Page size as encoded in the RMP."""

    SIZE_4K = 0, "4 KiB page"
    SIZE_2M = 1, "2 MiB page; the frame number is a multiple of 512"


class CpuidRegister(OpenEnum):
    """Register of a CPUID request over the MSR."""

    EAX = 0, "EAX register"
    EBX = 1, "EBX register"
    ECX = 2, "ECX register"
    EDX = 3, "EDX register"


# Features


class HvFeatures(Flags, width=64, spec="56421, hypervisor features"):
    """Features of the hypervisor. KVM 6.12 reports 0x3.

    edk2 declares bits 1 to 3 as masks that hold the bits they depend on; all others as single bits.
    Secure AVIC has no bit: Linux checks SEV_STATUS instead.
    """

    snp = bit(0, "SEV-SNP: GHCB registration, page state changes, guest requests")
    snp_ap_creation = bit(1, "AP creation; needs bit 0")
    snp_restricted_injection = bit(2, "Doorbell page and #HV IPI; needs bits 0 and 1")
    snp_restricted_injection_timer = bit(3, "#HV timer; needs bits 0 to 2")
    apic_id_list = bit(4, "List of APIC IDs")
    snp_multi_vmpl = bit(5, "Run VMPL; needs bits 0 and 1")
    sev_es_page_state_change = bit(6, "Page state changes for SEV-ES guests")
    sev_tio = bit(7, "Trusted I/O (SEV-TIO)")
    ghcb_gpa_unregister = bit(8, "GHCB unregistration (revision 2.04)")
    ext_interrupts = bit(9, "Alternate injection (draft, only coconut-svsm)")

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of edk2 and coconut-svsm."""
        return {
            "SNP_AP_CREATE": "snp_ap_creation",
            "SNP_RESTR_INJ": "snp_restricted_injection",
            "SNP_RESTR_INJ_TIMER": "snp_restricted_injection_timer",
            "PAGE_STATE_CHANGE": "sev_es_page_state_change",
            "SNP_EXT_INTERRUPTS": "ext_interrupts",
        }


class SevFeatures(Flags, width=64, spec="APM volume 2, SEV_FEATURES of the VMSA"):
    """Features of a VMSA, as ``rax`` gives them to AP creation: SEV_STATUS shifted right by 2."""

    snp_active = bit(0, "SEV-SNP is active")
    vtom = bit(1, "Virtual top of memory is enabled")
    reflect_vc = bit(2, "#VC is reflected: it exits to the hypervisor")
    restricted_injection = bit(3, "Restricted injection: only #HV is injected")
    alternate_injection = bit(4, "Alternate injection: controlled through the VMSA")
    debug_swap = bit(5, "Debug registers are swapped by hardware")
    prevent_host_ibs = bit(6, "Host IBS is disabled while the guest runs")
    btb_isolation = bit(7, "BTB isolation: the guest does not share branch targets")
    vmpl_sss = bit(8, "Supervisor shadow stacks are checked for each VMPL")
    secure_tsc = bit(9, "Secure TSC is enabled")
    vmgexit_param = bit(10, "VMGEXIT takes a parameter")
    pmc_virt = bit(11, "Performance counters are virtualised")
    ibs_virt = bit(12, "IBS is virtualised")
    guest_intercept_control = bit(13, "The guest controls intercepts")
    vmsa_reg_prot = bit(14, "Registers in the VMSA are masked (register protection)")
    smt_prot = bit(15, "SMT protection: the sibling thread idles while the guest runs")
    secure_avic = bit(16, "Secure AVIC is enabled")
    ibpb_on_entry = bit(21, "Indirect branch prediction barrier (IBPB) on entry")
    allowed_sev_features_enable = bit(63, "Enable bit of the VMCB's allowed SEV features (OpenVMM)")


# Termination


class TermSet(OpenEnum):
    """Reason set: who defines the reason codes of a termination."""

    GHCB_SPEC = 0, "56421; coconut-svsm always sends code 0 of it"
    LINUX = 1, "the Linux guest"
    AMDESE_SVSM = 15, "AMD's linux-svsm"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of Linux."""
        return {"SET_GEN": "GHCB_SPEC", "SET_LINUX": "LINUX"}


class TermSpec(OpenEnum):
    """Reason codes of set 0. Only the crate ghcb-msr-protocol counts them from 1."""

    GENERAL = 0, "no reason given"
    PROTOCOL_UNSUPPORTED = 1, "guest and hypervisor share no protocol version"
    SNP_FEATURES_UNSUPPORTED = 2, "SNP features are active that the guest does not support"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of Linux."""
        return {
            "GEN_REQ": "GENERAL",
            "PROT_UNSUPPORTED": "PROTOCOL_UNSUPPORTED",
            "UNSUPPORTED": "SNP_FEATURES_UNSUPPORTED",
        }


class TermLinux(OpenEnum):
    """Reason codes of set 1; those from SECURE_TSC on are newer than 6.12."""

    REGISTER = 0, "the hypervisor refused to register the GHCB"
    PSC = 1, "a page state change failed"
    PVALIDATE = 2, "PVALIDATE failed"
    NOT_VMPL0 = 3, "the kernel does not run at VMPL0 and has to"
    CPUID = 4, "the CPUID page is invalid"
    CPUID_HV = 5, "the hypervisor did not return CPUID values"
    SECRETS_PAGE = 6, "the secrets page could not be found or mapped"
    NO_SVSM = 7, "not at VMPL0, and the secrets page names no SVSM"
    SVSM_VMPL0 = 8, "the SVSM says that the kernel runs at VMPL0"
    SVSM_CAA = 9, "the SVSM's calling area is not page-aligned"
    SECURE_TSC = 10, "secure TSC could not be set up"
    SVSM_CA_REMAP_FAIL = 11, "the SVSM did not move its calling area"
    SAVIC_FAIL = 12, "secure AVIC could not be set up"


class TermAmdeseSvsm(OpenEnum):
    """Reason codes of set 15."""

    GENERAL = 0, "no reason given"
    ENOMEM = 1, "out of memory"
    UNHANDLED_VC = 2, "unhandled #VC"
    PSC_ERROR = 3, "a page state change failed"
    SET_PAGE_ERROR = 4, "a page could not be mapped"
    NO_GHCB = 5, "no GHCB available"
    GHCB_RESP_INVALID = 6, "the hypervisor's response is invalid"
    FW_CFG_ERROR = 7, "fw_cfg could not be read"
    BIOS_FORMAT = 8, "the firmware image is malformed"
    NOT_VMPL0 = 9, "the SVSM is not at VMPL0"
    VMPL0_SEV_FEATURES = 10, "unexpected SEV_FEATURES of VMPL0"
    INCORRECT_VMPL = 11, "the firmware image requests a wrong VMPL"
    VMPL1_SEV_FEATURES = 12, "unexpected SEV_FEATURES of VMPL1"


TERM_CODES: dict[int, type[OpenEnum]] = {
    TermSet.GHCB_SPEC: TermSpec,
    TermSet.LINUX: TermLinux,
    TermSet.AMDESE_SVSM: TermAmdeseSvsm,
}
"""The reason codes of each set."""


def term_reason(reason_set: int, code: int) -> int:
    """Return *code* as a member of its set's enumeration; a number if the set is unknown."""
    kind = TERM_CODES.get(reason_set)
    return Value(code) if kind is None else kind(code)


class TermInfo(Word, width=64, spec="56421, SW_EXITINFO1 of TERM_REQUEST"):
    """Termination reason in the page; the MSR packs the same two numbers elsewhere."""

    reason_set = bits(0, 4, "Reason set: who defines the reason code", TermSet)
    reason_code = bits(4, 8, "Reason code of the termination")

    @property
    def reason(self) -> int:
        """Return the code as a member of its set's enumeration."""
        return term_reason(self.reason_set, self.reason_code)
