"""KVM's dump of a VMCB: why VMRUN failed, or which exit KVM does not know.

Linux prints it with ``kvm_amd.dump_invalid_vmcb=1`` (dump_vmcb in arch/x86/kvm/svm/svm.c): a line
with the VMCB's address, then names with values. The VMCB has the GHCB's word beside the exit. Its
save area is not that of a guest with encrypted registers: kernels that print the kind of guest
decrypt the real one where the policy allows it, older ones print what stands in the VMCB.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.exits import ExitCode
from ...wire.msr import MsrInfo
from ...wire.operands import SevFeatures
from .operands import enum_words, exit_name, request_words
from .record import Fact, Hex, LogLine, Quad
from .template import form

if TYPE_CHECKING:
    from .record import LogState

AREAS = {"VMCB Control Area:": "control", "VMCB State Save Area:": "save"}
_PAIR = re.compile(r"([a-z][a-z0-9_]{1,24})(?::| (?=[0-9a-f]{16}$)) ?([0-9a-f]{1,16})(?: |$)")
_PAIRS = re.compile(rf"(?:\S{{1,16}}: )?((?:{_PAIR.pattern}){{1,3}})")
_SEGMENT = re.compile(
    r"\b([a-z]{2,4}): s: ([0-9a-f]{4}) a: ([0-9a-f]{4}) l: ([0-9a-f]{8}) b: ([0-9a-f]{16})"
)
_PAUSE = re.compile(r"\bpause filter (count|threshold): ?([0-9]{1,10})")
_INTERCEPTS = re.compile(r"\bintercepts: ([0-9a-f]{8}) ([0-9a-f]{8})")
_KIND = re.compile(r"\b(SEV-SNP|SEV-ES|SEV|SVM)(?: vCPU([0-9]{1,9}))? VMCB ")
_DECIMAL = ("asid", "vmpl", "cpl")
_ENCRYPTED = ("SEV-SNP", "SEV-ES")
_FAILED = "KVM ends KVM_RUN with KVM_EXIT_FAIL_ENTRY: hardware error {:#x}"
_REMEDIES = {
    ExitCode.INVALID_VMCB: (
        "compare the save area with what the processor checks: SEV_FEATURES of the launch with"
        " the allowed ones, ASID and nested paging in the control area, the save area's RMP entry"
    ),
    ExitCode.VMSA_BUSY: "another processor runs on the same save area: look for a second vCPU",
}


class _Vmcb:
    """The lines of a dump: two areas of names with values."""

    watches = True
    pending = False
    patience = 4

    def __init__(self, head: LogLine, fields: dict[str, Any]) -> None:
        kind = _KIND.search(head.text)
        self._kind = kind[1] if kind else ""
        self._vcpu = kind and kind[2]
        self._cpu = fields.get("cpu")
        self._areas: dict[str, dict[str, Any]] = {"control": {}, "save": {}}
        self._area = "control"
        self._twice: set[str] = set()

    def take(self, line: LogLine) -> bool:
        text = line.text
        if area := next((n for label, n in AREAS.items() if text.endswith(label)), None):
            if area == "control" and self._areas["control"]:
                return False
            self._area = area
            return True
        found = dict(_values(text))
        known = self._areas[self._area]
        self._twice |= {n for n in found if n in known and n not in ("rax", "rsp")}
        self._areas[self._area] = found | known if self._twice else known | found
        return bool(found)

    @property
    def done(self) -> bool:
        return False

    def fact(self) -> Fact:
        control, save = self._areas["control"], self._areas["save"]
        where = "" if self._cpu is None else f"last VMRUN on CPU {self._cpu}  "
        fields: dict[str, Any] = {"guest": self._kind or None}
        if self._vcpu:
            fields["vcpu"] = int(self._vcpu)
        if "exit_code" not in control:
            return Fact(f"VMCB  {where}".strip(), "not whole: it has no exit_code", fields=fields)
        exit_words, decoded = _exit(control)
        fields |= {**decoded, "control": control, "save": save}
        vcpu = f"vcpu {self._vcpu}  " if self._vcpu else ""
        code = ExitCode(decoded["exit_code"])
        meanings = [_sense(code, control), *_meanings(control)]
        fact = Fact(
            f"VMCB  {vcpu}{where}{exit_words}",
            "; ".join(filter(None, (*meanings, *self._notes()))),
            fields=fields,
        )
        if code not in _REMEDIES:
            return fact
        return fact._replace(
            cause="; ".join(filter(None, (code.doc, _forbidden(control)))),
            consequence=_FAILED.format(int(control["exit_code"])),
            remedy=_REMEDIES[code],
        )

    def _notes(self) -> list[str]:
        """Return what to keep in mind about the lines."""
        notes = []
        if self._twice:
            names = ", ".join(sorted(self._twice)[:3])
            notes.append(f"{names} came twice: two dumps may be mixed, so values of either")
        if self._kind not in _ENCRYPTED and self._areas["save"]:
            notes.append("for a guest with encrypted registers the save area says nothing")
        return notes


def _values(text: str) -> list[tuple[str, Any]]:
    """Return the names with values of one line."""
    if segment := _SEGMENT.search(text):
        parts = ("selector", "attributes", "limit", "base")
        numbers = (Hex(word, 16) for word in segment.groups()[1:])
        return [(segment[1], dict(zip(parts, numbers, strict=True)))]
    if pause := _PAUSE.search(text):
        return [(f"pause_filter_{pause[1]}", int(pause[2]))]
    if words := _INTERCEPTS.search(text):
        return [("intercepts", [Hex(words[1], 16), Hex(words[2], 16)])]
    pairs = _PAIRS.fullmatch(text)
    if pairs is None:
        return []
    return [
        (name, int(digits, 10) if name in _DECIMAL and digits.isdecimal() else Hex(digits, 16))
        for name, digits in _PAIR.findall(pairs[1])
    ]


def _exit(control: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return exit, operands, ASID, the GHCB's word and the save area's address, both ways."""
    code, info1, info2 = (control.get(n, 0) for n in ("exit_code", "exit_info1", "exit_info2"))
    if 0xFFFF_FF00 <= code <= 0xFFFF_FFFF:
        code |= 0xFFFF_FFFF << 32  # negative, and printed in 32 bits up to Linux 6.18
    fields: dict[str, Any] = {
        "exit": exit_name(code),
        "exit_code": Hex(code),
        "exit_info1": Hex(info1),
        "exit_info2": Hex(info2),
    }
    words = f"exit {code:#x} {exit_name(code)}  info1 {info1:#x}  info2 {info2:#x}"
    if "asid" in control:
        fields["asid"] = control["asid"]
        words += f"  asid {control['asid']}"
    for name in ("ghcb", "vmsa_pa"):
        if name in control:
            fields[name] = Quad(control[name])
            words += f"  {name} {int(control[name]):#x}"
    return words, fields


