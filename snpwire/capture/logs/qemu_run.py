"""Why QEMU stopped a guest that ran: the exits of KVM that it has no answer for, and KVM's errors.

Behind such a line QEMU prints registers. Those of an encrypted guest are in its save area, which
nobody outside reads, so what is printed is what QEMU last set.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.kvm_exits import KvmExit
from .errnos import ERRNOS
from .record import Fact, Hex, LogLine
from .template import form

if TYPE_CHECKING:
    from collections.abc import Callable

    from .record import LogState

MEMORY_FAULT_PRIVATE = 1 << 3
_REGISTERS = re.compile(
    r"\b(?:[ER]?[A-D]X|[ER][SD]I|R?[ISB]P|E[ISB]P|R\d+|CR\d|EFER|DR\d) *=|^(?:[CDEFGS]S|LDT|TR|GDT"
    r"|IDT|Code|FCW|FPR\d|XMM\d\d|Opmask\d\d) *="
)
_MEANINGLESS = (
    "registers of an encrypted guest are in its save area (VMSA), which only the guest reads: those"
    " printed here mean nothing"
)
_DMESG = "the host's dmesg has what KVM says of the guest at this time"
_BOTH = f"{_DMESG}; the guest's serial console has what it said last"


_ENDED = (
    "the guest's kernel, firmware or SVSM met something that it cannot go on with, and asked to be"
    " terminated"
)
_REASON = (
    f"{_DMESG}: 'SEV-ES guest requested termination' with set and code; the guest's serial console,"
    " or the SVSM's lines above this one, have the reason"
)
_INVALID = (
    "VMEXIT_INVALID: for an encrypted guest also a save area that is none in the RMP, or"
    " SEV_FEATURES that the processor does not take"
)


class _Stop:
    """A line that says why a guest was stopped, and the registers behind it."""

    watches = True
    patience = 2
    pending = False

    def __init__(self, fact: Fact) -> None:
        self._fact = fact
        self._rows = 0
        self.done = False

    def take(self, line: LogLine) -> bool:
        """Take a line of registers; any other one ends them."""
        mine = _REGISTERS.search(line.text) is not None
        self.done = not mine or line.text.startswith("Code=")
        self._rows += mine
        return mine

    def fact(self) -> Fact:
        if not self._rows:
            return self._fact
        meaning = "; ".join(filter(None, (self._fact.meaning, _MEANINGLESS)))
        fields = {**self._fact.fields, "register_lines": self._rows}
        return self._fact._replace(meaning=meaning, fields=fields)


def _block(fact: Callable[[dict[str, Any]], Fact]) -> Any:
    def interpret(fields: dict[str, Any], log: LogState) -> _Stop:
        return _Stop(fact(fields))

    return interpret


def exit_words(number: int) -> str:
    """Return the name of an exit of KVM, and what it is."""
    reason = KvmExit(number)
    if reason == KvmExit.SYSTEM_EVENT:
        return "KVM_EXIT_SYSTEM_EVENT: for SEV, the guest asked to be terminated (SEV_TERM)"
    if not reason.known:
        return f"exit {number}, which has no name here"
    return f"KVM_EXIT_{reason.name}: {reason.doc}"


def _unknown_exit(fields: dict[str, Any]) -> Fact:
    number = fields["reason"]
    reason = KvmExit(number)
    ended = reason == KvmExit.SYSTEM_EVENT
    name = reason.name if reason.known else "unknown"
    return Fact(
        f"KVM exit {number} {name}, which QEMU does not handle",
        exit_words(number),
        cause=_ENDED if ended else "this QEMU is older than the exit, or of another tree",
        consequence="QEMU stops the guest; QEMU and KVM themselves have not failed",
        remedy=_REASON if ended else _BOTH,
        fields={"name": name, "side": "guest" if ended else "user space"},
    )


def _run_failed(fields: dict[str, Any]) -> Fact:
    text = fields["reason"].strip()
    number = errno_of(text)
    name = ERRNOS[number][0] if number else "unknown"
    causes = {
        22: "the processor did not take the save area or its control block (#VMEXIT INVALID), KVM"
        " refused what the guest asked for by its GHCB, or a page was not as the RMP has it",
        14: "a page of the guest cannot be reached: not backed, or private where shared is needed",
        12: "no memory for a page of the guest",
        5: "KVM marked the virtual machine as broken after a failure of its own",
    }
    return Fact(
        f"KVM_RUN failed  {name}, {text}",
        "the kernel could not run the guest, and QEMU stops it",
        cause=causes.get(number, ""),
        consequence="the guest is stopped",
        remedy=f"{_DMESG}: lines of kvm, kvm_amd and SEV, among them vmgexit and RMP faults",
        fields={"errno": name, "side": "kernel"},
    )


def errno_of(text: str) -> int:
    """Return the number of an error that is given as its sentence; 0 if that is not known."""
    return SENTENCES.get(text.partition(" (")[0], 0)


SENTENCES = {
    "Operation not permitted": 1, "No such file or directory": 2, "No such process": 3,
    "Interrupted system call": 4, "Input/output error": 5, "I/O error": 5,
    "No such device or address": 6, "Argument list too long": 7, "Exec format error": 8,
    "Bad file descriptor": 9, "No child processes": 10, "Resource temporarily unavailable": 11,
    "Cannot allocate memory": 12, "Permission denied": 13, "Bad address": 14,
    "Block device required": 15, "Device or resource busy": 16, "File exists": 17,
    "Invalid cross-device link": 18, "No such device": 19, "Not a directory": 20,
    "Is a directory": 21, "Invalid argument": 22, "Too many open files in system": 23,
    "Too many open files": 24, "Inappropriate ioctl for device": 25, "Text file busy": 26,
    "File too large": 27, "No space left on device": 28, "Illegal seek": 29,
    "Read-only file system": 30, "Too many links": 31, "Broken pipe": 32,
    "Numerical argument out of domain": 33, "Numerical result out of range": 34,
    "Resource deadlock avoided": 35, "File name too long": 36, "No locks available": 37,
    "Function not implemented": 38, "Directory not empty": 39, "Protocol error": 71,
    "Bad message": 74, "Value too large for defined data type": 75,
    "Operation not supported": 95, "No buffer space available": 105, "Connection timed out": 110,
}  # fmt: skip
"""Numbers of the sentences that strerror() gives."""


def _entry_failed(fields: dict[str, Any]) -> Fact:
    invalid = fields["reason"] in (0xFFFF_FFFF, (1 << 64) - 1)
    return Fact(
        f"KVM: entry failed  hardware error {fields['reason']:#x}",
        "VMRUN did not take the control block or the save area" if invalid else "",
        cause=_INVALID if invalid else "",
        remedy=f"{_DMESG}; kvm_amd.dump_invalid_vmcb=1 makes KVM print the control block",
        fields={"side": "hypervisor"},
    )


def _internal(fields: dict[str, Any]) -> Fact:
    names = {1: "EMULATION", 2: "SIMUL_EX", 3: "DELIVERY_EV", 4: "UNEXPECTED_EXIT_REASON"}
    name = names.get(fields["suberror"], "unknown")
    return Fact(
        f"KVM internal error  suberror {fields['suberror']} {name}",
        "KVM would have to emulate an instruction, and cannot read those of an encrypted guest"
        if name == "EMULATION"
        else "",
        remedy=_BOTH,
        fields={"name": name, "side": "kernel"},
    )


def _memory_fault(fields: dict[str, Any], log: LogState) -> Fact:
    private = fields["flags"] & MEMORY_FAULT_PRIVATE
    unknown = fields["flags"] & ~MEMORY_FAULT_PRIVATE
    return Fact(
        f"KVM_EXIT_MEMORY_FAULT  flags {fields['flags']:#x} {'PRIVATE' if private else ''}".strip(),
        f"flags that QEMU does not know: {unknown:#x}" if unknown else "",
        cause="this QEMU is older than the kernel" if unknown else "",
        remedy=_BOTH,
        fields={"flags": Hex(fields["flags"]), "private": bool(private)},
    )


def _fault(fields: dict[str, Any], log: LogState) -> Fact:
    private = fields["flags"] & MEMORY_FAULT_PRIVATE
    way = "private (encrypted)" if private else "shared (unencrypted)"
    return Fact(
        f"memory fault  {fields['gpa']:#x}, {fields['size']:#x} bytes, flags {fields['flags']:#x}",
        f"the guest reached for the memory as {way}, and it is not so",
        cause="nothing is there that can be private, such as a device's memory or a ROM"
        if private
        else "",
        remedy=_BOTH,
        fields={"private": bool(private)},
    )


def _vmgexit(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"KVM exit VMGEXIT, type {fields['type']}, which QEMU does not handle",
        "an exit of AMD's trees before Linux 6.11",
        cause="QEMU and the kernel are of different trees",
        remedy="take both from the same release",
    )


FORMATS = (
    form("qemu_unknown_exit", "kvm-exit", "KVM: unknown exit reason {reason:d}",
         _block(_unknown_exit)),
    form("qemu_hardware_exit", "kvm-exit", "KVM: unknown exit, hardware reason {reason:x}",
         _block(_entry_failed)),
    form("qemu_entry_failed", "kvm-exit", "KVM: entry failed, hardware error 0x{reason:x}",
         _block(_entry_failed)),
    form("qemu_internal_error", "kvm-exit", "KVM internal error. Suberror: {suberror:d}",
         _block(_internal)),
    form("qemu_run_failed", "kvm-run-failed", "error: kvm run failed {reason:r}",
         _block(_run_failed)),
    form("qemu_memory_fault", "kvm-exit", "KVM_EXIT_MEMORY_FAULT: Unknown flag 0x{flags:x}",
         _memory_fault),
    form("qemu_fault", "kvm-exit",
         "memory fault: GPA 0x{gpa:x} size 0x{size:x} flags 0x{flags:x}", _fault),
    form("qemu_vmgexit", "kvm-exit", "KVM: unknown vmgexit type: {type:d}", _vmgexit),
)  # fmt: skip
