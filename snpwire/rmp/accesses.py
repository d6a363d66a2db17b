"""Who may touch many pages: the rules of ``access``, asked as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..wire.address import REGION
from .access import FAULTS, RULES, Access, Need
from .entry import ASSIGNED, COUNT, LARGE, NOT_VALIDATED, VALIDATED, VMSA
from .page_ranges import page_numbers
from .vector.operands import U64, foreign, quadwords

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .entry import Fault
    from .image_layout import Reading

    Bools = NDArray[np.bool_]


class Faults(NamedTuple):
    """The fault that each access meets; both arrays have the shape of the pages."""

    kind: NDArray[np.uint8]
    """``FaultKind``; 0 where the access goes through."""
    code: NDArray[np.uint64]
    """Code of the fault, 0 for none."""


class _Asked(NamedTuple):
    """Accesses of one kind, flat, and the entries that speak for their pages."""

    pages: NDArray[np.int64]
    gpas: NDArray[np.int64]
    asids: NDArray[np.uint64]
    vmpls: NDArray[np.uint64]
    large: Bools
    heads: NDArray[np.int64]
    known: Bools
    lo: NDArray[np.uint64]


def faults_of(
    table: Reading,
    pages: ArrayLike,
    access: Access,
    *,
    gpa: ArrayLike = 0,
    asid: ArrayLike = 0,
    vmpl: ArrayLike = 0,
    large: ArrayLike = False,
) -> Faults:
    """Return the fault that an access of one kind to each of *pages* meets.

    All else is one number or one for each page, as in ``access.fault_of``. Raises UsageError for
    what is no page number.
    """
    numbers = page_numbers(pages)
    shape = numbers.shape
    flat = numbers.reshape(-1)
    heads = table.resolved(flat)
    asked = _Asked(
        flat,
        np.broadcast_to(page_numbers(gpa), shape).reshape(-1),
        quadwords(asid, shape).reshape(-1),
        quadwords(vmpl, shape).reshape(-1),
        quadwords(large, shape).reshape(-1) != 0,
        heads,
        table.lows(flat)[1],
        table.lows(heads)[0],
    )
    kind, code = np.zeros(len(flat), np.uint8), np.zeros(len(flat), np.uint64)
    for fault, where in reversed(_judged(table, access, asked)):
        kind[where], code[where] = fault.kind, fault.code
    return Faults(kind.reshape(shape), code.reshape(shape))


def _judged(table: Reading, access: Access, asked: _Asked) -> list[tuple[Fault, Bools]]:
    """Return what can be wrong, and where it is, the first that counts first."""
    need, fault, rights = RULES[access]
    if need is Need.NOTHING:
        return []
    if need is Need.HYPERVISOR:
        return [(fault, asked.known & _taken(table, asked))]
    offsets = asked.pages - asked.heads
    others = ~asked.known | foreign(asked.lo, offsets, asked.gpas, asked.asids)
    if need is Need.SAVE_AREA:
        return [(fault, others | (asked.lo & U64(VMSA) == 0))]
    _, strange, unlawful = FAULTS[access]
    mask = _highs(table, asked.heads) >> (asked.vmpls << U64(3))
    return [
        (fault, others),
        (strange, (asked.lo & U64(LARGE) != 0) != asked.large),
        (NOT_VALIDATED, asked.lo & U64(VALIDATED) == 0),
        (unlawful, (~mask & U64(rights) != 0) | (mask & U64(3) == 2)),
    ]


def _taken(table: Reading, asked: _Asked) -> Bools:
    """Tell which pages are assigned, or any of the 2 MiB around them for large mappings."""
    top, _ = table.lows(asked.pages & -REGION)
    some = top & U64(ASSIGNED | COUNT) != 0
    taken: Bools = np.where(asked.large, some, asked.lo & U64(ASSIGNED) != 0)
    return taken


def _highs(table: Reading, pages: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return the second quadword of each page, 0 where there is none."""
    high = np.zeros(len(pages), np.uint64)
    for extent in table.extents:
        inside = (pages >= extent.first) & (pages < extent.stop)
        high[inside] = extent.words[pages[inside] - extent.first, 1]
    return high
