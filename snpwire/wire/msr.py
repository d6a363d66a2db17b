"""The GHCB MSR protocol: messages of one 64-bit word, without a GHCB page.

The guest writes a request to MSR 0xC0010130, executes VMGEXIT, and reads the response back. The low
twelve bits select one of the words below. For unknown ones KVM leaves the MSR as it is and resumes
the guest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from construct import Int64ul

from ..bits import OpenEnum, Word, bits
from ..layout import Record, at
from .operands import CpuidRegister, HvFeatures, PscOperation, TermSet, term_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC = "56421, GHCB MSR protocol"

NO_PREFERENCE = (1 << 52) - 1
"""Frame number of PREF_GHCB_GPA_RESP that leaves the choice to the guest, as KVM always does."""

KVM_PSC_FAILED = 0x8000_0000_0000_0015
"""The whole PSC_RESP with which KVM reports any failure."""


class MsrInfo(OpenEnum):
    """Message code of the GHCB MSR protocol: bits 11 to 0."""

    GHCB_GPA = 0x000, "frame number of the GHCB: VMGEXIT uses the page from now on"
    SEV_INFO_RESP = 0x001, "protocol versions and C-bit position; also the value after reset"
    SEV_INFO_REQ = 0x002, "request for protocol versions and C-bit position"
    RESERVED_AP_JUMP_TABLE = 0x003, "reserved; OpenVMM names it AP jump table"
    CPUID_REQ = 0x004, "request for one register of a CPUID leaf, subleaf 0"
    CPUID_RESP = 0x005, "one register of a CPUID leaf"
    AP_RESET_HOLD_REQ = 0x006, "wait for SIPI (version 2)"
    AP_RESET_HOLD_RESP = 0x007, "end of the wait for SIPI (version 2)"
    PREF_GHCB_GPA_REQ = 0x010, "request for the preferred GHCB address (SNP)"
    PREF_GHCB_GPA_RESP = 0x011, "preferred GHCB address"
    REG_GHCB_GPA_REQ = 0x012, "register a GHCB (SNP)"
    REG_GHCB_GPA_RESP = 0x013, "GHCB address registered; a different one is a refusal"
    PSC_REQ = 0x014, "change the state of one page (SNP, or hypervisor feature bit 6)"
    PSC_RESP = 0x015, "result of the page state change"
    RUN_VMPL_REQ = 0x016, "run another VMPL (hypervisor feature bit 5)"
    RUN_VMPL_RESP = 0x017, "result of running the other VMPL"
    UNREG_GHCB_GPA_REQ = 0x018, "unregister the GHCB (revision 2.04, hypervisor feature bit 8)"
    UNREG_GHCB_GPA_RESP = 0x019, "GHCB address that was registered"
    HV_FEATURES_REQ = 0x080, "request for hypervisor features (version 2)"
    HV_FEATURES_RESP = 0x081, "hypervisor features (version 2)"
    TERM_REQ = 0x100, "termination request; there is no response"
    HYPERV_SPECIAL_HYPERCALL = 0xF00, "Hyper-V: special hypercall"
    HYPERV_SPECIAL_FAST_CALL = 0xF01, "Hyper-V: fast call"
    HYPERV_HYPERCALL_OUTPUT = 0xF02, "Hyper-V: output of a hypercall"
    HYPERV_SPECIAL_DBGPRINT = 0xF03, "Hyper-V: debug print"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of other sources: Linux, edk2, coconut-svsm, OpenVMM."""
        return SPELLINGS


SPELLINGS = {
    "SEV_INFO": "SEV_INFO_RESP",
    "SEV_INFO_GET": "SEV_INFO_REQ",
    "AP_JUMP_TABLE": "RESERVED_AP_JUMP_TABLE",
    "TERMINATE_REQ": "TERM_REQ",
    "SHUTDOWN_REQ": "TERM_REQ",
    "NORMAL": "GHCB_GPA",
    "PAGE_STATE_CHANGE": "PSC_REQ",
    "PAGE_STATE_UPDATED": "PSC_RESP",
    "HYPERCALL_OUTPUT": "HYPERV_HYPERCALL_OUTPUT",
    "SPECIAL_HYPERCALL": "HYPERV_SPECIAL_HYPERCALL",
    "SPECIAL_FAST_CALL": "HYPERV_SPECIAL_FAST_CALL",
    "SPECIAL_DBGPRINT": "HYPERV_SPECIAL_DBGPRINT",
    **{
        f"{spelling}_{way}": f"{name}_{way}"
        for way in ("REQ", "RESP")
        for spelling, name in (
            ("HV_FT", "HV_FEATURES"),
            ("HYP_FT", "HV_FEATURES"),
            ("HYPERVISOR_FEATURES", "HV_FEATURES"),
            ("VMPL", "RUN_VMPL"),
            ("REG_GPA", "REG_GHCB_GPA"),
            ("REGISTER", "REG_GHCB_GPA"),
            ("GHCB_GPA_REGISTER", "REG_GHCB_GPA"),
            ("PREF_GPA", "PREF_GHCB_GPA"),
            ("PREFERRED", "PREF_GHCB_GPA"),
            ("PAGE_STATE_CHANGE", "PSC"),
            ("STATE_CHANGE", "PSC"),
        )
    },
}
"""Names that sources give to messages, where they are not those here with an owner before them."""


