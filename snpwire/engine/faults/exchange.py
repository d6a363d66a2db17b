"""What faults do to an exchange in the hypervisor, and to the bytes of its messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.address import PAGE
from ...wire.message import HEADER_SIZE, Header
from ..simulation import SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..guest.driver import Driver
    from ..guest.request import Request
    from ..hypervisor.exchange import Exchange
    from ..hypervisor.guest_request import GuestRequests

    ExchangeAct = Callable[[GuestRequests, Exchange], None]

HALF_MINUTE = 30 * SECOND
FORGED_SIZE = 0x40
"""Bytes of the payload that a hypervisor makes up."""
CIPHERTEXT_AT, RESERVED_AT = HEADER_SIZE + 5, Header.place("reserved_0x038")
VERSION_AT, MSG_VERSION_AT = Header.place("hdr_version"), Header.place("msg_version")
NUMBER_AT, VMPCK_AT = Header.place("msg_seqno"), Header.place("msg_vmpck")


def on_request(change: Callable[[bytes], bytes]) -> ExchangeAct:
    """Return what changes the request on its way to the firmware."""

    def act(_: GuestRequests, x: Exchange) -> None:
        x.request = change(bytes(x.request))

    return act


def on_response(change: Callable[[bytes], bytes]) -> ExchangeAct:
    """Return what changes the response on its way to the guest."""

    def act(_: GuestRequests, x: Exchange) -> None:
        if x.response is not None:
            x.response = change(bytes(x.response))

    return act


def set_fields(**fields: int) -> ExchangeAct:
    """Return what sets fields of the exchange."""

    def act(_: GuestRequests, x: Exchange) -> None:
        for name, value in fields.items():
            setattr(x, name, value)

    return act


def delay(requests: GuestRequests, _: Exchange) -> None:
    """Let half a minute pass."""
    requests.simulation.clock.pass_by(HALF_MINUTE)


def issue_twice(requests: GuestRequests, x: Exchange) -> None:
    """Issue the command once more, and report the second status."""
    x.status = requests.issue_command(x)


def swap_request(requests: GuestRequests, x: Exchange) -> None:
    """Send the last request of another VM."""
    other = requests.another_request(x.vm.name)
    if other is not None:
        x.request = other


def repeat_response(requests: GuestRequests, x: Exchange) -> None:
    """Copy the last response once more, or none if there was none."""
    before = requests.last.get(x.vm.name)
    x.response = (before.response if before is not None else None) or bytes(PAGE)


def swap_context(requests: GuestRequests, x: Exchange) -> None:
    """Name the context of another VM."""
    x.context_spa = requests.another_context(x.vm)


def lose_context(requests: GuestRequests, x: Exchange) -> None:
    """Name a page that is no context."""
    x.context_spa = x.request_spa


def misplace_response(requests: GuestRequests, x: Exchange) -> None:
    """Name a hypervisor-owned page for the response."""
    x.response_spa = requests.spare << 12


def misplace_request(requests: GuestRequests, x: Exchange) -> None:
    """Name a page without a message for the request."""
    x.request_spa = requests.spare << 12


def misdirect(requests: GuestRequests, x: Exchange) -> None:
    """Copy the response to another page of the guest."""
    x.response_gpa = x.vm.stray_gpa


def unassign(requests: GuestRequests, x: Exchange) -> None:
    """Make the page for the response hypervisor-owned."""
    requests.host.reclaim_or_leak(x.response_spa >> 12)


def assign(requests: GuestRequests, x: Exchange) -> None:
    """Make the page for the response firmware-owned again."""
    if not x.firmware_owned:
        requests.host.assign(x.response_spa >> 12, f"firmware, for {x.vm.name}", fixed=True)


def forge(_: GuestRequests, x: Exchange) -> None:
    """Make a response up whose header is right and whose tag cannot be."""
    x.issue = False
    head = Header.parse(x.request[:HEADER_SIZE])
    forged = head.replace(
        msg_seqno=head.msg_seqno + 1 & (1 << 64) - 1,
        msg_type=int(head.msg_type) + 1 & 0xFF,
        msg_size=FORGED_SIZE,
    )
    x.forged = (forged.build() + b"\xa5" * FORGED_SIZE).ljust(PAGE, b"\0")


def reorder(driver: Driver, request: Request) -> None:
    """Seal a message that is held back, so that the next one arrives first."""
    driver.seal_only(request._replace(payload=changed(request.payload, 0)))
    driver.channel.number += 2


def changed(data: bytes, at: int, value: int | None = None) -> bytes:
    """Return *data* with one bit flipped in a byte, or the byte replaced."""
    byte = data[at] ^ 1 if value is None else value
    return data[:at] + bytes((byte,)) + data[at + 1 :]


def longer(request: bytes) -> bytes:
    """Return a request whose header says that its payload is 16 bytes longer."""
    head = Header.parse(request[:HEADER_SIZE])
    return head.replace(msg_size=head.msg_size + 16 & 0xFFFF).build() + request[HEADER_SIZE:]


def later_number(request: bytes) -> bytes:
    """Return a request whose sequence number is 2 higher."""
    return changed(request, NUMBER_AT, request[NUMBER_AT] + 2 & 0xFF)


def empty(_: bytes) -> bytes:
    """Return a page without a message."""
    return bytes(PAGE)


def cut_off(data: bytes) -> bytes:
    """Keep the header and some of the payload; the rest is zero, as behind any message."""
    return data[: HEADER_SIZE + 8].ljust(PAGE, b"\0")
