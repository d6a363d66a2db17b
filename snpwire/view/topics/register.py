"""Topics of ``explain`` about registers, words and results of the reverse map table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...finding import counted
from ...wire.rmp_words import (
    NpfInfo,
    PageFault,
    PsmashResult,
    PvalidateResult,
    RmpAdjust,
    RmpAdjustResult,
    RmpBase,
    RmpCfg,
    RmpEnd,
    RmpUpdateResult,
    RstEntry,
    VmplMask,
)
from ..table import Row
from .topic import Question, Topic, codes, word, word_value

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB, GIB = 1 << 20, 1 << 30
ENTRY = 16
"""Bytes of an entry, one for each 4 KiB: 4 MiB for each GiB of memory."""


def exact_size(size: int) -> str:
    """Return a number of bytes in the largest unit that divides it."""
    for name, unit in (("TiB", GIB << 10), ("GiB", GIB), ("MiB", MIB), ("KiB", 1 << 10)):
        if size and size % unit == 0:
            return f"{size // unit} {name}"
    return counted(size, "byte")


def base(question: Question) -> Iterator[Row]:
    """Explain MSR RMP_BASE: where the table begins."""
    from ...wire.rmp import ENTRIES_OFFSET

    yield from word(RmpBase)(question)
    address = word_value(RmpBase, question).address
    yield Row("", "", "table begins", hex(address), _aligned(address))
    text = "after 2048 counters of 8 bytes, one for each ASID; with segments, their table"
    yield Row("", "", "entries begin", hex(address + ENTRIES_OFFSET), text)


def _aligned(address: int) -> str:
    if address % MIB:
        return "no multiple of 1 MiB: SNP_INIT returns INVALID_CONFIG"
    return "a multiple of 1 MiB, as the firmware requires" if address else UNSET


UNSET = "BIOS has reserved no memory for the table: no SNP on this host; see its SNP options"


def end(question: Question) -> Iterator[Row]:
    """Explain MSR RMP_END: the last byte of the table."""
    yield from word(RmpEnd)(question)
    last = word_value(RmpEnd, question).rmp_end
    text = "not used if the table has segments; Linux warns if it is set then"
    if last:
        yield Row("", "", "first byte after", hex(last + 1), text)
    else:
        yield Row("", "", "first byte after", "none", f"{UNSET}; or the table has segments")


def cfg(question: Question) -> Iterator[Row]:
    """Explain MSR RMP_CFG: whether the table has segments, and of what size."""
    yield from word(RmpCfg)(question)
    value = word_value(RmpCfg, question)
    if not value.segmented_rmp_en:
        yield Row("", "", "table", "one piece", "from RMP_BASE to RMP_END")
        return
    covered = 1 << value.rmp_segment_size
    text = f"of memory; the segment's number is an address >> {value.rmp_segment_size}"
    yield Row("", "", "a segment covers", exact_size(covered), text)
    entries = covered >> 12 << 4
    yield Row("", "", "and takes", exact_size(entries), "16 bytes for each 4 KiB")
    total = min(512 * covered, 1 << 52)
    yield Row("", "", "512 segments", exact_size(total), "of memory at most, 52 bits of address")


def segment(question: Question) -> Iterator[Row]:
    """Explain an entry of the segment table."""
    yield from word(RstEntry)(question)
    value = word_value(RstEntry, question)
    yield Row("", "", "segment", segment_text(value), "")


def segment_text(value: RstEntry) -> str:
    """Return an entry of the segment table in words."""
    if not value.mapped_size_gb:
        return "none"
    size = value.mapped_size_gb * GIB // 4096 * ENTRY
    first, last = value.address, value.address + size - 1
    return f"{value.mapped_size_gb} GiB, entries at {first:#x}..{last:#x} ({exact_size(size)})"


def nested_fault(question: Question) -> Iterator[Row]:
    """Explain EXITINFO1 of a nested page fault, and its possible cause in the table."""
    yield from word(NpfInfo)(question)
    yield Row("", "", "cause", *npf_cause(word_value(NpfInfo, question)))


def npf_cause(info: NpfInfo) -> tuple[str, str]:
    """Return the cause of a nested page fault, and what explains it."""
    if not info.rmp:
        return "nested page table", "not the reverse map table"
    if info.vmpl:
        return "permissions", "the VMPL of the guest lacks the permission"
    if info.sizem:
        return "page size", "4 KiB were named or mapped, the entry has 2 MiB: PSMASH and retry"
    if not info.enc:
        return "shared page", "shared access needs a hypervisor-owned page"
    return "owner", "another owner, another guest address, or immutable"


def page_fault(question: Question) -> Iterator[Row]:
    """Explain the error code of a page fault."""
    yield from word(PageFault)(question)
    if word_value(PageFault, question).rmp:
        text = "a guest or the firmware owns the page, or one of its 2 MiB: Linux kills the task"
        yield Row("", "", "cause", "RMP violation", text)


CARRY = {0xFF: "Linux", 0x10: "coconut-svsm"}
"""Numbers that software returns where the carry flag was set."""


def is_result(value: int) -> bool:
    """Return whether PVALIDATE, or software in its place, returns this number."""
    return PvalidateResult(value).known or value in CARRY


def pvalidate(question: Question) -> Iterator[Row]:
    """Explain the result of PVALIDATE, and numbers that software has for the carry flag."""
    from ...errors import UsageError

    if question.text.upper().endswith("FAIL_NOUPDATE"):
        question = question._replace(text=hex(min(CARRY, key=lambda code: CARRY[code] != "Linux")))
    try:
        number = question.number(32)
    except UsageError:
        number = -1  # a name
    if number in CARRY:
        text = "not from the instruction: the carry flag was set, nothing changed"
        yield Row("", "", hex(number), CARRY[number], text)
        return
    yield from codes(PvalidateResult)(question)
    if number == 0:
        text = "set if nothing changed: Linux then has 255, coconut-svsm 0x10"
        yield Row("", "", "carry flag", "", text)


TOPICS = {
    "rmp-base": Topic(base, "MSR C001_0132: the table's first byte", of=RmpBase, base=16),
    "rmp-end": Topic(end, "MSR C001_0133: the table's last byte", of=RmpEnd, base=16),
    "rmp-cfg": Topic(cfg, "MSR C001_0136: segments of the table", of=RmpCfg, base=16),
    "rst": Topic(segment, "an entry of the segment table", of=RstEntry, base=16),
    "npf": Topic(nested_fault, "EXITINFO1 of a nested page fault", of=NpfInfo, base=16),
    "pf": Topic(page_fault, "the error code of a page fault", of=PageFault, base=16),
    "rmpadjust": Topic(word(RmpAdjust), "rDX of RMPADJUST"),
    "vmpl-mask": Topic(word(VmplMask), "the permissions of a VMPL"),
    "rmpupdate-result": Topic(codes(RmpUpdateResult), "EAX after RMPUPDATE or RMPREAD", base=10),
    "psmash-result": Topic(codes(PsmashResult), "EAX after PSMASH", base=10),
    "pvalidate-result": Topic(
        pvalidate, "EAX after PVALIDATE", of=PvalidateResult, base=10, possible=is_result
    ),
    "rmpadjust-result": Topic(codes(RmpAdjustResult), "EAX after RMPADJUST or RMPQUERY", base=10),
}
