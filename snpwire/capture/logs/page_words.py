"""What a page says, in few words: exit and operands, message and number, registers, entries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...bits import OpenEnum, Word
from ...context import Direction, context_of
from ...finding import counted
from ...layout import SECRETS
from ...wire import RECORDS
from ...wire.address import PAGE
from ...wire.cpuid import CpuidPage
from ...wire.exits import ExitCode
from ...wire.ghcb import SHARED_END, SHARED_START, Page
from ...wire.message import MessagePage
from ...wire.psc import PscBuffer, PscHeader
from ...wire.rmp import RmpOperand
from .dumps import unmarked, vmsa_words
from .operands import enum_words, exit_name, request_words, response_words
from .record import Hex, Quad

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..page_line import PageLine

Words = tuple[str, str, dict[str, Any]]
"""The fields of a page on one line, what they mean, and the same by name."""
IN = "in"
DIRECTIONS = {IN: Direction.REQUEST, "out": Direction.RESPONSE}
"""The direction that each word of a script stands for."""


def page_words(page: PageLine) -> Words:
    """Return what a page says; of one that is not whole, what its kind is."""
    kind = RECORDS.get(page.kind)
    if kind is None:
        return f"{len(page.data)} bytes", "no kind has this name", {}
    if not kind.type.fits(len(page.data)):
        return f"{len(page.data)} bytes", "", {}
    return _WORDS.get(page.kind, _record)(page)


def has_secrets(page: PageLine) -> bool:
    """Return whether a page holds a key that is not zero."""
    kind = RECORDS.get(page.kind)
    if kind is None or not kind.type.fits(len(page.data)):
        return False
    return any(
        leaf.path.rpartition(".")[2] in SECRETS and any(leaf.value)
        for leaf in kind.type.parse(page.data).leaves()
        if isinstance(leaf.value, bytes)
    )


def _ghcb(line: PageLine) -> Words:
    page = Page.parse(line.data)
    code, info1, info2 = int(page.sw_exit_code), page.sw_exit_info_1, page.sw_exit_info_2
    words = (request_words if line.way == IN else response_words)(code, info1, info2)
    missing = [n for n in unmarked(page) if n not in line.absent] if line.way == IN else []
    if missing:
        words += f"; not marked valid, though this exit needs it: {', '.join(missing)}"
    registers = _registers(page, line)
    changes = _changes(page) if code == ExitCode.SNP_PAGE_STATE_CHANGE else ""
    values = "".join(f"  {name} {value:#x}" for name, value in registers.items())
    fields: dict[str, Any] = {
        "exit": exit_name(code),
        "exit_code": Hex(code),
        "exit_info1": Hex(info1),
        "exit_info2": Hex(info2),
        "scratch": Hex(page.sw_scratch),
        "registers": registers,
        "valid_bitmap": page.valid_bitmap.names(),
        "not_valid": missing,
    }
    text = f"exit {code:#x} {exit_name(code)}  info1 {info1:#x}  info2 {info2:#x}{values}"
    return text, "; ".join(filter(None, (words, changes))), fields


def _registers(page: Page, line: PageLine) -> dict[str, Hex]:
    """Return the registers that the page marks valid, and those that its exit is about."""
    event = context_of(page, direction=DIRECTIONS.get(line.way)).event
    names = () if event is None or line.early else event.returns
    if event and line.way == IN:
        names = event.required
    return {
        name: Hex(getattr(page, name))
        for name in _REGISTERS
        if name not in line.absent and (name in names or page.valid_bitmap.has(name))
    }


_REGISTERS = ("rax", "rbx", "rcx", "rdx", "xcr0", "xss", "cpl", "dr7")


def _changes(page: Page) -> str:
    """Return what a page state change in the shared buffer is about: its extent, its first page."""
    start = page.sw_scratch % PAGE
    if not SHARED_START <= start <= SHARED_END - PscHeader.SIZE:
        return f"its entries are not in the page, but at {page.sw_scratch:#x}"
    buffer = PscBuffer.parse(page.shared_buffer[start - SHARED_START :])
    current, last = buffer.head.cur_entry, buffer.head.end_entry
    text = counted(last + 1, "entry", "entries") + (f", {current} done" if current else "")
    if not buffer.elements:
        return text
    first = buffer.elements[0]
    size = "2M" if first.page_size else "4K"
    return f"{text}, the first GFN {first.gfn:#x} {size} {enum_words(first.operation)}"


def _message(line: PageLine) -> Words:
    head = MessagePage.parse(line.data).header
    kind = head.msg_type
    name = kind.name if kind.known else "unknown"
    text = (
        f"{name}  number {head.msg_seqno}  version {head.msg_version}  {head.msg_size} bytes"
        f"  VMPCK{head.msg_vmpck}"
    )
    fields = {
        "type": kind,
        "seqno": Quad(head.msg_seqno),
        "version": head.msg_version,
        "payload_size": head.msg_size,
        "vmpck": head.msg_vmpck,
    }
    if not any(line.data[:0x60]):
        return "all zero", "no message was written to the page", fields
    return text, f"sealed {kind.doc}" if kind.doc else "no message that is known", fields


def _vmsa(line: PageLine) -> Words:
    return vmsa_words(line.data)


def _cpuid(line: PageLine) -> Words:
    count = CpuidPage.parse(line.data).count
    return (
        f"{count} functions",
        "as the launch gives them, before the firmware checks",
        {"count": count},
    )


def _operand(line: PageLine) -> Words:
    row = RmpOperand.parse(line.data)
    fields: dict[str, Any] = {
        "gpa": Hex(row.gpa),
        "assigned": row.assigned,
        "immutable": row.immutable,
        "asid": row.asid,
    }
    size = "2M" if int(row.page_size) & 1 else "4K"
    frame = line.number("pfn")
    where = "" if frame is None else f"PFN {frame:#x}  "
    if not row.assigned:
        return f"{where}{size}", "the page is made the hypervisor's", fields
    owner = f"ASID {row.asid}" if row.asid else "the firmware"
    kept = ", immutable" if row.immutable else ""
    return f"{where}{size}  gpa {row.gpa:#x}", f"the page is given to {owner}{kept}", fields


def _record(line: PageLine) -> Words:
    """Return the first fields of a kind that has no words of its own, but of no keys."""
    words = []
    for leaf in RECORDS[line.kind].type.parse(line.data).leaves():
        value = leaf.value
        if leaf.path.rpartition(".")[2] in SECRETS or isinstance(value, bytes) or not value:
            continue
        shown = enum_words(value) if isinstance(value, OpenEnum) else _plain(value)
        words.append(f"{leaf.path} {shown}")
    return f"{len(line.data)} bytes", "  ".join(words[:_SHOWN]), {}


_SHOWN = 4


def _plain(value: Any) -> str:
    if isinstance(value, Word):
        return " ".join(value.names()) if hasattr(value, "names") else f"{int(value):#x}"
    return f"{value:#x}" if isinstance(value, int) else str(value)


_WORDS: dict[str, Callable[[PageLine], Words]] = {
    "ghcb": _ghcb,
    "message": _message,
    "vmsa": _vmsa,
    "cpuid": _cpuid,
    "rmpupdate": _operand,
}
