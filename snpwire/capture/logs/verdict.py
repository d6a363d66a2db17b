"""What a log says as a whole: the answer to one question, gathered record by record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .record import LogRecord


class Verdict(Protocol):
    """The answer to one question; it keeps no more than the answer needs, however long the log."""

    kind: str
    """Its name in JSON, such as ``host_verdict``."""
    family: str
    """The family of records with which it is shown."""
    kinds: frozenset[str]
    """The kinds of records that bear on it: no others are given to it."""

    def feed(self, record: LogRecord) -> None:
        """Take the next record of one of the kinds."""

    def lines(self) -> list[str]:
        """Return the answer, then what it rests on; nothing where the log does not ask for it."""

    def to_plain(self) -> dict[str, Any]:
        """Return the answer in JSON's terms, without schema and kind."""
