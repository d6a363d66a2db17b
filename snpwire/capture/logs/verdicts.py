"""The verdicts on a log: every question that a log as a whole can answer, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .guest_verdict import GuestVerdict
from .host_verdict import HostVerdict
from .launch_pages import LaunchPages
from .launch_verdict import LaunchVerdict
from .record import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from .record import LogRecord
    from .verdict import Verdict

VERDICTS: tuple[Callable[[], Verdict], ...] = (
    HostVerdict,
    GuestVerdict,
    LaunchPages,
    LaunchVerdict,
)
"""What makes each of them, for one log."""


class Verdicts:
    """The verdicts on one log while it comes in."""

    def __init__(self) -> None:
        self._all = [make() for make in VERDICTS]
        self._by_kind: dict[str, list[Verdict]] = {}
        for verdict in self._all:
            for kind in verdict.kinds:
                self._by_kind.setdefault(kind, []).append(verdict)

    def feed(self, record: LogRecord) -> None:
        """Take the next record."""
        for verdict in self._by_kind.get(record.kind, ()):
            verdict.feed(record)

    def blocks(self, families: Container[str]) -> Iterator[tuple[list[str], dict[str, Any]]]:
        """Yield each answer that the log has, of these families: as lines, and in JSON's terms."""
        for verdict in self._all:
            if verdict.family in families and (lines := verdict.lines()):
                head = {"schema": "verdict/1", "kind": verdict.kind}
                yield lines, plain({**head, **verdict.to_plain()})
