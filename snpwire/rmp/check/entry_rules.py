"""Rules of one entry by itself: which entries break each, and the text of a finding.

Two entries are not judged: one whose page a 2 MiB entry covers, and one whose ASID is 0x3FF, with
which AMD's firmware locks an entry while changing it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...finding import Rule, Severity, nameless_bits
from ...wire import rmp_faults as faults
from ...wire.address import REGION
from ...wire.rmp import RmpHi, RmpLo, RmpState, state_of
from ...wire.rmp_faults import APM, FIRMWARE, RIGHTS, EntryFault, odd_masks
from ...wire.rmp_words import LAST_ASID, VmplMask
from ..entry import LARGE, NAMELESS, NO_RIGHT

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .chunk import Chunk
    from .finding_log import FindingLog

    Array = NDArray[Any]

ALL_RIGHTS = (0x0F, 0x1F)
"""Permissions that RMPUPDATE gives VMPL 0: without shadow stacks on Milan, with them later."""


class EntryFields(NamedTuple):
    """Fields of some entries, as a rule compares them; each array has the shape (entries,)."""

    place: Array
    """Index of each page in its 2 MiB, 0 to 511."""
    lo: Array
    """uint64."""
    hi: Array
    """uint64."""
    state: Array
    """uint8."""


class EntryRule(NamedTuple):
    """A rule of one entry."""

    rule: Rule
    broken: Callable[[EntryFields], Array]
    text: Callable[[int, int, int], str]
    """Return the text of a finding, from page, lo and hi."""


def fault_text(fault: EntryFault) -> Callable[[int, int, int], str]:
    """Return the text of *fault* as a function of page, lo and hi."""
    return lambda page, lo, hi: fault.text(RmpLo(lo))


def _rule(fault: EntryFault, broken: Callable[[EntryFields], Array]) -> EntryRule:
    return EntryRule(fault.rule, broken, fault_text(fault))


def _masks(hi: int) -> str:
    word = RmpHi(hi)
    masks = (f"VMPL{level} {getattr(word, f'vmpl{level}'):#04x}" for level in range(4))
    return f"permissions {', '.join(masks)}"


def _every_level(mask: int, levels: range = range(4)) -> int:
    return sum(mask << 8 * level for level in levels)


_READ, _WRITE = _every_level(VmplMask.read.mask), _every_level(VmplMask.write.mask)
_LESSER_WRITE = _every_level(VmplMask.write.mask, range(1, 4))


def _large(fields: EntryFields) -> Array:
    large: Array = RmpLo.page_size.of(fields.lo) == 1
    return large


def _gpa_apart(fields: EntryFields) -> Array:
    inside = RmpLo.gpa.of(fields.lo) & fields.lo.dtype.type(REGION - 1)
    apart: Array = _large(fields) & (RmpLo.asid.of(fields.lo) != 0) & (inside != 0)
    return apart


def _stray_count(fields: EntryFields) -> Array:
    stray: Array = (fields.place != 0) & (RmpLo.subpage_count.of(fields.lo) != 0)
    return stray


def _large_count(fields: EntryFields) -> Array:
    counted: Array = _large(fields) & (RmpLo.subpage_count.of(fields.lo) != 0)
    return counted


def _locked(fields: EntryFields) -> Array:
    differ = RmpLo.lock.of(fields.lo) != RmpLo.immutable.of(fields.lo)
    known = (RmpLo.assigned.of(fields.lo) == 1) & (fields.state != RmpState.INVALID)
    locked: Array = known & differ
    return locked


def _high_asid(fields: EntryFields) -> Array:
    high: Array = RmpLo.asid.of(fields.lo) > LAST_ASID
    return high


def _first_rights(fields: EntryFields) -> Array:
    mask = RmpHi.vmpl0.of(fields.hi)
    fewer: Array = (mask != ALL_RIGHTS[0]) & (mask != ALL_RIGHTS[1])
    return fewer


def _odd_rights(fields: EntryFields) -> Array:
    kind = fields.hi.dtype.type
    readable = (fields.hi & kind(_READ)) << kind(1)
    odd: Array = fields.hi & (kind(_WRITE) & ~readable | kind(NO_RIGHT)) != 0
    return odd


def _has(mask: int) -> Callable[[EntryFields], Array]:
    """Return a function that finds entries with some bit of *mask* in the second quadword."""

    def has(fields: EntryFields) -> Array:
        some: Array = fields.hi & fields.hi.dtype.type(mask) != 0
        return some

    return has


def suspects(lo: Array, hi: Array, state: Array) -> Array:
    """Return which entries may break a rule: of the others, nearly all, none does.

    Each step reads the entries once, so a rule that only few can break costs little.
    """
    kind = lo.dtype.type
    suspect: Array = state == RmpState.INVALID
    suspect |= lo & kind(_RARE) != 0
    suspect |= lo & kind(RmpLo.asid.mask) > kind(LAST_ASID << RmpLo.asid.low)
    apart = lo >> kind(RmpLo.lock.low - RmpLo.immutable.low) ^ lo
    suspect |= apart & kind(RmpLo.immutable.mask) != 0
    odd = hi & kind(NAMELESS | NO_RIGHT) | hi & kind(_WRITE) & ~((hi & kind(_READ)) << kind(1))
    suspect |= odd != 0
    return suspect


_RARE = RmpLo.page_size.mask | RmpLo.subpage_count.mask | RmpLo.vmsa.mask

RULES: dict[str, tuple[EntryRule, ...]] = {
    "all": (
        _rule(faults.STATELESS, lambda fields: fields.state == RmpState.INVALID),
        _rule(faults.HIGH_ASID, _high_asid),
        _rule(faults.GPA_APART, _gpa_apart),
        EntryRule(
            Rule(
                "rmp-stray-count",
                Severity.WARNING,
                "subpage_count is 0 off a 2 MiB boundary",
                FIRMWARE,
            ),
            _stray_count,
            lambda page, lo, hi: (
                f"subpage_count is {RmpLo(lo).subpage_count}, but the page is "
                f"{page % REGION} past a 2 MiB boundary"
            ),
        ),
        _rule(faults.LARGE_COUNT, _large_count),
        _rule(faults.LOCKED, _locked),
    ),
    "rights": (
        EntryRule(
            Rule("unknown-bits", Severity.WARNING, "Bits of hi without a name are 0", FIRMWARE),
            _has(NAMELESS),
            lambda page, lo, hi: nameless_bits(hi, hi & NAMELESS),
        ),
        EntryRule(
            RIGHTS, _odd_rights, lambda page, lo, hi: "; ".join(text for _, text in odd_masks(hi))
        ),
    ),
    "save area": (
        EntryRule(
            Rule(
                "rmp-vmsa-not-accepted",
                Severity.WARNING,
                "A VMSA is validated by its guest",
                APM,
            ),
            lambda fields: fields.state == RmpState.GUEST_INVALID,
            lambda page, lo, hi: "a VMSA that its guest has not validated; VMRUN takes it",
        ),
        EntryRule(
            Rule("rmp-vmsa-large", Severity.WARNING, "A VMSA is a 4 KiB page", APM),
            _large,
            lambda page, lo, hi: "a VMSA of 2 MiB",
        ),
        EntryRule(
            Rule(
                "rmp-vmsa-aligned",
                Severity.NOTE,
                "A VMSA is not on a 2 MiB boundary",
                "Linux snp_safe_alloc_page",
            ),
            lambda fields: ~_large(fields) & (fields.place == 0),
            lambda page, lo, hi: (
                "a VMSA on a 2 MiB boundary: while it is in use, some "
                "processors take all 2 MiB for in use"
            ),
        ),
        EntryRule(
            Rule(
                "rmp-vmsa-writeable",
                Severity.WARNING,
                "No less privileged VMPL may write to a VMSA",
                APM,
            ),
            _has(_LESSER_WRITE),
            lambda page, lo, hi: f"a VMSA that a less privileged VMPL may write to: {_masks(hi)}",
        ),
        EntryRule(
            Rule("rmp-vmsa-rights", Severity.WARNING, "VMPL 0 has all permissions to a VMSA", APM),
            _first_rights,
            lambda page, lo, hi: f"a VMSA to which VMPL0 lacks permissions: {_masks(hi)}",
        ),
    ),
}
"""Rules by the entries that they apply to."""

MISPLACED = Rule("rmp-2m-misplaced", Severity.ERROR, "A 2 MiB page begins on a 2 MiB boundary", APM)
CHANGING_OTHER = EntryFault(
    Rule(
        "rmp-changing-elsewhere",
        Severity.WARNING,
        "Only 4 KiB entries on a 2 MiB boundary have ASID 0x3ff",
        FIRMWARE,
    ),
    lambda lo: f"asid is {lo.asid:#x}: only an entry of 4 KiB on a 2 MiB boundary has it",
)


def state_text(lo: int, hi: int) -> str:
    """Return the state of an entry, and its owner."""
    word = RmpLo(lo)
    guest = f" of asid {word.asid}" if word.asid else ""
    return f"{state_of(lo, hi).name}{guest}"


def judge(chunk: Chunk, log: FindingLog) -> None:
    """Judge the entries of a chunk by themselves."""
    if chunk.changing.any():
        _report_changing(chunk, log)
    misplaced = chunk.lo & np.uint64(LARGE) != 0
    misplaced[::REGION] = False
    log.add_entries(MISPLACED, chunk, np.flatnonzero(misplaced), _misplaced_text)
    at = np.flatnonzero(suspects(chunk.lo, chunk.hi, chunk.states) & chunk.judged)
    if not at.size:
        return
    fields = EntryFields((chunk.first + at) % REGION, chunk.lo[at], chunk.hi[at], chunk.states[at])
    groups = {
        "all": np.ones(len(at), np.bool_),
        "rights": fields.hi != 0,
        "save area": (fields.state >= RmpState.PRE_GUEST) & (RmpLo.vmsa.of(fields.lo) == 1),
    }
    for name, mask in groups.items():
        if mask.any():
            some = EntryFields(*(array[mask] for array in fields))
            for rule in RULES[name]:
                log.add_entries(rule.rule, chunk, at[mask][rule.broken(some)], rule.text)


def _report_changing(chunk: Chunk, log: FindingLog) -> None:
    at = np.flatnonzero(chunk.changing)
    head = (at % REGION == 0) & (RmpLo.page_size.of(chunk.lo[at]) == 0)
    for fault, which in ((faults.CHANGING, at[head]), (CHANGING_OTHER, at[~head])):
        log.add_entries(fault.rule, chunk, which, fault_text(fault))


def _misplaced_text(page: int, lo: int, hi: int) -> str:
    return f"page_size is 1, but the page is {page % REGION} past a 2 MiB boundary"
