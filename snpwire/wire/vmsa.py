"""The VMSA: the save area of one vCPU of an encrypted guest, a page.

Linux and AMD-ASPFW agree up to 0x66F; the rest comes from coconut-svsm, AMD-ASPFW or a
translation of AMD's manual, as each field says. Where the guest protects its registers
(``vmsa_reg_prot``), the quadwords that the secrets page's bitmap names are stored XORed with
``reg_prot_nonce``.

This is a pure table, which is why the class is longer than others.
"""

from __future__ import annotations

from construct import Bytes, Int8ul, Int16ul, Int32ul, Int64ul

from ..bits import Word, bit, bits
from ..codec import array, as_word
from ..layout import Record, at, nested
from .operands import SevFeatures

SPEC = "APM volume 2, VMSA (Linux svm.h, OpenVMM snp.rs, coconut-svsm vmsa.rs, AMD-ASPFW sev_es.h)"


class VintrCtrl(Word, width=64, spec="OpenVMM, SevVirtualInterruptControl"):
    """Virtual interrupts of a vCPU under alternate injection."""

    tpr = bits(0, 8, "Virtual task priority (V_TPR)")
    irq = bit(8, "A virtual interrupt is pending")
    gif = bit(9, "Global interrupt flag")
    intr_shadow = bit(10, "Interrupt shadow: interrupts are blocked for one instruction")
    nmi = bit(11, "A virtual NMI is pending")
    nmi_mask = bit(12, "Virtual NMIs are masked")
    priority = bits(16, 4, "Priority of the pending virtual interrupt")
    ignore_tpr = bit(20, "The virtual task priority is ignored")
    nmi_enable = bit(26, "Virtual NMIs are enabled")
    vector = bits(32, 8, "Vector of the pending virtual interrupt")
    guest_busy = bit(63, "Guest busy: the vCPU cannot be run")


class Segment(Record, size=0x10, spec="APM volume 2, segment register in a VMCB (Linux svm.h)"):
    """Segment register."""

    selector: int = at(0x0, Int16ul, "Segment selector")
    attrib: int = at(0x2, Int16ul, "Segment attributes, packed into twelve bits")
    limit: int = at(0x4, Int32ul, "Segment limit")
    base: int = at(0x8, Int64ul, "Segment base address")


