"""The guest message: a page that a guest and the secure processor's firmware pass to each other.

A header of 0x60 bytes is followed by the encrypted payload. The firmware takes a message that lies
anywhere in a page as long as it ends there; guests start it at the page's beginning.

AES-256-GCM seals it: the nonce is ``msg_seqno`` and four zero bytes, the associated data are bytes
0x30 to 0x5F of the header *as received*. The firmware builds responses in memory it does not clear,
so the reserved bytes of a response need not be zero, and a header made anew from its fields would
not authenticate.

Sources are AMD's published firmware (AMD-ASPFW, Genoa: every message has version 1) and the guests
that speak to it; AMD's document 56860 is cited by its number alone where only its readers were at
hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from construct import Bytes, Int8ul, Int16ul, Int64ul

from ..bits import OpenEnum
from ..codec import as_enum
from ..layout import Record, at, nested

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC = "56860, guest message header (AMD-ASPFW sev_rmp.h, Linux sev-guest.h)"
HEADER_VERSION = 1
HEADER_SIZE = 0x60
PAYLOAD_MAX = 0xFA0
"""Largest payload: a page less its header."""
PAYLOAD_UNIT = 16
"""AMD-ASPFW takes a ``msg_size`` that is a multiple of this, and not 0."""
AAD_START = 0x30
AAD_END = 0x60
"""The associated data are the header's bytes in the half-open range between these two."""
NONCE_SIZE = 12
TAG_SIZE = 16
"""Bytes of ``auth_tag`` that hold the tag; guests leave the others zero."""
KEY_SIZE = 32
VMPCKS = 4
"""There are four keys, and each has a sequence number of its own."""


class Aead(OpenEnum):
    """AEAD algorithm of a guest message."""

    INVALID = 0, "invalid: refused"
    AES_256_GCM = 1, "AES-256-GCM"


class MsgType(OpenEnum):
    """Message type. A response has the number of its request plus 1.

    The last eight are SEV-TIO's: drafts, with numbers of the Linux patches and OpenVMM, carried by
    a firmware command of their own; earlier drafts had other numbers.
    """

    INVALID = 0, "invalid message type"
    CPUID_REQ = 1, "request to check CPUID values"
    CPUID_RSP = 2, "response with the CPUID values accepted"
    KEY_REQ = 3, "request for a derived key"
    KEY_RSP = 4, "response with the derived key"
    REPORT_REQ = 5, "request for an attestation report"
    REPORT_RSP = 6, "response with the attestation report"
    EXPORT_REQ = 7, "request to export a guest context"
    EXPORT_RSP = 8, "response with the guest context"
    IMPORT_REQ = 9, "request to import a context into a new guest"
    IMPORT_RSP = 10, "response: status of the import"
    ABSORB_REQ = 11, "request to absorb a context into a guest launched from an IMI"
    ABSORB_RSP = 12, "response: status of the absorb"
    VMRK_REQ = 13, "request to set the VM root key of a guest"
    VMRK_RSP = 14, "response: status of setting the VM root key"
    ABSORB_NOMA_REQ = 15, "request to absorb a context without a migration agent"
    ABSORB_NOMA_RSP = 16, "response: status of the absorb without a migration agent"
    TSC_INFO_REQ = 17, "request for the TSC parameters of the guest"
    TSC_INFO_RSP = 18, "response: scale, offset and accuracy of the TSC"
    TIO_TDI_INFO_REQ = 19, "request for information on a device interface (draft)"
    TIO_TDI_INFO_RSP = 20, "response: information on a device interface (draft)"
    TIO_MMIO_VALIDATE_REQ = 21, "request to validate device memory (draft)"
    TIO_MMIO_VALIDATE_RSP = 22, "response: status of the validation (draft)"
    TIO_MMIO_CONFIG_REQ = 23, "request to configure device memory (draft)"
    TIO_MMIO_CONFIG_RSP = 24, "response: status of the configuration (draft)"
    TIO_SDTE_WRITE_REQ = 25, "request to write a secure device table entry (draft)"
    TIO_SDTE_WRITE_RSP = 26, "response: status of the write (draft)"


class Header(Record, size=0x60, spec=SPEC):
    """Guest message header. Bytes from 0x30 on are authenticated, and ``msg_seqno``.

    tamago gives ``msg_seqno`` sixteen bytes; all others have eight, and eight that are reserved.
    """

    auth_tag: bytes = at(0x00, Bytes(32), "Authentication tag; only the first 16 bytes are used")
    msg_seqno: int = at(
        0x20, Int64ul, "Sequence number: odd in a request, one more in the response"
    )
    algo: Aead = at(0x30, as_enum(Aead, Int8ul), "AEAD algorithm that seals the payload")
    hdr_version: int = at(0x31, Int8ul, "Version of this header: 1")
    hdr_size: int = at(0x32, Int16ul, "Size of this header: 0x60")
    msg_type: MsgType = at(0x34, as_enum(MsgType, Int8ul), "Message type: the payload's structure")
    msg_version: int = at(0x35, Int8ul, "Version of the payload")
    msg_size: int = at(0x36, Int16ul, "Size of the payload in bytes")
    msg_vmpck: int = at(0x3C, Int8ul, "VMPCK number, 0 to 3")


