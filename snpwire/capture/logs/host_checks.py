"""The checks of ``snphost ok`` and ``snpguest ok``: what each failure means, and what mends it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .record import Fact
from .template import Format, form

if TYPE_CHECKING:
    from .record import LogState

_DMESG = "the lines of ccp and kvm_amd in the host's dmesg have why"
_NO_INIT = "the secure processor has not been started for it, or its start failed"
_MODULE = "kvm_amd has it off"
_ROOT = "as root, and with modprobe msr"


_UNSEEN = re.compile(
    r"(?:MSR )?read failed|Error Reading|Permission denied|unable to (?:open|read)"
    r"|Failed to read|cannot open|Error opening",
    re.IGNORECASE,
)
"""What a check says that could not look, which is no answer to what it asks."""
_NOT_SEEN = "the tool could not look, so nothing is told of it"


class HostCheck(NamedTuple):
    """A check, by its name as it is printed."""

    key: str
    name: str
    meaning: str
    """What is so if it failed."""
    remedy: str = ""


ROWS = (
    HostCheck(
        "sme",
        "Secure Memory Encryption (SME)",
        "the processor cannot encrypt memory",
        "switch SMEE on in the BIOS",
    ),
    HostCheck(
        "sev",
        "Secure Encrypted Virtualization (SEV)",
        "the processor has no SEV, or the BIOS has it off",
        "switch SMEE on in the BIOS",
    ),
    HostCheck(
        "es",
        "Encrypted State (SEV-ES)",
        "the processor has no SEV-ES, or the BIOS has it off",
        "give SEV-ES guests ASIDs in the BIOS",
    ),
    HostCheck(
        "snp",
        "Secure Nested Paging (SEV-SNP)",
        "the processor has no SNP, or the BIOS has it off",
        "switch SEV-SNP on in the BIOS (CBS, also NBIO)",
    ),
    HostCheck(
        "vmpl",
        "VM Permission Levels",
        "the processor has no VMPLs",
    ),
    HostCheck(
        "vmpls",
        "Number of VMPLs",
        "the number of VMPLs is not known",
    ),
    HostCheck(
        "sev_started",
        "SEV initialized",
        _NO_INIT,
        _DMESG,
    ),
    HostCheck(
        "es_started",
        "SEV-ES initialized",
        _NO_INIT,
        _DMESG,
    ),
    HostCheck(
        "snp_started",
        "SNP initialized",
        f"SNP_INIT: {_NO_INIT}",
        _DMESG,
    ),
    HostCheck(
        "rmp_started",
        "RMP table initialized",
        "SNP_INIT has not initialised the RMP",
        _DMESG,
    ),
    HostCheck(
        "sev_init",
        "SEV INIT",
        _NO_INIT,
        _DMESG,
    ),
    HostCheck(
        "es_init",
        "SEV-ES INIT",
        _NO_INIT,
        _DMESG,
    ),
    HostCheck(
        "snp_init",
        "SNP INIT",
        f"SNP_INIT: {_NO_INIT}",
        _DMESG,
    ),
    HostCheck(
        "rmp_init",
        "RMP INIT",
        "SNP_INIT has not initialised the RMP",
        _DMESG,
    ),
    HostCheck(
        "rmp_reading",
        "Reading RMP table",
        "RMP_BASE and RMP_END could not be read",
        _ROOT,
    ),
    HostCheck(
        "rmp_read",
        "Read RMP tables",
        "RMP_BASE and RMP_END could not be read",
        _ROOT,
    ),
    HostCheck(
        "rmp_range",
        "RMP table addresses",
        "the BIOS has reserved no memory for the RMP",
        "choose RMP coverage in the BIOS (CBS)",
    ),
    HostCheck(
        "alias",
        "Alias check",
        "memory has not been checked for aliases since the last update:"
        " ALIAS_CHECK_COMPLETE is clear in platform_info of reports",
        "a BIOS with the mitigation of AMD-SB-3015, and a boot with it; verifiers"
        " may demand the bit",
    ),
    HostCheck(
        "kvm",
        "KVM Support",
        "there is no /dev/kvm, or it cannot be opened",
        "switch SVM on in the BIOS, then modprobe kvm_amd",
    ),
    HostCheck(
        "kvm_found",
        "KVM supported",
        "there is no /dev/kvm, or it cannot be opened",
        "switch SVM on in the BIOS, then modprobe kvm_amd",
    ),
    HostCheck(
        "kvm_sev",
        "SEV enabled in KVM",
        _MODULE,
        f"kvm_amd.sev=1; {_DMESG}",
    ),
    HostCheck(
        "kvm_es",
        "SEV-ES enabled in KVM",
        _MODULE,
        f"kvm_amd.sev_es=1; {_DMESG}",
    ),
    HostCheck(
        "kvm_snp",
        "SEV-SNP enabled in KVM",
        _MODULE,
        f"kvm_amd.sev_snp=1; {_DMESG}",
    ),
    HostCheck(
        "version",
        "SEV Firmware Version",
        "the SEV firmware is older than the tool wants",
        "a newer SEV firmware, or BIOS",
    ),
    HostCheck(
        "versions",
        "SEV firmware version",
        "the SEV firmware is older than the tool wants",
        "a newer SEV firmware, or BIOS",
    ),
    HostCheck(
        "readable",
        "/dev/sev readable",
        "/dev/sev cannot be read",
        "as root; modprobe ccp",
    ),
    HostCheck(
        "writable",
        "/dev/sev writable",
        "/dev/sev cannot be written",
        "as root; modprobe ccp",
    ),
    HostCheck(
        "bits",
        "Physical address bit reduction",
        "the number is not known",
    ),
    HostCheck(
        "c_bit",
        "C-bit location",
        "the place of the C-bit is not known",
    ),
    HostCheck(
        "least_asid",
        "Minimum ASID value for SEV-enabled, SEV-ES disabled guest",
        "the number is not known",
    ),
    HostCheck(
        "plain_snp_sev",
        "SEV-SNP",
        "SYSCFG has SNP off",
        "switch SEV-SNP on in the BIOS",
    ),
    HostCheck(
        "plain_es",
        "SEV-ES",
        "SEV_STATUS has it off: this is no SEV-ES guest",
    ),
    HostCheck(
        "plain_snp",
        "SNP",
        "it is off: in a host SYSCFG says so, in a guest SEV_STATUS",
        "switch SEV-SNP on in the BIOS, or launch the guest as one of SNP",
    ),
    HostCheck(
        "plain_sev",
        "SEV",
        "SEV_STATUS has it off: this is no SEV guest",
    ),
    HostCheck(
        "isolation",
        "SNP BTB Isolation",
        "",
    ),
    HostCheck(
        "vmpl_sss",
        "VMPL SSS",
        "",
    ),
    HostCheck(
        "vmsa",
        "VMSA Reg Prot",
        "",
    ),
)
CHECKS = tuple(sorted(ROWS, key=lambda row: -len(row.name)))
"""The checks; one whose name another's begins with comes behind it."""


