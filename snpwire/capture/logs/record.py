"""What a log line becomes: a kind, fields by name, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from ..loglines import caller_of, time_of


class LogState:
    """The line that is read, and what it needs of earlier ones; small however long the log."""

    def __init__(self) -> None:
        self.line = LogLine(0, 0, "", "")
        """The line that is being read."""
        self.entry: tuple[int, Mapping[str, Any]] | None = None
        """An RMP entry printed as fields, and its line: the raw form comes next."""
        self.failure: tuple[int, str] | None = None
        """The failed guest request for which a key may be wiped next, and its line."""
        self.decimal = False
        """Whether a tool that prints bare numbers was found to print decimal ones."""


Fields = Mapping[str, Any]


class Hex(int):
    """A number that is read in hex: an address, a page number, a register of 32 bits."""

    def to_plain(self) -> str:
        """Return the number as the shortest hex string."""
        return hex(self)


class Quad(int):
    """A quadword, whose every digit counts."""

    def to_plain(self) -> str:
        """Return the number as sixteen hex digits."""
        return f"{int(self):#018x}"


class Fact(NamedTuple):
    """The interpretation of one event of a log."""

    text: str
    """The fields on one line, each readable by itself."""
    meaning: str = ""
    cause: str = ""
    consequence: str = ""
    remedy: str = ""
    fields: Fields = {}
    """What is known beyond the fields of the line."""
    columns: tuple[str, str] = ("", "")
    """Time and caller, where the message itself has them."""


class LogLine(NamedTuple):
    """One line of a log, or several that a mailer had broken."""

    number: int
    """Its number, from 1."""
    last: int
    prefix: str
    """What loggers put before the message, as it stands."""
    text: str
    """The message."""


class LogRecord(NamedTuple):
    """One event of a log."""

    kind: str
    format: str
    """Which of the wordings it was printed in."""
    family: str
    line: int
    last: int
    """The last line it was made of; the same number where that was one."""
    prefix: str
    """What loggers put before the message, as it stands in the log."""
    fields: Fields
    text: str
    """The fields on one line."""
    meaning: str = ""
    cause: str = ""
    consequence: str = ""
    remedy: str = ""
    columns: tuple[str, str] = ("", "")
    """Time and caller, where the message itself has them."""

    @property
    def time(self) -> str:
        """Return when it happened, as it is written there; empty if the line has none."""
        return self.columns[0] or time_of(self.prefix)

    @property
    def caller(self) -> str:
        """Return the thread or the core that logged it: ``T4616``, ``C3``, ``CPU 0/KVM-4242``."""
        return self.columns[1] or caller_of(self.prefix)

    def to_plain(self) -> dict[str, Any]:
        """Return the record in JSON's terms: quadwords and addresses are hex strings."""
        out: dict[str, Any] = {
            "schema": "log/1",
            "kind": self.kind,
            "format": self.format,
            "family": self.family,
            "line": self.line,
            "last": self.last,
            "time": self.time,
            "caller": self.caller,
            "fields": plain(self.fields),
            "text": self.text,
            "meaning": self.meaning,
        }
        for name in ("cause", "consequence", "remedy"):
            if sentence := getattr(self, name):
                out[name] = sentence
        return out


def plain(value: Any) -> Any:  # noqa: PLR0911 - a line for each kind
    """Return *value* in JSON's terms."""
    if type(value) is str:
        return value  # most are, and the questions below take ten times as long
    if hasattr(value, "to_plain"):
        return value.to_plain()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 53:
        return hex(value)  # a reader of JSON may round it
    return value


class LogBlock(Protocol):
    """Lines that become one record together, while they come in."""

    watches: bool
    """Whether it has to see every line, because its own have nothing that marks them."""
    patience: int
    """How many lines of others may stand before its next one."""

    def take(self, line: LogLine) -> bool:
        """Return whether *line* belongs to the block, and keep its fields.

        A line that is not its own may still end it.
        """

    @property
    def done(self) -> bool:
        """Return whether nothing can follow."""

    @property
    def pending(self) -> bool:
        """Return whether more is sure to follow, however long that takes."""

    def fact(self) -> Fact:
        """Return the interpretation of the lines so far."""
