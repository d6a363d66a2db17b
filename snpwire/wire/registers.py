"""Registers outside of the protocol that decide whether SNP is on: MSRs, CPUID leaves, the IOMMU.

Names are those of Linux where it has one. A register of the reverse map table is in ``rmp_words``,
the GHCB MSR in ``msr``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bits import Flags, Word, bit, bits

if TYPE_CHECKING:
    from collections.abc import Mapping

MSR_INDEX = "Linux 7.3 msr-index.h"
CPUID_LEAF = "CPUID 0x8000001F (Linux 7.3 cpufeatures.h, OpenVMM cpuid.rs)"
SEGMENTS = "CPUID 0x80000025 (newer Linux arch/x86/virt/svm/sev.c)"
IOMMU = "Linux 7.3 amd_iommu_types.h"


class SevStatus(Flags, width=64, spec=f"MSR C001_0131, SEV_STATUS ({MSR_INDEX})"):
    """What a guest is: from bit 2 on SEV_FEATURES of its VMSA, shifted left by 2."""

    sev = bit(0, "SEV: memory is encrypted")
    sev_es = bit(1, "SEV-ES: the register state is encrypted")
    sev_snp = bit(2, "SEV-SNP: memory is protected by the RMP")
    vtom = bit(3, "Virtual top of memory is enabled")
    reflect_vc = bit(4, "#VC is reflected: it exits to the hypervisor")
    restricted_injection = bit(5, "Restricted injection: only #HV is injected")
    alternate_injection = bit(6, "Alternate injection: controlled through the VMSA")
    debug_swap = bit(7, "Debug registers are swapped by hardware")
    prevent_host_ibs = bit(8, "Host IBS is disabled while the guest runs")
    btb_isolation = bit(9, "BTB isolation: the guest does not share branch targets")
    vmpl_sss = bit(10, "Supervisor shadow stacks are checked for each VMPL")
    secure_tsc = bit(11, "Secure TSC is enabled")
    vmgexit_param = bit(12, "VMGEXIT takes a parameter")
    ibs_virt = bit(14, "IBS is virtualised")
    vmsa_reg_prot = bit(16, "Registers in the VMSA are masked (register protection)")
    smt_prot = bit(17, "SMT protection: the sibling thread idles while the guest runs")
    secure_avic = bit(18, "Secure AVIC is enabled")
    ibpb_on_entry = bit(23, "Indirect branch prediction barrier (IBPB) on entry")

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of Linux and coconut-svsm."""
        return {
            "ALT_INJ": "alternate_injection",
            "REST_INJ": "restricted_injection",
            "DBGSWP": "debug_swap",
            "PREV_HOST_IBS": "prevent_host_ibs",
        }


