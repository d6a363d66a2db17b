"""Faults of the hypervisor: it can drop, delay, repeat and deny, but alter nothing undetected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.status import Status
from ..outcome import SHORT, Outcome
from . import exchange
from .exchange import CIPHERTEXT_AT, MSG_VERSION_AT, RESERVED_AT, VERSION_AT, VMPCK_AT, changed
from .fault import BAD, BUSY_FOREVER, OFLOW, PARAM, REFUSED_BY_GUEST, SERVED, Fault, failed

if TYPE_CHECKING:
    from .fault import AnyFault

ERRNOS = {"eagain": 11, "einval": 22, "efault": 14}

HYPERVISOR: tuple[AnyFault, ...] = (
    Fault(
        "drop-request",
        "issue",
        "the command is not issued, and success is reported to the guest",
        REFUSED_BY_GUEST,
        exchange.set_fields(issue=False),
    ),
    Fault(
        "drop-answer",
        "answer",
        "the response does not reach the guest",
        REFUSED_BY_GUEST,
        exchange.on_response(exchange.empty),
    ),
    Fault("delay", "arrive", "the request is delayed by 30 s", SERVED, exchange.delay),
    Fault(
        "replay-request",
        "status",
        "the request is sent to the firmware twice, and the second status reported",
        OFLOW,
        exchange.issue_twice,
    ),
    Fault(
        "replay-answer",
        "answer",
        "the guest gets its last response once more, or none if there was none",
        REFUSED_BY_GUEST,
        exchange.repeat_response,
    ),
    Fault(
        "reorder",
        "prepare",
        "two requests of one key are sent to the firmware in the other order",
        OFLOW,
        exchange.reorder,
    ),
    Fault(
        "swap-vms",
        "send",
        "another VM's request is sent in place of this one",
        BAD,
        exchange.swap_request,
        needs="neighbour",
    ),
    Fault(
        "swap-streams",
        "send",
        "the request is made to name another key",
        BAD,
        exchange.on_request(lambda data: changed(data, VMPCK_AT)),
    ),
    Fault(
        "alter-request",
        "send",
        "one bit of the sealed payload is flipped",
        BAD,
        exchange.on_request(lambda data: changed(data, CIPHERTEXT_AT)),
    ),
    Fault(
        "alter-reserved",
        "send",
        "one bit of the header is flipped that has no meaning, but is authenticated",
        BAD,
        exchange.on_request(lambda data: changed(data, RESERVED_AT)),
    ),
    Fault(
        "alter-number",
        "send",
        "the sequence number in the header is 2 higher",
        BAD,
        exchange.on_request(exchange.later_number),
    ),
    Fault(
        "alter-header",
        "send",
        "the version of the header is another one",
        PARAM,
        exchange.on_request(lambda data: changed(data, VERSION_AT)),
    ),
    Fault(
        "alter-answer",
        "answer",
        "one bit of the sealed response is flipped",
        REFUSED_BY_GUEST,
        exchange.on_response(lambda data: changed(data, CIPHERTEXT_AT)),
    ),
    Fault(
        "alter-answer-version",
        "answer",
        "the response states another message version",
        REFUSED_BY_GUEST,
        exchange.on_response(lambda data: changed(data, MSG_VERSION_AT)),
    ),
    Fault(
        "truncate-request",
        "send",
        "the request is cut off after 8 bytes of payload",
        BAD,
        exchange.on_request(exchange.cut_off),
    ),
    Fault(
        "truncate-answer",
        "answer",
        "the response is cut off after 8 bytes of payload",
        REFUSED_BY_GUEST,
        exchange.on_response(exchange.cut_off),
    ),
    Fault(
        "wrong-response-page",
        "issue",
        "the command names a hypervisor-owned page for the response",
        failed(Status.INVALID_PAGE_STATE),
        exchange.misplace_response,
    ),
    Fault(
        "wrong-request-page",
        "issue",
        "the command names a page without a message",
        PARAM,
        exchange.misplace_request,
    ),
    Fault(
        "wrong-guest-page",
        "answer",
        "the response is copied to another page of the guest",
        REFUSED_BY_GUEST,
        exchange.misdirect,
        own_pages=SERVED,
    ),
    Fault(
        "wrong-context",
        "issue",
        "the command names the context of another VM",
        BAD,
        exchange.swap_context,
        needs="neighbour",
    ),
    Fault(
        "no-context",
        "issue",
        "the command names a page that is no context",
        failed(Status.INVALID_GUEST),
        exchange.lose_context,
    ),
    Fault(
        "forget-page-state",
        "issue",
        "the page for the response is not made firmware-owned",
        failed(Status.INVALID_PAGE_STATE),
        exchange.unassign,
        undo=exchange.assign,
    ),
    Fault(
        "forget-to-put-back",
        "status",
        "the guest's page stays firmware-owned after the response",
        SERVED,
        exchange.set_fields(reclaim=False),
        breaks="owner",
        needs="own-pages",
        detected_by="invariants, and the guest when it writes there",
    ),
    Fault(
        "lie-about-length",
        "send",
        "the header states a payload that is 16 bytes longer",
        BAD,
        exchange.on_request(exchange.longer),
    ),
    Fault(
        "lie-about-pages",
        "arrive",
        "the certificates are reported to take 5 pages; a plain request is out of step after that",
        SHORT,
        exchange.set_fields(vmm=1, pages_needed=5),
        detected_by="none; a plain request's number is used up all the same",
    ),
    Fault(
        "answer-for-firmware",
        "issue",
        "the hypervisor makes up the response, with all that it can know",
        REFUSED_BY_GUEST,
        exchange.forge,
    ),
    Fault(
        "busy",
        "arrive",
        "the guest gets BUSY; after 31 times it gives up",
        SERVED,
        exchange.set_fields(vmm=2),
        beyond_retries=BUSY_FOREVER,
    ),
    *(
        Fault(
            f"errno-{name}",
            "arrive",
            f"the guest gets -{name.upper()}, a number of the kernel, as in the draft of 2021",
            Outcome("EIO", (1 << 64) - number, alive=False),
            exchange.set_fields(vmm=0xFFFF_FFFF, status=(1 << 32) - number),
            detected_by="guest",
        )
        for name, number in ERRNOS.items()
    ),
    Fault(
        "lie-about-failure",
        "result",
        "the guest gets INVALID_PARAM though the firmware succeeded",
        PARAM,
        exchange.set_fields(result=int(Status.INVALID_PARAM)),
        detected_by="none",
    ),
)
