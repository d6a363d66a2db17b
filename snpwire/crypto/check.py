"""One check of a report's evidence, and the verification that checks add up to.

Neither has a truth value: ``if verify(...)`` would take any answer for a good one, and a list of
checks is as long for a forged report as for a genuine one. A verification is asked (``verified``)
or required (``require``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Self

from ..errors import SignatureError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from .amd_oids import Endorsement
    from .x509 import X509


class CheckState(StrEnum):
    """What came of a check."""

    HOLDS = "holds"
    FAILED = "failed"
    ALLOWED = "allowed"
    """It fails, and whoever asked allowed that by name."""
    NOT_CHECKED = "not checked"


PASSES = frozenset({CheckState.HOLDS, CheckState.ALLOWED, CheckState.NOT_CHECKED})
"""States that no verdict fails by; one that is added later fails it until it is added here."""


class CheckGroup(StrEnum):
    """What a check is about."""

    AUTHENTICITY = "authenticity"
    """Whether the report is AMD's: signatures, chain, dates, revocation. Never allowed away."""
    APPRAISAL = "appraisal"
    """What the report says of its guest and host."""


class Check(NamedTuple):
    """One check, and its result."""

    name: str
    """A stable name, such as ``report-signature``."""
    state: CheckState
    reason: str
    group: CheckGroup
    option: str = ""
    """Option or key of a policy that makes the check, where it was not made."""

    def __bool__(self) -> NoReturn:
        raise TypeError(f"the check {self.name} has no truth value: compare its state")


def state_of(holds: bool) -> CheckState:
    """Return the state of a check that was made."""
    return CheckState.HOLDS if holds else CheckState.FAILED


def made(name: str, holds: bool, reason: str, group: CheckGroup = CheckGroup.AUTHENTICITY) -> Check:
    """Return a check that was made."""
    return Check(name, state_of(holds), reason, group)


def not_made(
    name: str, reason: str, option: str = "", group: CheckGroup = CheckGroup.AUTHENTICITY
) -> Check:
    """Return a check that was not made, with the option that makes it."""
    return Check(name, CheckState.NOT_CHECKED, reason, group, option)


def tried(name: str, good: str, check: Callable[[], None]) -> Check:
    """Run a check that raises SignatureError, and return its result."""
    try:
        check()
    except SignatureError as exc:
        return made(name, False, str(exc))
    return made(name, True, good)


def allowed(checks: Iterable[Check], names: Container[str]) -> list[Check]:
    """Return *checks*; those of the appraisal that fail and are in *names* are allowed."""
    return [
        check._replace(state=CheckState.ALLOWED)
        if check.state is CheckState.FAILED
        and check.group is CheckGroup.APPRAISAL
        and check.name in names
        else check
        for check in checks
    ]


@dataclass(frozen=True, slots=True)
class Verification:
    """Every check of a verification, in the order in which they were made."""

    checks: tuple[Check, ...]
    chain: tuple[X509, ...] = ()
    """The certificates that were taken, from the key up."""
    endorsement: Endorsement | None = None
    """AMD's extensions of the key's certificate, if they can be read."""

    @property
    def failed(self) -> tuple[Check, ...]:
        """Return the checks that fail and are not allowed to."""
        return tuple(row for row in self.checks if row.state is CheckState.FAILED)

    @property
    def verified(self) -> bool:
        """Return whether checks were made, and each holds or was allowed to fail."""
        made = any(row.state is CheckState.HOLDS for row in self.checks)
        return made and all(row.state in PASSES for row in self.checks)

    def require(self) -> Self:
        """Return the verification itself. Raises VerificationError unless it is verified."""
        if not self.verified:
            names = tuple(row.name for row in self.failed)
            reasons = "; ".join(f"{row.name}: {row.reason}" for row in self.failed)
            raise VerificationError(reasons or "nothing was checked", names)
        return self

    def __bool__(self) -> NoReturn:
        raise TypeError("a verification has no truth value: ask for verified, or call require()")
