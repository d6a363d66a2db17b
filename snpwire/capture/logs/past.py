"""What has been read before, as far as later lines need it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .record import Line

if TYPE_CHECKING:
    from collections.abc import Mapping


class Past:
    """What earlier lines said; it stays small however long the log is."""

    def __init__(self) -> None:
        self.line = Line(0, 0, "", "")
        """The line that is being read."""
        self.entry: tuple[int, Mapping[str, Any]] | None = None
        """An RMP entry printed as fields, and its line: the raw form comes next."""
        self.failure: tuple[int, str] | None = None
        """The failed guest request for which a key may be wiped next, and its line."""