INFO = bits(0, 12, "Message code of the MSR protocol", MsrInfo)


class Msr(Record, size=8, spec=SPEC):
    """GHCB MSR as eight bytes; ``word_of`` reads its value."""

    value: int = at(0, Int64ul, "GHCB MSR, 0xC0010130")


class MsrWord(Word, width=64, spec=SPEC):
    """GHCB MSR message whose data has no known layout."""

    info = INFO
    data = bits(12, 52, "Message data of unknown layout")


class MsrGhcbGpa(Word, width=64, spec=SPEC):
    """GHCB address: VMGEXIT uses the page."""

    info = INFO
    gfn = bits(12, 52, "Frame number of the GHCB")


class MsrSevInfoReq(Word, width=64, spec=SPEC):
    """Request for protocol versions and C-bit position."""

    info = INFO


class MsrSevInfoResp(Word, width=64, spec=SPEC):
    """Protocol versions and C-bit position. Both sides use the highest version they share."""

    info = INFO
    c_bit = bits(24, 8, "Position of the C-bit in a page-table entry")
    min_version = bits(32, 16, "Lowest GHCB protocol version of the hypervisor")
    max_version = bits(48, 16, "Highest GHCB protocol version of the hypervisor")


class MsrCpuidReq(Word, width=64, spec=SPEC):
    """Request for one register of a CPUID leaf."""

    info = INFO
    register = bits(30, 2, "CPUID register requested", CpuidRegister)
    function = bits(32, 32, "CPUID leaf; the subleaf is 0")


class MsrCpuidResp(Word, width=64, spec=SPEC):
    """Value of one register of a CPUID leaf."""

    info = INFO
    register = bits(30, 2, "CPUID register, as in the request", CpuidRegister)
    value = bits(32, 32, "Value of the CPUID register")


class MsrApResetHoldReq(Word, width=64, spec=SPEC):
    """Request to wait for SIPI."""

    info = INFO


class MsrApResetHoldResp(Word, width=64, spec=SPEC):
    """End of the wait for SIPI."""

    info = INFO
    result = bits(12, 52, "Zero if no SIPI was received; KVM returns 1 if one was")


class MsrPrefGhcbGpaReq(Word, width=64, spec=SPEC):
    """Request for the preferred GHCB address. KVM ends a guest that is not SNP."""

    info = INFO


class MsrPrefGhcbGpaResp(Word, width=64, spec=SPEC):
    """Preferred GHCB address of the hypervisor."""

    info = INFO
    gfn = bits(12, 52, "Preferred GHCB frame number; all ones for no preference")


class MsrRegGhcbGpaReq(Word, width=64, spec=SPEC):
    """Request to register a GHCB. KVM ends a guest that is not SNP.

    Before revision 2.04, coconut-svsm and OpenVMM unregister by registering frame 0.
    """

    info = INFO
    gfn = bits(12, 52, "Frame number of the GHCB to register")


class MsrRegGhcbGpaResp(Word, width=64, spec=SPEC):
    """GHCB address that is registered. All ones as the refusal is not verified."""

    info = INFO
    gfn = bits(12, 52, "Frame number registered; any but the requested one is a refusal")


class MsrPscReq(Word, width=64, spec=SPEC):
    """Request to change the state of one 4 KiB page.

    KVM passes it on to user space. OpenVMM has bit 56 for a large page, which is Hyper-V's own.
    """

    info = INFO
    gfn = bits(12, 40, "Frame number of the page")
    operation = bits(52, 4, "Page operation: 1 private, 2 shared", PscOperation)


class MsrPscResp(Word, width=64, spec=SPEC):
    """Result of a page state change."""

    info = INFO
    error_code = bits(32, 32, "Error code, 0 for success; KVM fails with 0x80000000")


class MsrRunVmplReq(Word, width=64, spec=SPEC):
    """Request to run another VMPL. edk2's declaration of the word is 32 bits too long."""

    info = INFO
    vmpl = bits(32, 8, "Number of the VMPL to run")


class MsrRunVmplResp(Word, width=64, spec=SPEC):
    """Result of running another VMPL."""

    info = INFO
    error_code = bits(32, 32, "Error code, 0 for success")


