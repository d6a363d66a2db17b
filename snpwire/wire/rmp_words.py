"""Words of the RMP: registers, VMPL permissions, faults and ASIDs."""

from __future__ import annotations

from ..bits import Flags, OpenEnum, Word, bit, bits

LAST_ASID = 1006
"""The last ASID that a guest can have on Genoa (AMD-ASPFW sev_mcmd.c)."""
CHANGING = 0x3FF
"""ASID with which the firmware reserves an entry while it changes it."""


class RmpGpaState(OpenEnum):
    """Use of a firmware-owned page."""

    FIRMWARE = 0, "page of the firmware, or a guest context"
    METADATA = 1, "metadata of swapped pages"
    FW_IOMMU = 2, "page of the IOMMU"


class RmpFirmwareGpa(Word, width=39, spec="AMD-ASPFW sev_rmp.h; private to that firmware"):
    """``gpa`` of an entry while its ``asid`` is 0: a private note of the firmware."""

    pfn = bits(0, 36, "Page frame number of the guest context; 1 for the IOMMU")
    state = bits(36, 3, "Use of a firmware-owned page", RmpGpaState)


class VmplMask(Flags, width=8, spec="AMD-ASPFW sev_rmp.h, VMPL permission mask"):
    """VMPL permissions of one VMPL."""

    read = bit(0, "Read permission")
    write = bit(1, "Write permission")
    exec_user = bit(2, "Execute permission in user mode")
    exec_supervisor = bit(3, "Execute permission in supervisor mode")
    sss = bit(4, "Use as a supervisor shadow stack")


class RmpAdjust(Word, width=64, spec="RMPADJUST, rDX (OpenVMM, coconut-svsm, Linux)"):
    """VMPL permissions that RMPADJUST sets: five bits as in ``VmplMask``, eight further up."""

    target_vmpl = bits(0, 8, "Target VMPL; must be less privileged than the current one")
    read = bit(8, "Read permission")
    write = bit(9, "Write permission")
    exec_user = bit(10, "Execute permission in user mode")
    exec_supervisor = bit(11, "Execute permission in supervisor mode")
    sss = bit(12, "Use as a supervisor shadow stack")
    vmsa = bit(16, "The page is a VMSA; honoured at VMPL 0 only")


class RmpUpdateResult(OpenEnum):
    """Result of RMPUPDATE in EAX; RMPREAD has the first three."""

    SUCCESS = 0, "the entry is changed"
    FAIL_INPUT = 1, "invalid operand or address"
    FAIL_PERMISSION = 2, "executed in a guest, or the entry is immutable"
    FAIL_INUSE = 3, "another processor changes the entry, or executes from the page"
    FAIL_OVERLAP = 4, "pages of 4 KiB and of 2 MiB would overlap"


class PsmashResult(OpenEnum):
    """Result of PSMASH in EAX."""

    SUCCESS = 0, "the page is split"
    FAIL_INPUT = 1, "invalid address"
    FAIL_PERMISSION = 2, "executed in a guest"
    FAIL_INUSE = 3, "another processor changes the entry; Linux retries"
    FAIL_BADADDR_LINUX2021 = (
        4,
        "not a page that can be split, in a header of Linux before SNP was merged",
    )
    FAIL_BADADDR = 7, "not a page that can be split (Microsoft)"


class PvalidateResult(OpenEnum):
    """Result of PVALIDATE in EAX; the carry flag is set if nothing changed."""

    SUCCESS = 0, "the page is in the requested state"
    FAIL_INPUT = 1, "invalid operands"
    FAIL_PERMISSION = 2, "not at VMPL 0 (only VeriSMo)"
    FAIL_SIZEMISMATCH = 6, "2 MiB requested, but the entry is for 4 KiB"


class RmpAdjustResult(OpenEnum):
    """Result of RMPADJUST in EAX, and of RMPQUERY."""

    SUCCESS = 0, "the permissions are set"
    FAIL_INPUT = 1, "invalid operands"
    FAIL_PERMISSION = (
        2,
        "the target VMPL is not less privileged, or gets more than the current one has",
    )
    FAIL_SIZEMISMATCH = 6, "2 MiB requested, but the entry is for 4 KiB"


class NpfInfo(Word, width=64, spec="#VMEXIT(NPF), EXITINFO1 (OpenVMM, Linux)"):
    """Cause of a nested page fault."""

    present = bit(0, "The nested page is present")
    write = bit(1, "The access was a write")
    user = bit(2, "The access was in user mode")
    reserved_bit = bit(3, "A reserved bit is set in a page table")
    fetch = bit(4, "The access was an instruction fetch")
    shadow_stack = bit(6, "The access was to a shadow stack")
    rmp = bit(31, "RMP violation")
    gpa_final = bit(32, "The fault was on the final guest-physical address")
    gpa_page_table = bit(33, "The fault was on a guest page table")
    enc = bit(34, "The access was to private (encrypted) memory")
    sizem = bit(35, "Page size of the RMP entry differs from the operand or nested page table")
    vmpl = bit(36, "VMPL permissions deny the access")
    sss = bit(37, "Supervisor shadow stack check failed")
    not_restartable = bit(63, "The instruction cannot be restarted")


class RmpBase(Word, width=64, spec="MSR C001_0132, RMP_BASE (Linux, AMD-ASPFW)"):
    """Start of the RMP. The firmware requires a multiple of 1 MiB, without C-bit."""

    rmp_base = bits(13, 39, "Address of the RMP in units of 8 KiB")

    @property
    def address(self) -> int:
        """Return the address of the table's first byte."""
        return self.rmp_base << 13


class RmpEnd(Word, width=64, spec="MSR C001_0133, RMP_END (Linux, AMD-ASPFW)"):
    """End of the RMP. Linux does not use it where the table has segments."""

    rmp_end = bits(0, 52, "Address of the last byte of the RMP")


class RmpCfg(Word, width=64, spec="MSR C001_0136, RMP_CFG (newer Linux)"):
    """Configuration of a segmented RMP."""

    segmented_rmp_en = bit(0, "The RMP is segmented")
    rmp_segment_size = bits(8, 6, "Power of two of the bytes a segment covers, as Linux reads it")


class RstEntry(Word, width=64, spec="RMP segment table (newer Linux)"):
    """Segment of the RMP; the table of 512 segments is 16 KiB after RMP_BASE."""

    mapped_size_gb = bits(0, 20, "GiB of memory that the segment covers; 0 for no segment")
    segment_base = bits(20, 32, "Address of the segment's entries in units of 1 MiB")

    @property
    def address(self) -> int:
        """Return the address of the segment's first entry."""
        return self.segment_base << 20


class PageFault(Word, width=32, spec="#PF error code (Linux trap_pf.h)"):
    """Error code of a page fault of the host, or within a guest."""

    present = bit(0, "The page is present: a permission was missing")
    write = bit(1, "The access was a write")
    user = bit(2, "The access was in user mode")
    reserved_bit = bit(3, "A reserved bit is set in a page table")
    fetch = bit(4, "The access was an instruction fetch")
    protection_key = bit(5, "Protection key violation")
    shadow_stack = bit(6, "The access was to a shadow stack")
    sgx = bit(15, "SGX violation (not AMD)")
    rmp = bit(31, "RMP violation")
