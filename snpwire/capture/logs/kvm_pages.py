"""What KVM says where its idea of a page and the reverse map table's are not the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...wire.rmp_words import PsmashResult
from .errnos import errno_text
from .operands import code_words
from .record import Fact
from .template import form

if TYPE_CHECKING:
    from .record import LogState


def _rmp(summary: str, meaning: str) -> Any:
    """Return what interprets a page that KVM and the RMP disagree about."""

    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        return Fact(summary.format(**fields), meaning)

    return interpret


def _update_failed(fields: dict[str, Any], log: LogState) -> Fact:
    size = f"level {fields['level']}" if "level" in fields else f"order {fields['order']}"
    return Fact(
        f"GFN {fields['gfn']:#x}  PFN {fields['pfn']:#x}  {size}",
        f"the page could not be given to the guest: {errno_text(fields['error'])};"
        " the RMPUPDATE that failed is logged before",
    )


def _unassigned(fields: dict[str, Any], log: LogState) -> Fact:
    error = fields["error"]
    why = errno_text(error) if error else "the entry is not assigned"
    summary = f"gpa {fields['gpa']:#x}  PFN {fields['pfn']:#x}"
    return Fact(summary, f"the fault is about a private page whose entry says otherwise: {why}")


def _not_split(fields: dict[str, Any], log: LogState) -> Fact:
    result = code_words(PsmashResult(fields["ret"]))
    summary = f"gpa {fields['gpa']:#x}  PFN {fields['pfn']:#x}  PSMASH ret {fields['ret']}"
    return Fact(summary, f"its 2M entry could not be split: {result}")


_GPA = "gpa {gpa:#x}"
FORMATS = (
    form(
        "kvm_rmp_fault_shared",
        "kvm-rmp-fault",
        "Unexpected RMP fault for non-private GPA 0x{gpa:x}",
        _rmp(_GPA, "the fault is about a page that KVM knows as shared"),
        "Unexpected RMP fault, size-mismatch for non-private GPA 0x{gpa:x}",
    ),
    form(
        "kvm_rmp_fault_slot",
        "kvm-rmp-fault",
        "Unexpected RMP fault, non-private slot for GPA 0x{gpa:x}",
        _rmp(_GPA, "the fault is about memory that can hold no private page"),
    ),
    form(
        "kvm_rmp_fault_backing",
        "kvm-rmp-fault",
        "Unexpected RMP fault, no backing page for private GPA 0x{gpa:x}",
        _rmp(_GPA, "the fault is about a private page that has no memory behind it"),
        "Unexpected RMP fault, no private backing page for GPA 0x{gpa:x}",
    ),
    form(
        "kvm_rmp_fault_entry",
        "kvm-rmp-fault",
        "Unexpected RMP fault, no assigned RMP entry found for GPA 0x{gpa:x} PFN 0x{pfn:x}"
        " error {error:d}",
        _unassigned,
    ),
    form(
        "kvm_rmp_update",
        "kvm-rmp-update",
        "Failed to update RMP entry: GFN {gfn:x} PFN {pfn:x} level {level:d} error {error:d}",
        _update_failed,
        "Failed to update RMP entry: GFN 0x{gfn:x} PFN 0x{pfn:x} order {order:d} error {error:d}",
    ),
    form(
        "kvm_rmp_split",
        "kvm-rmp-split",
        "Unable to split RMP entry for GPA 0x{gpa:x} PFN 0x{pfn:x} ret {ret:d}",
        _not_split,
        "psmash failed, gpa 0x{gpa:x} pfn 0x{pfn:x} rc {ret:d}",
    ),
)
