"""What can be wrong with a guest message, as far as its page shows without the key.

The firmware's checks of a request are in the order of AMD-ASPFW (Genoa, 1.55.25), each with the
status that it returns; between the VMPCK and the sequence number it authenticates, which is not
done here. A response is checked as Linux and coconut-svsm check it. Which of the two a
page is follows from its type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..context import Decision, Direction
from ..finding import Finding, Findings, Severity
from ..wire import message as wire
from ..wire import payload_type
from ..wire.status import Status
from . import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..context import Context

FIRMWARE = "AMD-ASPFW sev_mcmd.c:5184, SNP_GUEST_REQUEST"
LINUX = "Linux sev-guest.c, verify_and_dec_payload"
COCONUT = "coconut-svsm greq/msg.rs"
COUNTER = "Linux sev-guest.c, snp_get_msg_seqno"
LINUX_LAST = 0xFFFF_FFFD
"""The last sequence number that a Linux guest sends: it counts in 32 bits."""
LIMIT = (1 << 64) - 1
"""The sequence number that would follow the firmware's last count, 2^64 - 2."""
FIRST_TIO = wire.MsgType.TIO_TDI_INFO_REQ


class MessageRefusal(NamedTuple):
    """A check that a request fails, and the status that the firmware returns for it."""

    finding: Finding
    status: Status


def direction_of(page: wire.MessagePage, forced: Direction | None = None) -> Decision:
    """Decide which way *page* travels; a direction given is taken."""
    kind, number = page.header.msg_type, page.header.msg_seqno
    if forced:
        return Decision("direction", forced, "as asked for")
    if kind.known and kind != wire.MsgType.INVALID:  # a request's number is odd, drafts included
        way = Direction.REQUEST if kind % 2 else Direction.RESPONSE
        return Decision("direction", way, f"msg_type {kind:d} is {kind.name}")
    way = Direction.REQUEST if number % 2 or not number else Direction.RESPONSE
    parity = "odd" if number % 2 else "even" if number else "not set"
    reason = f"msg_type {kind:d} does not tell; msg_seqno is {parity}"
    return Decision("direction", way, reason)


def refusal(page: wire.MessagePage) -> MessageRefusal | None:
    """Return the check for which the firmware refuses a request: the first in its order."""
    return next(checks(page), None)


def checks(page: wire.MessagePage) -> Iterator[MessageRefusal]:
    """Yield each check that the firmware makes and a request fails, in the firmware's order."""
    header = page.header
    if record.empty(page):
        text = "all of the page is zero: no message was written"
        yield _refused("message-empty", "hdr_version", text)
        return
    yield from _form(header)
    yield from _key(header)
    yield from _sequence(header)
    yield from _version(header)
    yield from _type(header)


def _finding(code: str, severity: Severity, field: str, text: str, source: str) -> Finding:
    path = f"header.{field}"
    full = text.replace(field, path, 1) if text.startswith(field) else text
    return Finding(code, severity, path, wire.Header.place(field), full, source)


def _refused(
    code: str, field: str, text: str, status: Status = Status.INVALID_PARAM
) -> MessageRefusal:
    full = f"{text}; the firmware answers {status.name}"
    return MessageRefusal(_finding(code, Severity.ERROR, field, full, FIRMWARE), status)


def _form(header: wire.Header) -> Iterator[MessageRefusal]:
    """Expect header and payload of the one form there is."""
    size = header.msg_size
    algorithm = "message-algorithm" if header.algo else "message-algorithm-invalid"
    for code, field, value, wanted in (
        ("message-header-version", "hdr_version", header.hdr_version, wire.HEADER_VERSION),
        ("message-header-size", "hdr_size", header.hdr_size, wire.HEADER_SIZE),
        (algorithm, "algo", int(header.algo), wire.Aead.AES_256_GCM),
    ):
        if value != wanted:
            yield _refused(code, field, f"{field} is {value:#x}, it has to be {wanted:#x}")
    if size == 0:
        yield _refused("message-size-zero", "msg_size", "msg_size is 0: there is no payload")
    if size % wire.PAYLOAD_UNIT:
        text = f"msg_size is {size:#x}, it has to be a multiple of {wire.PAYLOAD_UNIT}"
        yield _refused("message-size-unit", "msg_size", text)
    if size > wire.PAYLOAD_MAX:
        text = f"msg_size is {size:#x}, a page has room for {wire.PAYLOAD_MAX:#x}"
        yield _refused("message-too-long", "msg_size", text)


