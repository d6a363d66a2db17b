"""What is wrong among the entries of one 2 MiB region: its count, and who speaks for its pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...finding import Rule, Severity
from ...wire.address import REGION
from ...wire.rmp import RmpLo
from ...wire.rmp_faults import APM, FIRMWARE
from ..entry import ASSIGNED, IMMUTABLE, LARGE, LOCK, SPEAKS
from .entry_rules import state_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .finding_log import Gathered, Part

COUNT = Rule(
    "rmp-subpage-count",
    Severity.ERROR,
    "The first entry of 2 MiB counts the assigned pages of the other 511",
    FIRMWARE,
)
CHILDREN = Rule(
    "rmp-2m-children", Severity.ERROR, "No page within a 2 MiB page is assigned by itself", APM
)
_LARGE, _ASSIGNED, _SPEAKS = np.uint64(LARGE), np.uint64(ASSIGNED), np.uint64(SPEAKS)
_HELD = np.uint64(IMMUTABLE | LOCK)


def regions(part: Part, known: NDArray[np.bool_], gathered: Gathered) -> None:
    """Judge every region of *part*; *known* tells of which each entry is there, shape (regions,).

    A region that is not whole is judged by the entries that there are.
    """
    for row in _miscounted(part, known):
        _count(part, row, gathered)
    for row in np.flatnonzero(part.lo[::REGION] & _LARGE != 0).tolist():
        _children(part, row, gathered)


def _miscounted(part: Part, known: NDArray[np.bool_]) -> list[int]:
    whole = len(part.lo) // REGION
    lo = part.lo[: whole * REGION].reshape(whole, REGION)
    assigned = (lo & _ASSIGNED).sum(1, dtype=np.uint64) - (lo[:, 0] & _ASSIGNED)
    count = RmpLo.subpage_count.of(lo[:, 0])
    wrong = (lo[:, 0] & _LARGE == 0) & (count != assigned) & known[:whole]
    return np.flatnonzero(wrong).tolist()


def _count(part: Part, row: int, gathered: Gathered) -> None:
    at = row * REGION
    count = int(RmpLo(int(part.lo[at])).subpage_count)
    assigned = int((part.lo[at + 1 : at + REGION] & _ASSIGNED).sum())
    verb = "is" if assigned == 1 else "are"
    text = f"subpage_count is {count}, but {assigned} of the other 511 pages {verb} assigned"
    gathered.add(COUNT, f"page {part.first + at:#x}", part.offset + 16 * at, text)


def _children(part: Part, row: int, gathered: Gathered) -> None:
    """Look for entries that are more than PAGE_UNSMASH leaves: assigned, no ASID, not immutable."""
    at = row * REGION
    head, lo = part.lo[at], part.lo[at + 1 : at + REGION]
    own = lo & _ASSIGNED != 0
    if head & _ASSIGNED:
        own &= (lo & _SPEAKS != 0) | (lo & _HELD != 0)
    if not own.any():
        return
    first = at + 1 + int(np.argmax(own))
    page = part.first + at
    others = int(own.sum()) - 1
    more = f", and so have {others} more" if others else ""
    text = (
        f"a page of 2 MiB, {state_text(int(head), 0)}, but page {part.first + first:#x} in it has "
        f"an entry of its own, {state_text(int(part.lo[first]), 0)}{more}"
    )
    severity = Severity.ERROR if head & _ASSIGNED else Severity.WARNING
    gathered.add(CHILDREN, f"page {page:#x}", part.offset + 16 * at, text, severity)


RULES = (COUNT, CHILDREN)
