"""The faults there are: what each does to the path of a request, and what has to come of it.

The statuses are those that AMD's firmware gives, in the order of its checks; the errors are those
of Linux's driver. A hypervisor can drop, delay, repeat and deny; it cannot alter,
forge or exchange a message unnoticed, and everything that is noticed costs the guest its key.

This is a table, which is why it is longer than a module should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.address import PAGE
from ...wire.message import HEADER_SIZE
from ...wire.status import Status
from ..guest_layout import LAYOUT
from ..outcome import BUSY, NO_RESPONSE, SHORT, STOPPED, Outcome
from ..simulation import SECOND
from .fault import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..guest.driver import Driver
    from ..guest.request import Request
    from ..hypervisor.exchange import Exchange
    from ..hypervisor.guest_request import GuestRequests

    HostAct = Callable[[GuestRequests, Exchange], None]

ANSWERED = Outcome()
DEAD = Outcome(STOPPED)
REFUSED_BY_GUEST = Outcome("EBADMSG", 0, alive=False)
NEVER_SENT = Outcome("EIO", NO_RESPONSE, alive=False)
HALF_MINUTE, COMMAND_TIMEOUT = 30 * SECOND, 100 * SECOND
"""Linux gives a command 100 seconds, and the secure processor up after that."""
CIPHERTEXT_AT, RESERVED_AT, NUMBER_AT, VERSION_AT = HEADER_SIZE + 5, 0x38, 0x20, 0x31
SIZE_AT, VMPCK_AT, TYPE_AT, MSG_VERSION_AT = 0x36, 0x3C, 0x34, 0x35
NOWHERE = 0x7000_0000
"""A guest address without memory."""
ERRNOS = {"eagain": 11, "einval": 22, "efault": 14}


def failed(status: Status) -> Outcome:
    """Return what a status of the firmware comes to in a guest."""
    return Outcome("EIO", int(status), alive=False)


def changed(data: bytes, at: int, value: int | None = None) -> bytes:
    """Return *data* with one bit flipped in a byte, or the byte replaced."""
    byte = data[at] ^ 1 if value is None else value
    return data[:at] + bytes((byte,)) + data[at + 1 :]


# The hypervisor, on the way to the firmware


def _request(change: Callable[[bytes], bytes]) -> HostAct:
    def act(_: GuestRequests, x: Exchange) -> None:
        x.request = change(bytes(x.request))

    return act


def _response(change: Callable[[bytes], bytes]) -> HostAct:
    def act(_: GuestRequests, x: Exchange) -> None:
        if x.response is not None:
            x.response = change(bytes(x.response))

    return act


def _told(vmm: int, status: int) -> HostAct:
    def act(_: GuestRequests, x: Exchange) -> None:
        x.vmm, x.status = vmm, status

    return act


def _needs_pages(_: GuestRequests, x: Exchange) -> None:
    x.vmm, x.pages_needed = 1, 5


def _not_issued(_: GuestRequests, x: Exchange) -> None:
    x.issue = False


def _delay(requests: GuestRequests, _: Exchange) -> None:
    requests.simulation.clock.pass_by(HALF_MINUTE)


def _twice(requests: GuestRequests, x: Exchange) -> None:
    """Give the command once more, and tell how that one ended."""
    x.status = requests.issue_command(x)


def _longer(request: bytes) -> bytes:
    size = int.from_bytes(request[SIZE_AT : SIZE_AT + 2], "little") + 16
    return request[:SIZE_AT] + size.to_bytes(2, "little") + request[SIZE_AT + 2 :]


def _later_number(request: bytes) -> bytes:
    return changed(request, NUMBER_AT, request[NUMBER_AT] + 2 & 0xFF)


def _cut(data: bytes) -> bytes:
    """Keep the header and some of the payload; the rest is zero, as behind any message."""
    return data[: HEADER_SIZE + 8].ljust(PAGE, b"\0")


def _others_request(requests: GuestRequests, x: Exchange) -> None:
    kept = requests.another_request(x.vm.name)
    if kept is not None:
        x.request = kept


def _old_response(requests: GuestRequests, x: Exchange) -> None:
    before = requests.last.get(x.vm.name)
    x.response = (before.response if before is not None else None) or bytes(PAGE)


def _other_context(requests: GuestRequests, x: Exchange) -> None:
    x.context_spa = requests.another_context(x.vm)


def _no_context(requests: GuestRequests, x: Exchange) -> None:
    x.context_spa = x.request_spa


def _wrong_response_page(requests: GuestRequests, x: Exchange) -> None:
    x.response_spa = requests.spare << 12


def _wrong_request_page(requests: GuestRequests, x: Exchange) -> None:
    x.request_spa = requests.spare << 12


def _to_wrong_guest_page(requests: GuestRequests, x: Exchange) -> None:
    x.response_gpa = x.vm.stray_gpa


def _unmark(requests: GuestRequests, x: Exchange) -> None:
    requests.host.take_from_firmware(x.response_spa >> 12)


def _mark(requests: GuestRequests, x: Exchange) -> None:
    if not x.firmware_owned:
        requests.host.give(x.response_spa >> 12, f"firmware, for {x.vm.name}", fixed=True)


def _keep_page(_: GuestRequests, x: Exchange) -> None:
    x.reclaim = False


def _made_up(_: GuestRequests, x: Exchange) -> None:
    """Make an answer whose header is right and whose tag cannot be."""
    x.issue = False
    number = int.from_bytes(x.request[NUMBER_AT : NUMBER_AT + 8], "little") + 1
    head = bytearray(x.request[:HEADER_SIZE])
    head[NUMBER_AT : NUMBER_AT + 8] = number.to_bytes(8, "little")
    head[TYPE_AT] += 1
    head[SIZE_AT : SIZE_AT + 2] = (0x40).to_bytes(2, "little")
    x.forged = (bytes(head) + b"\xa5" * 0x40).ljust(PAGE, b"\0")


# The firmware


def _fails(status: Status) -> HostAct:
    def act(_: GuestRequests, x: Exchange) -> None:
        x.issue, x.status = False, int(status)

    return act


def _writes_nothing(requests: GuestRequests, x: Exchange) -> None:
    requests.host.page(x.response_spa >> 12)[:] = bytes(PAGE)


def _dies(requests: GuestRequests, _: Exchange) -> None:
    requests.host.dead = True


def _times_out(requests: GuestRequests, _: Exchange) -> None:
    requests.simulation.clock.pass_by(COMMAND_TIMEOUT)
    requests.host.dead = True


# The guest


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
    """Have another message of the same number answered first, as without a lock."""
    other = request._replace(payload=changed(request.payload, 0))
    while driver.send_once(other) == BUSY:
        driver.rest()


def _number_back(driver: Driver, request: Request) -> None:
    """Go back to the number before; if there was none, have a message answered first."""
    if driver.channel.number:
        driver.channel.number -= 2
    else:
        _race(driver, request)


def _reorder(driver: Driver, request: Request) -> None:
    """Seal a message that is held back, so that the next one arrives first."""
    driver.seal_only(request._replace(payload=changed(request.payload, 0)))
    driver.channel.number += 2


def _unregistered(driver: Driver, _: Request) -> None:
    driver.unregister()


BAD, OFLOW = failed(Status.BAD_MEASUREMENT), failed(Status.AEAD_OFLOW)
PARAM = failed(Status.INVALID_PARAM)
NO_PAGE = failed(Status.INVALID_ADDRESS)

HYPERVISOR: tuple[Fault, ...] = (
    Fault(
        "drop-request",
        "hypervisor",
        "issue",
        "the firmware is not asked, and the guest told that all went well",
        "guest",
        REFUSED_BY_GUEST,
        _not_issued,
    ),
    Fault(
        "drop-answer",
        "hypervisor",
        "answer",
        "the answer does not reach the guest",
        "guest",
        REFUSED_BY_GUEST,
        _response(lambda _: bytes(PAGE)),
    ),
    Fault(
        "delay",
        "hypervisor",
        "arrive",
        "the request lies about for half a minute",
        "nobody",
        ANSWERED,
        _delay,
    ),
    Fault(
        "replay-request",
        "hypervisor",
        "status",
        "the same request is sent to the firmware twice, and the guest told of the second time",
        "firmware",
        OFLOW,
        _twice,
    ),
    Fault(
        "replay-answer",
        "hypervisor",
        "answer",
        "the guest gets its last answer once more, or none if there was none",
        "guest",
        REFUSED_BY_GUEST,
        _old_response,
    ),
    Fault(
        "reorder",
        "hypervisor",
        "prepare",
        "two requests of one key are sent to the firmware in the other order",
        "firmware",
        OFLOW,
        _reorder,
    ),
    Fault(
        "swap-vms",
        "hypervisor",
        "send",
        "another VM's request is sent in place of this one",
        "firmware",
        BAD,
        _others_request,
        needs="neighbour",
    ),
    Fault(
        "swap-streams",
        "hypervisor",
        "send",
        "the request is made to name another key",
        "firmware",
        BAD,
        _request(lambda data: changed(data, VMPCK_AT)),
    ),
    Fault(
        "alter-request",
        "hypervisor",
        "send",
        "one bit of the sealed payload is flipped",
        "firmware",
        BAD,
        _request(lambda data: changed(data, CIPHERTEXT_AT)),
    ),
    Fault(
        "alter-reserved",
        "hypervisor",
        "send",
        "one bit of the header is flipped that has no meaning, but is authenticated",
        "firmware",
        BAD,
        _request(lambda data: changed(data, RESERVED_AT)),
    ),
    Fault(
        "alter-number",
        "hypervisor",
        "send",
        "the sequence number in the header is 2 higher",
        "firmware",
        BAD,
        _request(_later_number),
    ),
    Fault(
        "alter-header",
        "hypervisor",
        "send",
        "the version of the header is another one",
        "firmware",
        PARAM,
        _request(lambda data: changed(data, VERSION_AT)),
    ),
    Fault(
        "alter-answer",
        "hypervisor",
        "answer",
        "one bit of the sealed answer is flipped",
        "guest",
        REFUSED_BY_GUEST,
        _response(lambda data: changed(data, CIPHERTEXT_AT)),
    ),
    Fault(
        "alter-answer-version",
        "hypervisor",
        "answer",
        "the answer says that it has another message version",
        "guest",
        REFUSED_BY_GUEST,
        _response(lambda data: changed(data, MSG_VERSION_AT)),
    ),
    Fault(
        "truncate-request",
        "hypervisor",
        "send",
        "the request is cut off after 8 bytes of payload",
        "firmware",
        BAD,
        _request(_cut),
    ),
    Fault(
        "truncate-answer",
        "hypervisor",
        "answer",
        "the answer is cut off after 8 bytes of payload",
        "guest",
        REFUSED_BY_GUEST,
        _response(_cut),
    ),
    Fault(
        "wrong-response-page",
        "hypervisor",
        "issue",
        "the firmware is to answer in a page that is the hypervisor's",
        "firmware",
        failed(Status.INVALID_PAGE_STATE),
        _wrong_response_page,
    ),
    Fault(
        "wrong-request-page",
        "hypervisor",
        "issue",
        "the firmware is shown a page without a message",
        "firmware",
        PARAM,
        _wrong_request_page,
    ),
    Fault(
        "wrong-guest-page",
        "hypervisor",
        "answer",
        "the answer is copied to another page of the guest",
        "guest",
        REFUSED_BY_GUEST,
        _to_wrong_guest_page,
        own_pages=ANSWERED,
    ),
    Fault(
        "wrong-context",
        "hypervisor",
        "issue",
        "the command names the context of another VM",
        "firmware",
        BAD,
        _other_context,
        needs="neighbour",
    ),
    Fault(
        "no-context",
        "hypervisor",
        "issue",
        "the command names a page that is no context",
        "firmware",
        failed(Status.INVALID_GUEST),
        _no_context,
    ),
    Fault(
        "forget-page-state",
        "hypervisor",
        "issue",
        "the page for the answer is not made the firmware's",
        "firmware",
        failed(Status.INVALID_PAGE_STATE),
        _unmark,
        undo=_mark,
    ),
    Fault(
        "forget-to-put-back",
        "hypervisor",
        "status",
        "the guest's page stays the firmware's after the answer",
        "invariants, and the guest when it writes there",
        ANSWERED,
        _keep_page,
        breaks="owner",
        needs="own-pages",
    ),
    Fault(
        "lie-about-length",
        "hypervisor",
        "send",
        "the header says that the payload is 16 bytes longer",
        "firmware",
        BAD,
        _request(_longer),
    ),
    Fault(
        "lie-about-pages",
        "hypervisor",
        "arrive",
        "the certificates are said to take 5 pages; a plain request is out of step after that",
        "nobody; a plain request's number is used up all the same",
        SHORT,
        _needs_pages,
    ),
    Fault(
        "answer-for-firmware",
        "hypervisor",
        "issue",
        "the hypervisor answers itself, with all that it can know",
        "guest",
        REFUSED_BY_GUEST,
        _made_up,
    ),
    Fault(
        "busy",
        "hypervisor",
        "arrive",
        "the guest is told BUSY; after 31 times it gives up",
        "nobody",
        ANSWERED,
        _told(2, 0),
    ),
    *(
        Fault(
            f"errno-{name}",
            "hypervisor",
            "arrive",
            f"the guest is told -{name.upper()}, a number of the kernel, as in the draft of 2021",
            "guest",
            Outcome("EIO", (1 << 64) - number, alive=False),
            _told(0xFFFF_FFFF, (1 << 32) - number),
        )
        for name, number in ERRNOS.items()
    ),
    Fault(
        "lie-about-failure",
        "hypervisor",
        "result",
        "the guest is told INVALID_PARAM though the firmware answered",
        "nobody",
        PARAM,
        lambda _, x: setattr(x, "result", int(Status.INVALID_PARAM)),
    ),
)

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
"""What the firmware can answer to the command of a guest request."""


def _statuses() -> Iterator[Fault]:
    for status in STATUSES:
        name = f"firmware-{status.name.lower().replace('_', '-')}"
        help = f"the firmware does nothing and answers {status.name}"
        yield Fault(name, "firmware", "issue", help, "hypervisor", failed(status), _fails(status))


FIRMWARE: tuple[Fault, ...] = (
    *_statuses(),
    Fault(
        "firmware-writes-nothing",
        "firmware",
        "status",
        "the firmware says that it answered, and left the page empty",
        "guest",
        REFUSED_BY_GUEST,
        _writes_nothing,
    ),
    Fault(
        "firmware-times-out",
        "firmware",
        "issue",
        "the command does not end in 100 seconds; Linux asks the firmware nothing more",
        "hypervisor",
        DEAD,
        _times_out,
    ),
    Fault(
        "firmware-dies",
        "firmware",
        "issue",
        "the secure processor answers nothing any more",
        "hypervisor",
        DEAD,
        _dies,
    ),
)

GUEST: tuple[Fault, ...] = (
    Fault(
        "race",
        "guest",
        "prepare",
        "two programs use one key without a lock, and so the same number for two messages",
        "firmware",
        OFLOW,
        _race,
        breaks="nonce",
    ),
    Fault(
        "reuse-number",
        "guest",
        "prepare",
        "the number of the message before is used again",
        "firmware",
        OFLOW,
        _number_back,
        first=2,
        breaks="nonce",
    ),
    Fault(
        "skip-number",
        "guest",
        "prepare",
        "a number is left out",
        "firmware",
        OFLOW,
        _number_on,
    ),
    Fault(
        "private-request",
        "guest",
        "exit",
        "the request is in private memory, of which the host reads noise",
        "firmware",
        PARAM,
        _renamed(request=LAYOUT.cpuid),
    ),
    Fault(
        "private-response",
        "guest",
        "exit",
        "the answer is to go to private memory, which the host cannot write",
        "hypervisor",
        DEAD,
        _renamed(response=LAYOUT.cpuid),
        own_pages=NO_PAGE,
    ),
    Fault(
        "unaligned-request",
        "guest",
        "exit",
        "the request does not start a page",
        "hypervisor",
        NEVER_SENT,
        _renamed(request=0x10),
    ),
    Fault(
        "one-page",
        "guest",
        "exit",
        "request and answer are to share a page",
        "hypervisor",
        NEVER_SENT,
        _one_page,
    ),
    Fault(
        "no-memory",
        "guest",
        "exit",
        "the request is where the guest has no memory",
        "hypervisor",
        DEAD,
        _renamed(request=NOWHERE),
    ),
    Fault(
        "unregistered-ghcb",
        "guest",
        "exit",
        "the guest speaks through a page that it did not register",
        "hypervisor",
        DEAD,
        _unregistered,
    ),
)

FAULTS: dict[str, Fault] = {row.name: row for row in (*HYPERVISOR, *FIRMWARE, *GUEST)}
"""Every fault by its name."""
