"""What KVM prints over several lines: the GHCB that it refused, and a save area before launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...context import Direction, context_of
from ...errors import InputError
from ...wire.ghcb import Page, ValidBitmap
from ...wire.vmsa import Vmsa
from .. import dumplines, kvm_ghcb
from .operands import exit_name, request_words
from .record import Fact, Hex, LogLine, Quad
from .template import form

if TYPE_CHECKING:
    from .record import LogState


class _Ghcb:
    """The five lines of a GHCB, in any order."""

    watches = False
    pending = False
    patience = 64

    def __init__(self, head: LogLine) -> None:
        self._lines = [head.text]
        self._names: set[str] = set()

    def take(self, line: LogLine) -> bool:
        name = next((n for n in kvm_ghcb.NAMES if f"{n} " in line.text), None)
        if name is None or name in self._names or "GHCB (" in line.text:
            return False
        self._names.add(name)
        self._lines.append(line.text)
        return True

    @property
    def done(self) -> bool:
        return len(self._names) == len(kvm_ghcb.NAMES)

    def fact(self) -> Fact:
        try:
            block = kvm_ghcb.parse("\n".join(self._lines))
        except InputError as error:
            return Fact("GHCB", f"not whole: {error.reason}")
        return _ghcb_fact(block)


def _ghcb_fact(block: kvm_ghcb.GhcbBlock) -> Fact:
    """Interpret a GHCB: exit, operands, and what the exit needs that is not marked valid."""
    values = block.values
    code, info1, info2 = (values[f"sw_exit_{n}"] for n in ("code", "info_1", "info_2"))
    bitmap = ValidBitmap(block.bitmap)
    meaning = request_words(code, info1, info2) or "no source names this exit"
    if not block.bitmap_known:
        meaning += "; the bitmap is what KVM left, so it says nothing (Linux up to 6.12)"
    elif missing := unmarked(Page(**block.values, valid_bitmap=block.bitmap)):
        meaning += f"; not marked valid, though this exit needs it: {', '.join(missing)}"
    summary = (
        f"GHCB gpa {block.gpa:#x}  exit {code:#x} {exit_name(code)}  info1 {info1:#x}"
        f"  info2 {info2:#x}  scratch {values['sw_scratch']:#x}"
    )
    fields: dict[str, Any] = {
        "gpa": Hex(block.gpa),
        "snapshot": block.snapshot,
        **{name: Quad(value) for name, value in values.items()},
        "exit": exit_name(code),
        "is_valid": block.is_valid,
        "valid_bitmap": bitmap.names() if block.bitmap_known else None,
    }
    return Fact(summary, meaning, fields=fields)


def unmarked(page: Page) -> list[str]:
    """Return the fields that a request needs and does not mark valid."""
    event = context_of(page, direction=Direction.REQUEST).event
    needed = (
        "sw_exit_code",
        "sw_exit_info_1",
        "sw_exit_info_2",
        *(event.required if event else ()),
    )
    return [name for name in needed if not page.valid_bitmap.has(name)]


def _ghcb(fields: dict[str, Any], log: LogState) -> _Ghcb:
    return _Ghcb(log.line)


_SHOWN = ("rip", "rsp", "cr0", "cr3", "cr4", "efer", "sev_features")


class _Vmsa:
    """Rows of sixteen bytes, which have neither offset nor label."""

    watches = True
    pending = False
    patience = 2

    def __init__(self) -> None:
        self._data = b""
        self._last = 16

    def take(self, line: LogLine) -> bool:
        row = dumplines.dump_line(line.number, line.text).row
        if row is None or row.offset is not None or row.label or row.width != 1:
            return False
        self._data += row.data(words=False)
        self._last = row.size
        return True

    @property
    def done(self) -> bool:
        return len(self._data) >= Vmsa.SIZE or self._last < 16

    def fact(self) -> Fact:
        data = self._data[: Vmsa.SIZE]
        if not data:
            return Fact("save area", "its bytes are not in the log")
        summary, features, fields = vmsa_words(data)
        meaning = "; ".join(filter(None, (_BEFORE_LAUNCH, features)))
        fields = {"size": len(data), "data": data, **fields}
        return Fact(f"save area of {len(data)} bytes  {summary}".strip(), meaning, fields=fields)


_BEFORE_LAUNCH = "as the firmware is to measure it, before the launch"


def vmsa_words(data: bytes) -> tuple[str, str, dict[str, Any]]:
    """Return what the beginning of a save area says: registers, SEV_FEATURES, and both by name."""
    vmsa = Vmsa.parse(data.ljust(Vmsa.SIZE, b"\0"))
    ends = {field.path: field.end for field in Vmsa.FIELDS}
    known = [name for name in _SHOWN if ends[name] <= len(data)]
    registers = [name for name in known if name != "sev_features"]
    summary = "  ".join(f"{name} {getattr(vmsa, name):#x}" for name in registers)
    fields: dict[str, Any] = {name: Quad(getattr(vmsa, name)) for name in registers}
    if "sev_features" not in known:
        return summary, "", fields
    names = " ".join(vmsa.sev_features.names()) or "none"
    return summary, f"SEV_FEATURES {names}", {**fields, "sev_features": vmsa.sev_features}


def _vmsa(fields: dict[str, Any], log: LogState) -> _Vmsa:
    return _Vmsa()


FORMATS = (
    form(
        "kvm_ghcb_dump_header_new",
        "kvm-ghcb",
        "GHCB (GPA={gpa:x}) snapshot:",
        _ghcb,
        "GHCB (GPA={gpa:x}):",
    ),
    form("kvm_vmsa_dump", "kvm-vmsa", "Virtual Machine Save Area (VMSA):", _vmsa),
)
