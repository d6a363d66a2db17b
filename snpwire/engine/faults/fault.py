"""One thing that can go wrong, where it acts, and the outcome of a request that meets it.

Every fault states who detects it and how a correct party reacts. A run with another outcome is
wrong somewhere: in a guest, a hypervisor or a firmware that is tested, or in this model.
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
"""How often a guest gets BUSY and still retries: every 2 seconds, for a minute."""


class Fault(NamedTuple, Generic[Party, Subject]):
    """One thing that can go wrong, with a party and what it works on."""

    name: str
    point: str
    """Where: one of the points above."""
    help: str
    outcome: Outcome
    """The outcome that the request must have."""
    act: Callable[[Party, Subject], None]
    undo: Callable[[Party, Subject], None] | None = None
    """What restores the hypervisor when the exchange is over."""
    own_pages: Outcome | None = None
    """The outcome where the guest's own pages are used, if that differs."""
    extended: Outcome | None = None
    """The outcome of an extended request, if that differs."""
    beyond_retries: Outcome | None = None
    """The outcome where the fault acts more often than a guest retries, if that differs."""
    first: int = 1
    """The step that it acts at by default."""
    breaks: str = ""
    """The invariant that it breaks by itself: nothing a correct party can do about it."""
    needs: str = ""
    """``neighbour``: another VM; ``own-pages``: a policy under which the guest's pages are used."""
    detected_by: str = ""
    """The party, or ``none``; the catalogue sets what follows from the outcome."""
    actor: str = ""
    """Who does it: ``guest``, ``hypervisor`` or ``firmware``. The catalogue sets it."""

    def leads_to(self, policy: HypervisorPolicy, *, extended: bool, times: int) -> Outcome:
        """Return the outcome that a request must have that met the fault so many times."""
        if self.beyond_retries is not None and times > BUSY_MOST:
            return self.beyond_retries
        if extended and self.extended is not None:
            return self.extended
        if policy.pages == "guest" and self.own_pages is not None:
            return self.own_pages
        return self.outcome


SERVED, DEAD = Outcome(), Outcome(STOPPED)
BUSY_FOREVER = Outcome("ETIMEDOUT", BUSY, alive=False)
REFUSED_BY_GUEST = Outcome("EBADMSG", 0, alive=False)
NEVER_SENT = Outcome("EIO", NO_RESPONSE, alive=False)


def failed(status: Status) -> Outcome:
    """Return the outcome of a request that ends with a status of the firmware."""
    return Outcome("EIO", int(status), alive=False)


DETECTORS = {
    SERVED: "none",
    DEAD: "hypervisor",
    NEVER_SENT: "hypervisor",
    REFUSED_BY_GUEST: "guest",
}
"""Who detects a fault with this outcome; the firmware any other."""

BAD, OFLOW = failed(Status.BAD_MEASUREMENT), failed(Status.AEAD_OFLOW)
PARAM = failed(Status.INVALID_PARAM)