def _check(row: HostCheck) -> Any:
    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        result = str(fields["result"]).upper()
        more = log.line.text.rpartition(row.name)[2].strip(" :")
        fields.pop("mark", None)
        unseen = result == "FAIL" and _UNSEEN.search(log.line.text) is not None
        meaning, remedy = _said(row, result, unseen=unseen)
        return Fact(
            f"{result:<4}  {row.name}  {more}".rstrip(),
            meaning,
            remedy=remedy,
            fields={"result": result, "check": row.name, "value": more, "seen": not unseen},
        )

    return interpret


def _said(row: HostCheck, result: str, *, unseen: bool) -> tuple[str, str]:
    """Return what a result means, and what mends it."""
    if unseen and not row.key.endswith("able"):
        return _NOT_SEEN, f"{_ROOT}; ccp loaded, for what /dev/sev answers"
    if result == "FAIL":
        return row.meaning, row.remedy
    return ("what it needs failed before it" if result == "SKIP" else ""), ""


def _format(row: HostCheck) -> Format:
    shown = f"{{mark:m}}{row.name}"
    return form(
        f"check_{row.key}",
        "host-check",
        f"[ {{result:c}} ] {shown}",
        _check(row),
        f"[{{result:c}}] {shown}",
    )


FORMATS = tuple(map(_format, CHECKS))
