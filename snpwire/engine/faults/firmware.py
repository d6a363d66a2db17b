"""Faults of the firmware, which act while the hypervisor has it respond."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.address import PAGE
from ...wire.status import Status
from ..simulation import SECOND
from .exchange import set_fields
from .fault import DEAD, REFUSED_BY_GUEST, Fault, failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..hypervisor.exchange import Exchange
    from ..hypervisor.guest_request import GuestRequests

COMMAND_TIMEOUT = 100 * SECOND
"""Linux waits 100 seconds for a command, then gives the secure processor up."""


def _writes_nothing(requests: GuestRequests, x: Exchange) -> None:
    requests.host.page(x.response_spa >> 12)[:] = bytes(PAGE)


def _dies(requests: GuestRequests, _: Exchange) -> None:
    requests.host.dead = True


def _times_out(requests: GuestRequests, _: Exchange) -> None:
    requests.simulation.clock.pass_by(COMMAND_TIMEOUT)
    requests.host.dead = True


STATUSES = (
    Status.INVALID_PLATFORM_STATE,
    Status.INVALID_GUEST_STATE,
    Status.INVALID_CONFIG,
    Status.INVALID_ADDRESS,
    Status.BAD_MEASUREMENT,
    Status.INVALID_GUEST,
    Status.INVALID_COMMAND,
    Status.HARDWARE_PLATFORM,
    Status.HARDWARE_UNSAFE,
    Status.UNSUPPORTED,
    Status.INVALID_PARAM,
    Status.RESOURCE_LIMIT,
    Status.INVALID_PAGE_SIZE,
    Status.INVALID_PAGE_STATE,
    Status.AEAD_OFLOW,
)
"""Statuses of SNP_GUEST_REQUEST."""


def _statuses() -> Iterator[Fault[GuestRequests, Exchange]]:
    for status in STATUSES:
        name = f"firmware-{status.name.lower().replace('_', '-')}"
        help = f"the firmware does nothing and returns {status.name}"
        act = set_fields(issue=False, status=int(status))
        yield Fault(name, "issue", help, failed(status), act, detected_by="hypervisor")


FIRMWARE: tuple[Fault[GuestRequests, Exchange], ...] = (
    *_statuses(),
    Fault(
        "firmware-writes-nothing",
        "status",
        "the firmware reports success, and left the page empty",
        REFUSED_BY_GUEST,
        _writes_nothing,
    ),
    Fault(
        "firmware-times-out",
        "issue",
        "the command does not end in 100 seconds; Linux issues no more commands",
        DEAD,
        _times_out,
    ),
    Fault("firmware-dies", "issue", "the secure processor does not respond any more", DEAD, _dies),
)