def _key(header: wire.Header) -> Iterator[MessageRefusal]:
    if header.msg_vmpck >= wire.VMPCKS:
        text = f"msg_vmpck is {header.msg_vmpck}, there are keys 0 to {wire.VMPCKS - 1}"
        yield _refused("message-vmpck", "msg_vmpck", text)


def _sequence(header: wire.Header) -> Iterator[MessageRefusal]:
    """Expect an odd number, below the limit: one more than a count that is even."""
    number, full = header.msg_seqno, Status.AEAD_OFLOW
    if number == 0:
        text = "msg_seqno is 0: the first request has 1"
        yield _refused("message-seqno-zero", "msg_seqno", text, full)
    elif number % 2 == 0:
        text = f"msg_seqno is {number:#x}, even as in an answer: requests have odd numbers"
        yield _refused("message-seqno-even", "msg_seqno", text, full)
    elif number == LIMIT:
        text = f"msg_seqno is {number:#x}: the count before it, 2^64-2, is the last"
        yield _refused("message-seqno-limit", "msg_seqno", text, full)


def _version(header: wire.Header) -> Iterator[MessageRefusal]:
    row, version = wire.MESSAGES.get(header.msg_type), header.msg_version
    if version == 0:
        text = "msg_version is 0: versions begin with 1"
        yield _refused("message-version-zero", "msg_version", text)
    elif row and version not in row.payloads:
        highest = max(row.payloads)
        text = f"msg_version is {version}, the highest of {row.request.name} is {highest}"
        yield _refused("message-version", "msg_version", text)


def _type(header: wire.Header) -> Iterator[MessageRefusal]:
    kind = header.msg_type
    if kind in wire.REQUEST_OF:
        text = f"msg_type {kind:d} is {kind.name}, an answer: the firmware takes requests"
        yield _refused("message-answer", "msg_type", text)
    elif kind.known and kind >= FIRST_TIO:
        text = f"msg_type {kind:d} is {kind.name}, of SEV-TIO: another command carries it"
        yield _refused("message-draft", "msg_type", text)
    elif kind not in wire.MESSAGES:
        text = f"msg_type {kind:d} is no message that is known"
        code = "message-type" if kind else "message-type-invalid"
        yield _refused(code, "msg_type", text)


def _way(page: wire.MessagePage, context: Context) -> Direction:
    return context.direction or Direction(direction_of(page).choice)


def request(page: wire.MessagePage, context: Context) -> Findings:
    """Expect what the firmware expects of a request, and what guests send."""
    if _way(page, context) is Direction.RESPONSE:
        return
    yield from (refused.finding for refused in checks(page))
    header = page.header
    if LINUX_LAST < header.msg_seqno < LIMIT:
        text = f"msg_seqno is {header.msg_seqno:#x}: Linux counts in 32 bits, to {LINUX_LAST:#x}"
        yield _finding("message-seqno-wide", Severity.NOTE, "msg_seqno", text, COUNTER)
    row = wire.MESSAGES.get(header.msg_type)
    if row and header.msg_version > 1 and header.msg_version in row.payloads:
        text = (
            f"msg_version {header.msg_version} of {row.request.name} came with ABI 1.58;"
            f" AMD-ASPFW (Genoa) refuses it with {Status.INVALID_PARAM.name}"
        )
        yield _finding("message-version-new", Severity.WARNING, "msg_version", text, FIRMWARE)


