"""The reverse map table (RMP): its entries, segments and instruction operands.

An entry is two quadwords. Their bits are those of Milan and Genoa, which AMD does not promise: on
processors with RMPREAD (Zen 5) Linux prints an entry without decoding it, so it is not known
whether the same bits apply there. What RMPREAD writes and RMPUPDATE reads is architectural; it has
fewer fields.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from construct import Int8ul, Int32ul, Int64ul

from ..bits import OpenEnum, Word, bit, bits
from ..block import Block
from ..codec import as_word
from ..layout import Record, at, nested
from .operands import PscPageSize
from .rmp_words import RmpFirmwareGpa, RmpGpaState, RstEntry, VmplMask

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC = "AMD-ASPFW sev_rmp.h; Linux arch/x86/virt/svm/sev.c; not architectural"
ENTRIES_OFFSET = 0x4000
"""Offset of the entries of an unsegmented table, or of the segment table."""
COUNTERS = ENTRIES_OFFSET // 8
"""Counters before the entries, of 64 bits, one for each ASID."""


class RmpLo(Word, width=64, spec=f"{SPEC}: struct rmp_fields"):
    """First quadword of an RMP entry: the owner of the page.

    Linux reserves ``subpage_count`` and ``lock``; AMD's firmware names both. ``asid`` 0x3FF is
    transient: the firmware writes it to reserve an entry that it changes.
    """

    assigned = bit(0, "Assigned: the page belongs to a guest or the firmware")
    page_size = bits(1, 1, "Page size: 4 KiB or 2 MiB", PscPageSize)
    immutable = bit(2, "Immutable: RMPUPDATE may not change the entry")
    subpage_count = bits(3, 9, "2 MiB boundary, page_size 0: assigned pages of the other 511")
    gpa = bits(12, 39, "Guest frame number; with asid 0 a private note of the firmware")
    asid = bits(51, 10, "ASID of the guest that owns the page")
    vmsa = bit(61, "The page is a VMSA; with asid 0, a guest context page")
    validated = bit(62, "Validated: the guest has accepted the page")
    lock = bit(63, "Lock; follows immutable in what the firmware writes")

    @property
    def address(self) -> int:
        """Return the guest address of the page."""
        return self.gpa << 12

    @property
    def note(self) -> RmpFirmwareGpa:
        """Return ``gpa`` as the firmware uses it while ``asid`` is 0."""
        return RmpFirmwareGpa(self.gpa)


class RmpHi(Word, width=64, spec=f"{SPEC}: struct rmp_quadword2"):
    """Second quadword of an RMP entry: VMPL permissions (``VmplMask``)."""

    vmpl0 = bits(0, 8, "VMPL permissions of VMPL 0")
    vmpl1 = bits(8, 8, "VMPL permissions of VMPL 1")
    vmpl2 = bits(16, 8, "VMPL permissions of VMPL 2")
    vmpl3 = bits(24, 8, "VMPL permissions of VMPL 3")
    implicit_key_select = bit(32, "Implicit key selection: 1 for the persistent key")
    root_port_id = bits(49, 5, "PCIe root port ID; not used by Genoa")
    pcie_ide_stream_id = bits(54, 8, "PCIe IDE stream ID; not used by Genoa")
    page_migration = bits(62, 2, "Page migration state")


ASIDS = RmpLo.asid.limit + 1
"""Number of ASIDs that an entry can hold, 0 included."""


class RmpEntry(Record, size=16, spec=SPEC):
    """RMP entry in memory: one page of the host."""

    lo: RmpLo = at(0x0, as_word(RmpLo), "Ownership, state and guest frame number of the page")
    hi: RmpHi = at(0x8, as_word(RmpHi), "VMPL permissions of the page")


class VmplMasks(Record, size=4, spec=f"{SPEC}: bytes 8 to 11"):
    """VMPL permissions of one page."""

    vmpl0: VmplMask = at(0x0, as_word(VmplMask), "VMPL permissions of VMPL 0")
    vmpl1: VmplMask = at(0x1, as_word(VmplMask), "VMPL permissions of VMPL 1")
    vmpl2: VmplMask = at(0x2, as_word(VmplMask), "VMPL permissions of VMPL 2")
    vmpl3: VmplMask = at(0x3, as_word(VmplMask), "VMPL permissions of VMPL 3")


class RstSegment(Record, size=8, spec="RMP segment table (newer Linux)"):
    """Entry of a segment table."""

    entry: RstEntry = at(0x0, as_word(RstEntry), "Address and coverage of an RMP segment")


class SegmentTableHead(Record, size=0, spec="RMP segment table (newer Linux)"):
    """Empty head: the table begins with its first segment."""


SEGMENTS = 512
"""Entries of a segment table."""


class SegmentTable(
    Block,
    head=SegmentTableHead,
    element=("segments", nested(RstSegment), "Entry of one RMP segment"),
    count="",  # counted by looking for the last
    limit=SEGMENTS,
    spec="RMP segment table (newer Linux)",
):
    """A page of 512 segments, the first for the lowest addresses; 16 KiB behind RMP_BASE.

    Zeros after the last segment are the rest. Part of the page can be read as well.
    """

    @classmethod
    def announced(cls, head: SegmentTableHead, data: bytes) -> int:
        """Return how many segments there are up to the last that is not zero."""
        return -(-len(data.rstrip(b"\0")) // RstSegment.SIZE)

    @classmethod
    def counting(cls, head: SegmentTableHead, number: int) -> SegmentTableHead:
        """Return *head*: it has no counter."""
        return head


class RmpReadSize(Word, width=8, spec="Linux struct rmpentry (RMPREAD)"):
    """Size byte of ``RmpReadEntry``, and of ``RmpOperand``."""

    page_size = bits(0, 1, "Page size: 4 KiB or 2 MiB", PscPageSize)
    hpage_region_status = bit(1, "RMPREAD: presumably, the surrounding 2 MiB hold assigned pages")


class RmpReadEntry(Record, size=16, spec="Linux struct rmpentry (RMPREAD)"):
    """Result of RMPREAD, at the address in rCX.

    It has no validated, no vmsa and no VMPL permissions, so it says less than the entry: validated
    and other pages look the same.
    """

    gpa: int = at(0x0, Int64ul, "Guest-physical address of the page")
    assigned: int = at(0x8, Int8ul, "Assigned: 1 if the page belongs to a guest or the firmware")
    page_size: RmpReadSize = at(0x9, as_word(RmpReadSize), "Page size: 4 KiB or 2 MiB")
    immutable: int = at(0xA, Int8ul, "Immutable: 1 if RMPUPDATE may not change the entry")
    asid: int = at(0xC, Int32ul, "ASID of the guest that owns the page")


class RmpOperand(Record, size=16, spec="Linux struct rmp_state (RMPUPDATE)"):
    """Operand of RMPUPDATE, at the address in rCX."""

    gpa: int = at(0x0, Int64ul, "Guest-physical address of the page")
    assigned: int = at(0x8, Int8ul, "Assigned: 1 if the page belongs to a guest or the firmware")
    page_size: RmpReadSize = at(0x9, as_word(RmpReadSize), "Page size: 4 KiB or 2 MiB")
    immutable: int = at(0xA, Int8ul, "Immutable: 1 if RMPUPDATE may not change the entry")
    asid: int = at(0xC, Int32ul, "ASID of the guest that owns the page")


class RmpState(OpenEnum):
    """State of a page, numbered as in AMD's firmware. No document numbers them."""

    INVALID = 0, "no known state"
    DEFAULT = 1, "outside of the table: there is no entry"
    HYPERVISOR = 2, "hypervisor-owned"
    HV_FIXED = 3, "hypervisor-owned until SNP is initialised again"
    FIRMWARE = 4, "firmware-owned, writable"
    FIRMWARE_IOMMU = 5, "firmware-owned, for the IOMMU; no command accepts it"
    RECLAIM = 6, "released by the firmware; RMPUPDATE makes it hypervisor-owned"
    CONTEXT = 7, "guest context page"
    METADATA = 8, "metadata page of swapped pages"
    PRE_GUEST = 9, "guest-owned, immutable, not validated"
    PRE_SWAP = 10, "guest-owned, immutable, validated"
    GUEST_INVALID = 11, "guest-owned, not validated"
    GUEST_VALID = 12, "guest-owned, validated"


