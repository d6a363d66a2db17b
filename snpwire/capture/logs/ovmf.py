"""What OVMF, the guest's UEFI firmware, says on its debug console about encrypted memory.

At this time the guest's kernel does not run yet: nothing of this is in the guest's dmesg.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .record import Fact, Hex
from .statement import Statement, statement
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_VC, _GP, _PF = 29, 13, 14
_APIC = range(0xFEE0_0000, 0xFEE0_1000)
_TPM = range(0xFED4_0000, 0xFED4_5000)
_FLASH = range(0xFFC0_0000, 1 << 32)
_ECAM = range(0xB000_0000, 0xC000_0000)
_EXCEPTIONS = {
    _VC: ("a #VC that OVMF does not handle; ExceptionData is the exit code", "an exit such as CPUID"
          " before the GHCB is there, or one that this OVMF does not know"),
    _GP: ("a #GP: OVMF raises it itself for a #VC that it could not handle, and the hypervisor can"
          " ask for one", "the lines before this one have the reason"),
    _PF: ("a page fault", "a page that is not mapped, or that is not validated"),
}  # fmt: skip


def _place(address: int) -> str:
    if address in _APIC:
        return "the local APIC"
    if address in _TPM:
        return "the TPM"
    if address in _ECAM:
        return "PCI configuration space, as Q35 has it"
    if address in _FLASH:
        return "the flash with the firmware's variables"
    return "a device's memory"


def _mmio(fields: dict[str, Any], log: LogState) -> Fact:
    address = int(fields["address"])
    return Fact(
        f"MMIO through encrypted memory at {address:08x}  {_place(address)}",
        "the page table entry has the encryption bit (C-bit) set; MMIO has to be mapped shared"
        " (unencrypted), since the hypervisor emulates it",
        cause="OVMF and what it runs on do not fit: it does not map the range as shared before"
        " its first use",
        consequence="OVMF raises #GP and stops: the exception behind this line is that one",
        remedy="take another OVMF: one with SNP for this machine type, of the same release as QEMU",
        fields={"address": Hex(address), "side": "guest"},
    )


def _exception(fields: dict[str, Any], log: LogState) -> Fact:
    vector = int(fields["vector"])
    meaning, cause = _EXCEPTIONS.get(vector, ("an exception that OVMF does not handle", ""))
    return Fact(
        f"OVMF stops  exception {vector:#x} {fields['name']}  APIC id {int(fields['apic']):#x}",
        meaning,
        cause=cause,
        consequence="the guest hangs; its kernel was not started",
        fields={"side": "guest"},
    )


def _validate(fields: dict[str, Any], log: LogState) -> Fact:
    results = {1: "FAIL_INPUT: an operand is wrong", 6: "FAIL_SIZEMISMATCH: the RMP has the page at"
               " another size", 16: "no change: the page was so before"}  # fmt: skip
    code = int(fields["code"]) & 0xFFFF_FFFF
    return Fact(
        f"PVALIDATE failed at {int(fields['address']):#x}  {code:#x}",
        results.get(code, "a result that has no name; with an SVSM its own code"),
        cause="the page is not private in the RMP, or is there in another size",
        consequence="OVMF ends the guest with a termination request",
        remedy="the host's dmesg has termination and RMP faults of this time",
        fields={"side": "guest"},
    )


ROWS = (
    Statement(
        "ovmf_opcode",
        "ovmf-mmio",
        ("Invalid MMIO opcode ({opcode:x})",),
        "MMIO by an instruction that OVMF cannot decode, opcode {opcode:#x}",
        "a #VC for MMIO has to be emulated by the guest itself",
        consequence="OVMF raises #GP and stops",
        side="guest",
    ),
    Statement(
        "ovmf_hash",
        "ovmf-hashes",
        ("VerifyBlob: Hash comparison failed for '{blob:s}'",),
        "the {blob} is not the one that was measured",
        "OVMF hashes what fw_cfg gives it, and compares that with QEMU's table of hashes",
        cause="kernel, initrd or command line was exchanged after QEMU had hashed it; or QEMU hands"
        " it over otherwise than it hashed it, as 7.2 does for new machine types",
        consequence="OVMF does not start the kernel",
        remedy="another release of QEMU, or an older machine type: -machine pc-q35-7.1",
        side="guest",
    ),
    Statement(
        "ovmf_hash_missing",
        "ovmf-hashes",
        (
            "VerifyBlob: Hash GUID {guid:o} not found in table",
            "VerifyBlob: Verifier called but no hashes table discoverd in MEMFD",
        ),
        "no hash to compare a kernel, initrd or command line with",
        "the table of hashes, or its entry, is not there",
        cause="kernel-hashes=on was not given to QEMU",
        consequence="OVMF does not start the kernel",
        remedy="-object sev-snp-guest,...,kernel-hashes=on with -kernel",
        side="guest",
    ),
    Statement(
        "ovmf_apic",
        "ovmf-mmio",
        ("Failed to map APIC MMIO region as unencrypted: {status:d}",),
        "the local APIC could not be mapped shared, {status}",
        "OVMF stops",
        side="guest",
    ),
    Statement(
        "ovmf_enabled",
        "ovmf-start",
        ("SEV is enabled (mask 0x{mask:x})",),
        "OVMF runs encrypted  C-bit mask {mask:#x}",
        "the bit that marks encrypted pages, as CPUID gives it",
    ),
    Statement(
        "ovmf_vmsa",
        "ovmf-processors",
        (
            "SEV-SNP: RMPADJUST failed for VMSA creation",
            "SEV-SNP: RMPADJUST failed for VMSA reset",
        ),
        "a processor's save area could not be made",
        "RMPADJUST refused",
        cause="the page is not validated, or OVMF does not run at VMPL 0 and has no SVSM to ask",
        side="guest",
    ),
    Statement(
        "ovmf_ap",
        "ovmf-processors",
        ("SEV-SNP: AP Destroy failed",),
        "a processor could not be stopped",
        "the hypervisor refused (AP creation)",
        remedy="the host's dmesg has what KVM says: vmgexit and AP",
        side="hypervisor",
    ),
    Statement(
        "ovmf_svsm",
        "ovmf-start",
        ("SVSM_UEFI_MM_REQUEST failed",),
        "a call to the SVSM failed",
        "UEFI variables are kept there",
        side="guest",
    ),
)
_DETAILED = (
    form("ovmf_mmio", "ovmf-mmio", "MMIO using encrypted memory: {address:x}", _mmio),
    form(
        "ovmf_exception",
        "ovmf-exception",
        "!!!! X64 Exception Type - {vector:x}({name:r}) CPU Apic ID - {apic:x} !!!!",
        _exception,
    ),
    form(
        "ovmf_validate",
        "ovmf-pvalidate",
        "Failed to Validate address 0x{address:x} Error code {code:d}",
        _validate,
        "Failed to Invalidate address 0x{address:x} Error code {code:d}",
    ),
)
FORMATS = (*_DETAILED, *map(statement, ROWS))
