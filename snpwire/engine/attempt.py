"""A request that is made, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import EngineError
from .outcome import Outcome, outcome_of

if TYPE_CHECKING:
    from .driver import Driver
    from .request import Answer, Request


class Tried(NamedTuple):
    """A request that was made: how it ended, and the answer or the error."""

    outcome: Outcome
    answer: Answer | None = None
    error: EngineError | None = None


def attempt(driver: Driver, request: Request) -> Tried:
    """Make a request and catch what comes of it."""
    try:
        answer = driver.run(request)
    except EngineError as exc:
        return Tried(outcome_of(exc, alive=driver.stream.alive), error=exc)
    return Tried(Outcome(), answer)