def _sense(code: ExitCode, control: dict[str, Any]) -> str:
    """Return what the exit says, which may be the processor's or one that a GHCB asks for."""
    infos = control.get("exit_info1", 0), control.get("exit_info2", 0)
    return request_words(int(code), *infos) or code.doc or "no source names this exit"


def _meanings(control: dict[str, Any]) -> list[str]:
    """Return what the GHCB's word and the SEV features say."""
    meanings = []
    if word := control.get("ghcb", 0) & 0xFFF:
        meanings.append(f"GHCB MSR {enum_words(MsrInfo(word))}")
    if given := control.get("guest_sev_features"):
        meanings.append(f"SEV_FEATURES {' '.join(SevFeatures(given).names())}")
    return [*meanings, _forbidden(control)]


def _forbidden(control: dict[str, Any]) -> str:
    """Return the features of the guest that the VMCB does not allow, if bit 63 makes it choose."""
    allowed, given = (control.get(f"{n}_sev_features", 0) for n in ("allowed", "guest"))
    extra = SevFeatures(given & ~allowed) if allowed >> 63 else SevFeatures(0)
    return f"SEV_FEATURES that are not allowed: {' '.join(extra.names())}" if extra else ""


def _vmcb(fields: dict[str, Any], log: LogState) -> _Vmcb:
    return _Vmcb(log.line, fields)


FORMATS = (
    form(
        "kvm_vmcb_dump",
        "kvm-vmcb",
        "VMCB {vmcb:x}, last attempted VMRUN on CPU {cpu:d}",
        _vmcb,
        "VMCB Control Area:",
    ),
)
