"""SNP_GUEST_REQUEST: open a guest's message, process it, seal the response.

The order of the checks is AMD-ASPFW's (sev_mcmd.c:5184 to 6369). Up to the message itself a failure
is the command's status: nothing is written, no sequence number used. A failure of the message is a
status in a response that is sealed and numbered as any other. After the message only the command
can fail, and the message has taken effect by then: a response that would cross its page uses no
sequence number, one that cannot be written does.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ...crypto.sealing import open_raw, seal_parts
from ...errors import AuthError
from ...rmp.entry import LARGE
from ...rmp.sparse_table import state_of_entry
from ...wire import kind
from ...wire.address import IN_PAGE, PAGE
from ...wire.message import (
    HEADER_SIZE,
    HEADER_VERSION,
    MESSAGES,
    PAYLOAD_UNIT,
    VMPCKS,
    Aead,
    Header,
    MsgType,
)
from ...wire.migration import GuestState
from ...wire.rmp import RmpState
from ...wire.status import Status
from . import cpuid, key, migration, report, tsc
from .context import Sender
from .processor import PLACE, CommandRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...crypto.sealing import Vmpck
    from ...wire.message import Message
    from .context import FirmwareGuest
    from .processor import Processor

_WORD = (1 << 64) - 1
LAST_COUNT = _WORD - 1
"""A key with this count is exhausted. The firmware compares with this value only."""
_CONTEXT, _FIRMWARE, _RUNNING = RmpState.CONTEXT, RmpState.FIRMWARE, GuestState.RUNNING
"""Members of an enumeration cost more to name, before Python 3.12, than to compare."""
_FORMAT_FIELDS = ("algo", "hdr_version", "hdr_size")
_VARIABLE = ("msg_type", "msg_version", "msg_size", "msg_vmpck")
_FIELDS, _FIELDS_AT = Header.struct("msg_seqno", *_VARIABLE), Header.place("msg_seqno")
_FORMAT = Header.struct(*_FORMAT_FIELDS).pack(Aead.AES_256_GCM, HEADER_VERSION, HEADER_SIZE)
"""``algo``, ``hdr_version`` and ``hdr_size``: the firmware accepts one value of each."""
_FORMAT_AT = slice(Header.place("algo"), Header.place("algo") + len(_FORMAT))
_REST = Header.struct(*_VARIABLE, "reserved_0x03d")


def guest_request(fw: Processor, command: tuple[int, int, int]) -> None:
    """Process the message at one address, and write the response at another."""
    gctx_paddr, request_paddr, response_paddr = command
    guest = _guest(fw, gctx_paddr, request_paddr, response_paddr)
    header, size, seqno, msg_type, version, vmpck = _header(fw, request_paddr)
    ciphertext = fw.load(request_paddr + HEADER_SIZE, size)
    if vmpck >= VMPCKS:
        raise CommandRefusal(Status.INVALID_PARAM)
    cipher = guest.cipher(vmpck)
    try:
        payload = open_raw(cipher, header, ciphertext)
    except AuthError:
        raise CommandRefusal(Status.BAD_MEASUREMENT) from None
    count = guest.counts[vmpck]
    if seqno != (count + 1) & _WORD or count == LAST_COUNT:
        raise CommandRefusal(Status.AEAD_OFLOW)
    handler = MESSAGE_HANDLERS.get(msg_type)
    if version != 1 or handler is None or not fw.profile.messages & handler.feature:
        raise CommandRefusal(Status.INVALID_PARAM)
    response = handler.run(fw, Sender(guest, gctx_paddr, vmpck), payload)
    if (response_paddr & IN_PAGE) + HEADER_SIZE + len(response) > PAGE:
        raise CommandRefusal(Status.INVALID_PARAM)
    message = _seal(cipher, seqno + 1, msg_type + 1, vmpck, response)
    counts = guest.counts  # not those from before: a guest may have taken another's context
    counts[vmpck] = (counts[vmpck] + 2) & _WORD
    fw.store(response_paddr, message)


def _seal(cipher: Vmpck, seqno: int, msg_type: int, vmpck: int, payload: bytes) -> bytes:
    """Return a sealed response."""
    aad = _authenticated(msg_type, len(payload), vmpck)
    return seal_parts(cipher, seqno.to_bytes(16, "little"), aad, payload)


@lru_cache(maxsize=1024)
def _authenticated(msg_type: int, size: int, vmpck: int) -> bytes:
    """Return the part of a response's header that is authenticated; reserved bytes are zero."""
    return _FORMAT + _REST.pack(msg_type, 1, size, vmpck, b"")


