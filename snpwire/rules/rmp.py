"""What can be wrong with an entry of the reverse map table, and with what RMPUPDATE is given."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity, bit_list
from ..wire import rmp as wire
from ..wire import rmp_faults as faults
from ..wire.address import LARGE_PAGE, PAGE, REGION
from ..wire.rmp_faults import FIRMWARE
from ..wire.rmp_words import CHANGING, LAST_ASID
from . import record

if TYPE_CHECKING:
    from ..context import Context
    from ..wire.rmp_faults import EntryFault

    Instruction = wire.RmpReadEntry | wire.RmpOperand

UPDATE = "RMPUPDATE (Microsoft, VeriSMo); the order of its checks is not verified"
LINUX = "newer Linux arch/x86/virt/svm/sev.c"
GIB_ENTRIES = 4 << 20
"""Bytes of the entries of one GiB of memory."""


def _finding(fault: EntryFault, lo: wire.RmpLo) -> Finding:
    return fault.rule.finding_at("lo", 0, fault.text(lo))


def _is_known(context: Context) -> bool:
    """Return whether the bits of an entry are known on the processor that it is of."""
    return context.entry_layout is None or context.entry_layout.known


def state(entry: wire.RmpEntry, context: Context) -> Findings:
    """Expect a state that the firmware knows, and say why there is none."""
    if _is_known(context) and wire.state_of(entry.lo, entry.hi) is wire.RmpState.INVALID:
        yield _finding(faults.STATELESS, entry.lo)


def owner(entry: wire.RmpEntry, context: Context) -> Findings:
    """Expect an ASID that a guest can have, and an address that its page can have."""
    lo = entry.lo
    if not _is_known(context):
        return
    if lo.asid == CHANGING:
        yield _finding(faults.CHANGING, lo)
    elif lo.asid > LAST_ASID:
        yield _finding(faults.HIGH_ASID, lo)
    if lo.asid and lo.page_size and lo.gpa % REGION:
        yield _finding(faults.GPA_APART, lo)
    if lo.page_size and lo.subpage_count:
        yield _finding(faults.LARGE_COUNT, lo)
    is_invalid = wire.state_of(lo, 0) is wire.RmpState.INVALID
    if lo.assigned and lo.lock != lo.immutable and not is_invalid:
        yield _finding(faults.LOCKED, lo)


def rights(entry: wire.RmpEntry, context: Context) -> Findings:
    """Expect masks of bits that have a name, and no write without read."""
    if not _is_known(context):
        return
    yield from record.unknown_bits(entry.hi, "hi", 8, FIRMWARE)
    for level, text in faults.odd_masks(entry.hi):
        yield faults.RIGHTS.finding_at("hi", 8 + level, text)


def masks(value: wire.VmplMasks, context: Context) -> Findings:
    """Expect masks of bits that have a name, and no write without read."""
    for level in range(4):
        for text in faults.odd_mask(getattr(value, f"vmpl{level}"), level):
            yield faults.RIGHTS.finding_at(f"vmpl{level}", level, text)


def read_entry(value: wire.RmpReadEntry, context: Context) -> Findings:
    """Expect one bit a byte from RMPREAD, and a state that fits."""
    yield from _ones(value, value.page_size.unknown, Severity.WARNING, "")
    if wire.states_of(value) == (wire.RmpState.INVALID,):
        text = "no state fits, whatever RMPREAD does not tell"
        found = _of(value, "rmp-invalid", Severity.WARNING, "assigned", text)
        yield found._replace(source=FIRMWARE)


def operand(value: wire.RmpOperand, context: Context) -> Findings:
    """Expect what RMPUPDATE takes: one bit a byte, and fields that fit each other."""
    yield from _ones(value, value.page_size & ~1, Severity.ERROR, "; FAIL_INPUT")
    yield from _update(value)


def _of(value: Instruction, code: str, severity: Severity, field: str, text: str) -> Finding:
    return Finding(code, severity, field, value.place(field), text, UPDATE)


def _ones(value: Instruction, extra: int, severity: Severity, end: str) -> Findings:
    """Expect one bit a byte, no *extra* bits of the size, and an ASID that fits an entry."""
    for field in ("assigned", "immutable"):
        number = getattr(value, field)
        if number > 1:
            text = f"{field} is {number:#x}, bit 0 alone has a meaning{end}"
            yield _of(value, "rmp-operand-bits", severity, field, text)
    if extra:
        text = f"page_size has {bit_list(extra)} set, which has to be zero{end}"
        yield _of(value, "rmp-operand-bits", severity, "page_size", text)
    for leaf in value.leaves():
        if leaf.gap and any(leaf.value):
            text = f"{leaf.path} is {leaf.value.hex()}, it has to be zero{end}"
            yield _of(value, "rmp-operand-bits", severity, leaf.path, text)
    if value.asid >= wire.ASIDS:
        text = f"asid is {value.asid:#x}, an entry holds 10 bits{end}"
        yield _of(value, "rmp-operand-asid", severity, "asid", text)


def _update(value: wire.RmpOperand) -> Findings:
    """Expect fields that do not contradict each other, and an address of a page."""
    if not value.assigned & 1:
        for field in ("immutable", "asid"):
            if getattr(value, field):
                text = f"{field} is {getattr(value, field):#x} and assigned is 0; FAIL_INPUT"
                yield _of(value, "rmp-operand-unassigned", Severity.ERROR, field, text)
        return
    large = value.page_size.page_size
    unit = LARGE_PAGE if large else PAGE
    if value.asid and value.gpa % unit:
        text = f"gpa is {value.gpa:#x}, no multiple of {unit:#x}"
        yield _of(value, "rmp-operand-gpa", Severity.WARNING, "gpa", text)
    if not value.asid and value.immutable and value.gpa:
        text = f"gpa is {value.gpa:#x} with asid 0: the firmware takes no such page as its own"
        yield _of(value, "rmp-operand-gpa", Severity.WARNING, "gpa", text)
    if not value.asid and not value.immutable:
        text = "assigned alone makes a page that is nobody's, RECLAIM; no software does so"
        yield _of(value, "rmp-operand-reclaim", Severity.NOTE, "assigned", text)


def segments(value: wire.SegmentTable, context: Context) -> Findings:
    """Expect a page of segments, with memory and entries, that do not overlap."""
    size = len(value.build())
    if size != PAGE:
        text = f"{size} bytes are a piece of the table, which has {PAGE:#x}"
        yield Finding("rst-piece", Severity.NOTE, "", 0, text, LINUX)
    seen: list[tuple[int, int, int]] = []
    overlapping: bool | None = None
    for index, segment in enumerate(value.elements):
        entry, path, place = segment.entry, f"segments[{index}]", 8 * index
        yield from record.unknown_bits(entry, path, place, LINUX)
        if overlapping is None:  # behind the first findings, after which a probe asks no more
            overlapping = _overlap(value)
        first, last = entry.address, entry.address + entry.mapped_size_gb * GIB_ENTRIES
        if entry.mapped_size_gb and not first:
            text = f"{path} covers {entry.mapped_size_gb} GiB and has no address"
            yield Finding("rst-address", Severity.WARNING, path, place, text, LINUX)
        elif first and not entry.mapped_size_gb:
            text = f"{path} has address {first:#x} and covers nothing: Linux takes it as not there"
            yield Finding("rst-empty", Severity.NOTE, path, place, text, LINUX)
        for other, start, end in seen:
            if entry.mapped_size_gb and first < end and start < last:
                text = f"{path} has entries at {first:#x}..{last - 1:#x}, as segments[{other}] has"
                yield Finding("rst-overlap", Severity.WARNING, path, place, text, LINUX)
                break
        if entry.mapped_size_gb and overlapping:
            seen.append((index, first, last))


def _overlap(value: wire.SegmentTable) -> bool:
    """Return whether any two segments do, which their order by address tells."""
    entries = sorted((s.entry.address, s.entry.mapped_size_gb) for s in value.elements)
    ends = [(first, first + size * GIB_ENTRIES) for first, size in entries if size]
    return any(later < end for (_, end), (later, _) in pairwise(ends))


RULES = {
    wire.RmpEntry: (state, owner, rights),
    wire.RmpOperand: (operand,),
    wire.RmpReadEntry: (read_entry,),
    wire.SegmentTable: (segments,),
    wire.VmplMasks: (masks,),
}
