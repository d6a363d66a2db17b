"""The meaning of a guest message: its payload by name, its nonce, the bytes that the tag covers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire.message import (
    AAD_END,
    AAD_START,
    HEADER_SIZE,
    NONCE_SIZE,
    PAYLOAD_MAX,
    TAG_SIZE,
    Header,
    payload_kind,
)
from .document import Mark
from .meaning import Meaning, code_text

if TYPE_CHECKING:
    from ..wire.message import MessagePage
    from .document import Missing

SEQNO = Header.place("msg_seqno")


def nonce(header: Header) -> bytes:
    """Return the nonce: the sequence number and zeros."""
    return header.msg_seqno.to_bytes(8, "little").ljust(NONCE_SIZE, b"\0")


def message_meanings(page: MessagePage) -> dict[str, Meaning]:
    """Return the meanings of the header's fields and of the payload."""
    header = page.header
    kind = payload_kind(header.msg_type, header.msg_version)
    name = f"; the payload is a {kind}" if kind else "; the payload is unknown"
    end = HEADER_SIZE + min(header.msg_size, PAYLOAD_MAX)
    sized = f"{header.msg_size} bytes of payload, to {end:#05x}"
    if header.msg_size > PAYLOAD_MAX:
        sized = f"{header.msg_size} bytes of payload, more than a page has room for"
    return {
        "header.msg_type": Meaning(code_text(header.msg_type) + name),
        "header.msg_seqno": Meaning(f"sequence number; nonce {nonce(header).hex(' ')}"),
        "header.msg_size": Meaning(sized),
        "payload": Meaning("encrypted; open shows it with the key" if header.msg_size else "empty"),
    }


def extent_text(page: MessagePage, missing: Missing) -> str:
    """Return what is missing of a page: nothing of its message, if that is whole."""
    size = page.header.msg_size
    end = HEADER_SIZE + size
    if missing.start < HEADER_SIZE or not 0 < size <= PAYLOAD_MAX or end > missing.start:
        return missing.text
    return (
        f"{missing.start} of {missing.of} bytes: the message is whole, its {size} sealed bytes end"
        f" at {end:#05x}; only what a page has behind them is not there"
    )


def message_marks(page: MessagePage) -> tuple[Mark, ...]:
    """Return the marks of tag, nonce, associated data and ciphertext."""
    header = page.header
    size = min(header.msg_size, PAYLOAD_MAX)
    text = f"msg_seqno, then 4 zero bytes: {nonce(header).hex(' ')}"
    marks = [
        Mark("tag", 0, TAG_SIZE, "authentication tag"),
        Mark("nonce", SEQNO, SEQNO + 8, text),
        Mark("aad", AAD_START, AAD_END, "associated data: authenticated, not encrypted"),
    ]
    if size:
        end = HEADER_SIZE + size
        marks.append(Mark("sealed", HEADER_SIZE, end, "ciphertext of msg_size bytes"))
    return tuple(marks)
