"""The device that QEMU opens for SEV, and the options with which it is asked for an SNP guest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.report import GuestPolicy
from .operands import word_words
from .record import Fact, Hex
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_DEVICE = {
    "No such file or directory": (
        "the device is not there: the ccp driver has not made it",
        "ccp is not loaded, found no secure processor with SEV, or failed in INIT; or SEV is off in"
        " the BIOS; in a container, the device was not handed in",
        "look for what ccp says in the host's dmesg, then modprobe ccp and kvm_amd",
    ),
    "Permission denied": (
        "the device is there, and this user may not open it",
        "QEMU does not run as root, and nothing gives it the device",
        "give the user or its group read and write on it, by udev or the runtime",
    ),
    "Operation not permitted": (
        "the device is there, and something forbids to open it",
        "a container without the device in its cgroup, seccomp or SELinux",
        "allow the device in the container's or libvirt's list",
    ),
    "Device or resource busy": ("another program has the device", "", "stop it first"),
}
"""Meaning, cause and remedy for each error of opening a device."""

_POLICY = re.compile(r"policy[\\\"']*[=:] *[\\\"']*(0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20})")
_ID_BLOCK = re.compile(r"id-(?:block|auth)[\\\"']*[=:]")
_AUTHOR = re.compile(r"author-key-enabled[\\\"']*[=:] *[\\\"']*(on|true)")
_MEMORY = re.compile(r"memory-backend-(?:memfd-private|memfd|ram|file|epc)")
_PFLASH = re.compile(r"if=pflash|pflash0")


def open_words(device: str, reason: str) -> Fact:
    """Return what it means that *device* could not be opened for *reason*."""
    meaning, cause, remedy = _DEVICE.get(reason, _DEVICE["No such file or directory"])
    meaning = meaning if reason in _DEVICE else "the device could not be opened"
    if "sev-guest" in device:
        meaning = meaning.replace("ccp driver", "sev-guest driver")
        cause = cause and "the kernel has no SNP, no sev-guest driver, or is not an SNP guest"
        remedy = remedy and "modprobe sev-guest; on Azure the report comes from the vTPM instead"
    return Fact(
        f"cannot open {device}  {reason}".strip(),
        meaning,
        cause=cause,
        consequence="" if "sev-guest" in device else "no encrypted guest can be launched",
        remedy=remedy,
        fields={"side": "user space"},
    )


def _open(fields: dict[str, Any], log: LogState) -> Fact:
    device = "/dev/sev-guest" if "/dev/sev-guest" in log.line.text else "/dev/sev"
    return open_words(device, fields.get("reason", "").strip("-: "))


def _options(fields: dict[str, Any], log: LogState) -> Fact:
    """Report what a command line asks for; the whole line, since options stand in any order."""
    line = log.line.text
    policy = _POLICY.search(line)
    number = GuestPolicy(int(policy[1], 0) & (1 << 64) - 1) if policy else GuestPolicy(0x30000)
    memory = _MEMORY.search(line)
    given = {
        "policy": Hex(number),
        "policy_given": policy is not None,
        "id_block": _ID_BLOCK.search(line) is not None,
        "author_key": _AUTHOR.search(line) is not None,
        "memory": memory[0] if memory else "",
        "pflash": _PFLASH.search(line) is not None,
    }
    block = "an ID block" if given["id_block"] else "no ID block"
    default = "" if policy else ", QEMU's default"
    return Fact(
        f"QEMU is asked for an SNP guest  policy {int(number):#x}{default}, {block}",
        f"policy: {word_words(number)}",
        fields=given,
    )


FORMATS = (
    form(
        "qemu_open",
        "device-missing",
        "Failed to open /dev/sev '{reason:s}'",
        _open,
        "Failed to open /dev/sev: {reason:r}",
        "Failed to open /dev/sev",
    ),
    form(
        "qemu_options",
        "launch-options",
        "sev-snp-guest,{options:r}",
        _options,
        'sev-snp-guest","{options:r}',
        'sev-snp-guest\\",\\"{options:r}',
    ),
)
