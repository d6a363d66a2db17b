"""Ways to corrupt a guest message on purpose, and the correct reaction to each.

The table is long because it is a catalogue. A row changes a message before it is sealed, so that it
authenticates all the same; or the key it is sealed with; or the page afterwards. The firmware's
reaction is AMD-ASPFW's (SNP_GUEST_REQUEST, sev_mcmd.c:5184-6369): a mailbox status, which the
hypervisor sees and which leaves the message count as it is, or a status in a sealed response, which
advances it. A guest's reaction to a corrupt response is Linux's (sev-guest.c).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from ..bits import nearest
from ..errors import UsageError, shown
from ..wire.key import GuestFieldSelect
from ..wire.message import MESSAGES, PAYLOAD_MAX, TAG_SIZE, VMPCKS, Aead, MsgType
from ..wire.status import Status
from . import mutations

if TYPE_CHECKING:
    from collections.abc import Callable


class Stage(StrEnum):
    """Stage at which a message is corrupted."""

    BEFORE = "before sealing"
    KEY = "the key"
    AFTER = "after sealing"


class Corruption(NamedTuple):
    """One way to corrupt a message."""

    name: str
    help: str
    stage: Stage
    change: Callable[[Any], Any]
    """From draft to draft, from key to key, from page to page, as ``stage`` says."""
    found: str
    """Code of the finding, or of the reason it does not open; unique."""
    mailbox: Status | None = None
    """Status that the firmware returns to the hypervisor."""
    inner: Status | None = None
    """Status that the firmware returns to the guest, in a sealed response."""
    driver: bool | None = None
    """Whether Linux refuses such a response; None where only requests can be corrupted so."""
    kinds: tuple[str, ...] = ()
    """The payloads it is for; any message if empty."""
    note: str = ""

    @property
    def response(self) -> str:
        """Return the reaction of a correct receiver, in words."""
        parts = []
        if self.mailbox is not None:
            parts.append(
                f"{self.mailbox.name} ({int(self.mailbox):#04x}) in the mailbox: count kept"
            )
        elif self.inner is not None:
            parts.append(f"{self.inner.name} ({int(self.inner):#04x}) in its response: count moves")
        else:
            parts.append("AMD-ASPFW does not look, and serves it")
        if self.note:
            parts.append(self.note)
        if self.driver is not None:
            does = "EBADMSG, the key is wiped" if self.driver else "does not look"
            parts.append(f"Linux, of a response: {does}")
        elif self.mailbox is not None:
            parts.append("Linux wipes the key")
        return "; ".join(parts)


REPORT, KEY = ("report-req",), ("key-req", "key-req-v2")
MIGRATION = ("import-req", "absorb-req", "absorb-noma-req")
ADDRESS = ("export-req", "import-req", "absorb-req", "vmrk-req")
WITH_GAPS = tuple(
    name for row in MESSAGES.values() for name in row.payloads.values() if mutations.gaps(name)
)
PARAM, BAD, OFLOW = Status.INVALID_PARAM, Status.BAD_MEASUREMENT, Status.AEAD_OFLOW
SVN, TCB, MIT = (
    GuestFieldSelect.BITS[name].mask for name in ("guest_svn", "tcb_version", "launch_mit_vector")
)
LIMIT = 1 << 64
BEFORE, AFTER = Stage.BEFORE, Stage.AFTER

CORRUPTIONS: dict[str, Corruption] = {
    row.name: row
    for row in (
        Corruption(
            "tag",
            "a bit of the tag is flipped",
            AFTER,
            mutations.flip(0),
            "auth-bit-tag",
            mailbox=BAD,
            driver=True,
        ),
        Corruption(
            "tag-high-half",
            "the tag is in the upper half of auth_tag",
            AFTER,
            mutations.tag(lambda tag: bytes(TAG_SIZE) + tag),
            "auth-tag-high-half",
            mailbox=BAD,
            driver=True,
        ),
        Corruption(
            "tag-reversed",
            "the tag is byte-reversed",
            AFTER,
            mutations.tag(lambda tag: tag[::-1]),
            "auth-tag-reversed",
            mailbox=BAD,
            driver=True,
        ),
        Corruption(
            "tag-short",
            "the tag is cut to 12 bytes",
            AFTER,
            mutations.tag(lambda tag: tag[:12]),
            "auth-tag-short",
            mailbox=BAD,
            driver=True,
        ),
        Corruption(
            "tag-tail",
            "bytes behind the tag are set",
            AFTER,
            mutations.flip(TAG_SIZE),
            "message-tag-tail",
            driver=False,
        ),
        Corruption(
            "aad",
            "a bit of the authenticated header is flipped, at 0x5f",
            AFTER,
            mutations.flip(0x5F),
            "auth-bit-header",
            mailbox=BAD,
            driver=True,
        ),
        Corruption(
            "ciphertext",
            "a bit of the sealed payload is flipped",
            AFTER,
            mutations.flip_payload,
            "auth-bit-payload",
            mailbox=BAD,
            driver=True,
        ),
        Corruption(
            "key-reversed",
            "it is sealed with the key byte-reversed",
            Stage.KEY,
            lambda key: key[::-1],
            "auth-key-reversed",
            mailbox=BAD,
            driver=True,
        ),
        Corruption(
            "vmpck-changed",
            "the header names another key than it is sealed with",
            AFTER,
            mutations.page_header(lambda h: {"msg_vmpck": (h.msg_vmpck + 1) % VMPCKS}),
            "auth-msg-vmpck",
            mailbox=BAD,
            driver=True,
        ),
        Corruption(
            "vmpck-range",
            "the header names key 4; there are 0 to 3",
            BEFORE,
            mutations.header(msg_vmpck=VMPCKS),
            "message-vmpck",
            mailbox=PARAM,
            driver=False,
        ),
        Corruption(
            "seqno-changed",
            "the number in the header is 2 more than it is sealed with",
            AFTER,
            mutations.page_header(lambda h: {"msg_seqno": (h.msg_seqno + 2) % LIMIT}),
            "auth-seqno",
            mailbox=BAD,
            driver=True,
        ),
        Corruption(
            "seqno-same",
            "the number of the message before is used again",
            BEFORE,
            mutations.seqno(lambda number: number - 2),
            "seqno-repeated",
            mailbox=OFLOW,
            driver=True,
            note="its tag is right: a replay",
        ),
        Corruption(
            "seqno-skipped",
            "a number is left out",
            BEFORE,
            mutations.seqno(lambda number: number + 2),
            "seqno-skipped",
            mailbox=OFLOW,
            driver=True,
        ),
        Corruption(
            "seqno-zero",
            "the number is 0",
            BEFORE,
            mutations.of_request(mutations.seqno(lambda number: 0)),
            "message-seqno-zero",
            mailbox=OFLOW,
            driver=True,
        ),
        Corruption(
            "seqno-even",
            "a request has an even number, as responses have",
            BEFORE,
            mutations.of_request(mutations.seqno(lambda number: number + 1)),
            "message-seqno-even",
            mailbox=OFLOW,
        ),
        Corruption(
            "seqno-limit",
            "the number is the last of 64 bits",
            BEFORE,
            mutations.of_request(mutations.seqno(lambda number: LIMIT - 1)),
            "message-seqno-limit",
            mailbox=OFLOW,
            note="its count stops at 2**64 - 2, and Linux stops before 0xffffffff",
        ),
        Corruption(
            "algo-invalid",
            "the algorithm is 0",
            BEFORE,
            mutations.header(algo=Aead.INVALID),
            "message-algorithm-invalid",
            mailbox=PARAM,
            driver=False,
        ),
        Corruption(
            "algo-unknown",
            "the algorithm is 2, which is none",
            BEFORE,
            mutations.header(algo=Aead(2)),
            "message-algorithm",
            mailbox=PARAM,
            driver=False,
        ),
        Corruption(
            "header-version",
            "the header's version is 2",
            BEFORE,
            mutations.header(hdr_version=2),
            "message-header-version",
            mailbox=PARAM,
            driver=False,
        ),
        Corruption(
            "header-size",
            "the header's size is 0x40",
            BEFORE,
            mutations.header(hdr_size=0x40),
            "message-header-size",
            mailbox=PARAM,
            driver=False,
        ),
        Corruption(
            "reserved-header",
            "a reserved byte of the header is set that is authenticated, 0x38",
            BEFORE,
            mutations.header(reserved_0x038=b"\1\0\0\0"),
            "message-reserved",
            driver=False,
        ),
        Corruption(
            "reserved-clear",
            "a reserved byte of the header is set that is not, 0x28",
            AFTER,
            mutations.flip(0x28),
            "message-reserved-clear",
            driver=False,
        ),
        Corruption(
            "type-invalid",
            "the type is 0",
            BEFORE,
            mutations.header(msg_type=MsgType.INVALID),
            "message-type-invalid",
            mailbox=PARAM,
            driver=True,
        ),
        Corruption(
            "type-unknown",
            "the type is 0x7f, which is none",
            BEFORE,
            mutations.header(msg_type=MsgType(0x7F)),
            "message-type",
            mailbox=PARAM,
            driver=True,
        ),
        Corruption(
            "type-answer",
            "the type is that of the response, where a request belongs",
            BEFORE,
            mutations.of_request(mutations.as_response),
            "message-seqno-odd",
            mailbox=PARAM,
        ),
        Corruption(
            "version-zero",
            "the message version is 0",
            BEFORE,
            mutations.header(msg_version=0),
            "message-version-zero",
            mailbox=PARAM,
            driver=True,
        ),
        Corruption(
            "version-unknown",
            "the message version is one more than any known",
            BEFORE,
            mutations.of_request(mutations.next_version),
            "message-version",
            mailbox=PARAM,
            driver=True,
        ),
        Corruption(
            "size-zero",
            "there is no payload",
            BEFORE,
            mutations.no_payload,
            "message-size-zero",
            mailbox=PARAM,
        ),
        Corruption(
            "size-unaligned",
            "the payload's size is no multiple of 16",
            BEFORE,
            mutations.unaligned_payload,
            "message-size-unit",
            mailbox=PARAM,
        ),
        Corruption(
            "size-short",
            "the payload is cut to 16 bytes",
            BEFORE,
            mutations.short_payload,
            "message-short",
            note="the rest is what was in its memory",
        ),
        Corruption(
            "size-changed",
            "the header's size is 16 more than was sealed",
            AFTER,
            mutations.page_header(
                lambda h: {
                    "msg_size": h.msg_size + 16
                    if h.msg_size <= PAYLOAD_MAX - 16
                    else h.msg_size - 16
                }
            ),
            "auth-msg-size",
            mailbox=BAD,
            driver=True,
        ),
        Corruption(
            "size-too-long",
            "the header's size is 0xfff0: the message would leave its page",
            AFTER,
            mutations.page_header(lambda h: {"msg_size": 0xFFF0}),
            "message-too-long",
            mailbox=PARAM,
            driver=True,
        ),
        Corruption(
            "payload-reserved",
            "the first reserved byte of the payload is set",
            BEFORE,
            mutations.set_reserved,
            "payload-reserved",
            inner=PARAM,
            kinds=WITH_GAPS,
        ),
        Corruption(
            "vmpl-privileged",
            "a VMPL is asked for that is more privileged than the key",
            BEFORE,
            mutations.privileged_vmpl,
            "vmpl-privileged",
            inner=PARAM,
            kinds=REPORT + KEY,
        ),
        Corruption(
            "vmpl-range",
            "VMPL 7 is asked for; there are 0 to 3",
            BEFORE,
            mutations.fields(vmpl=7),
            "payload-vmpl",
            kinds=REPORT + KEY,
        ),
        Corruption(
            "key-select",
            "key_sel is 3, which is reserved",
            BEFORE,
            mutations.fields(select=mutations.with_bits(3)),
            "payload-key-sel",
            inner=Status.INVALID_KEY,
            kinds=REPORT,
        ),
        Corruption(
            "key-select-derived",
            "key_sel is 3, for a key of the chip",
            BEFORE,
            mutations.fields(select=lambda word: word.replace(root_key_select=0, key_sel=3)),
            "payload-key-sel-derived",
            inner=Status.INVALID_KEY,
            kinds=KEY,
        ),
        Corruption(
            "select-reserved",
            "a reserved bit of the selection is set, 31",
            BEFORE,
            mutations.fields(select=mutations.with_bits(1 << 31)),
            "payload-bits",
            inner=PARAM,
            kinds=(*REPORT, *KEY, "export-req"),
        ),
        Corruption(
            "field-select",
            "a bit of guest_field_select without a name is set, 63",
            BEFORE,
            mutations.fields(guest_field_select=mutations.with_bits(1 << 63)),
            "payload-fields",
            inner=PARAM,
            kinds=KEY,
        ),
        Corruption(
            "field-select-version",
            "launch_mit_vector is selected, which version 1 does not have",
            BEFORE,
            mutations.fields(guest_field_select=mutations.with_bits(MIT)),
            "payload-fields-version",
            inner=PARAM,
            kinds=("key-req",),
        ),
        Corruption(
            "guest-svn",
            "the highest guest_svn is selected",
            BEFORE,
            mutations.fields(guest_field_select=mutations.with_bits(SVN), guest_svn=0xFFFFFFFF),
            "key-svn",
            inner=PARAM,
            kinds=KEY,
            note="unless the ID block has it",
        ),
        Corruption(
            "tcb-reserved",
            "a TCB version is selected that has reserved bytes set",
            BEFORE,
            mutations.fields(
                guest_field_select=mutations.with_bits(TCB), tcb_version=0xFFFF_FFFF_FFFF_FFFF
            ),
            "key-tcb-reserved",
            inner=PARAM,
            kinds=KEY,
        ),
        Corruption(
            "tcb-high",
            "a TCB version is selected that is higher than any",
            BEFORE,
            mutations.fields(
                guest_field_select=mutations.with_bits(TCB), tcb_version=0xFF00_0000_0000_0000
            ),
            "key-tcb",
            inner=PARAM,
            kinds=KEY,
        ),
        Corruption(
            "cpuid-count",
            "65 functions are announced, and 64 are the most",
            BEFORE,
            mutations.fields(count=65),
            "cpuid-count",
            inner=PARAM,
            kinds=("cpuid-req",),
        ),
        Corruption(
            "context-address",
            "the address of the guest's context is not that of a page",
            BEFORE,
            mutations.fields(gctx_paddr=mutations.with_bits(8)),
            "payload-address",
            inner=PARAM,
            kinds=ADDRESS,
        ),
        Corruption(
            "context-size",
            "the context has not its size",
            BEFORE,
            mutations.fields(in_gctx_size=0x301),
            "payload-context-size",
            inner=PARAM,
            kinds=MIGRATION,
        ),
        Corruption(
            "context-version",
            "the context has version 4, and 3 is known",
            BEFORE,
            mutations.fields(in_gctx_version=4),
            "payload-context-version",
            inner=PARAM,
            kinds=MIGRATION,
        ),
        Corruption(
            "context-metadata",
            "the context has no root entry of its swapped pages",
            BEFORE,
            mutations.fields(incoming_gctx=mutations.without_metadata),
            "payload-root",
            inner=Status.INVALID_MDATA_ENTRY,
            kinds=("import-req",),
        ),
    )
}
"""Every corruption, by its name."""


def named(name: str) -> Corruption:
    """Return the corruption called *name*. Raises UsageError, with the nearest one."""
    try:
        return CORRUPTIONS[name]
    except KeyError:
        hint = nearest(name, CORRUPTIONS) or "--corrupt list prints them"
        raise UsageError(f"there is no corruption {shown(name)}", help=hint) from None


def fitting(name: str) -> list[Corruption]:
    """Return the corruptions for a message whose payload is of kind *name*."""
    return [row for row in CORRUPTIONS.values() if not row.kinds or name in row.kinds]


def wrong_alone(name: str) -> list[Corruption]:
    """Return the corruptions that need no key: of a message, or of a payload of kind *name*."""
    if name == "message":
        return [row for row in CORRUPTIONS.values() if row.stage != Stage.KEY and not row.kinds]
    return [row for row in CORRUPTIONS.values() if name in row.kinds]


def check_fits(row: Corruption, name: str) -> None:
    """Check that *row* is for payloads of kind *name*. Raises UsageError."""
    if row not in fitting(name):
        for_ = " ".join(row.kinds)
        raise UsageError(f"{row.name} is not for {name or 'bytes as they are'}", help=f"for {for_}")
