"""Rules of one 2 MiB region: its sub-page count, and entries inside of a 2 MiB page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...finding import Rule, Severity
from ...wire.address import REGION
from ...wire.rmp import RmpLo
from ...wire.rmp_faults import APM, FIRMWARE
from ..entry import ASSIGNED, IMMUTABLE, LARGE, LOCK, STANDALONE
from .entry_rules import state_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .chunk import Chunk
    from .finding_log import FindingLog

COUNT = Rule(
    "rmp-subpage-count",
    Severity.ERROR,
    "The first entry of 2 MiB counts the assigned pages of the other 511",
    FIRMWARE,
)
CHILDREN = Rule(
    "rmp-2m-children", Severity.ERROR, "No page within a 2 MiB page is assigned by itself", APM
)
_LARGE, _ASSIGNED = np.uint64(LARGE), np.uint64(ASSIGNED)
_STANDALONE, _IMMUTABLE = np.uint64(STANDALONE), np.uint64(IMMUTABLE | LOCK)


def judge(chunk: Chunk, complete: NDArray[np.bool_], log: FindingLog) -> None:
    """Judge every region of a chunk; counts only where *complete*, of shape (regions,), is true."""
    for row in _miscounted(chunk, complete):
        _report_count(chunk, row, log)
    for row in np.flatnonzero(chunk.lo[::REGION] & _LARGE != 0).tolist():
        _judge_children(chunk, row, log)


def _miscounted(chunk: Chunk, complete: NDArray[np.bool_]) -> list[int]:
    """Return the numbers of the regions whose count is wrong."""
    whole = len(chunk.lo) // REGION
    lo = chunk.lo[: whole * REGION].reshape(whole, REGION)
    assigned = (lo & _ASSIGNED).sum(1, dtype=np.uint64) - (lo[:, 0] & _ASSIGNED)
    count = RmpLo.subpage_count.of(lo[:, 0])
    wrong = (lo[:, 0] & _LARGE == 0) & (count != assigned) & complete[:whole]
    return np.flatnonzero(wrong).tolist()


def _report_count(chunk: Chunk, row: int, log: FindingLog) -> None:
    at = row * REGION
    count = int(RmpLo(int(chunk.lo[at])).subpage_count)
    assigned = int((chunk.lo[at + 1 : at + REGION] & _ASSIGNED).sum())
    verb = "is" if assigned == 1 else "are"
    text = f"subpage_count is {count}, but {assigned} of the other 511 pages {verb} assigned"
    log.add(COUNT, *chunk.place(at), text)


def _judge_children(chunk: Chunk, row: int, log: FindingLog) -> None:
    """Report entries with more than PAGE_UNSMASH leaves: assigned, no ASID, not immutable."""
    at = row * REGION
    head, lo = chunk.lo[at], chunk.lo[at + 1 : at + REGION]
    own = lo & _ASSIGNED != 0
    if head & _ASSIGNED:
        own &= (lo & _STANDALONE != 0) | (lo & _IMMUTABLE != 0)
    if not own.any():
        return
    first = at + 1 + int(np.argmax(own))
    others = int(own.sum()) - 1
    more = f", and so have {others} more" if others else ""
    text = (
        f"a page of 2 MiB, {state_text(int(head), 0)}, but page {chunk.first + first:#x} in it has "
        f"an entry of its own, {state_text(int(chunk.lo[first]), 0)}{more}"
    )
    severity = Severity.ERROR if head & _ASSIGNED else Severity.WARNING
    log.add(CHILDREN, *chunk.place(at), text, severity)


RULES = (COUNT, CHILDREN)
