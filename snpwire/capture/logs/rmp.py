"""Lines about the reverse map table: entries in every form, and what could not be done to them.

Linux prints an entry as ``[lo - hi]``, which is no range. Kernels before SNP was merged printed
the fields, then the two quadwords with the high one first (``[high=.. low=..]`` in some).
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ...wire.rmp import RmpHi, RmpLo, RmpState, state_of
from ...wire.rmp_words import PageFault, RmpUpdateResult, VmplMask
from .errnos import errno_text
from .operands import code_words
from .phrase import phrase
from .record import Fact, Hex
from .template import form

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .record import LogState

KIND = "rmp-entry"
ASSIGNED = "rmp_assigned"
REGION_ENTRY = "rmp_region_entry"
_GPA = RmpLo.BITS["gpa"].mask
_ASID = RmpLo.BITS["asid"].mask
_SOME = 1 << 12  # any guest address but 0


class Entry(NamedTuple):
    """What the two quadwords of an entry say, but for the guest address."""

    state: RmpState
    words: str
    """The bits of the low quadword; ``{}`` stands for the guest address."""
    meaning: str
    rights: Mapping[str, list[str]]


def entry(lo: int, hi: int) -> Entry:
    """Return what an entry says. Entries that differ in the guest address alone say the same."""
    return _entry_of(lo & ~_GPA | _SOME if lo & _ASID else lo, hi)


@lru_cache(maxsize=4096)
def _entry_of(lo: int, hi: int) -> Entry:
    word, state = RmpLo(lo), state_of(lo, hi)
    summary = [
        "assigned" if word.assigned else "not assigned",
        "2M" if word.page_size else "4K",
        "immutable" if word.immutable else "",
        f"subpages {word.subpage_count}" if word.subpage_count else "",
        "gpa {:#x}" if word.asid else f"gpa field {word.gpa:#x}" if word.gpa else "",
        f"asid {word.asid}" if word.asid else "",
        *(name for name in ("vmsa", "validated", "lock") if getattr(word, name)),
    ]
    return Entry(state, " ".join(filter(None, summary)), _meaning(word, state), _rights(RmpHi(hi)))


def _meaning(word: RmpLo, state: RmpState) -> str:
    if state is RmpState.GUEST_VALID and word.vmsa:
        return "a vCPU's save area"
    text = f"{state.name}: {state.doc}"
    if count := word.subpage_count:
        some = "all" if count == 511 else str(count)
        text += f"; {some} of the other 511 pages of its 2M are assigned"
    return text


def _rights(word: RmpHi) -> Mapping[str, list[str]]:
    masks = ((level, VmplMask(getattr(word, f"vmpl{level}"))) for level in range(4))
    return MappingProxyType({f"vmpl{level}": mask.names() for level, mask in masks if mask})


def _entry(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret both quadwords of an entry."""
    lo, hi = fields["lo"], fields["hi"]
    pfn = _pfn(fields)
    row = entry(lo, hi)
    meaning = row.meaning
    if log.entry:
        if log.entry[1]["pfn"] == pfn:
            meaning += _compared(lo, log.entry)
        log.entry = None
    more = {"pfn": pfn, "state": row.state.name, "rights": row.rights}
    return Fact(entry_text(pfn, lo, hi, row), meaning, fields=more)


def entry_text(pfn: int, lo: int, hi: int, row: Entry) -> str:
    """Return an entry on one line."""
    return f"PFN {pfn:#x}  {lo:x}:{hi:x}  {row.words.format(lo & _GPA)}"


def _pfn(fields: dict[str, Any]) -> Hex:
    return fields["pfn"] if "pfn" in fields else Hex(fields["paddr"] >> 12)


def _compared(lo: int, before: tuple[int, Mapping[str, Any]]) -> str:
    number, fields = before
    word = RmpLo(lo)
    wrong = [name for name in _DECODED if int(getattr(word, name)) != fields[name]]
    if wrong:
        return f"; not what line {number} says of it: {', '.join(wrong)} differ"
    return f"; the entry of line {number} again, high quadword first"