def response(page: wire.MessagePage, context: Context) -> Findings:
    """Expect what guests expect of a response; they also compare it with their request."""
    if _way(page, context) is Direction.REQUEST:
        return
    header = page.header
    if record.empty(page):
        text = "all of the page is zero: the firmware wrote no answer"
        yield _finding("message-empty", Severity.ERROR, "hdr_version", text, LINUX)
        return
    yield from (_guest_says(found.finding) for found in (*_form(header), *_key(header)))
    if header.msg_seqno % 2 or not header.msg_seqno:
        text = f"msg_seqno is {header.msg_seqno:#x}: an answer has its request's number and 1"
        yield _finding("message-seqno-odd", Severity.ERROR, "msg_seqno", text, LINUX)
    kind = header.msg_type
    if kind not in wire.REQUEST_OF and (kind % 2 or not kind.known or not kind):
        text = f"msg_type {kind:d} ({kind.name}) is no answer that is known"
        code = "message-type" if kind else "message-type-invalid"
        yield _finding(code, Severity.ERROR, "msg_type", text, LINUX)
    if header.msg_version == 0:
        text = "msg_version is 0: an answer has its request's version"
        yield _finding("message-version-zero", Severity.ERROR, "msg_version", text, LINUX)


def _guest_says(finding: Finding) -> Finding:
    """Turn the firmware's finding about a request into the guests' about a response."""
    what = finding.text.partition("; the firmware")[0]
    if finding.code == "message-too-long":
        return finding._replace(text=what, source=LINUX)
    text = f"{what}; coconut-svsm looks at it, Linux does not"
    if finding.code == "message-size-unit":
        text = f"{what}; guests do not look"
    return finding._replace(severity=Severity.WARNING, text=text, source=COCONUT)


def payload(page: wire.MessagePage, context: Context) -> Findings:
    """Expect a tag and a payload that look sealed, and a size that holds the payload's fields."""
    header = page.header
    size = min(header.msg_size, wire.PAYLOAD_MAX)
    if record.empty(page):
        return
    if not any(header.auth_tag[: wire.TAG_SIZE]):
        text = "auth_tag is zero: the message is not sealed"
        yield _finding("message-no-tag", Severity.WARNING, "auth_tag", text, header.SPEC)
    kind = payload_type(header.msg_type, header.msg_version)
    if kind and 0 < size < kind.SIZE:
        text = (
            f"msg_size is {size:#x}, the payload of {header.msg_type.name} has {kind.SIZE:#x};"
            " AMD-ASPFW does not look and reads on in its memory"
        )
        yield _finding("message-short", Severity.WARNING, "msg_size", text, FIRMWARE)
    if size and not any(page.payload[:size]):
        text = f"all {size} bytes of the payload are zero: it is not encrypted"
        code, place = "message-no-payload", wire.HEADER_SIZE
        yield Finding(code, Severity.WARNING, "payload", place, text, header.SPEC)
    if any(page.payload[size:]):
        place = wire.HEADER_SIZE + size
        text = f"payload has bytes behind msg_size, from {place:#05x}: nobody looks at them"
        yield Finding("message-behind", Severity.NOTE, "payload", place, text, FIRMWARE)


def unused_bytes(page: wire.MessagePage, context: Context) -> Findings:
    """Find unused bytes that are not zero; in a response they are leftovers."""
    answered = _way(page, context) is Direction.RESPONSE
    severity = Severity.NOTE if answered else Severity.WARNING
    tail = page.header.auth_tag[wire.TAG_SIZE :]
    if any(tail):
        size = wire.TAG_SIZE
        text = f"auth_tag has a tag of {size} bytes, those behind are not zero: {tail.hex(' ')}"
        found = _finding("message-tag-tail", severity, "auth_tag", text, FIRMWARE)
        yield found._replace(offset=wire.TAG_SIZE)
    for leaf in page.leaves():
        if leaf.gap and any(leaf.value):
            found = record.reserved_run(leaf, FIRMWARE)
            code, how = "message-reserved", "authenticated"
            if leaf.offset < wire.AAD_START:
                code, how = "message-reserved-clear", "not authenticated"
            cleared = ", the firmware does not clear them in an answer" if answered else ""
            text = f"{found.text}; {how}{cleared}"
            yield found._replace(code=code, severity=severity, text=text)


def header_alone(header: wire.Header, context: Context) -> Findings:
    """Check a header without its page."""
    page = wire.MessagePage.parse(header.build().ljust(wire.MessagePage.SIZE, b"\0"))
    for rule in (request, response, unused_bytes):
        for found in rule(page, context):
            yield found._replace(path=found.path.removeprefix("header."))


RULES = {
    wire.MessagePage: (request, response, payload, unused_bytes),
    wire.Header: (header_alone,),
}