class Syscfg(Word, width=64, spec=f"MSR C001_0010, SYSCFG ({MSR_INDEX}; APM volume 2)"):
    """System configuration of a core. SNP wants bits 19, 23, 24 and 25 alike on all cores."""

    mtrr_fix_dram_en = bit(18, "MtrrFixDramEn: the fixed MTRRs tell memory from devices")
    mtrr_fix_dram_mod_en = bit(19, "MtrrFixDramModEn: the fixed MTRRs can be changed")
    mtrr_var_dram_en = bit(20, "MtrrVarDramEn: top of memory registers are on")
    mtrr_tom2_en = bit(21, "MtrrTom2En: the second top of memory is on")
    tom2_force_wb = bit(22, "Tom2ForceMemTypeWB: memory above 4 GiB is write-back")
    mem_encryption_mod_en = bit(23, "MemEncryptionModEn: memory encryption (SME, SEV) is on")
    snp_en = bit(24, "SecureNestedPagingEn: the RMP is checked")
    snp_vmpl_en = bit(25, "VMPLEn: VMPL permissions are checked")

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of Linux."""
        return {"MEM_ENCRYPT": "mem_encryption_mod_en", "MFDM": "mtrr_fix_dram_mod_en"}


class Hwcr(Word, width=64, spec=f"MSR C001_0015, HWCR ({MSR_INDEX})"):
    """Hardware configuration of a core."""

    smm_lock = bit(0, "SmmLock: SMM code is locked; without it Linux has no SEV at all")
    cpb_dis = bit(25, "Core performance boost is disabled")
    irperf_en = bit(30, "The counter of retired instructions is enabled")
    cpuid_user_dis = bit(35, "CPUID is not allowed in user mode")


class VmCr(Word, width=64, spec="MSR C001_0114, VM_CR (Linux 7.3 svm.h)"):
    """Control of virtualisation on a core."""

    lock = bit(3, "SVM_LOCK: svm_dis cannot be changed")
    svm_dis = bit(4, "SVMDIS: virtualisation is disabled; KVM says: disabled by BIOS")


class GuestTscFreq(Word, width=64, spec=f"MSR C001_0134, GUEST_TSC_FREQ ({MSR_INDEX})"):
    """Nominal frequency of the secure TSC."""

    mhz = bits(0, 18, "Nominal frequency in MHz; the mean is lower by TSC_FACTOR of the secrets")


class SecureAvicControl(Word, width=64, spec=f"MSR C001_0138, SAVIC_CONTROL ({MSR_INDEX})"):
    """Secure AVIC of a virtual processor."""

    secure_avic_en = bit(0, "Secure AVIC is enabled")
    allowed_nmi = bit(1, "The hypervisor may inject an NMI")
    backing_page = bits(12, 40, "Page frame of the APIC backing page")


class RmpoptBase(Word, width=64, spec="MSR C001_0139, RMPOPT_BASE (Linux patches, draft)"):
    """Where a core may skip checks of the RMP: at most 2 TiB from there."""

    enable = bit(0, "RMPOPT is enabled")
    base = bits(30, 22, "Address in units of 1 GiB")


class SevLeafEax(Flags, width=32, spec=f"{CPUID_LEAF}, EAX"):
    """Encryption features of the processor, or of a guest's processor."""

    sme = bit(0, "SME: memory encryption of the host")
    sev = bit(1, "SEV: encrypted guests")
    page_flush_msr = bit(2, "The page flush MSR is there")
    sev_es = bit(3, "SEV-ES: encrypted register state")
    sev_snp = bit(4, "SEV-SNP: the RMP")
    vmpl = bit(5, "VMPLs of a guest")
    rmp_query = bit(6, "RMPQUERY is there")
    vmpl_sss = bit(7, "Supervisor shadow stacks are checked for each VMPL")
    secure_tsc = bit(8, "Secure TSC of a guest")
    tsc_aux_virt = bit(9, "TSC_AUX is virtualised")
    coherency_enforced = bit(10, "Caches are coherent across encryption: no flush is needed")
    req_64bit_hypervisor = bit(11, "SEV needs a hypervisor of 64 bits")
    restricted_injection = bit(12, "Restricted injection: only #HV")
    alternate_injection = bit(13, "Alternate injection, through the VMSA")
    debug_swap = bit(14, "Debug registers are swapped by hardware")
    prevent_host_ibs = bit(15, "Host IBS can be disabled while a guest runs")
    vte = bit(16, "VTE: virtual transparent encryption")
    vmgexit_param = bit(17, "VMGEXIT takes a parameter")
    virtual_tom_msr = bit(18, "The virtual top of memory is an MSR")
    ibs_virt = bit(19, "IBS is virtualised")
    rmpread = bit(21, "RMPREAD is there")
    guest_intercept_control = bit(22, "The guest can control intercepts")
    segmented_rmp = bit(23, "The RMP can have segments")
    vmsa_reg_prot = bit(24, "Registers in the VMSA can be masked")
    secure_avic = bit(26, "Secure AVIC of a guest")
    allowed_sev_features = bit(27, "The hypervisor can limit SEV_FEATURES")
    svsm_present = bit(28, "SVSM present: for a guest, an SVSM runs above it")
    nested_virt_snp_msr = bit(29, "RMPUPDATE and PSMASH by MSR for nested hypervisors")
    hv_in_use_write_allowed = bit(30, "The hypervisor may write pages beside those in use")

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of Linux."""
        return {
            "VM_PAGE_FLUSH": "page_flush_msr",
            "V_TSC_AUX": "tsc_aux_virt",
            "SME_COHERENT": "coherency_enforced",
        }


class SevLeafEbx(Word, width=32, spec=f"{CPUID_LEAF}, EBX"):
    """The C-bit, and what encryption costs."""

    c_bit_position = bits(0, 6, "Bit of a page table entry that encrypts (C-bit)")
    physical_address_reduction = bits(6, 6, "Bits of the physical address that encryption takes")
    number_of_vmpls = bits(12, 4, "VMPLs that a guest has")


class SevLeafEcx(Word, width=32, spec=f"{CPUID_LEAF}, ECX"):
    """How many guests can be encrypted at once."""

    max_sev_asid = bits(0, 32, "Highest ASID of an encrypted guest")


class SevLeafEdx(Word, width=32, spec=f"{CPUID_LEAF}, EDX"):
    """Where the ASIDs of SEV guests begin."""

    min_sev_asid = bits(0, 32, "Lowest ASID of an SEV guest without ES; below it SEV-ES and SNP")


class RmpLeafEax(Word, width=32, spec=f"{SEGMENTS}, EAX"):
    """Sizes that a segment of the RMP can have."""

    min_segment_size = bits(0, 6, "Lowest power of two of the bytes that a segment covers")
    max_segment_size = bits(6, 6, "Highest power of two of the bytes that a segment covers")


class RmpLeafEbx(Word, width=32, spec=f"{SEGMENTS}, EBX"):
    """How many segments of the RMP the processor remembers."""

    cached_segments = bits(0, 10, "Segments whose place is cached")
    cache_is_limit = bit(10, "There can be no more segments than are cached")


class IommuEfr(Word, width=64, spec=f"IOMMU MMIO 0x30, extended features ({IOMMU})"):
    """What an IOMMU can do: the first word of ``AMD-Vi: Extended features``."""

    prefetch = bit(0, "Prefetch commands")
    ppr = bit(1, "PPR: peripheral page requests")
    x2apic = bit(2, "X2APIC mode")
    nx = bit(3, "NX: no execution")
    gt = bit(4, "GT: guest translation")
    ia = bit(6, "IA: the command to invalidate all")
    ga = bit(7, "GA: guest virtual APIC")
    he = bit(8, "HE: hardware errors")
    pc = bit(9, "PC: performance counters")
    hats = bits(10, 2, "HATS: host page tables have 4, 5 or 6 levels")
    gats = bits(12, 2, "GATS: guest page tables have 4, 5 or 6 levels")
    glx = bits(14, 2, "GLX: levels of the guest CR3 table")
    ga_vapic = bits(21, 3, "GAM: mode of the guest virtual APIC")
    pasmax = bits(32, 5, "PASmax: bits of a PASID, less one")
    giosup = bit(48, "GIOV: guest I/O protection")
    hasup = bit(49, "HA: accessed bits are set")
    ephsup = bit(50, "EPH: enhanced PPR handling")
    hdsup = bit(52, "HD: dirty bits are set")
    snp = bit(63, "SNP: the IOMMU checks the RMP")


class IommuEfr2(Word, width=64, spec=f"IOMMU MMIO 0x1A0, extended features 2 ({IOMMU})"):
    """What an IOMMU can do besides: the second word of ``AMD-Vi: Extended features``."""

    sev_tio = bit(1, "SEV-TIO: trusted I/O")
    gcr3_trp_mode = bit(3, "The guest CR3 table can be at a guest address")
    snp_avic = bits(5, 3, "Virtual APIC with SNP; 1: in the guest mode")
    snp_page_mode_0 = bit(13, "Page mode 0 is allowed with SNP")
