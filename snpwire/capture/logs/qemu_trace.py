"""QEMU's trace events about a launch, as its log and its simple backend print them.

The events of a launch say what was measured: each range with its address, its size and its type, in
the order in which the digest took them. Older programs do not print the address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...wire.launch_commands import LaunchPageType
from ...wire.report import GuestPolicy
from .operands import word_words
from .record import Fact, Hex
from .template import form

if TYPE_CHECKING:
    from .record import LogState

PAGE = 1 << 12
_LEGACY = "SEV, not SNP: its policy has other bits"


def page_type(name: str) -> LaunchPageType | None:
    """Return the type of a page, given as a name or as a number; None if it is neither."""
    name = name.removeprefix("b'").rstrip("'").upper()
    if name in LaunchPageType.__members__:
        return LaunchPageType[name]
    try:
        return LaunchPageType(int(name, 0))
    except ValueError:
        return None


def size_words(size: int) -> str:
    """Return a size as pages and as a number of bytes with a unit."""
    if size % PAGE:
        return f"{size:#x} bytes, which are no whole pages"
    count, mib = size // PAGE, size % (1 << 20) == 0 and size > 0
    amount = f"{size >> 20} MiB" if mib else f"{size >> 10} KiB"
    return f"{count} page{'' if count == 1 else 's'}, {amount}"


def range_words(gpa: int | None, size: int) -> str:
    """Return where a range of guest memory lies, with its last byte."""
    if gpa is None:
        return f"address not traced  {size_words(size)}"
    return f"{gpa:#x} to {gpa + max(size, 1) - 1:#x}  {size_words(size)}"


def _start(fields: dict[str, Any], log: LogState) -> Fact:
    policy = GuestPolicy(fields["policy"])
    bit = "" if policy.reserved_must_be_one else "; bit 17 is clear, and has to be set"
    return Fact(f"launch begins  policy {int(policy):#x}", f"policy: {word_words(policy)}{bit}")


def _legacy_start(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(f"launch of SEV begins  policy {int(fields['policy']):#x}", _LEGACY)


def _update(fields: dict[str, Any], log: LogState) -> Fact:
    kind = page_type(fields["type"])
    name = kind.name if kind is not None and kind.known else fields["type"]
    place = range_words(fields.get("gpa"), fields["len"])
    vmpl = f"  VMPL {fields['vmpl']}" if "vmpl" in fields else ""
    return Fact(
        f"measure {place}  {name}{vmpl}",
        kind.doc if kind is not None else "",
        fields={"page_type": name, "pages": fields["len"] // PAGE},
    )


def _legacy_update(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"encrypt and measure {size_words(fields['len'])}", "SEV: the address is QEMU's own"
    )


def _finish(fields: dict[str, Any], log: LogState) -> Fact:
    given = fields.get("id_block", "(null)") != "(null)"
    what = "with an ID block" if given else "without an ID block"
    return Fact(
        f"launch ends  {what}",
        "the save areas of all processors are measured last",
        fields={"id_block_given": given},
    )


def _legacy_finish(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact("launch of SEV ends", "the guest may run")


def _measurement(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(f"measurement of SEV {fields['data']}", "base64: the digest, then a nonce")


def _init(fields: dict[str, Any], log: LogState) -> Fact:
    more = "  ".join(f"{name} {value}" for name, value in fields.items() if value != "")
    return Fact(f"SEV guest is made  {more}".strip(), "QEMU asks KVM for INIT, or for INIT2")


def _state(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(f"guest state {fields['before']} to {fields['after']}", "as QEMU keeps it")


def _boot_block(fields: dict[str, Any], log: LogState) -> Fact:
    fields |= {name: Hex(value) for name, value in fields.items()}
    return Fact(
        f"OVMF boot block  secrets {fields['secrets']:#x}  CPUID {fields['cpuid']:#x}"
        f"  validated {fields['first']:#x} to {fields['first'] + max(fields['size'], 1) - 1:#x}"
    )


_UPDATE = "kvm_sev_snp_launch_update"
FORMATS = (
    form(
        "qemu_trace_start",
        "launch-start",
        "kvm_sev_snp_launch_start policy 0x{policy:x} gosvw {gosvw:o}",
        _start,
        "kvm_sev_snp_launch_start policy 0x{policy:x}",
        "kvm_sev_snp_launch_start {delta:o} pid={pid:d} policy=0x{policy:x}",
    ),
    form(
        "qemu_trace_update",
        "launch-update",
        f"{_UPDATE} src 0x{{src:x}} gpa 0x{{gpa:x}} len 0x{{len:x}} ({{type:s}} page)",
        _update,
        f"{_UPDATE} addr {{addr:p}} gpa 0x{{gpa:x}} len 0x{{len:x}} ({{type:s}} page)",
        f"{_UPDATE} addr {{addr:p}} gpa 0x{{gpa:x}} len 0x{{len:x}} vmpl {{vmpl:d}}"
        " ({type:s} page)",
        f"{_UPDATE} addr {{addr:p}} len 0x{{len:x}} type {{type:o}}",
        f"{_UPDATE} {{delta:o}} pid={{pid:d}} src=0x{{src:x}} gpa=0x{{gpa:x}} len=0x{{len:x}}"
        " type={type:o}",
    ),
    form(
        "qemu_trace_finish",
        "launch-finish",
        "kvm_sev_snp_launch_finish id_block {id_block:o}",
        _finish,
        "kvm_sev_snp_launch_finish {delta:o} pid={pid:d} id_block={id_block:o}",
        "kvm_sev_snp_launch_finish",
    ),
    form(
        "qemu_trace_boot_block",
        "launch-boot-block",
        "kvm_sev_snp_ovmf_boot_block_info secrets 0x{secrets:x}+0x{secrets_size:x}"
        " cpuid 0x{cpuid:x}+0x{cpuid_size:x} pre-validate 0x{first:x}+0x{size:x}",
        _boot_block,
    ),
    form(
        "qemu_trace_sev_start",
        "launch-start-sev",
        "kvm_sev_launch_start policy 0x{policy:x} session {session:o} pdh {pdh:o}",
        _legacy_start,
    ),
    form(
        "qemu_trace_sev_update",
        "launch-update-sev",
        "kvm_sev_launch_update_data addr {addr:p} len 0x{len:x}",
        _legacy_update,
    ),
    form("qemu_trace_sev_finish", "launch-finish-sev", "kvm_sev_launch_finish", _legacy_finish),
    form(
        "qemu_trace_measurement",
        "launch-measurement",
        "kvm_sev_launch_measurement data {data:o}",
        _measurement,
    ),
    form(
        "qemu_trace_init",
        "launch-init",
        "kvm_sev_init type {type:o} flags 0x{flags:x}",
        _init,
        "kvm_sev_init",
    ),
    form(
        "qemu_trace_state", "launch-state", "kvm_sev_change_state {before:o} -> {after:o}", _state
    ),
)
