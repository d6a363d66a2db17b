"""Changes that corrupt a guest message: its draft before sealing, its page after.

Each function here is, or returns, the change of a row of ``corruption``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import UsageError
from ..wire import kind
from ..wire.message import HEADER_SIZE, MESSAGES, PAYLOAD_MAX, PAYLOAD_UNIT, TAG_SIZE, Header

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..layout import Record


class Draft(NamedTuple):
    """A message before it is sealed."""

    kind: str
    """Kind of the payload; empty if it has none."""
    header: Header
    payload: bytes

    def __repr__(self) -> str:
        return f"<Draft {self.kind} of {len(self.payload)} bytes>"


def flip(at: int) -> Callable[[bytes], bytes]:
    """Flip the lowest bit of a byte."""
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def flip_payload(page: bytes) -> bytes:
    """Flip a bit of the sealed payload. Raises UsageError if there is none."""
    if not Header.parse(page[:HEADER_SIZE]).msg_size:
        raise UsageError("there is no payload whose bits could be flipped")
    return flip(HEADER_SIZE)(page)


def tag(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Change the tag of a page; the result replaces tag and padding."""
    return lambda page: change(page[:TAG_SIZE]).ljust(2 * TAG_SIZE, b"\0") + page[2 * TAG_SIZE :]


def page_header(change: Callable[[Header], dict[str, Any]]) -> Callable[[bytes], bytes]:
    """Change header fields of a sealed page."""

    def changed(page: bytes) -> bytes:
        header = Header.parse(page[:HEADER_SIZE])
        return header.replace(**change(header)).build() + page[HEADER_SIZE:]

    return changed


def header(**fields: Any) -> Callable[[Draft], Draft]:
    """Set header fields before the message is sealed."""
    return lambda draft: draft._replace(header=draft.header.replace(**fields))


def seqno(change: Callable[[int], int]) -> Callable[[Draft], Draft]:
    """Change the sequence number before the message is sealed."""

    def changed(draft: Draft) -> Draft:
        old = draft.header.msg_seqno
        new = change(old)
        if not 0 <= new < 1 << 64:
            raise UsageError(f"number {old} would become {new}", help="--seqno 3 or more")
        return header(msg_seqno=new)(draft)

    return changed


def next_version(draft: Draft) -> Draft:
    """Set the version after the last known one."""
    row = MESSAGES.get(draft.header.msg_type)
    return header(msg_version=max(row.payloads) + 1 if row else 2)(draft)


def of_request(change: Callable[[Draft], Draft]) -> Callable[[Draft], Draft]:
    """Change only requests. Raises UsageError for another message."""

    def changed(draft: Draft) -> Draft:
        if draft.header.msg_type not in MESSAGES:
            raise UsageError(f"{draft.header.msg_type.name} is no request, which this is for")
        return change(draft)

    return changed


def as_response(draft: Draft) -> Draft:
    """Set the response's message type on a request."""
    return header(msg_type=MESSAGES[draft.header.msg_type].response)(draft)


def no_payload(draft: Draft) -> Draft:
    """Remove the payload."""
    return draft._replace(payload=b"")


def unaligned_payload(draft: Draft) -> Draft:
    """Add a byte to the payload, or remove one where there is no room."""
    data = draft.payload
    return draft._replace(payload=data + b"\0" if len(data) < PAYLOAD_MAX else data[:-1])


def short_payload(draft: Draft) -> Draft:
    """Cut the payload to the minimum size. Raises UsageError if it has it already."""
    if len(draft.payload) <= PAYLOAD_UNIT:
        raise UsageError(f"a payload of {len(draft.payload)} bytes cannot be made shorter")
    if draft.kind and hasattr(kind(draft.kind).type, "ELEMENT"):
        raise UsageError(f"{draft.kind} cannot be made shorter: it is a head and what it counts")
    return draft._replace(payload=draft.payload[:PAYLOAD_UNIT])


def fixed_part(name: str) -> type[Record]:
    """Return the record that a payload starts with."""
    payload: Any = kind(name).type
    part: type[Record] = getattr(payload, "HEAD", payload)
    return part


def gaps(name: str) -> list[int]:
    """Return the offsets at which reserved bytes of a payload start."""
    return [tile.offset for tile in fixed_part(name).TILES if tile.gap]


def set_reserved(draft: Draft) -> Draft:
    """Set the first reserved byte of the payload."""
    return draft._replace(payload=flip(gaps(draft.kind)[0])(draft.payload))


def fields(**changes: Any) -> Callable[[Draft], Draft]:
    """Set fields of the payload; a function is called with the old value."""

    def changed(draft: Draft) -> Draft:
        record = fixed_part(draft.kind)
        value = record.parse(draft.payload[: record.SIZE])
        new = {
            name: change(getattr(value, name)) if callable(change) else change
            for name, change in changes.items()
        }
        return draft._replace(payload=value.replace(**new).build() + draft.payload[record.SIZE :])

    return changed


def with_bits(mask: int) -> Callable[[Any], Any]:
    """Set bits of a word."""
    return lambda word: type(word)(int(word) | mask)


def privileged_vmpl(draft: Draft) -> Draft:
    """Request VMPL 0. Raises UsageError if the key permits it."""
    if not draft.header.msg_vmpck:
        raise UsageError("VMPCK 0 may ask for any VMPL", help="--vmpck 1, 2 or 3")
    return fields(vmpl=0)(draft)


def without_metadata(context: Any) -> Any:
    """Clear the valid bit of a guest context's root entry."""
    entry = context.root_md_entry
    return context.replace(root_md_entry=entry.replace(mdata=entry.mdata.replace(valid=0)))