STILL = frozenset({RmpState.PRE_GUEST, RmpState.PRE_SWAP})
"""States of a guest's page that is immutable, so that the firmware can work on it."""


class StateRule(NamedTuple):
    """One state, and the values of ``RmpLo`` that make it; a field left out may have any."""

    state: RmpState
    fields: Mapping[str, range]


_NO, _YES, _SOME = range(1), range(1, 2), range(1, 1 << 10)
_METADATA = RmpFirmwareGpa.of(state=RmpGpaState.METADATA)
_IOMMU = RmpFirmwareGpa.of(state=RmpGpaState.FW_IOMMU, pfn=1)
_NOTED = range(_METADATA + 1, _METADATA + (1 << 36))
"""``gpa`` of a page of metadata: any context but number 0."""


def _rule(
    state: RmpState, assigned: range, validated: range, asid: range, immutable: range, **more: range
) -> StateRule:
    """Return a rule: four fields that count in most, and what else does in this one."""
    most = {"assigned": assigned, "validated": validated, "asid": asid, "immutable": immutable}
    return StateRule(state, most | more)


STATES: tuple[StateRule, ...] = (
    _rule(RmpState.HYPERVISOR, _NO, _NO, _NO, _NO),
    _rule(RmpState.HV_FIXED, _NO, _NO, _NO, _YES),
    _rule(RmpState.FIRMWARE, _YES, _NO, _NO, _YES, gpa=_NO, vmsa=_NO),
    _rule(RmpState.RECLAIM, _YES, _NO, _NO, _NO, lock=_NO),
    _rule(RmpState.CONTEXT, _YES, _NO, _NO, _YES, gpa=_NO, vmsa=_YES),
    _rule(RmpState.METADATA, _YES, _NO, _NO, _YES, gpa=_NOTED),
    _rule(RmpState.PRE_GUEST, _YES, _NO, _SOME, _YES),
    _rule(RmpState.PRE_SWAP, _YES, _YES, _SOME, _YES),
    _rule(RmpState.GUEST_INVALID, _YES, _NO, _SOME, _NO),
    _rule(RmpState.GUEST_VALID, _YES, _YES, _SOME, _NO),
    _rule(RmpState.FIRMWARE_IOMMU, _YES, _NO, _NO, _YES, gpa=range(_IOMMU, _IOMMU + 1), vmsa=_NO),
)
"""The rules of AMD's firmware (AMD-ASPFW sev_rmp.c, Genoa) in its order. The first that fits."""


