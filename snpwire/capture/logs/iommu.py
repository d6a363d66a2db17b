"""What the driver of AMD's IOMMU says: whether it can take part in SNP, and events about the RMP.

SNP needs an IOMMU that is on, translates, has tables of version 1, and has bit 63 (SNPSup) of its
extended feature register.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .phrase import phrase
from .record import Fact
from .template import form

if TYPE_CHECKING:
    from .record import LogState
    from .template import Interpreter

_DEVICE = re.compile(r"(?<![0-9a-fA-F:.])((?:[0-9a-f]{4}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): ")


def _device(fields: dict[str, Any], log: LogState) -> str:
    """Return the device, which stands in the event or before the message."""
    if "device" in fields:
        return str(fields["device"])
    if "devid" in fields:
        number = int(fields["devid"])
        return f"{number >> 8:02x}:{number >> 3 & 0x1F:02x}.{number & 7}"
    found = _DEVICE.search(log.line.text)
    return found[1] if found else ""


def _page_fault(fields: dict[str, Any], log: LogState) -> Fact:
    device = _device(fields, log)
    return Fact(
        f"device {device or 'unknown'}  gpa {fields['gpa']:#x}  vmg_tag {fields['vmg_tag']:#x}"
        f"  flags_rmp {fields['flags_rmp']:#x}  flags {fields['flags']:#x}",
        "the RMP refused a device's access: the page is private, or its entry has another size",
        cause="the device's buffer is a guest's private page, or part of a 2M entry",
        remedy="compare the entry of the page behind this guest address (snpwire log --only rmp)",
        fields={"device": device},
    )


def _hw_error(fields: dict[str, Any], log: LogState) -> Fact:
    device = _device(fields, log)
    return Fact(
        f"device {device or 'unknown'}  spa {fields['spa']:#x}  vmg_tag {fields['vmg_tag']:#x}"
        f"  flags {fields['flags']:#x}",
        "the IOMMU could not read the RMP's own memory at this address",
        fields={"device": device},
    )


SNP_SUP = 63
"""The bit of the extended feature register that says that an IOMMU takes part in SNP."""
_OFF = "SNP_INIT is never asked: no SNP on this host"
_BIOS = "in the BIOS, turn on SEV-SNP support of the IOMMU (often under NBIO), and the IOMMU itself"
_TRANSLATE = (
    "start without iommu=pt and amd_iommu=off (iommu=nopt helps where passthrough is the default),"
    " and turn the IOMMU on in the BIOS"
)


def _features(fields: dict[str, Any], log: LogState) -> Fact:
    efr = int(fields["efr"])
    snp = bool(efr >> SNP_SUP & 1)
    second = f"  EFR2 {int(fields['efr2']):#x}" if "efr2" in fields else ""
    names = f"  {fields['names']}" if fields.get("names") else ""
    return Fact(
        f"IOMMU with{'' if snp else 'out'} SNP  EFR {efr:#x}{second}{names}",
        f"bit 63 (SNPSup) is {snp:d}: "
        + ("it can check the RMP" if snp else "this IOMMU has no SNP support"),
        consequence="" if snp else _OFF,
        remedy="" if snp else _BIOS,
        fields={"snp_supported": snp},
    )


def _refusal(text: str, meaning: str, remedy: str = "") -> Interpreter:
    return phrase(text, meaning, consequence=_OFF, remedy=remedy)


_FAULT = "vmg_tag=0x{vmg_tag:x}, gpa=0x{gpa:x}, flags_rmp=0x{flags_rmp:x}, flags=0x{flags:x}]"
_ERROR = "vmg_tag=0x{vmg_tag:x}, spa=0x{spa:x}, flags=0x{flags:x}]"
FORMATS = (
    form(
        "iommu_page_fault",
        "iommu-rmp-fault",
        f"Event logged [RMP_PAGE_FAULT {_FAULT}",
        _page_fault,
        f"Event logged [RMP_PAGE_FAULT device={{device:a}}, {_FAULT}",
        f"Event logged [RMP_PAGE_FAULT devid=0x{{devid:x}}, {_FAULT}",
    ),
    form(
        "iommu_hw_error",
        "iommu-rmp-error",
        f"Event logged [RMP_HW_ERROR {_ERROR}",
        _hw_error,
        f"Event logged [RMP_HW_ERROR device={{device:a}}, {_ERROR}",
        f"Event logged [RMP_HW_ERROR devid=0x{{devid:x}}, {_ERROR}",
    ),
    form(
        "iommu_features",
        "iommu-features",
        "AMD-Vi: Extended features ({efr:p}, {efr2:p}): {names:r}",
        _features,
        "AMD-Vi: Extended features ({efr:p}, {efr2:p})",
        "AMD-Vi: Extended features ({efr:p}): {names:r}",
        "AMD-Vi: Extended features ({efr:p})",
        "AMD-Vi: Using global IVHD EFR:{efr:p}, EFR2:{efr2:p}",
        "AMD-Vi: Using IVHD EFR:{efr:p}, EFR2:{efr2:p}",
        "AMD-Vi: EFR mismatch. Use IVHD EFR ({given:p} : {efr:p}), EFR2 ({given2:p} : {efr2:p}).",
    ),
    form(
        "iommu_snp",
        "iommu-snp",
        "AMD-Vi: IOMMU SNP support enabled.",
        phrase("IOMMU takes part in SNP", "it checks what devices access against the RMP"),
        "AMD-Vi: SNP enabled",
    ),
    form(
        "iommu_passthrough",
        "iommu-refused",
        "SNP: IOMMU configured in passthrough mode, SNP cannot be supported.",
        _refusal("IOMMU in passthrough mode", "SNP needs one that translates", _TRANSLATE),
    ),
    form(
        "iommu_disabled",
        "iommu-refused",
        "SNP: IOMMU disabled, SNP cannot be supported.",
        _refusal("IOMMU disabled", "SNP needs one that is on and translates", _TRANSLATE),
    ),
    form(
        "iommu_passthrough_or_off",
        "iommu-refused",
        "SNP: IOMMU disabled or configured in passthrough mode",
        _refusal(
            "IOMMU in passthrough mode, or disabled",
            "SNP needs one that is on and translates",
            _TRANSLATE,
        ),
        "SNP: IOMMU is disabled or configured in passthrough mode",
        "SNP: IOMMU is either disabled or configured in passthrough mode",
    ),
    form(
        "iommu_tables",
        "iommu-refused",
        "SNP: IOMMU is configured with V2 page table mode, SNP cannot be supported.",
        _refusal(
            "IOMMU with tables of version 2",
            "SNP needs those of version 1",
            "start without amd_iommu=pgtbl_v2",
        ),
    ),
    form(
        "iommu_no_snp",
        "iommu-refused",
        "SNP: IOMMU SNP feature not enabled, SNP cannot be supported.",
        _refusal("IOMMU without SNP", "bit 63 (SNPSup) of its feature register is 0", _BIOS),
    ),
    form(
        "iommu_device_no_snp",
        "iommu-refused",
        "SNPSup is disabled (devid: {device:a})",
        _refusal(
            "IOMMU {device} without SNP", "bit 63 (SNPSup) of its feature register is 0", _BIOS
        ),
    ),
    form(
        "iommu_late",
        "iommu-refused",
        "SNP: Too late to enable SNP for IOMMU.",
        _refusal(
            "IOMMU started too early",
            "its driver was set up before SNP was asked for, as in early trees for SNP",
            "set the IOMMU to auto in the BIOS, or take a newer kernel",
        ),
    ),
    form(
        "iommu_rmp_failed",
        "iommu-rmp-failed",
        "SNP: RMP initialization failed, SNP cannot be supported.",
        phrase("RMP not started", "the lines before say why", consequence=_OFF),
    ),
    form(
        "iommu_tables_forced",
        "iommu-note",
        "Force to using AMD IOMMU v1 page table due to SNP",
        phrase("IOMMU tables of version 1", "SNP takes no others"),
    ),
    form(
        "iommu_no_vapic",
        "iommu-note",
        "Force to disable Virtual APIC due to SNP",
        phrase("no virtual APIC", "this IOMMU has none beside SNP"),
    ),
    form(
        "iommu_sme",
        "iommu-note",
        "IOMMU not currently supported when SME is active",
        phrase("IOMMU off", "this kernel or processor has no IOMMU beside SME"),
    ),
    form(
        "iommu_silent",
        "iommu-silent",
        "AMD-Vi: Completion-Wait loop timed out",
        phrase(
            "IOMMU does not answer",
            "a command of its driver was never completed",
            cause="in a kexec or kdump kernel: SNP was up in the kernel before, which did not end"
            " it (SNP_SHUTDOWN_EX, iommu_snp_shutdown); else a fault of the device or the BIOS",
            remedy="a kernel that shuts SNP down before it hands over, with firmware 1.53 or newer",
        ),
    ),
    form(
        "iommu_page_lookup",
        "iommu-reclaim-failed",
        "IOMMU PFN {pfn:x} RMP lookup failed, ret {rc:d}",
        phrase("PFN {pfn:#x}", "a page of the IOMMU, of which no entry could be read: {errno}"),
    ),
    form(
        "iommu_page_unassigned",
        "iommu-reclaim-failed",
        "IOMMU PFN {pfn:x} not assigned in RMP table",
        phrase("PFN {pfn:#x}", "a page of the IOMMU, which is not the firmware's"),
    ),
    form(
        "iommu_page_psmash",
        "iommu-reclaim-failed",
        "PSMASH failed for IOMMU PFN {pfn:x} huge RMP entry, ret: {ret:d}, level: {level:d}",
        phrase("PFN {pfn:#x}  PSMASH ret {ret}", "a page of the IOMMU: its 2M was not split"),
    ),
)
