"""KVM's tracepoints about exits of encrypted guests, as ftrace, trace-cmd and perf print them.

Numbers are bare hex. An exit event shows the hypervisor's response; it is traced when the
page is unmapped before the next VMRUN, so that a request which ends the guest has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...wire.msr import REQUESTS, MsrInfo, word_of
from ...wire.rmp_words import NpfInfo
from .operands import enum_words, exit_name, request_words, response_words, word_words
from .record import Fact
from .template import form
from .trace_columns import with_columns

if TYPE_CHECKING:
    from .record import LogState


def _numbers(fields: dict[str, Any]) -> str:
    code, info1, info2 = fields["exit_code"], fields["exit_info1"], fields["exit_info2"]
    name = exit_name(code)
    return f"vcpu {fields['vcpu']}  exit {code:#x} {name}  info1 {info1:#x}  info2 {info2:#x}"


def entry(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret a request by the GHCB."""
    code, info1, info2 = fields["exit_code"], fields["exit_info1"], fields["exit_info2"]
    meaning = request_words(code, info1, info2) or "no source names this exit"
    fact = Fact(f"-> {_numbers(fields)}", meaning, fields={"exit": exit_name(code)})
    return with_columns(fact, log)


def response(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret the response to one."""
    code, info1, info2 = fields["exit_code"], fields["exit_info1"], fields["exit_info2"]
    meaning = response_words(code, info1, info2)
    fact = Fact(f"<- {_numbers(fields)}", meaning, fields={"exit": exit_name(code)})
    return with_columns(fact, log)


def _bare(fields: dict[str, Any], log: LogState) -> Fact:
    fact = Fact(
        _numbers(fields),
        "enter or exit: the event's name is not in the line",
        fields={"exit": exit_name(fields["exit_code"])},
    )
    return with_columns(fact, log)


def msr_word(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret a word of the MSR protocol, either way."""
    word = word_of(int(fields["ghcb_msr"]))
    info = MsrInfo(fields["ghcb_msr"] & 0xFFF)
    result = fields.get("result")
    arrow = "->" if result is None else "<-"
    summary = f"{arrow} vcpu {fields['vcpu']}  msr {fields['ghcb_msr']:#018x}"
    name = enum_words(info)
    meaning = f"{name}: {info.doc}" if info.known else "no message that is known"
    rest = word_words(word).partition(f"info {name}")
    if values := " ".join(f"{rest[0]} {rest[2]}".split()):
        meaning += f" ({values})"
    if result is not None:
        summary += f"  result {result}"
        if result == 0 and info in REQUESTS:
            meaning += "; the user's program responds later"
    fact = Fact(summary, meaning, fields={"message": info})
    return with_columns(fact, log)


def rmp_fault(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret a nested page fault for which the RMP is the reason."""
    error = NpfInfo(fields["error_code"])
    level = {1: "4K", 2: "2M"}.get(fields["rmp_level"], str(fields["rmp_level"]))
    split = fields["psmash_ret"]
    meaning = f"nested page fault: {word_words(error)}; the RMP has the page at {level}"
    if split:
        meaning += f"; PSMASH failed with {split}"
    summary = (
        f"vcpu {fields['vcpu']}  gpa {fields['gpa']:#x}  PFN {fields['pfn']:#x}"
        f"  error {int(error):#x}  level {level}  psmash {split}"
    )
    return with_columns(Fact(summary, meaning, fields={"error_bits": word_words(error)}), log)


_BODY = (
    "vcpu {vcpu:d}, exit_reason {exit_code:x}, exit_info1 {exit_info1:x}, exit_info2 {exit_info2:x}"
)
FORMATS = (
    form("trace_kvm_vmgexit_enter", "vmgexit-enter", f"kvm_vmgexit_enter: {_BODY}", entry),
    form("trace_kvm_vmgexit_exit", "vmgexit-exit", f"kvm_vmgexit_exit: {_BODY}", response),
    form("trace_kvm_vmgexit", "vmgexit", f"^{_BODY}", _bare),
    form(
        "trace_kvm_vmgexit_msr_protocol_exit",
        "msr-exit",
        "kvm_vmgexit_msr_protocol_exit: vcpu {vcpu:d}, ghcb_gpa {ghcb_msr:q}, result {result:d}",
        msr_word,
        "^vcpu {vcpu:d}, ghcb_gpa {ghcb_msr:q}, result {result:d}",
    ),
    form(
        "trace_kvm_vmgexit_msr_protocol_enter",
        "msr-enter",
        "kvm_vmgexit_msr_protocol_enter: vcpu {vcpu:d}, ghcb_gpa {ghcb_msr:q}",
        msr_word,
        "^vcpu {vcpu:d}, ghcb_gpa {ghcb_msr:q}",
    ),
    form(
        "trace_kvm_rmp_fault",
        "rmp-npf",
        "vcpu {vcpu:d} gpa {gpa:x} pfn 0x{pfn:x} error_code 0x{error_code:x}"
        " rmp_level {rmp_level:d} psmash_ret {psmash_ret:d}",
        rmp_fault,
    ),
)
