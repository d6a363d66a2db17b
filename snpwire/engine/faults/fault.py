"""One thing that can go wrong, when it acts, and what a request comes to that meets it.

Every fault says what a correct party makes of it, and who detects it. A run that comes to something
else is wrong somewhere: in a guest, a hypervisor or a firmware that is tested, or in this model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias

from ...wire.status import Status
from ..outcome import BUSY, NO_RESPONSE, STOPPED, Outcome
from ..simulation import Party, Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..guest.driver import Driver
    from ..guest.request import Request
    from ..hypervisor.exchange import Exchange
    from ..hypervisor.guest_request import GuestRequests
    from ..hypervisor.policy import HypervisorPolicy

    AnyFault: TypeAlias = "Fault[Driver, Request] | Fault[GuestRequests, Exchange]"

GUEST_POINTS = ("prepare", "exit")
"""Points that a request passes in the guest's driver."""
HYPERVISOR_POINTS = ("arrive", "send", "issue", "status", "answer", "result")
"""Points that a request passes in the hypervisor; faults of the firmware act there as well."""
BUSY_MOST = 31
"""How often a guest hears BUSY and still asks again: every 2 seconds, for a minute."""


class Fault(NamedTuple, Generic[Party, Subject]):
    """One thing that can go wrong, to a party and what it works on."""

    name: str
    actor: str
    """Who does it: ``guest``, ``hypervisor`` or ``firmware``."""
    point: str
    """Where: one of the points above."""
    help: str
    notices: str
    """Who detects it."""
    outcome: Outcome
    """What the request has to come to."""
    act: Callable[[Party, Subject], None]
    undo: Callable[[Party, Subject], None] | None = None
    """What the hypervisor does when the exchange is over, to be as it was."""
    own_pages: Outcome | None = None
    """What it comes to where the guest's own pages are used, if that differs."""
    extended: Outcome | None = None
    """What an extended request comes to, if that differs."""
    beyond_retries: Outcome | None = None
    """What it comes to where the fault acts more often than a guest asks again, if that differs."""
    first: int = 1
    """The step that it acts at by default."""
    breaks: str = ""
    """The invariant that it breaks by itself: nothing a correct party can do about it."""
    needs: str = ""
    """``neighbour``: another VM; ``own-pages``: a policy under which the guest's pages are used."""

    def leads_to(self, policy: HypervisorPolicy, *, extended: bool, times: int) -> Outcome:
        """Return what a request has to come to that met the fault so many times."""
        if self.beyond_retries is not None and times > BUSY_MOST:
            return self.beyond_retries
        if extended and self.extended is not None:
            return self.extended
        if policy.pages == "guest" and self.own_pages is not None:
            return self.own_pages
        return self.outcome


ANSWERED, DEAD = Outcome(), Outcome(STOPPED)
BUSY_FOREVER = Outcome("ETIMEDOUT", BUSY, alive=False)
REFUSED_BY_GUEST = Outcome("EBADMSG", 0, alive=False)
NEVER_SENT = Outcome("EIO", NO_RESPONSE, alive=False)


def failed(status: Status) -> Outcome:
    """Return what a status of the firmware comes to in a guest."""
    return Outcome("EIO", int(status), alive=False)


BAD, OFLOW = failed(Status.BAD_MEASUREMENT), failed(Status.AEAD_OFLOW)
PARAM = failed(Status.INVALID_PARAM)
