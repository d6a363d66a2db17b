"""Faults that a single RMP entry can have, and their texts.

``rules.rmp`` checks one entry, ``rmp.check`` millions as arrays, so each has its own condition
for a fault. Both take its code, severity, text and reference from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..finding import Rule, Severity, bit_list
from .rmp import RmpHi, RmpLo
from .rmp_words import LAST_ASID, RmpGpaState, VmplMask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRMWARE = "AMD-ASPFW sev_rmp.c"
APM = "APM volume 2, 15.36"
RIGHTS = Rule(
    "rmp-rights",
    Severity.WARNING,
    "VMPL permissions are known bits, and write comes with read",
    f"AMD-ASPFW sev_rmp.h, coconut-svsm, {APM}",
)


class EntryFault(NamedTuple):
    """A rule, and the text for an entry that violates it."""

    rule: Rule
    text: Callable[[RmpLo], str]


def _stateless(lo: RmpLo) -> str:
    return f"no state fits: {_contradiction(lo)}; INVALID_PAGE_STATE"


def _contradiction(lo: RmpLo) -> str:
    """Return the bits of an entry's first quadword that no state allows, in words."""
    if not lo.assigned:
        odd = [f"asid is {lo.asid}"] if lo.asid else []
        odd += ["validated is 1"] if lo.validated else []
        return f"assigned is 0, yet {' and '.join(odd)}"
    if lo.validated:
        return "validated is 1, yet asid is 0"
    if not lo.immutable:
        return "asid and immutable are 0, as in a page given back, yet lock is 1"
    return (
        "asid is 0 and immutable is 1, as in a page of the firmware, yet gpa"
        f" {lo.gpa:#x} is no note that it makes{_near(lo)}"
    )


def _near(lo: RmpLo) -> str:
    """Return why ``gpa`` is not the note that it resembles."""
    if lo.note.state == RmpGpaState.METADATA:
        return ": metadata of page number 0"
    if lo.note.state == RmpGpaState.FW_IOMMU:
        return ": the IOMMU's have page number 1" + (", and vmsa 0" if lo.vmsa else "")
    return ""


STATELESS = EntryFault(
    Rule("rmp-invalid", Severity.ERROR, "An entry is in a state that the firmware knows", FIRMWARE),
    _stateless,
)
CHANGING = EntryFault(
    Rule("rmp-changing", Severity.NOTE, "The table does not change while it is read", FIRMWARE),
    lambda lo: f"asid is {lo.asid:#x}: the firmware was changing the entry, read it again",
)
HIGH_ASID = EntryFault(
    Rule("rmp-asid", Severity.WARNING, "The ASID is one that a guest can have", FIRMWARE),
    lambda lo: f"asid is {lo.asid}, Genoa has 1 to {LAST_ASID}",
)
GPA_APART = EntryFault(
    Rule("rmp-alignment", Severity.WARNING, "A 2 MiB page is one in the guest too", APM),
    lambda lo: f"page_size is 2 MiB, but the guest address {lo.address:#x} is no multiple of that",
)
LARGE_COUNT = EntryFault(
    Rule("rmp-subpages", Severity.NOTE, "subpage_count is 0 in a 2 MiB entry", FIRMWARE),
    lambda lo: (
        f"subpage_count is {lo.subpage_count}, but page_size is 2 MiB, where it says nothing"
    ),
)
LOCKED = EntryFault(
    Rule("rmp-lock", Severity.NOTE, "lock follows immutable", FIRMWARE),
    lambda lo: (
        f"lock is {lo.lock}, but immutable is {lo.immutable}: the firmware writes them alike"
    ),
)


def odd_mask(mask: VmplMask, level: int) -> Iterator[str]:
    """Yield the errors in the VMPL permissions of a VMPL (``RIGHTS``)."""
    if mask.unknown:
        yield f"the mask of VMPL {level} has {bit_list(mask.unknown)}, which means nothing"
    if mask.has("write") and not mask.has("read"):
        yield f"the mask of VMPL {level} has write without read: each access faults"


def odd_masks(hi: int) -> Iterator[tuple[int, str]]:
    """Yield each VMPL whose permissions in an entry's second quadword are wrong, and the error."""
    word = RmpHi(hi)
    for level in range(4):
        for text in odd_mask(VmplMask(getattr(word, f"vmpl{level}")), level):
            yield level, text
