"""What QEMU says before a launch begins: options, kinds of machine, memory, images."""

from __future__ import annotations

from .statement import Statement, statement

_WHERE = "QEMU's command line, before KVM or the firmware are asked"
_INIT_FAILED = "the line before this one has who refused, and with what"
ROWS = (
    Statement(
        "qemu_cbitpos",
        "qemu-setup",
        ("sev_{caller:o}: cbitpos check failed, host '{host:d}' requested '{asked:d}'",),
        "C-bit {asked} asked for, the host has {host}",
        "QEMU refuses: both have to be the same",
        cause=_WHERE,
        remedy="take cbitpos from CPUID 0x8000001f, ebx bits 5:0; 51 on Milan and later",
    ),
    Statement(
        "qemu_phys_bits",
        "qemu-setup",
        (
            "sev_{caller:o}: reduced_phys_bits check failed, it should be >=1,"
            " requested '{asked:d}'",
            "sev_{caller:o}: reduced_phys_bits check failed, it should be >=1,'"
            " requested '{asked:d}'",
            "sev_{caller:o}: reduced_phys_bits check failed, it should be in the range of 1 to 63,"
            " requested '{asked:d}'",
        ),
        "reduced-phys-bits {asked}",
        "QEMU refuses: 1 to 63",
        cause=_WHERE,
        remedy="reduced-phys-bits=1 for a guest, whatever CPUID 0x8000001f says of the host",
    ),
    Statement(
        "qemu_context",
        "qemu-setup",
        ("sev_{caller:o}: failed to create encryption context",),
        "no encryption context",
        "LAUNCH_START failed: the line before this one has who refused, and with what",
        consequence="the guest does not start",
    ),
    Statement(
        "qemu_irqchip",
        "qemu-setup",
        (
            "sev_{caller:o}: SEV-ES guests require in-kernel irqchip support",
            "sev_{caller:o}: SEV-ES guests require in-kernel irqchipsupport",
            "sev_{caller:o}: SEV-SNP guests require in-kernel irqchip support",
        ),
        "kernel-irqchip=off",
        "QEMU refuses: SEV-ES and SNP need KVM's interrupt controllers",
        cause=_WHERE,
        remedy="leave kernel-irqchip out, or set it to on or split",
    ),
    Statement(
        "qemu_no_es",
        "qemu-setup",
        ("guest policy requires SEV-ES, but host SEV-ES support unavailable",),
        "the policy wants SEV-ES",
        "the host's firmware has it switched off or no ASIDs for it",
        remedy="give SEV-ES guests ASIDs in the BIOS: the first ASID of SEV without ES has"
        " to be above 1",
    ),
    Statement(
        "qemu_vm_type",
        "qemu-setup",
        ("vm-type {type:r} not supported by KVM",),
        "virtual machine type {type} not offered by KVM",
        "the kernel refuses the type before any SEV command",
        cause="kvm_amd has SNP off, the host could not start it, or the kernel is older"
        " than Linux 6.11",
        remedy="look for kvm_amd's SEV-SNP line in the host's dmesg",
    ),
    Statement(
        "qemu_legacy_type",
        "qemu-setup",
        ("SEV: host kernel does not support requested {type:o} VM type",),
        "virtual machine type {type} not offered by the kernel",
        "the options need KVM_SEV_INIT2, from Linux 6.10",
        remedy="a newer kernel, or legacy-vm-type=on",
    ),
    Statement(
        "qemu_no_sev",
        "qemu-setup",
        ("SEV is not enabled in KVM",),
        "KVM offers no SEV",
        "kvm_amd has it off, or the host could not start it",
        remedy="the host's dmesg has kvm_amd's SEV lines",
    ),
    Statement(
        "qemu_object",
        "qemu-setup",
        (
            "invalid object type: sev-snp-guest",
            "does not accept value 'sev-snp-guest'",
            "'sev-snp-guest' is not a valid object type name",
            "Invalid parameter 'sev-snp-guest'",
        ),
        "QEMU does not know sev-snp-guest",
        "this QEMU is older than 9.1, or built without SEV",
        cause=_WHERE,
        remedy="QEMU 9.1 or newer, for x86_64",
    ),
    Statement(
        "qemu_property",
        "qemu-setup",
        ("Property 'sev-snp-guest.{property:s}' not found",),
        "sev-snp-guest has no option {property}",
        "options differ between upstream QEMU and forks",
        cause=_WHERE,
    ),
    Statement(
        "qemu_metadata",
        "qemu-setup",
        (
            "Failed to locate SEV metadata header",
            "Failed to locate OVMF SEV metadata header",
            "Failed to locate SVSM SEV metadata header",
            "SEV-SNP: failed to find the SNP boot block",
        ),
        "the image has no SEV metadata",
        "QEMU finds no places for secrets and CPUID page, so it cannot launch it",
        cause="an OVMF without SNP, such as one built before 2022, or no OVMF at all",
        remedy="an OVMF with SEV metadata: snpwire identify shows what an image has",
    ),
    Statement(
        "qemu_private",
        "qemu-setup",
        (
            "SEV-SNP: failed to configure initial private guest memory",
            "SEV-SNP: failed to configure initialprivate guest memory",
        ),
        "memory could not be made private",
        "KVM_SET_MEMORY_ATTRIBUTES failed, before the launch's update",
        cause="the kernel has no memory attributes, or the range has no guest_memfd",
        remedy="a kernel with CONFIG_KVM_GENERIC_MEMORY_ATTRIBUTES, from 6.8",
    ),
    Statement(
        "qemu_gmem",
        "qemu-setup",
        (
            "KVM doesn't support guest memfd",
            "KVM doesn't support KVM_CAP_USER_MEMORY2",
            "KVM doesn't support PRIVATE memory attribute",
            "KVM_CAP_UNMAPPED_PRIVATE_MEM not supported",
        ),
        "the kernel has no private memory (guest_memfd)",
        "an SNP guest needs it",
        remedy="Linux 6.11 or newer with CONFIG_KVM_AMD_SEV; forks of QEMU need the kernel"
        " of the same tree",
    ),
    Statement(
        "qemu_update_range",
        "qemu-setup",
        ("SNP_LAUNCH_UPDATE called with invalid address",),
        "nothing to measure",
        "QEMU has no memory or no length for a range",
        cause=_WHERE,
    ),
    Statement(
        "qemu_update_part",
        "qemu-setup",
        ("SEV-SNP: expected update of GPA range {first:x}-{end:x}",),
        "only a part of {first:#x}-{end:#x} was measured",
        "KVM stopped within the range",
    ),
    Statement(
        "qemu_cpuid_most",
        "qemu-setup",
        (
            "SEV-SNP: CPUID entry count ({count:d}) exceeds max ({most:d})",
            "SEV-SNP: CPUID count '{count:d}' exceeds max '{most:d}'",
        ),
        "{count} CPUID entries, at most {most}",
        "they do not fit the CPUID page",
        remedy="another -cpu",
    ),
    Statement(
        "qemu_hashes",
        "qemu-setup",
        (
            "SEV: kernel specified but guest firmware has no hashes table GUID",
            "SEV: kernel specified but OVMF has no hash table guid",
            "SEV: guest firmware hashes table area is invalid",
        ),
        "the firmware image has no place for hashes of the kernel",
        "kernel-hashes=on needs an OVMF that checks them",
        cause=_WHERE,
        remedy="an OVMF of the AmdSev package, or no -kernel",
    ),
    Statement(
        "qemu_discard",
        "qemu-setup",
        (
            "sev_kvm_init: cannot disable RAM discard",
            "sev_common_kvm_init: cannot disable RAM discard",
        ),
        "memory is given back",
        "a balloon, or virtio-mem, cannot be combined with SEV",
        cause=_WHERE,
    ),
    Statement(
        "qemu_region",
        "qemu-setup",
        ("KVM_SET_USER_MEMORY_REGION2 failed, slot={slot:d}",),
        "memory slot {slot} refused by KVM",
        "private memory of a guest could not be set up",
        cause="the type of the virtual machine has no private memory, or two slots overlap",
    ),
    Statement(
        "qemu_create_vm",
        "qemu-setup",
        ("ioctl(KVM_CREATE_VM) failed: {error:d}",),
        "KVM_CREATE_VM failed, error {error}",
        "the kernel made no virtual machine, before any SEV command",
        cause="22: the type is not offered; 12: no memory; 16: another hypervisor is active",
        side="kernel",
    ),
    Statement(
        "qemu_svsm",
        "qemu-setup",
        ("SVSM is only supported under SEV-SNP",),
        "an SVSM without SNP",
        "QEMU of AMD's SVSM tree refuses",
        cause=_WHERE,
    ),
)
FORMATS = tuple(map(statement, ROWS))
