"""What libvirt says by itself; of a launch that failed it repeats what QEMU said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .record import Fact
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_CACHED = (
    "libvirt keeps what it once found of a QEMU: after a change of kernel, BIOS or QEMU, delete"
    " /var/cache/libvirt/qemu/capabilities and restart the daemon"
)


def _binary(fields: dict[str, Any], log: LogState) -> Fact:
    name = fields.get("type", "sev")
    return Fact(
        f"libvirt refuses launchSecurity type {name}",
        "QEMU was asked earlier for what it has, and did not have this",
        cause="for sev-snp a QEMU older than 9.1 or a libvirt older than 10.5; or the host had no"
        " SEV when QEMU was asked",
        consequence="QEMU is not started",
        remedy=f"{_CACHED}; then look at virsh domcapabilities",
        fields={"side": "user space"},
    )


def _capability(fields: dict[str, Any], log: LogState) -> Fact:
    yes = fields["answer"] == "yes"
    return Fact(
        f"libvirt: SEV supported {fields['answer']}",
        "QEMU and the kernel offer SEV; SNP is told apart, under launchSecurity"
        if yes
        else "QEMU found no SEV in the kernel",
        cause="" if yes else "kvm_amd has it off, /dev/sev is missing, or the answer is an old one",
        remedy="" if yes else f"look at ccp and kvm_amd in the host's dmesg; {_CACHED}",
        fields={"side": "user space"},
    )


FORMATS = (
    form(
        "libvirt_binary",
        "qemu-setup",
        "'{type:s}' launch security is not supported with this QEMU binary",
        _binary,
        "SEV launch security is not supported with this QEMU binary",
    ),
    form("libvirt_sev", "qemu-setup", "<sev supported='{answer:s}'", _capability),
)
