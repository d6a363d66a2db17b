"""Rules, and the findings that they report about a decoded value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from .errors import AbsentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


class Severity(IntEnum):
    """How much a finding matters."""

    NOTE = 1
    """Worth knowing; correct senders do it."""
    WARNING = 2
    """Implementations differ over it, or it is likely a mistake."""
    ERROR = 3
    """The receiver refuses it."""


class Rule(NamedTuple):
    """What is looked for."""

    code: str
    severity: Severity
    doc: str
    """The rule in one sentence."""
    source: str

    def finding_at(self, path: str, offset: int, text: str) -> Finding:
        """Return a finding against the rule, described by *text*."""
        return Finding(self.code, self.severity, path, offset, text, self.source)


class Finding(NamedTuple):
    """One broken or noteworthy rule, and where."""

    code: str
    """A stable name, such as ``missing-input``."""
    severity: Severity
    path: str
    offset: int
    """Offset in bytes from the start of the decoded value."""
    text: str
    source: str
    """Who says so: a document and section, or a program and its function."""
    reason: int = 0
    """The reason code with which KVM refuses it as malformed input; 0 where it does not."""


Findings = Iterator[Finding]
"""What a rule yields."""


def as_far(function: Callable[..., Iterator[T]], *subject: Any) -> Iterator[T]:
    """Yield what *function* does of *subject*, until it asks for a field that is not there."""
    try:
        yield from function(*subject)
    except AbsentError:
        return


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number and what it counts, ``1 page`` or ``2 pages``; *many* is another plural."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def bit_list(mask: int) -> str:
    """Name the set bits of *mask*, runs as the manuals write them: ``bits 63:32, 1``."""
    runs: list[str] = []
    while mask:
        high = mask.bit_length() - 1
        length = (~mask & (1 << high + 1) - 1).bit_length()
        runs.append(f"{high}" if length == high else f"{high}:{length}")
        mask &= (1 << length) - 1
    return f"bit{'s' if len(runs) > 1 or ':' in runs[0] else ''} {', '.join(runs)}"


def nameless_bits(number: int, mask: int) -> str:
    """Return the text about the bits *mask* of *number*, which are set and have no name."""
    return f"{bit_list(mask)} of {number:#x} should be zero: nothing gives a meaning"


def tally(counts: Mapping[Severity, int]) -> str:
    """Return how many findings there are, the worst first: ``1 error, 2 warnings``, or ``none``."""
    found = sorted(counts.items(), reverse=True)
    words = [f"{n:,} {each.name.lower()}{'s' if n > 1 else ''}" for each, n in found if n]
    return ", ".join(words) or "none"


def summary(findings: Iterable[Finding]) -> str:
    """Count findings by severity: ``1 error, 2 warnings``, or ``none``."""
    return tally(Counter(found.severity for found in findings))


def reaches(findings: Iterable[Finding], threshold: str) -> bool:
    """Return whether a finding is at least as severe as *threshold*."""
    return any(found.severity >= Severity[threshold.upper()] for found in findings)
