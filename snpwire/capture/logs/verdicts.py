"""The verdicts on a log: every question that a log as a whole can answer, in their order.

Their modules are imported with the first record: without any, none has an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .record import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from .record import LogRecord
    from .verdict import Verdict


def _host() -> Verdict:
    from .host_verdict import HostVerdict

    return HostVerdict()


def _guest() -> Verdict:
    from .guest_verdict import GuestVerdict

    return GuestVerdict()


def _pages() -> Verdict:
    from .launch_pages import LaunchPages

    return LaunchPages()


def _launch() -> Verdict:
    from .launch_verdict import LaunchVerdict

    return LaunchVerdict()


VERDICTS: tuple[Callable[[], Verdict], ...] = (_host, _guest, _pages, _launch)
"""What makes each of them, for one log."""


class Verdicts:
    """The verdicts on one log while it comes in."""

    def __init__(self) -> None:
        self._all: list[Verdict] = []
        self._by_kind: dict[str, list[Verdict]] = {}

    def feed(self, record: LogRecord) -> None:
        """Take the next record."""
        if not self._all:
            self._begin()
        for verdict in self._by_kind.get(record.kind, ()):
            verdict.feed(record)

    def _begin(self) -> None:
        self._all = [make() for make in VERDICTS]
        for verdict in self._all:
            for kind in verdict.kinds:
                self._by_kind.setdefault(kind, []).append(verdict)

    def blocks(self, families: Container[str]) -> Iterator[tuple[list[str], dict[str, Any]]]:
        """Yield each answer that the log has, of these families: as lines, and in JSON's terms."""
        for verdict in self._all:
            if verdict.family in families and (lines := verdict.lines()):
                head = {"schema": "verdict/1", "kind": verdict.kind}
                yield lines, plain({**head, **verdict.to_plain()})
