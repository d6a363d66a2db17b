"""``snpwire layout``: where every field of a kind lies."""

from __future__ import annotations

from ..errors import UsageError
from ..view.offsets import FORMATS
from ..wire import kind
from .sink import say


def layout(name: str, form: str) -> int:
    """Print the offset table of a kind."""
    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}", help=f"formats are: {' '.join(FORMATS)}")
    say(FORMATS[form](kind(name)))
    return 0
