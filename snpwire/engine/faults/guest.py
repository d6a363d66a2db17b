"""Faults of the guest's driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.address import PAGE
from ...wire.status import Status
from ..guest_layout import LAYOUT
from ..outcome import BUSY
from .exchange import changed
from .fault import DEAD, NEVER_SENT, OFLOW, PARAM, Fault, failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..guest.driver import Driver
    from ..guest.request import Request

NOWHERE = 0x7000_0000
"""A guest address without memory."""


def _renamed(**where: int) -> Callable[[Driver, Request], None]:
    """Let the exit name other pages: offsets below a page are added, others are taken."""

    def act(driver: Driver, _: Request) -> None:
        now = driver.buffers._asdict()
        moved = {name: now[name] + at if at < PAGE else at for name, at in where.items()}
        driver.named = driver.buffers._replace(**moved)

    return act


def _one_page(driver: Driver, _: Request) -> None:
    driver.named = driver.buffers._replace(response=driver.buffers.request)


def _number_on(driver: Driver, _: Request) -> None:
    driver.channel.number += 2


def _race(driver: Driver, request: Request) -> None:
    """Send another message with the same number first, as without a lock."""
    other = request._replace(payload=changed(request.payload, 0))
    while driver.send_once(other) == BUSY:
        driver.rest()


def _number_back(driver: Driver, request: Request) -> None:
    """Go back to the number before; if there was none, send a message first."""
    if driver.channel.number:
        driver.channel.number -= 2
    else:
        _race(driver, request)


def _unregistered(driver: Driver, _: Request) -> None:
    driver.unregister()


GUEST: tuple[Fault[Driver, Request], ...] = (
    Fault(
        "race",
        "prepare",
        "two programs use one key without a lock, and so the same number for two messages",
        OFLOW,
        _race,
        breaks="nonce",
    ),
    Fault(
        "reuse-number",
        "prepare",
        "the number of the message before is used again",
        OFLOW,
        _number_back,
        first=2,
        breaks="nonce",
    ),
    Fault("skip-number", "prepare", "a number is left out", OFLOW, _number_on),
    Fault(
        "private-request",
        "exit",
        "the request is in private memory, of which the host reads noise",
        PARAM,
        _renamed(request=LAYOUT.cpuid),
    ),
    Fault(
        "private-response",
        "exit",
        "the response page is private memory, which the host cannot write",
        DEAD,
        _renamed(response=LAYOUT.cpuid),
        own_pages=failed(Status.INVALID_ADDRESS),
    ),
    Fault(
        "unaligned-request",
        "exit",
        "the request does not start a page",
        NEVER_SENT,
        _renamed(request=0x10),
    ),
    Fault("one-page", "exit", "request and response share a page", NEVER_SENT, _one_page),
    Fault(
        "no-memory",
        "exit",
        "the request is where the guest has no memory",
        DEAD,
        _renamed(request=NOWHERE),
    ),
    Fault(
        "unregistered-ghcb",
        "exit",
        "the guest uses a GHCB that it did not register",
        DEAD,
        _unregistered,
    ),
)
