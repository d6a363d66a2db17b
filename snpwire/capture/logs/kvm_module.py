"""What KVM's module for AMD says when it is loaded: which kinds of guests it offers.

Kernels before 6.12 print that SNP is enabled when the processor has it, whether or not SNP_INIT
succeeded. An SNP guest takes an ASID of SEV-ES, of which the BIOS may have left none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .phrase import phrase
from .record import Fact
from .template import form

if TYPE_CHECKING:
    from .record import LogLine, LogState
    from .template import Interpreter

NO_ASIDS = "in the BIOS, raise the SEV-ES ASID space limit above 1"
_OFFER = f"{NO_ASIDS}; load kvm_amd with sev, sev_es and sev_snp set to 1"
_STATES = {
    "unusable": "the processor has it, and the BIOS left no ASID",
    "disabled": "an option, the BIOS, or a failed INIT turned it off",
}


def _range(kind: str) -> Interpreter:
    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        state, first, last = fields["state"], fields["first"], fields["last"]
        count = max(last - first + 1, 0) if first else 0
        on = state == "enabled"
        none = not on and kind != "SEV" and not first
        return Fact(
            f"{kind} {state}  ASIDs {first} to {last}",
            f"at most {count} guests of {kind} run at once"
            if on
            else _STATES.get(state, "a state that no source names"),
            remedy=NO_ASIDS if none else "",
            fields={"guests": kind, "count": count if on else 0},
        )

    return interpret


def _count(*kinds: str) -> Interpreter:
    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        count, names = fields["count"], " and ".join(kinds)
        each = "together" if len(kinds) > 1 else "at once"
        return Fact(
            f"{names} supported  {count} ASIDs",
            f"at most {count} guests of {names} run {each}",
            fields={"state": "supported", "guests": kinds[-1]},
        )

    return interpret


class _Parameter:
    """A parameter of the module, of which the value stands on the next line."""

    watches = True
    patience = 1
    pending = False

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value
        self._over = bool(value)

    def take(self, line: LogLine) -> bool:
        self._over = True
        if not (found := _VALUE.fullmatch(line.text)):
            return False
        self._value = found[1]
        return True

    @property
    def done(self) -> bool:
        return self._over

    def fact(self) -> Fact:
        on = {"Y": True, "1": True, "N": False, "0": False}.get(self._value)
        says = "no value follows" if on is None else f"KVM offers {'it' if on else 'none of it'}"
        return Fact(
            f"kvm_amd {self._name} {self._value}".rstrip(),
            says,
            remedy=_OFFER if on is False and self._name in ("sev_es", "sev_snp") else "",
            fields={"parameter": self._name, "value": self._value, "on": on},
        )


_VALUE = re.compile("['\"`]?(-?[YN01])['\"`]?")
_NAME = re.compile("([a-z_]{1,40})(?:[:=](-?[YN01]))?")


def _parameter(fields: dict[str, Any], log: LogState) -> _Parameter:
    found = _NAME.match(fields.pop("name"))
    return _Parameter(found[1], found[2] or "") if found else _Parameter("", "")


FORMATS = (
    form(
        "kvm_snp_asids", "kvm-snp", "SEV-SNP {state:o} (ASIDs {first:d} - {last:d})", _range("SNP")
    ),
    form(
        "kvm_es_asids",
        "kvm-sev",
        "SEV-ES {state:o} (ASIDs {first:d} - {last:d})",
        _range("SEV-ES"),
    ),
    form("kvm_sev_asids", "kvm-sev", "SEV {state:o} (ASIDs {first:d} - {last:d})", _range("SEV")),
    form(
        "kvm_snp_count",
        "kvm-snp",
        "SEV-ES and SEV-SNP supported: {count:d} ASIDs",
        _count("SEV-ES", "SNP"),
    ),
    form("kvm_es_count", "kvm-sev", "SEV-ES supported: {count:d} ASIDs", _count("SEV-ES")),
    form("kvm_sev_count", "kvm-sev", "SEV supported: {count:d} ASIDs", _count("SEV")),
    form(
        "kvm_sev_supported",
        "kvm-sev",
        "SVM: SEV supported",
        phrase("SEV supported", "KVM offers guests of SEV; it says no more"),
        "kvm_amd: SEV supported",
    ),
    form("kvm_parameter", "kvm-parameter", "/module/kvm_amd/parameters/{name:o}", _parameter),
    form(
        "kvm_ciphertext",
        "kvm-feature",
        "SEV-SNP ciphertext hiding enabled",
        phrase(
            "ciphertext hiding on",
            "the host reads no ciphertext of SNP guests; the ASIDs of SEV-ES are divided between"
            " SNP and SEV-ES",
        ),
    ),
    form(
        "kvm_private_memory",
        "kvm-refused",
        "SEV-SNP requires private memory support via guest_memfd.",
        phrase(
            "guest without private memory",
            "KVM was asked for an SNP guest whose memory has no guest_memfd",
            cause="QEMU and KVM are of different series of patches; or of AMD's trees of 2023, and"
            " QEMU was given no -object memory-backend-memfd-private",
            consequence="the launch fails",
            remedy="take QEMU and kernel of one release",
        ),
        "SEV-SNP requires restricted memory.",
    ),
    form(
        "kvm_no_parameter",
        "kvm-no-parameter",
        "kvm_amd: unknown parameter '{name:s}' ignored",
        phrase(
            "kvm_amd has no parameter {name}",
            "this kernel's KVM does not know it: without sev_snp it has no SNP",
            remedy="for SNP, Linux 6.11 or newer with CONFIG_KVM_AMD_SEV, or a tree of AMD's",
        ),
    ),
    form(
        "kvm_within_guest",
        "kvm-module-off",
        "KVM is unsupported when running as an SEV guest",
        phrase("no KVM here", "this kernel is itself an encrypted guest"),
    ),
)
