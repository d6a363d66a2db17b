"""One entry as two plain numbers: masks of its bits, faults of its page, and the table it is in.

Instructions and firmware change millions of entries, one after the other or as arrays. The named
fields of ``RmpLo`` are too slow for the one and do not apply to the other, so both use these masks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..bits import OpenEnum
from ..wire.address import REGION
from ..wire.rmp import RmpHi, RmpLo
from ..wire.rmp_words import NpfInfo, RmpFirmwareGpa, RmpGpaState, VmplMask

if TYPE_CHECKING:
    from ..wire.rmp import RmpState

ASSIGNED = RmpLo.assigned.mask
LARGE = RmpLo.page_size.mask
"""The page is a 2 MiB page."""
IMMUTABLE = RmpLo.immutable.mask
COUNT = RmpLo.subpage_count.mask
ONE_MORE = 1 << RmpLo.subpage_count.low
"""What one more page adds to ``subpage_count``."""
GPA = RmpLo.gpa.mask
ASID = RmpLo.asid.mask
VMSA = RmpLo.vmsa.mask
VALIDATED = RmpLo.validated.mask
LOCK = RmpLo.lock.mask
GPA_LOW, ASID_LOW = RmpLo.gpa.low, RmpLo.asid.low

SPAN = ASSIGNED | LARGE
"""An entry with both bits covers 512 pages: those of the 2 MiB that begin with its own."""
STANDALONE = LARGE | ASID
"""An entry with none of these bits means nothing where the 2 MiB around it are one page."""
OPERAND = ASSIGNED | LARGE | IMMUTABLE | GPA | ASID
"""Bits that an operand of RMPUPDATE can set."""
RIGHTS = RmpHi.vmpl0.mask | RmpHi.vmpl1.mask | RmpHi.vmpl2.mask | RmpHi.vmpl3.mask
FULL = VmplMask.KNOWN
"""All VMPL permissions. Milan has no shadow stacks and gives 0xF."""
NAMELESS = ~RmpHi.KNOWN & (1 << 64) - 1
"""Bits of a second quadword without a name."""
NO_RIGHT = RIGHTS & ~(FULL * 0x0101_0101)
"""Bits of a second quadword in the mask of a VMPL that are no permission: 7:5 of each."""
METADATA_NOTE = RmpFirmwareGpa.of(state=RmpGpaState.METADATA) << GPA_LOW
NOTE_STATE = RmpFirmwareGpa.state.mask << GPA_LOW
NOTE_PFN = RmpFirmwareGpa.pfn.mask << GPA_LOW
FIRMWARE_LO = ASSIGNED | IMMUTABLE | LOCK
"""First quadword of a firmware-owned page."""
HV_FIXED_LO = IMMUTABLE


class FaultKind(OpenEnum):
    """How an instruction or an access fails."""

    NONE = 0, "no fault"
    PF = 1, "page fault (#PF); the code is the error code"
    NPF = 2, "exit for a nested page fault (#VMEXIT); the code is EXITINFO1"
    VC = 3, "exception of the guest (#VC); the code is the error code"
    GP = 4, "general protection fault (#GP)"
    VMEXIT_INVALID = 5, "VMRUN gives up (#VMEXIT, VMEXIT_INVALID)"


class AccessFault(NamedTuple):
    """A fault that an access or an instruction causes, and its code."""

    kind: FaultKind
    code: int = 0


class InstructionResult(NamedTuple):
    """Result of an instruction of a guest: a number in EAX and the carry flag, or a fault."""

    status: int = 0
    """Number in EAX; meaningless with a fault."""
    fault: AccessFault | None = None
    carry: bool = False


RMP_ERROR = 1 << 31
"""Bit of the error code of a page fault: RMP violation."""
PAGE_NOT_VALIDATED = 0x404
"""Error code of #VC for a page that the guest has not validated."""
NOT_VALIDATED = AccessFault(FaultKind.VC, PAGE_NOT_VALIDATED)

_TOUCHED = NpfInfo.of(present=1, write=1, user=1, rmp=1, gpa_final=1)
NOT_OWNED = AccessFault(FaultKind.NPF, _TOUCHED)
"""PVALIDATE or RMPADJUST of a page that is not the guest's, or not there."""
TOO_SMALL = AccessFault(FaultKind.NPF, _TOUCHED | NpfInfo.sizem.mask)
"""PVALIDATE or RMPADJUST of 4 KiB within a page of 2 MiB. Linux was seen to log this code."""
NOT_READABLE = AccessFault(FaultKind.NPF, NpfInfo.of(present=1, user=1, rmp=1, gpa_final=1))
"""RMPQUERY of a page that is not the guest's."""


class Readable(Protocol):
    """A table whose entries can be read one at a time."""

    @property
    def pages(self) -> int:
        """Return the number of pages with an entry."""

    def entry(self, page: int) -> tuple[int, int]:
        """Return both quadwords of the entry of a page."""

    def state(self, page: int) -> RmpState:
        """Return the state of a page; DEFAULT beyond the table."""


class Entries(Readable, Protocol):
    """A table whose entries can be changed one at a time.

    If it also has ``counters``, one number for each ASID, they are kept up to date.
    """

    def set(self, page: int, lo: int, hi: int) -> None:
        """Write both quadwords of the entry of a page."""


def covering_entry(table: Readable, page: int) -> tuple[int, int, int]:
    """Return the page whose entry covers *page*, and the two quadwords of that entry.

    The entry of a 2 MiB page covers the 4 KiB entries in it that no guest owns. Source: AMD-ASPFW
    sev_mcmd.c, SNP_DBG_DECRYPT.
    """
    lo, hi = table.entry(page)
    head = page & -REGION
    if head != page and not lo & STANDALONE:
        top, rights = table.entry(head)
        if top & LARGE:
            return head, top, rights
    return page, lo, hi
