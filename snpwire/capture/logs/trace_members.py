"""KVM's tracepoints as tools print them that do not use the kernel's own format: by members.

    kvm_vmgexit_enter: vcpu_id=0 exit_reason=80000011 info1=1100000 info2=1101000   trace-cmd -R
    kvm_vmgexit_enter: vcpu_id=0 (0) exit_reason=0x80000011 (-2147483631) ...       options/fields
    kvm:kvm_vmgexit_enter(exit_reason: 2147483665, info1: 17825792)                 perf trace
    kvm:kvm_vmgexit_enter: { cpu_id = 0 }, { vcpu_id = 0, exit_reason = 114, ... }  babeltrace
    kvm_vmgexit_enter: [FAILED TO PARSE] vcpu_id=0 exit_reason=2147483665 ...       libtraceevent

perf trace leaves out members that are 0. What stands behind 0x is hex, and so is what has the
kernel's own form, a name and a blank. A colon or an equals sign among blanks makes it decimal. Of
bare numbers behind an equals sign, libtraceevent prints hex since it follows the kernel's format,
and printed decimal before: the line decides, by hex letters, by the sixteen digits of an address,
and by which of the two numbers is an exit; where it does not, the lines before it, and else hex.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ...wire.exits import ExitCode
from . import ftrace
from .record import Fact, Hex, Quad
from .template import form

if TYPE_CHECKING:
    from .record import LogBlock, LogState
    from .template import Interpreter

NAMES = {
    "vcpu_id": "vcpu",
    "exit_reason": "exit_code",
    "info1": "exit_info1",
    "info2": "exit_info2",
    "ghcb_gpa": "ghcb_msr",
}
"""The kernel's names of members, where records have others."""
WIDE = ("exit_code", "exit_info1", "exit_info2", "ghcb_msr", "gpa", "pfn", "error_code")
"""Members that may be hex; the others are small numbers, which everyone prints as decimal."""
_MEMBER = re.compile(
    r"(?<!\w)(vcpu_id|vcpu|exit_reason|(?:exit_)?info[12]|ghcb_gpa|result|gpa|pfn|error_code"
    r"|rmp_level|psmash_ret)( ?[=:] ?| )(-?(?:0x)?[0-9a-fA-F]{1,20})(?!\w)"
)
_UNPARSED = "[FAILED TO PARSE]"
_ALL = 0xFFFF_FFFF_FFFF_FFFF


class Members(NamedTuple):
    """Members of an event by the names of records."""

    values: dict[str, Any]
    base: int
    """Base in which bare numbers were read."""
    inferred: bool
    """Whether the numbers themselves decided it."""


def members(text: str, log: LogState) -> Members:
    """Return the members in *text*, which begins with the event's name."""
    found: dict[str, tuple[str, str]] = {}
    for name, sign, digits in _MEMBER.findall(text):
        found.setdefault(NAMES.get(name, name), (sign, digits))
    bare = {n: found[n] for n in WIDE if n in found and "0x" not in found[n][1]}
    base, inferred = _base(bare, text, log)
    values: dict[str, Any] = {}
    for name, (_, digits) in found.items():
        values[name] = _sized(name, _number(digits, base if name in WIDE else 10))
    return Members(values, base, inferred)


def _number(digits: str, base: int) -> int:
    """Return a number; in base 10 what has letters is hex all the same, as nothing else can be."""
    if "0x" in digits or not digits.lstrip("-").isdecimal():
        base = 16
    return int(digits, base)


def _sized(name: str, number: int) -> int:
    """Return a wide number as a quadword, and any other as it is."""
    if name not in WIDE:
        return number
    return (Quad if name == "ghcb_msr" else Hex)(number & _ALL)


def _base(bare: dict[str, tuple[str, str]], text: str, log: LogState) -> tuple[int, bool]:
    """Return the base of the wide numbers that have no 0x, and whether they decide it."""
    signs = {sign for sign, _ in bare.values()}
    if " " in signs:
        return 16, False
    if _UNPARSED in text or signs - {"="}:
        return 10, False
    known = _is_decimal({name: digits for name, (_, digits) in bare.items()}) if bare else None
    if known is not None:
        log.decimal = known
    return 10 if log.decimal else 16, bool(bare)


def _is_decimal(bare: dict[str, str]) -> bool | None:
    """Return whether bare numbers are decimal ones; None where they may be either."""
    if not all(digits.lstrip("-").isdecimal() for digits in bare.values()):
        return False
    if address := bare.get("ghcb_msr") or bare.get("gpa"):
        return len(address) != 16
    code = bare.get("exit_code", "0")
    as_hex, as_decimal = (ExitCode(int(code, base) & _ALL).known for base in (16, 10))
    return as_decimal if as_hex != as_decimal else None


def _event(interpret: Interpreter, names: tuple[str, ...]) -> Interpreter:
    """Return what interprets an event by its members; those of *names* that are left out are 0."""

    def interpreted(fields: dict[str, Any], log: LogState) -> Fact | LogBlock:
        event = log.line.text[log.line.text.rindex("kvm_") :]
        rest = fields.pop("rest")
        fields.pop("vcpu", None)
        found = members(event, log)
        if not found.values and rest.strip(" {})"):
            return Fact(event.split(":")[0].split("(")[0], "its members cannot be read")
        values = {name: found.values.get(name, _sized(name, 0)) for name in names}
        fact = interpret(values, log)
        return _with_base(fact, values, found) if isinstance(fact, Fact) else fact

    return interpreted


def _with_base(fact: Fact, values: dict[str, Any], found: Members) -> Fact:
    fact = fact._replace(fields={**values, **fact.fields, "base": found.base})
    if found.base == 16 or not found.inferred:
        return fact
    return fact._replace(meaning=f"{fact.meaning}; numbers read as decimal".lstrip("; "))


_EXIT = ("vcpu", "exit_code", "exit_info1", "exit_info2")
_FAULT = ("vcpu", "gpa", "pfn", "error_code", "rmp_level", "psmash_ret")
_EVENTS: tuple[tuple[str, str, Interpreter, tuple[str, ...]], ...] = (
    ("vmgexit_enter", "vmgexit-enter", ftrace.entry, _EXIT),
    ("vmgexit_exit", "vmgexit-exit", ftrace.response, _EXIT),
    ("vmgexit_msr_protocol_enter", "msr-enter", ftrace.msr_word, ("vcpu", "ghcb_msr")),
    ("vmgexit_msr_protocol_exit", "msr-exit", ftrace.msr_word, ("vcpu", "ghcb_msr", "result")),
    ("rmp_fault", "rmp-npf", ftrace.rmp_fault, _FAULT),
)
FORMATS = tuple(
    form(
        f"trace_members_{name}",
        kind,
        f"kvm_{name}: vcpu_id={{vcpu:o}} {{rest:r}}",
        _event(interpret, names),
        f"kvm_{name}({{rest:r}}",
        f"kvm_{name}: {_UNPARSED} {{rest:r}}",
        "kvm_" + name + ": { {rest:r}",
        *((f"kvm_{name}:vcpu {{vcpu:o}} {{rest:r}}",) if name != "rmp_fault" else ()),
    )
    for name, kind, interpret, names in _EVENTS
)