class Vmsa(Record, size=0x1000, spec=SPEC):
    """VM save area (VMSA)."""

    es: Segment = at(0x000, nested(Segment), "ES segment register")
    cs: Segment = at(0x010, nested(Segment), "CS segment register")
    ss: Segment = at(0x020, nested(Segment), "SS segment register")
    ds: Segment = at(0x030, nested(Segment), "DS segment register")
    fs: Segment = at(0x040, nested(Segment), "FS segment register")
    gs: Segment = at(0x050, nested(Segment), "GS segment register")
    gdtr: Segment = at(0x060, nested(Segment), "Global descriptor table register (GDTR)")
    ldtr: Segment = at(0x070, nested(Segment), "Local descriptor table register (LDTR)")
    idtr: Segment = at(0x080, nested(Segment), "Interrupt descriptor table register (IDTR)")
    tr: Segment = at(0x090, nested(Segment), "Task register (TR)")
    pl0_ssp: int = at(0x0A0, Int64ul, "Shadow stack pointer of privilege level 0")
    pl1_ssp: int = at(0x0A8, Int64ul, "Shadow stack pointer of privilege level 1")
    pl2_ssp: int = at(0x0B0, Int64ul, "Shadow stack pointer of privilege level 2")
    pl3_ssp: int = at(0x0B8, Int64ul, "Shadow stack pointer of privilege level 3")
    u_cet: int = at(0x0C0, Int64ul, "User control-flow enforcement (U_CET)")
    vmpl: int = at(0x0CA, Int8ul, "VMPL of the vCPU")
    cpl: int = at(0x0CB, Int8ul, "Current privilege level")
    efer: int = at(0x0D0, Int64ul, "Extended feature enable register (EFER)")
    xss: int = at(0x140, Int64ul, "IA32_XSS")
    cr4: int = at(0x148, Int64ul, "Control register CR4")
    cr3: int = at(0x150, Int64ul, "Control register CR3")
    cr0: int = at(0x158, Int64ul, "Control register CR0")
    dr7: int = at(0x160, Int64ul, "Debug control register (DR7)")
    dr6: int = at(0x168, Int64ul, "Debug status register (DR6)")
    rflags: int = at(0x170, Int64ul, "Guest RFLAGS")
    rip: int = at(0x178, Int64ul, "Guest RIP")
    dr0: int = at(0x180, Int64ul, "Debug address register DR0")
    dr1: int = at(0x188, Int64ul, "Debug address register DR1")
    dr2: int = at(0x190, Int64ul, "Debug address register DR2")
    dr3: int = at(0x198, Int64ul, "Debug address register DR3")
    dr0_addr_mask: int = at(0x1A0, Int64ul, "Address mask of DR0")
    dr1_addr_mask: int = at(0x1A8, Int64ul, "Address mask of DR1")
    dr2_addr_mask: int = at(0x1B0, Int64ul, "Address mask of DR2")
    dr3_addr_mask: int = at(0x1B8, Int64ul, "Address mask of DR3")
    rsp: int = at(0x1D8, Int64ul, "Guest RSP")
    s_cet: int = at(0x1E0, Int64ul, "Supervisor control-flow enforcement (S_CET)")
    ssp: int = at(0x1E8, Int64ul, "Shadow stack pointer (SSP)")
    isst_addr: int = at(0x1F0, Int64ul, "Interrupt shadow stack table address")
    rax: int = at(0x1F8, Int64ul, "Guest RAX")
    star: int = at(0x200, Int64ul, "STAR MSR: legacy SYSCALL target")
    lstar: int = at(0x208, Int64ul, "LSTAR MSR: 64-bit SYSCALL target")
    cstar: int = at(0x210, Int64ul, "CSTAR MSR: compatibility mode SYSCALL target")
    sfmask: int = at(0x218, Int64ul, "SFMASK MSR: SYSCALL flag mask")
    kernel_gs_base: int = at(0x220, Int64ul, "KernelGSbase MSR")
    sysenter_cs: int = at(0x228, Int64ul, "SYSENTER_CS MSR")
    sysenter_esp: int = at(0x230, Int64ul, "SYSENTER_ESP MSR")
    sysenter_eip: int = at(0x238, Int64ul, "SYSENTER_EIP MSR")
    cr2: int = at(0x240, Int64ul, "Control register CR2")
    g_pat: int = at(0x268, Int64ul, "Page attribute table (PAT) of the guest")
    dbgctl: int = at(0x270, Int64ul, "DebugCtl MSR")
    br_from: int = at(0x278, Int64ul, "Last branch source address")
    br_to: int = at(0x280, Int64ul, "Last branch target address")
    last_excp_from: int = at(0x288, Int64ul, "Last exception source address")
    last_excp_to: int = at(0x290, Int64ul, "Last exception target address")
    spec_ctrl: int = at(0x2E0, Int64ul, "SPEC_CTRL MSR; reserved in Linux")
    pkru: int = at(0x2E8, Int32ul, "PKRU register")
    tsc_aux: int = at(0x2EC, Int32ul, "TSC_AUX MSR; reserved in coconut-svsm")
    guest_tsc_scale: int = at(0x2F0, Int64ul, "TSC scale; set by the firmware, measured as 0")
    guest_tsc_offset: int = at(0x2F8, Int64ul, "TSC offset; set by the firmware, measured as 0")
    reg_prot_nonce: int = at(0x300, Int64ul, "Nonce that protected quadwords are XORed with")
    rcx: int = at(0x308, Int64ul, "Guest RCX")
    rdx: int = at(0x310, Int64ul, "Guest RDX")
    rbx: int = at(0x318, Int64ul, "Guest RBX")
    secure_avic_control: int = at(0x320, Int64ul, "Secure AVIC control and backing page (OpenVMM)")
    rbp: int = at(0x328, Int64ul, "Guest RBP")
    rsi: int = at(0x330, Int64ul, "Guest RSI")
    rdi: int = at(0x338, Int64ul, "Guest RDI")
    r8: int = at(0x340, Int64ul, "Guest R8")
    r9: int = at(0x348, Int64ul, "Guest R9")
    r10: int = at(0x350, Int64ul, "Guest R10")
    r11: int = at(0x358, Int64ul, "Guest R11")
    r12: int = at(0x360, Int64ul, "Guest R12")
    r13: int = at(0x368, Int64ul, "Guest R13")
    r14: int = at(0x370, Int64ul, "Guest R14")
    r15: int = at(0x378, Int64ul, "Guest R15")
    zeros: int = at(0x380, Int64ul, "Written as zero by the firmware once it has measured")
    crc_paddr: int = at(0x388, Int64ul, "Written as ones by the firmware once it has measured")
    guest_exit_info_1: int = at(0x390, Int64ul, "First operand of the exit")
    guest_exit_info_2: int = at(0x398, Int64ul, "Second operand of the exit")
    guest_exit_int_info: int = at(0x3A0, Int64ul, "Event that the exit interrupted")
    guest_nrip: int = at(0x3A8, Int64ul, "Next RIP after the exiting instruction")
    sev_features: SevFeatures = at(0x3B0, as_word(SevFeatures), "SEV_FEATURES of the vCPU")
    vintr_ctrl: VintrCtrl = at(0x3B8, as_word(VintrCtrl), "Virtual interrupt control")
    guest_exit_code: int = at(0x3C0, Int64ul, "Exit code of the last exit")
    virtual_tom: int = at(0x3C8, Int64ul, "Virtual top of memory")
    tlb_id: int = at(0x3D0, Int64ul, "TLB ID of the vCPU")
    pcpu_id: int = at(0x3D8, Int64ul, "Physical CPU ID")
    event_inj: int = at(0x3E0, Int64ul, "Event to inject into the guest")
    xcr0: int = at(0x3E8, Int64ul, "Extended control register 0 (XCR0)")
    xsave_valid_bitmap: bytes = at(0x3F0, Bytes(16), "Valid bitmap of XSAVE state (OpenVMM)")
    x87_dp: int = at(0x400, Int64ul, "x87 data pointer")
    mxcsr: int = at(0x408, Int32ul, "MXCSR register")
    x87_ftw: int = at(0x40C, Int16ul, "x87 tag word")
    x87_fsw: int = at(0x40E, Int16ul, "x87 status word")
    x87_fcw: int = at(0x410, Int16ul, "x87 control word")
    x87_fop: int = at(0x412, Int16ul, "x87 opcode")
    x87_ds: int = at(0x414, Int16ul, "x87 data segment")
    x87_cs: int = at(0x416, Int16ul, "x87 code segment")
    x87_rip: int = at(0x418, Int64ul, "x87 instruction pointer")
    fpreg_x87: bytes = at(0x420, Bytes(80), "x87 registers, ten bytes each")
    fpreg_xmm: bytes = at(0x470, Bytes(0x100), "XMM registers XMM0 to XMM15")
    fpreg_ymm: bytes = at(0x570, Bytes(0x100), "Upper halves of YMM0 to YMM15")
    lbr_stack_from_to: tuple[int, ...] = at(0x670, array(32, Int64ul), "LBR stack (coconut-svsm)")
    lbr_select: int = at(0x770, Int64ul, "Last branch record selection (coconut-svsm)")
    ibs_fetch_ctl: int = at(0x778, Int64ul, "IBS fetch control (coconut-svsm)")
    ibs_fetch_linaddr: int = at(0x780, Int64ul, "IBS fetch address (coconut-svsm)")
    ibs_op_ctl: int = at(0x788, Int64ul, "IBS operation control (coconut-svsm)")
    ibs_op_rip: int = at(0x790, Int64ul, "IBS operation RIP (coconut-svsm)")
    ibs_op_data: int = at(0x798, Int64ul, "IBS operation data (coconut-svsm)")
    ibs_op_data2: int = at(0x7A0, Int64ul, "IBS operation data 2 (coconut-svsm)")
    ibs_op_data3: int = at(0x7A8, Int64ul, "IBS operation data 3 (coconut-svsm)")
    ibs_dc_linaddr: int = at(0x7B0, Int64ul, "IBS data cache address (coconut-svsm)")
    bp_ibstgt_rip: int = at(0x7B8, Int64ul, "IBS branch target (coconut-svsm)")
    ic_ibs_extd_ctl: int = at(0x7C0, Int64ul, "IBS extended fetch control (coconut-svsm)")
    guest_intercept_vectors: bytes = at(0x900, Bytes(32), "Intercepted vectors; size not verified")
    msr_intercept_area: bytes = at(0x920, Bytes(0x60), "Intercepted MSRs; size not verified")
    fpreg_k: bytes = at(0x980, Bytes(64), "Opmask registers (AMD-ASPFW)")
    fpreg_zmm_hi: bytes = at(0x9C0, Bytes(0x200), "Upper halves of ZMM0 to ZMM15 (AMD-ASPFW)")
    fpreg_hi_zmm: bytes = at(0xBC0, Bytes(0x400), "ZMM registers ZMM16 to ZMM31 (AMD-ASPFW)")
    not_checksummed: bytes = at(0xFC0, Bytes(64), "Bytes outside the SEV-ES checksum (AMD-ASPFW)")


KINDS = {"vmsa": Vmsa}