class MsrUnregGhcbGpaReq(Word, width=64, spec="56421 2.04, GHCB MSR protocol"):
    """Request to unregister the GHCB. OpenVMM requires all other bits to be zero."""

    info = INFO


class MsrUnregGhcbGpaResp(Word, width=64, spec="56421 2.04, GHCB MSR protocol"):
    """GHCB address that was registered."""

    info = INFO
    gfn = bits(12, 52, "Frame number unregistered; OpenVMM: 0 if none, all ones for failure")


class MsrHvFeaturesReq(Word, width=64, spec=SPEC):
    """Request for hypervisor features."""

    info = INFO


class MsrHvFeaturesResp(Word, width=64, spec=SPEC):
    """Hypervisor features, shifted left by 12."""

    info = INFO
    features = bits(12, 52, "Hypervisor features, bits 51 to 0")

    @property
    def flags(self) -> HvFeatures:
        """Return the features as a set."""
        return HvFeatures(self.features)


class MsrTermReq(Word, width=64, spec=SPEC):
    """Termination request of the guest."""

    info = INFO
    reason_set = bits(12, 4, "Reason set: who defines the reason code", TermSet)
    reason_code = bits(16, 8, "Reason code of the termination")

    @property
    def reason(self) -> int:
        """Return the code as a member of its set's enumeration."""
        return term_reason(self.reason_set, self.reason_code)


WORDS: dict[int, type[Word]] = {
    MsrInfo.GHCB_GPA: MsrGhcbGpa,
    MsrInfo.SEV_INFO_RESP: MsrSevInfoResp,
    MsrInfo.SEV_INFO_REQ: MsrSevInfoReq,
    MsrInfo.CPUID_REQ: MsrCpuidReq,
    MsrInfo.CPUID_RESP: MsrCpuidResp,
    MsrInfo.AP_RESET_HOLD_REQ: MsrApResetHoldReq,
    MsrInfo.AP_RESET_HOLD_RESP: MsrApResetHoldResp,
    MsrInfo.PREF_GHCB_GPA_REQ: MsrPrefGhcbGpaReq,
    MsrInfo.PREF_GHCB_GPA_RESP: MsrPrefGhcbGpaResp,
    MsrInfo.REG_GHCB_GPA_REQ: MsrRegGhcbGpaReq,
    MsrInfo.REG_GHCB_GPA_RESP: MsrRegGhcbGpaResp,
    MsrInfo.PSC_REQ: MsrPscReq,
    MsrInfo.PSC_RESP: MsrPscResp,
    MsrInfo.RUN_VMPL_REQ: MsrRunVmplReq,
    MsrInfo.RUN_VMPL_RESP: MsrRunVmplResp,
    MsrInfo.UNREG_GHCB_GPA_REQ: MsrUnregGhcbGpaReq,
    MsrInfo.UNREG_GHCB_GPA_RESP: MsrUnregGhcbGpaResp,
    MsrInfo.HV_FEATURES_REQ: MsrHvFeaturesReq,
    MsrInfo.HV_FEATURES_RESP: MsrHvFeaturesResp,
    MsrInfo.TERM_REQ: MsrTermReq,
}
"""The layout of each message; all others are a ``MsrWord``."""

RESPONSE_OF: dict[MsrInfo, MsrInfo] = {
    MsrInfo.SEV_INFO_REQ: MsrInfo.SEV_INFO_RESP,
    MsrInfo.CPUID_REQ: MsrInfo.CPUID_RESP,
    MsrInfo.AP_RESET_HOLD_REQ: MsrInfo.AP_RESET_HOLD_RESP,
    MsrInfo.PREF_GHCB_GPA_REQ: MsrInfo.PREF_GHCB_GPA_RESP,
    MsrInfo.REG_GHCB_GPA_REQ: MsrInfo.REG_GHCB_GPA_RESP,
    MsrInfo.PSC_REQ: MsrInfo.PSC_RESP,
    MsrInfo.RUN_VMPL_REQ: MsrInfo.RUN_VMPL_RESP,
    MsrInfo.UNREG_GHCB_GPA_REQ: MsrInfo.UNREG_GHCB_GPA_RESP,
    MsrInfo.HV_FEATURES_REQ: MsrInfo.HV_FEATURES_RESP,
}
"""The response that belongs to a request."""

REQUESTS = frozenset(RESPONSE_OF) | {MsrInfo.GHCB_GPA, MsrInfo.TERM_REQ}
"""Messages that a guest writes. The direction of Hyper-V's is not known."""

RESPONSES = frozenset(RESPONSE_OF.values())
"""Messages that a hypervisor writes."""


def word_of(value: int) -> Word:
    """Return the MSR's *value* as the word that its low twelve bits select."""
    return WORDS.get(value & INFO.limit, MsrWord)(value)


KINDS = {"msr": Msr}
