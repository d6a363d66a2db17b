"""Faults that are put into a run: how they are named, when they strike, and what they lead to.

``NAME[*N][@STEP]``: the fault called NAME strikes N times, once unless told, beginning with the
STEP-th time that its point is passed. Points are passed once for each exit, so a request that is
sent again passes them again. ``catalogue`` has the faults themselves.

Every fault says what a correct party makes of it, and who notices. A run that comes to something
else is wrong somewhere: in a guest, a hypervisor or a firmware that is tested, or in this model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..outcome import BUSY, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..hypervisor.policy import HypervisorPolicy


class Fault(NamedTuple):
    """One thing that can go wrong."""

    name: str
    actor: str
    """Who does it: ``guest``, ``hypervisor`` or ``firmware``."""
    point: str
    """Where: the guest's ``prepare`` and ``exit``; the hypervisor's ``arrive``, ``send``,
    ``issue``, ``status``, ``answer`` and ``result``."""
    help: str
    notices: str
    """Who notices, if anybody does."""
    outcome: Outcome
    """What the request has to come to."""
    act: Callable[[Any, Any], None]
    """Called with the guest's driver and its request, or the hypervisor's requests and exchange."""
    undo: Callable[[Any, Any], None] | None = None
    """What the hypervisor does when the exchange is over, to be as it was."""
    own_pages: Outcome | None = None
    """What it comes to where the guest's own pages are used, if that differs."""
    extended: Outcome | None = None
    """What an extended request comes to, if that differs."""
    first: int = 1
    """The step that it strikes at unless told."""
    breaks: str = ""
    """The invariant that it breaks by itself: nothing a correct party can do about it."""
    needs: str = ""
    """``neighbour``: another VM; ``own-pages``: a policy under which the guest's pages are used."""

    def leads_to(self, policy: HypervisorPolicy, *, extended: bool, times: int) -> Outcome:
        """Return what a request has to come to that met the fault so many times."""
        if self.name == "busy":
            return self.outcome if times <= BUSY_MOST else BUSY_FOREVER
        if extended and self.extended is not None:
            return self.extended
        if policy.pages == "guest" and self.own_pages is not None:
            return self.own_pages
        return self.outcome


BUSY_MOST = 31
"""How often a guest hears BUSY and still asks again: every 2 seconds, for a minute."""
BUSY_FOREVER = Outcome("ETIMEDOUT", BUSY, alive=False)
