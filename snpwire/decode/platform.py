"""How a list of ranges is read: no command is refused for its bytes alone.

SNP_PAGE_SET_STATE refuses a list that SNP_INIT_EX cuts short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.platform import RangeList
from .interpretation import Interpretation

if TYPE_CHECKING:
    from .interpretation import Hints


def ranges(value: RangeList, hints: Hints) -> Interpretation:
    """Leave open what the firmware does with a list."""
    return Interpretation(hints.context())


INTERPRETERS = {RangeList: ranges}