def state_of(lo: int, hi: int) -> RmpState:
    """Return the state of the page of this entry, by the rules of AMD's firmware.

    *hi* decides nothing. Pages 1 to 511 of a 2 MiB page have entries that may say nothing: the
    first one, whose ``page_size`` is 2 MiB, covers all.
    """
    word = RmpLo(lo)
    values = {name: int(field.value(word)) for name, field in RmpLo.BITS.items()}
    for rule in STATES:
        if all(values[name] in allowed for name, allowed in rule.fields.items()):
            return rule.state
    return RmpState.INVALID


HIDDEN = ("validated", "vmsa", "lock")
"""Bits that decide a state and that RMPREAD does not return."""


def states_of(entry: RmpReadEntry) -> tuple[RmpState, ...]:
    """Return the states that a page with this RMPREAD result may have, in their order.

    INVALID is returned only if no value of the hidden bits makes a state.
    """
    visible = RmpLo.of(
        assigned=entry.assigned & 1,
        immutable=entry.immutable & 1,
        gpa=entry.gpa >> 12 & RmpLo.gpa.limit,
        asid=entry.asid & RmpLo.asid.limit,
    )
    hidden = (dict(zip(HIDDEN, bits, strict=True)) for bits in product((0, 1), repeat=len(HIDDEN)))
    states = {state_of(visible.replace(**bits), 0) for bits in hidden}
    return tuple(sorted(states - {RmpState.INVALID})) or (RmpState.INVALID,)


KINDS = {
    "rmp": RmpEntry,
    "rmpread": RmpReadEntry,
    "rmpupdate": RmpOperand,
    "rst": SegmentTable,
    "vmpl-masks": VmplMasks,
}