class MessagePage(Record, size=0x1000, spec=SPEC):
    """Guest message page: header, sealed payload, and the bytes after it."""

    header: Header = at(0x000, nested(Header), "Guest message header")
    payload: bytes = at(0x060, Bytes(PAYLOAD_MAX), "Sealed payload; msg_size gives its length")


class Message(NamedTuple):
    """One request that guests may send, and its response. Payloads are named by their kinds."""

    request: MsgType
    response: MsgType
    payloads: Mapping[int, str]
    """The request's payload in each version that exists. Version 0 is refused for all."""
    reply: str
    """The payload of the response."""
    reply_size: int | None
    """``msg_size`` of AMD-ASPFW's response; None where it is the request's."""
    reply_versions: tuple[int, ...] = (1,)
    """AMD-ASPFW responds in its own highest version; Linux expects that of its request."""
    source: str = "AMD-ASPFW sev_rmp.h"
    note: str = ""
    name: str = ""
    """What a person calls it who issues one; empty for what is only built byte by byte."""
    extended_name: str = ""
    """The same, by the exit that returns certificates as well."""

    @property
    def feature(self) -> int:
        """Return its bit in the messages that SNP_FEATURE_INFO reports."""
        return 1 << (self.request - 1) // 2


MESSAGES: dict[MsgType, Message] = {
    row.request: row
    for row in (
        Message(
            MsgType.CPUID_REQ,
            MsgType.CPUID_RSP,
            {1: "cpuid-req"},
            "cpuid-rsp",
            None,
            name="cpuid",
        ),
        Message(
            MsgType.KEY_REQ,
            MsgType.KEY_RSP,
            {1: "key-req", 2: "key-req-v2"},
            "key-rsp",
            0x40,
            source="AMD-ASPFW sev_rmp.h:341; version 2: virtee/sev, tamago",
            note="version 2 came with ABI 1.58; which version its answer has is not known",
            name="key",
        ),
        Message(
            MsgType.REPORT_REQ,
            MsgType.REPORT_RSP,
            {1: "report-req"},
            "report-rsp",
            0x4C0,
            source="AMD-ASPFW sev_rmp.h:392, 451",
            name="report",
            extended_name="ext-report",
        ),
        Message(
            MsgType.EXPORT_REQ,
            MsgType.EXPORT_RSP,
            {1: "export-req"},
            "export-rsp",
            PAYLOAD_MAX,
            source="AMD-ASPFW sev_rmp.h:461, 506",
            note="the answer fills its page; what is behind the context is zero",
        ),
        Message(
            MsgType.IMPORT_REQ,
            MsgType.IMPORT_RSP,
            {1: "import-req"},
            "status-rsp",
            0x10,
            source="AMD-ASPFW sev_rmp.h:516",
        ),
        Message(
            MsgType.ABSORB_REQ,
            MsgType.ABSORB_RSP,
            {1: "absorb-req"},
            "status-rsp",
            0x10,
            source="AMD-ASPFW sev_rmp.h:532",
        ),
        Message(
            MsgType.VMRK_REQ,
            MsgType.VMRK_RSP,
            {1: "vmrk-req"},
            "status-rsp",
            0x10,
            source="AMD-ASPFW sev_rmp.h:564",
            name="vmrk",
        ),
        Message(
            MsgType.ABSORB_NOMA_REQ,
            MsgType.ABSORB_NOMA_RSP,
            {1: "absorb-noma-req"},
            "status-rsp",
            0x10,
            source="AMD-ASPFW sev_rmp.h:548",
            note="the answer is sealed with the key from before",
        ),
        Message(
            MsgType.TSC_INFO_REQ,
            MsgType.TSC_INFO_RSP,
            {1: "tsc-req"},
            "tsc-rsp",
            0x80,
            source="AMD-ASPFW sev_rmp.h:578, 583; Linux sev.h",
            name="tsc",
        ),
    )
}
"""Every message of SNP_GUEST_REQUEST, by its request. SEV-TIO's payloads are not known."""

REQUEST_OF: dict[MsgType, Message] = {row.response: row for row in MESSAGES.values()}
"""The same rows by their responses."""

NAMED: dict[str, Message] = {
    name: row for row in MESSAGES.values() for name in (row.name, row.extended_name) if name
}
"""The rows that have a name, by it."""


def payload_kind(msg_type: int, msg_version: int = 1) -> str:
    """Return the kind of a decrypted payload; empty if it is not known."""
    kind = MsgType(msg_type)
    if row := MESSAGES.get(kind):
        return row.payloads.get(msg_version, "")
    row = REQUEST_OF.get(kind)
    return row.reply if row else ""


def padded(size: int) -> int:
    """Return *size* rounded up to what the firmware takes as ``msg_size``."""
    return -(-size // PAYLOAD_UNIT) * PAYLOAD_UNIT


KINDS = {"message": MessagePage}
