"""What QEMU says of a CPUID page that the firmware refused: which bits of which register."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .record import Fact, LogLine
from .template import Template, form

if TYPE_CHECKING:
    from .record import LogState

_REGISTERS = ("eax", "ebx", "ecx", "edx")
_SET = "eax:0x{{{0}eax:w}}, ebx: 0x{{{0}ebx:w}}, ecx: 0x{{{0}ecx:w}}, edx: 0x{{{0}edx:w}}"
_GIVEN, _WANTED = _SET.format("provided_"), _SET.format("expected_")


def _mismatch(fields: dict[str, Any], log: LogState) -> Fact:
    return _differing(fields)


def _differing(fields: dict[str, Any]) -> Fact:
    """Report which registers the firmware wants otherwise."""
    wrong = {
        name: fields[f"provided_{name}"] ^ fields[f"expected_{name}"]
        for name in _REGISTERS
        if fields.get(f"provided_{name}") != fields.get(f"expected_{name}")
    }
    bits = ", ".join(f"{name} bit {_bits(mask)}" for name, mask in wrong.items())
    return Fact(
        f"CPUID {fields['function']:#x} index {fields['index']:#x}  "
        + "  ".join(
            f"{name} {fields[f'provided_{name}']:#x} should be {fields[f'expected_{name}']:#x}"
            for name in wrong
        ),
        f"the firmware does not accept {bits}" if bits else "provided and expected are the same",
        cause="the virtual processor shows the guest what this processor or firmware does not have",
        consequence="the launch fails with INVALID_PARAM",
        remedy="start QEMU with these bits off, or with another -cpu",
        fields={"differ": sorted(wrong)},
    )


def _bits(mask: int) -> str:
    """Return the numbers of the set bits, runs as ``first-last``."""
    runs: list[list[int]] = []
    for number in (n for n in range(32) if mask >> n & 1):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


class _Complaint:
    """A complaint over three lines: function, provided, expected."""

    watches = False
    pending = False
    patience = 8

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields
        self._wanted = [Template(f"provided: {_GIVEN}"), Template(f"expected: {_WANTED}")]

    def take(self, line: LogLine) -> bool:
        found = self._wanted[0].match(line.text) if self._wanted else None
        if found is None:
            return False
        del self._wanted[0]
        self._fields |= found
        return True

    @property
    def done(self) -> bool:
        return not self._wanted

    def fact(self) -> Fact:
        if self._wanted:
            summary = f"CPUID {self._fields['function']:#x} index {self._fields['index']:#x}"
            return Fact(summary, "what was expected is not in the log")
        fact = _differing(self._fields)
        return fact._replace(fields={**self._fields, **fact.fields})


def _complaint(fields: dict[str, Any], log: LogState) -> _Complaint:
    return _Complaint(fields)


def _count(fields: dict[str, Any], log: LogState) -> Fact:
    given, wanted = fields["provided"], fields["expected"]
    return Fact(
        f"CPUID entries {given}, expected {wanted}",
        "the firmware gave back another number of entries than it was given",
    )


def _page(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact("CPUID page", "the firmware did not take it; what it would take is said before")


FORMATS = (
    form(
        "qemu_cpuid_line",
        "cpuid-mismatch",
        "CPUID validation failed for function 0x{function:x}, index: 0x{index:x},"
        f" provided: {_GIVEN}, expected: {_WANTED}",
        _mismatch,
    ),
    form(
        "qemu_cpuid_head",
        "cpuid-mismatch",
        "CPUID validation failed for function 0x{function:x}, index: 0x{index:x}.",
        _complaint,
        "CPUID validation failed for function {function:x}, index: {index:x}.",
    ),
    form(
        "qemu_cpuid_count",
        "cpuid-count",
        "CPUID validation failed due to count mismatch, provided: {provided:d},"
        " expected: {expected:d}",
        _count,
    ),
    form("qemu_cpuid_page", "cpuid-page", "SEV-SNP: failed update CPUID page", _page),
)
