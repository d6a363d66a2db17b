"""A guest that ended itself, as KVM logs it: who defines the reason, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...bits import OpenEnum
from ...wire.operands import SevFeatures, TermInfo, TermLinux, TermSet, TermSpec, term_reason
from .record import Fact
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_ENDED = "the virtual machine stops; KVM hands the user's program a system event of type SEV_TERM"
_FEATURES = (
    "compare SEV_FEATURES of the launch with what the guest's kernel handles: turn the feature off,"
    " or take a newer kernel"
)

REMEDIES: dict[tuple[int, int], str] = {
    (TermSet.GHCB_SPEC, TermSpec.GENERAL): (
        "the reason is in the guest's own console, if it got that far"
    ),
    (TermSet.GHCB_SPEC, TermSpec.PROTOCOL_UNSUPPORTED): (
        "a guest of SNP needs protocol 2: the hypervisor must offer it"
    ),
    (TermSet.GHCB_SPEC, TermSpec.SNP_FEATURES_UNSUPPORTED): _FEATURES,
    (TermSet.LINUX, TermLinux.REGISTER): "look for what KVM says of the GHCB's registration",
    (TermSet.LINUX, TermLinux.PSC): (
        "the user's program refused the page, or ran out of memory for it: see its own log"
    ),
    (TermSet.LINUX, TermLinux.PVALIDATE): (
        "the page was not private, or in use at another size: compare its entry of the RMP"
    ),
    (TermSet.LINUX, TermLinux.NOT_VMPL0): "start the kernel at VMPL 0, or one that knows an SVSM",
    (TermSet.LINUX, TermLinux.CPUID): "the launch put no good CPUID page where the guest looks",
    (TermSet.LINUX, TermLinux.SECRETS_PAGE): "the launch put no secrets page where the guest looks",
    (TermSet.LINUX, TermLinux.NO_SVSM): "the launch needs an SVSM at VMPL 0, or the kernel there",
}
"""What to do about a reason, where more is known than its name."""


def _by_msr(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret a termination by the MSR: KVM prints set and code."""
    return _fact(fields["set"], fields["code"], f"{fields['set']:#x}:{fields['code']:#x}", "")


def _by_page(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret a termination by the GHCB: KVM prints both operands raw."""
    word, more = TermInfo(fields["info1"]), fields["info2"]
    features = (word.reason_set, word.reason_code) == (0, TermSpec.SNP_FEATURES_UNSUPPORTED)
    extra = ""
    if more:
        extra = f"; unsupported: {_status_bits(more)}" if features else f"; info {more:#x}"
    summary = f"{fields['info1']:#x} info {more:#x}"
    return _fact(word.reason_set, word.reason_code, summary, extra)


def _status_bits(mask: int) -> str:
    """Return bits of SEV_STATUS by name: from bit 2 on they are those of SEV_FEATURES."""
    names = dict(enumerate(("sev", "sev_es"))) | {n: f"bit_{n}" for n in range(2, 64)}
    names |= {field.low + 2: field.name for field in SevFeatures.BITS.values()}
    return ", ".join(
        f"{name} (bit {n} of SEV_STATUS)" for n, name in names.items() if mask >> n & 1
    )


def _fact(owner: int, code: int, summary: str, extra: str) -> Fact:
    who, why = TermSet(owner), term_reason(owner, code)
    known = isinstance(why, OpenEnum) and why.known
    name = why.name if isinstance(why, OpenEnum) and known else "unknown"
    text = why.doc if isinstance(why, OpenEnum) and known else "this code is not documented"
    owner_name = who.name if who.known else "of an unknown owner"
    return Fact(
        f"termination {summary}  set {owner:#x} {owner_name}, code {code:#x} {name}",
        text + extra,
        cause=text + extra,
        consequence=_ENDED,
        remedy=REMEDIES.get((owner, code), "the guest's console has more, if it got that far"),
        fields={"reason_set": who, "reason": name},
    )


FORMATS = (
    form(
        "kvm_term_msr",
        "termination",
        "SEV-ES guest requested termination: {set:p}:{code:p}",
        _by_msr,
    ),
    form(
        "kvm_term_nae",
        "termination",
        "SEV-ES guest requested termination: reason {info1:p} info {info2:p}",
        _by_page,
    ),
)
