"""The RMP checks of the processor for many pages: the rules of ``rmp.access`` as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...wire.address import REGION
from ..access import FAULTS, RULES, Access, Need
from ..chunks import quadwords_at
from ..entry import ASSIGNED, COUNT, LARGE, NOT_VALIDATED, VALIDATED, VMSA
from ..page_ranges import page_numbers
from .operands import U64, not_owned, quadwords

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from ..entry import AccessFault
    from ..table_reader import TableReader

    Bools = NDArray[np.bool_]


class AccessFaults(NamedTuple):
    """The fault of each access; both arrays have the shape of the pages."""

    kind: NDArray[np.uint8]
    """``FaultKind``; 0 for none."""
    code: NDArray[np.uint64]
    """Code of the fault, 0 for none."""


class _Accesses(NamedTuple):
    """Accesses of one kind and the entries that cover their pages; each of shape (accesses,)."""

    pages: NDArray[np.int64]
    gpas: NDArray[np.int64]
    asids: NDArray[np.uint64]
    vmpls: NDArray[np.uint64]
    large: Bools
    heads: NDArray[np.int64]
    """Pages whose entries cover *pages*."""
    known: Bools
    """Whether the page has an entry."""
    lo: NDArray[np.uint64]
    """First quadwords of the entries of *heads*."""


def faults_of(
    table: TableReader,
    pages: ArrayLike,
    access: Access,
    *,
    gpa: ArrayLike = 0,
    asid: ArrayLike = 0,
    vmpl: ArrayLike = 0,
    large: ArrayLike = False,
) -> AccessFaults:
    """Return the fault that an access of one kind to each of *pages* causes.

    The other arguments are one number or one for each page, as in ``rmp.access.fault_of``. Raises
    UsageError for what is no page number.
    """
    numbers = page_numbers(pages)
    shape = numbers.shape
    flat = numbers.reshape(-1)
    heads = table.resolve_all(flat)
    accesses = _Accesses(
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
    for fault, where in reversed(_checks(table, access, accesses)):
        kind[where], code[where] = fault.kind, fault.code
    return AccessFaults(kind.reshape(shape), code.reshape(shape))


def _checks(
    table: TableReader, access: Access, accesses: _Accesses
) -> list[tuple[AccessFault, Bools]]:
    """Return each possible fault and where it applies, in order of precedence."""
    need, fault, rights = RULES[access]
    if need is Need.NOTHING:
        return []
    if need is Need.HYPERVISOR:
        return [(fault, accesses.known & _are_assigned(table, accesses))]
    offsets = accesses.pages - accesses.heads
    foreign = ~accesses.known | not_owned(accesses.lo, offsets, accesses.gpas, accesses.asids)
    if need is Need.SAVE_AREA:
        return [(fault, foreign | (accesses.lo & U64(VMSA) == 0))]
    _, wrong_size, no_permission = FAULTS[access]
    mask = quadwords_at(table.extents, accesses.heads, 1)[0] >> (accesses.vmpls << U64(3))
    return [
        (fault, foreign),
        (wrong_size, (accesses.lo & U64(LARGE) != 0) != accesses.large),
        (NOT_VALIDATED, accesses.lo & U64(VALIDATED) == 0),
        (no_permission, (~mask & U64(rights) != 0) | (mask & U64(3) == 2)),
    ]


def _are_assigned(table: TableReader, accesses: _Accesses) -> Bools:
    """Return which pages are assigned; for large mappings, any of the 2 MiB around them."""
    top, _ = table.lows(accesses.pages & -REGION)
    some = top & U64(ASSIGNED | COUNT) != 0
    assigned: Bools = np.where(accesses.large, some, accesses.lo & U64(ASSIGNED) != 0)
    return assigned