_DECODED = ("assigned", "immutable", "page_size", "gpa", "asid", "vmsa", "validated")


def _decoded(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret an entry printed as fields: sub-pages, lock and rights are not among them."""
    pfn = _pfn(fields)
    values = {name: int(fields[name]) for name in _DECODED}
    log.entry = log.line.number, values | {"pfn": pfn}
    wide = [name for name, value in values.items() if value >> RmpLo.BITS[name].width or value < 0]
    if wide:
        return Fact(f"PFN {pfn:#x}", f"no entry can be so: {', '.join(wide)} out of range")
    lo = RmpLo.of(**values)
    row = entry(lo, 0)
    return Fact(
        f"PFN {pfn:#x}  {row.words.format(lo & _GPA)}",
        row.meaning,
        fields={"pfn": pfn, "state": row.state.name},
    )


def _region(fields: dict[str, Any], log: LogState) -> Fact:
    first, end = fields["first"], fields["end"]
    return Fact(
        f"PFN {fields['pfn']:#x}  not assigned",
        f"entries of PFN {first:#x} to {end - 1:#x} that are not zero follow",
    )


def _nothing(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(f"PFN {fields['pfn']:#x}", "no entry of its 2M is set")


def _unread(fields: dict[str, Any], log: LogState) -> Fact:
    error = fields.get("error")
    why = "" if error is None else f", {errno_text(error)}"
    return Fact(f"PFN {fields['pfn']:#x}", f"its entry could not be read{why}")


def _unmapped(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(f"address {fields['hva']:#x}", "the kernel's page tables map nothing there")


def _update(fields: dict[str, Any], log: LogState) -> Fact:
    ret, level = fields["ret"], fields.get("level")
    size = {1: "4K ", 2: "2M ", None: ""}.get(level, f"level {level} ")
    result = RmpUpdateResult(ret)
    return Fact(
        f"PFN {fields['pfn']:#x}  RMPUPDATE {size}ret {ret}",
        code_words(result),
        fields={"result": result},
    )


def _leak(fields: dict[str, Any], log: LogState) -> Fact:
    first, last = fields["first"], fields["end"] - 1
    pages = f"{first:#x} to {last:#x}  {last - first + 1} pages" if last != first else f"{first:#x}"
    return Fact(
        f"PFN {pages} leaked",
        "the firmware did not give them back, so the kernel will never use them again",
    )


def _split(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"PFN {fields['pfn']:#x}",
        f"the kernel's own mapping of it could not be split to 4K: {errno_text(fields['ret'])}",
    )


def _fault(fields: dict[str, Any], log: LogState) -> Fact:
    code = int(fields["code"])
    names = [
        "RMP" if name == "rmp" else name.replace("_", " ")
        for name, field in PageFault.BITS.items()
        if code & field.mask
    ]
    if unknown := code & ~PageFault.KNOWN:
        names.append(f"bits without a name {unknown:#x}")
    return Fact(
        f"#PF {code:#x}  {' '.join(names)}",
        "the host touched a page that the table gives to a guest or the firmware",
        fields={"bits": names},
    )


FORMATS = (
    form(ASSIGNED, KIND, "PFN 0x{pfn:x}, RMP entry: [0x{lo:q} - 0x{hi:q}]", _entry),
    form(REGION_ENTRY, KIND, "PFN: 0x{pfn:x}, [0x{lo:q} - 0x{hi:q}]", _entry),
    form("rmp_raw", KIND, "RMPEntry paddr 0x{paddr:x} {hi:q} {lo:q}", _entry),
    form(
        "rmp_high_low",
        KIND,
        "RMPEntry paddr 0x{paddr:x}: [high=0x{hi:q} low=0x{lo:q}]",
        _entry,
        "PFN 0x{pfn:x}: [high=0x{hi:q} low=0x{lo:q}]",
    ),
    form(
        "rmp_decoded",
        "rmp-decoded",
        "RMPEntry paddr 0x{paddr:x} [assigned={assigned:d} immutable={immutable:d}"
        " pagesize={page_size:d} gpa=0x{gpa:x} asid={asid:d} vmsa={vmsa:d}"
        " validated={validated:d}]",
        _decoded,
    ),
    form(
        "rmp_unassigned",
        "rmp-region",
        "PFN 0x{pfn:x} unassigned, dumping non-zero entries in 2M PFN region:"
        " [0x{first:x} - 0x{end:x}]",
        _region,
    ),
    form(
        "rmp_none_populated",
        "rmp-region-empty",
        "No populated RMP entries in the 2MB region containing PFN 0x{pfn:x}",
        _nothing,
    ),
    form(
        "rmp_read_fail",
        "rmp-unreadable",
        "Failed to read RMP entry for PFN 0x{pfn:x}, error {error:d}",
        _unread,
    ),
    form(
        "rmp_read_fail_early",
        "rmp-unreadable",
        "failed to read RMP entry pfn 0x{pfn:x}",
        _unread,
        "Failed to read RMP entry for PFN 0x{pfn:x}",
    ),
    form(
        "rmp_read_fail_contents",
        "rmp-unreadable",
        "Failed to read RMP contents for PFN 0x{pfn:x}, error {error:d}",
        _unread,
    ),
    form(
        "rmp_region_fail",
        "rmp-unreadable",
        "Error {error:d} reading RMP entry for PFN 0x{pfn:x}",
        _unread,
        "Error {error:d} reading RMP contents for PFN 0x{pfn:x}",
    ),
    form(
        "rmp_hva_fail",
        "rmp-unmapped",
        "Can't dump RMP entry for HVA {hva:x}: no PTE/PFN found",
        _unmapped,
    ),
    form(
        "rmpupdate_fail",
        "rmpupdate-failed",
        "RMPUPDATE failed for PFN {pfn:x}, pg_level: {level:d}, ret: {ret:d}",
        _update,
    ),
    form(
        "rmpupdate_retry",
        "rmpupdate-failed",
        "rmpupdate failed, ret: {ret:d}, pfn: {pfn:x}, npages: {npages:d}, level: {level:d},"
        " retrying (max: {max:d})...",
        _update,
        "rmpupdate failed, ret: {ret:d}, pfn: {pfn:x}, npages: {npages:d}, level: {level:d}",
    ),
    form(
        "rmpupdate_attempts",
        "rmpupdate-failed",
        "RMPUPDATE failed after {attempts:d} attempts, ret: {ret:d}, pfn: {pfn:x},"
        " npages: {npages:d}, level: {level:d}",
        _update,
    ),
    form(
        "rmpupdate_size_unknown",
        "rmpupdate-failed",
        "RMPUPDATE failed for PFN {pfn:x}, ret: {ret:d}",
        _update,
    ),
    form(
        "rmp_direct_map",
        "direct-map",
        "SEV-SNP: Failed to invalidate direct map for pfn 0x{pfn:x}, ret: {rc:d}",
        phrase("PFN {pfn:#x}", "the kernel's own mapping of it was not changed: {errno}"),
        "SEV-SNP: Failed to restore direct map for pfn 0x{pfn:x}, ret: {rc:d}",
    ),
    form(
        "rmp_direct_map_pages",
        "direct-map",
        "SEV-SNP: Failed to unmap {npages:d} pages at pfn 0x{pfn:x} from the direct_map",
        phrase("PFN {pfn:#x}  {npages} pages", "the kernel's own mapping of them was not changed"),
        "SEV-SNP: Failed to map {npages:d} pages at pfn 0x{pfn:x} into the direct_map",
    ),
    form("rmp_leak", "pages-leaked", "Leaking PFN range 0x{first:x}-0x{end:x}", _leak),
    form(
        "rmp_split",
        "direct-map",
        "Failed to split direct map for PFN 0x{pfn:x}, ret: {ret:d}",
        _split,
    ),
    form("rmp_fault", "rmp-fault", "#PF: error_code(0x{code:x}) - RMP violation", _fault),
)
