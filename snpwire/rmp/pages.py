"""Page numbers of the host, one or an array of them, checked.

A page number is an address shifted right by 12. It has up to 39 bits, since bit 51 of an address is
the C-bit: past 8 TiB it fits no signed 32 bits, past 16 TiB no unsigned ones. So arrays of page
numbers are int64 throughout, and what cannot be a page number is refused before it is an index: a
negative one would silently count from the end of the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UsageError, shown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

PAGE_LIMIT = 1 << 39
"""One more than the last page number."""


def page_number(page: int) -> int:
    """Return *page*. Raises UsageError for what is no page number."""
    if 0 <= page < PAGE_LIMIT:
        return page
    raise UsageError(f"{_place(page)} is no page number: those go from 0 to {PAGE_LIMIT - 1:#x}")


def page_numbers(pages: ArrayLike) -> NDArray[np.int64]:
    """Return *pages* as int64, of the same shape. Raises UsageError for what is no page number."""
    given: NDArray[Any] = np.asarray(pages)
    if given.size and given.dtype.kind not in "iu":
        raise UsageError(f"a page number is an integer of 39 bits, got an array of {given.dtype}")
    if given.size:
        page_number(int(given.min()))
        page_number(int(given.max()))
    return given.astype(np.int64, copy=False)


def _place(page: object) -> str:
    return f"{page:#x}" if isinstance(page, int) and abs(page) < 1 << 64 else shown(page)
