"""Arguments, entries and statuses of instructions and commands on many pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UsageError
from ...wire.address import REGION
from ..entry import ASID, ASID_LOW, ASSIGNED, GPA_LOW, LARGE, OPERAND
from ..page_ranges import page_numbers
from .order import in_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from ...wire.rmp import RmpState
    from ...wire.status import Status
    from ..table import Table

    Bools = NDArray[np.bool_]
    Quads = NDArray[np.uint64]
    Pages = NDArray[np.int64]

U64 = np.uint64


def quadwords(given: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.uint64]:
    """Return *given* as uint64 of *shape*, one for each operation. Raises UsageError.

    A list is converted number by number where numpy would make floats of it, as it does of one that
    has small numbers and numbers with bit 63.
    """
    array: NDArray[Any] = np.asarray(given)
    if array.dtype.kind not in "iub" and not isinstance(given, np.ndarray):
        array = np.asarray(given, object)
        fits = all(isinstance(number, int) and not number >> 64 for number in array.flat)
        array = array.astype(np.uint64) if fits else array
    if array.dtype.kind not in "iub" or (array.size and int(array.min()) < 0):
        raise UsageError(f"expected numbers of 64 bits, got an array of {array.dtype}")
    try:
        return np.broadcast_to(array.astype(np.uint64, copy=False), shape)
    except ValueError:
        expected = f"one number, or one for each of {shape} operations"
        raise UsageError(f"expected {expected}, got {array.shape}") from None


def checked_pages(*given: ArrayLike) -> tuple[tuple[int, ...], list[Pages]]:
    """Return the common shape of arrays of page numbers, and each flat. Raises UsageError."""
    arrays = [page_numbers(pages) for pages in given]
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise UsageError(f"arrays of pages must have one shape, got {shapes}") from None
    return shape, [np.broadcast_to(array, shape).reshape(-1) for array in arrays]


def writeable(table: Table) -> Table:
    """Return *table*. Raises UsageError if it is read-only."""
    if not quads_of(table).flags.writeable:
        raise UsageError("the table is read-only")
    return table


def quads_of(table: Table) -> Quads:
    """Return the entries of *table* in place: uint64 of shape (2 * pages,).

    Raises UsageError for a table in segments.
    """
    if not hasattr(table, "entries"):
        raise UsageError("a table of segments is changed one segment at a time")
    return table.entries.view(np.uint64).reshape(-1)


def regions_of(table: Table) -> NDArray[np.uint64]:
    """Return the entries of whole 2 MiB regions in place: uint64 of shape (regions, 512, 2)."""
    whole = table.pages // REGION
    return table.entries.view(np.uint64).reshape(-1, 2)[: whole * REGION].reshape(-1, REGION, 2)


def without(bits: int) -> np.uint64:
    """Return a mask of all bits but these."""
    return U64(~bits & (1 << 64) - 1)


def in_states(states: NDArray[np.uint8], *wanted: RmpState) -> Bools:
    """Return which of *states* are among those wanted."""
    chosen = np.zeros(256, np.bool_)
    chosen[list(wanted)] = True
    return chosen[states]


def sizes_differ(lo: Quads, sizes: Bools) -> Bools:
    """Return which entries have another page size; *sizes* is true for 2 MiB."""
    different: Bools = (lo & U64(LARGE) != 0) != sizes
    return different


def not_owned(lo: Quads, offsets: Pages, gpas: Pages, asids: Quads) -> Bools:
    """Return which entries are not owned by the guest at this address, or are immutable.

    *lo* are the entries that cover the pages, and *offsets* the distance of the pages from them.
    """
    first = gpas - offsets
    mine = first.astype(U64) << U64(GPA_LOW) | asids << U64(ASID_LOW) | U64(ASSIGNED)
    others: Bools = (lo ^ mine) & U64(OPERAND & ~LARGE) != 0
    others |= (first < 0) | (asids == 0) | (asids > ASID >> ASID_LOW)
    return others


def first_of(*checks: tuple[Bools, int | NDArray[np.uint64]]) -> NDArray[np.uint8]:
    """Return the status of the first check that fails, for each operation.

    A check is where it fails, of shape (operations,), and its status.
    """
    status = np.zeros(len(checks[0][0]), np.uint8)
    for failed, code in reversed(checks):
        status = np.where(failed, np.asarray(code).astype(np.uint8), status)
    return status


def batch(
    table: Table,
    pages: ArrayLike,
    judge: Callable[[Pages, Pages, Quads], NDArray[np.uint8]],
    write: Callable[[Pages, Pages, Quads], None],
    one: Callable[[int, int], Status],
) -> NDArray[np.uint8]:
    """Do a command that depends on one entry for each of *pages*, in their order.

    *judge* takes indices, pages and first quadwords, and returns statuses; *write* takes those that
    succeed; *one* does it for one index and page. Each array has the shape (operations,).
    """
    numbers = page_numbers(pages)
    flat = numbers.reshape(-1)
    status = np.zeros(len(flat), np.uint8)

    def wave(places: Pages) -> None:
        chosen = flat[places]
        lo, _ = table.lows(chosen)
        results = judge(places, chosen, lo)
        status[places] = results
        done = (results == 0) & (chosen < table.pages)
        write(places[done], chosen[done], lo[done])

    def alone(place: int) -> None:
        status[place] = one(place, int(flat[place]))

    in_order(flat, wave, alone)
    return status.reshape(numbers.shape)
