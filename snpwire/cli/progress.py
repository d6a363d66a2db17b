"""How far long work has come, on a terminal; nothing anywhere else."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE, PAUSE = 0.5, 0.1
"""Seconds before anything is shown, and between two changes of it."""

STEP = 1 << 22
"""Pages, 64 MiB of the table, between two calls of what is to be done often."""
LEAST = 1 << 12
"""Pages that an amount counts for at least: the system maps 64 KiB where less is touched."""


class Meter:
    """A line on standard error that says how much of *total* is done, and goes when all is.

    It is called with each amount that is done.
    """

    def __init__(self, what: str, total: int, often: Callable[[], object] | None = None) -> None:
        """Count up to *total*; *often* is called whenever ``STEP`` more are done."""
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

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
