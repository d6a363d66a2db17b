"""What has been read before, as far as later lines need it."""

from __future__ import annotations

from typing import Any


class Past:
    """What earlier lines said; it stays small however long the log is."""

    def __init__(self) -> None:
        self.line = 0
        """The line that is being read."""
        self.entry: tuple[int, dict[str, Any]] | None = None
        """An RMP entry printed as fields, and its line: the raw form comes next."""
