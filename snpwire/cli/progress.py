"""Progress of long work, shown on a terminal only."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE, PAUSE = 0.5, 0.1
"""Seconds before progress is shown, and between two updates."""

STEP = 1 << 22
"""Pages, 64 MiB of the table, between two calls of *often*."""
LEAST = 1 << 12
"""Pages that an amount counts for at least: the kernel maps 64 KiB even if less is read."""


class Meter:
    """A line on standard error with the progress towards *total*; cleared at the end.

    Call it with each amount of work done.
    """

    def __init__(self, what: str, total: int, often: Callable[[], object] | None = None) -> None:
        """Count up to *total*; call *often* after every ``STEP``, and at the end."""
        self._often = often
        self._since = 0
        self._what = what
        self._total = max(total, 1)
        self._done = 0
        self._shown = False
        self._due = time.monotonic() + PATIENCE if sys.stderr.isatty() else float("inf")

    def __call__(self, amount: int) -> None:
        """Count *amount* more."""
        self._done += amount
        self._since += max(amount, LEAST)
        if self._often is not None and self._since >= STEP:
            self._since = 0
            self._often()
        now = time.monotonic()
        if now >= self._due:
            part = min(self._done / self._total, 1)
            sys.stderr.write(f"\r{self._what}: {part:4.0%} ")
            sys.stderr.flush()
            self._shown, self._due = True, now + PAUSE

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        if self._often is not None and kind is None:
            self._often()