def _guest(
    fw: Processor, gctx_paddr: int, request_paddr: int, response_paddr: int
) -> FirmwareGuest:
    """Return the sender. The page of its request may be in any state."""
    if gctx_paddr & IN_PAGE:
        raise CommandRefusal(Status.INVALID_PARAM)
    fw.require_started()
    gctx, request, response = gctx_paddr & PLACE, request_paddr & PLACE, response_paddr & PLACE
    table = fw.table
    holds, entry, pages = table.holds, table.entry, table.pages
    if holds(gctx) or holds(request) or holds(response):
        raise CommandRefusal(Status.INVALID_PARAM)
    gctx, request, response = gctx >> 12, request >> 12, response >> 12
    # An address beyond the table is in none of the states required here, as state 0 is not.
    context_lo = entry(gctx)[0] if gctx < pages else 0
    if state_of_entry(context_lo) is not _CONTEXT:
        raise CommandRefusal(Status.INVALID_GUEST)
    response_lo = entry(response)[0] if response < pages else 0
    if state_of_entry(response_lo) is not _FIRMWARE:
        raise CommandRefusal(Status.INVALID_PAGE_STATE)
    request_lo = entry(request)[0] if request < pages else 0
    if (request_lo | response_lo) & LARGE:
        raise CommandRefusal(Status.INVALID_PAGE_SIZE)
    if gctx not in fw.memory.plain:
        fw.reach(gctx_paddr, PAGE)
    guest = fw.contexts.get(gctx) or fw.context(gctx_paddr)
    if guest.state != _RUNNING:
        raise CommandRefusal(Status.INVALID_GUEST_STATE)
    return guest


def _header(fw: Processor, address: int) -> tuple[bytes, int, int, int, int, int]:
    """Return the request's header, payload size, sequence number, type, version and key."""
    room = PAGE - HEADER_SIZE - (address & IN_PAGE)
    if room < 0:
        raise CommandRefusal(Status.INVALID_PARAM)
    header = fw.load(address, HEADER_SIZE)
    seqno, msg_type, version, size, vmpck = _FIELDS.unpack_from(header, _FIELDS_AT)
    if header[_FORMAT_AT] != _FORMAT or not size or size % PAYLOAD_UNIT or size > room:
        raise CommandRefusal(Status.INVALID_PARAM)
    return header, size, seqno, msg_type, version, vmpck


class MessageHandler(NamedTuple):
    """How the firmware handles one type of message."""

    feature: int
    """Its bit in the messages that SNP_FEATURE_INFO reports."""
    size: int
    """Bytes of the request; a shorter one goes on in scratch memory, zero here. 0: any."""
    response: Callable[[Processor, Sender, bytes], bytes]
    failed: Callable[[Status], bytes]

    def run(self, fw: Processor, sender: Sender, payload: bytes) -> bytes:
        """Return the payload of the response."""
        if len(payload) != self.size and self.size:
            payload = payload[: self.size].ljust(self.size, b"\0")
        try:
            return self.response(fw, sender, payload)
        except CommandRefusal as exc:
            return self.failed(exc.status)


def _status_only(message: Message) -> Callable[[Status], bytes]:
    """Return the function that makes a response to *message* of a status and zeros."""
    size = message.reply_size or 0
    return lambda status: int(status).to_bytes(4, "little").ljust(size, b"\0")


def _message_handlers() -> Iterator[tuple[int, MessageHandler]]:
    responses = {
        MsgType.CPUID_REQ: cpuid.response,
        MsgType.KEY_REQ: key.response,
        MsgType.REPORT_REQ: report.response,
        MsgType.EXPORT_REQ: migration.export,
        MsgType.IMPORT_REQ: migration.import_,
        MsgType.ABSORB_REQ: migration.absorb,
        MsgType.VMRK_REQ: migration.vmrk,
        MsgType.ABSORB_NOMA_REQ: migration.absorb_noma,
        MsgType.TSC_INFO_REQ: tsc.response,
    }
    failures = {
        MsgType.REPORT_REQ: report.failed,
        MsgType.EXPORT_REQ: migration.export_failed,
    }
    for msg_type, response in responses.items():
        message = MESSAGES[msg_type]
        size = 0 if message.reply_size is None else kind(message.payloads[1]).type.SIZE
        failed = failures.get(msg_type) or _status_only(message)
        yield int(msg_type), MessageHandler(message.feature, size, response, failed)


MESSAGE_HANDLERS = dict(_message_handlers())
