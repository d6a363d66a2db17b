"""What can be wrong with an entry of the reverse map table, and with what RMPUPDATE is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context import Direction
from ..finding import Finding, Severity
from ..wire.address import LARGE_PAGE, PAGE, REGION
from ..wire.rmp import ASIDS, RmpState, state_of, states_of
from ..wire.rmp_words import CHANGING, LAST_ASID, RmpGpaState, VmplMask
from . import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..product import EntryLayout
    from ..wire.rmp import RmpEntry, RmpLo, RmpOperand, SegmentTable, VmplMasks

FIRMWARE = "AMD-ASPFW sev_rmp.c"
UPDATE = "RMPUPDATE (Microsoft, VeriSMo); the order of its checks is not verified"
LINUX = "newer Linux arch/x86/virt/svm/sev.c"
GIB_ENTRIES = 4 << 20
"""Bytes of the entries of one GiB of memory."""


def _at_lo(code: str, severity: Severity, text: str) -> Finding:
    return Finding(code, severity, "lo", 0, text, FIRMWARE)


def state(entry: RmpEntry, layout: EntryLayout | None = None) -> Iterator[Finding]:
    """Expect a state that the firmware knows, and say why there is none."""
    if (layout is None or layout.known) and state_of(entry.lo, entry.hi) is RmpState.INVALID:
        text = f"no state fits: {', '.join(contradictions(entry.lo))}; INVALID_PAGE_STATE"
        yield _at_lo("rmp-invalid", Severity.ERROR, text)


def contradictions(lo: RmpLo) -> Iterator[str]:
    """Yield what keeps an entry from having a state."""
    if not lo.assigned:
        if lo.asid:
            yield f"asid is {lo.asid} and assigned is 0"
        if lo.validated:
            yield "validated is 1 and assigned is 0"
    elif lo.asid:
        return
    elif lo.validated:
        yield "validated is 1 and asid is 0"
    elif not lo.immutable:
        yield "lock is 1 and immutable is 0, of no guest"
    else:
        yield f"gpa {lo.gpa:#x} with asid 0 is no note of the firmware's{_noted(lo)}"


def _noted(lo: RmpLo) -> str:
    note = lo.note
    if note.state == RmpGpaState.METADATA:
        return ": metadata of page number 0"
    if note.state == RmpGpaState.FW_IOMMU:
        return ": the IOMMU's have page number 1" + (", and vmsa 0" if lo.vmsa else "")
    return ""


def owner(entry: RmpEntry, layout: EntryLayout | None = None) -> Iterator[Finding]:
    """Expect an ASID that a guest can have, and an address that its page can have."""
    lo = entry.lo
    if layout is not None and not layout.known:
        return
    if lo.asid == CHANGING:
        text = "asid is 0x3ff: the firmware is changing the entry; it was read in between"
        yield _at_lo("rmp-changing", Severity.NOTE, text)
    elif lo.asid > LAST_ASID:
        text = f"asid is {lo.asid}, Genoa has 1 to {LAST_ASID}"
        yield _at_lo("rmp-asid", Severity.WARNING, text)
    if lo.asid and lo.page_size and lo.gpa % REGION:
        text = f"page_size is 2 MiB, and the guest address {lo.address:#x} is no multiple of that"
        yield _at_lo("rmp-alignment", Severity.WARNING, text)
    if lo.page_size and lo.subpage_count:
        text = f"subpage_count is {lo.subpage_count} in an entry of 2 MiB, where it says nothing"
        yield _at_lo("rmp-subpages", Severity.NOTE, text)
    if lo.assigned and lo.lock != lo.immutable and state_of(lo, 0) is not RmpState.INVALID:
        text = f"lock is {lo.lock} and immutable is {lo.immutable}: the firmware writes them alike"
        yield _at_lo("rmp-lock", Severity.NOTE, text)


def rights(entry: RmpEntry, layout: EntryLayout | None = None) -> Iterator[Finding]:
    """Expect masks of bits that have a name, and no write without read."""
    if layout is not None and not layout.known:
        return
    yield from record.unknown_bits(entry.hi, "hi", 8, FIRMWARE)
    for level in range(4):
        mask = VmplMask(getattr(entry.hi, f"vmpl{level}"))
        yield from _mask(mask, level, "hi", 8 + level)


def _mask(mask: VmplMask, level: int, path: str, place: int) -> Iterator[Finding]:
    if mask.unknown:
        which = record.bit_list(mask.unknown)
        text = f"the mask of VMPL {level} has {which}, which means nothing"
        yield Finding("rmp-rights", Severity.WARNING, path, place, text, FIRMWARE)
    if mask.has("write") and not mask.has("read"):
        text = f"the mask of VMPL {level} has write without read: each access faults"
        yield Finding("rmp-rights", Severity.WARNING, path, place, text, "coconut-svsm, APM")


def masks(value: VmplMasks, context: object = None) -> Iterator[Finding]:
    """Expect masks of bits that have a name, and no write without read."""
    for level in range(4):
        yield from _mask(getattr(value, f"vmpl{level}"), level, f"vmpl{level}", level)


def operand(value: RmpOperand, context: object = None) -> Iterator[Finding]:
    """Judge what RMPUPDATE is given, or what RMPREAD wrote where that is the direction."""
    written = context is Direction.ANSWER
    yield from _ones(value, written=written)
    if written:
        if states_of(value) == (RmpState.INVALID,):
            text = "no state fits, whatever RMPREAD does not tell"
            found = _of(value, "rmp-invalid", Severity.WARNING, "assigned", text)
            yield found._replace(source=FIRMWARE)
        return
    yield from _update(value)


def _of(value: RmpOperand, code: str, severity: Severity, field: str, text: str) -> Finding:
    tile = value.tile(field)
    return Finding(code, severity, field, tile.offset if tile else 0, text, UPDATE)


def _ones(value: RmpOperand, *, written: bool) -> Iterator[Finding]:
    """Expect one bit a byte, and an ASID that fits an entry."""
    severity = Severity.WARNING if written else Severity.ERROR
    end = "" if written else "; FAIL_INPUT"
    for field in ("assigned", "immutable"):
        number = getattr(value, field)
        if number > 1:
            text = f"{field} is {number:#x}, bit 0 alone has a meaning{end}"
            yield _of(value, "rmp-operand-bits", severity, field, text)
    extra = value.page_size.unknown | (0 if written else value.page_size & 2)
    if extra:
        text = f"page_size has {record.bit_list(extra)} set, which has to be zero{end}"
        yield _of(value, "rmp-operand-bits", severity, "page_size", text)
    for leaf in value.leaves():
        if leaf.gap and any(leaf.value):
            text = f"{leaf.path} is {leaf.value.hex()}, it has to be zero{end}"
            yield _of(value, "rmp-operand-bits", severity, leaf.path, text)
    if value.asid >= ASIDS:
        text = f"asid is {value.asid:#x}, an entry holds 10 bits{end}"
        yield _of(value, "rmp-operand-asid", severity, "asid", text)


def _update(value: RmpOperand) -> Iterator[Finding]:
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


def segments(value: SegmentTable, context: object = None) -> Iterator[Finding]:
    """Expect a page of segments, with memory and entries, that do not overlap."""
    size = len(value.build())
    if size != PAGE:
        text = f"{size} bytes are a piece of the table, which has {PAGE:#x}"
        yield Finding("rst-piece", Severity.NOTE, "", 0, text, LINUX)
    seen: list[tuple[int, int, int]] = []
    for index, segment in enumerate(value.elements):
        entry, path, place = segment.entry, f"segments[{index}]", 8 * index
        yield from record.unknown_bits(entry, path, place, LINUX)
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
        if entry.mapped_size_gb:
            seen.append((index, first, last))


ENTRY = (state, owner, rights)
OPERAND = (operand,)
SEGMENTS = (segments,)
MASKS = (masks,)
