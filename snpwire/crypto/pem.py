"""Read PEM (RFC 7468): blocks of base64 between two lines that name what they hold."""

from __future__ import annotations

import re
from binascii import Error as BadBase64
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, NamedTuple

from ..errors import CertificateError

if TYPE_CHECKING:
    from collections.abc import Iterator

BEGIN = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----")
ESCAPE = re.compile(rb"\\+(?:r\\+n|[rn]|u000[aAdD])|%0[aAdD]")
"""A line's end as JSON and URLs spell it, also where text was escaped twice."""
MARKS = (("utf-16", b"\xff\xfe"), ("utf-16", b"\xfe\xff"), ("utf-16-le", b"-\0-\0"))
"""Encodings of two bytes, and how a file of each begins."""


class PemBlock(NamedTuple):
    """A block of PEM."""

    label: bytes
    text: bytes | None
    """None if the block has no end."""
    line: int
    offset: int


class Pem(NamedTuple):
    """Text with blocks of PEM, as RFC 7468 spells them."""

    data: bytes
    notes: tuple[str, ...] = ()
    """How it was spelled instead."""


def plain_pem(data: bytes) -> Pem | None:
    """Return PEM that was pasted: of two bytes a character, or within JSON or a URL.

    None where there is no block, or bytes of another kind before it: PEM within a table, say.
    """
    notes = []
    encoding = next((name for name, mark in MARKS if data.startswith(mark)), None)
    if encoding:
        data = data.decode(encoding, "replace").encode(errors="replace")
        notes.append("read as UTF-16")
    if b"-----BEGIN%20" in data:
        from urllib.parse import unquote_to_bytes

        data = unquote_to_bytes(data)
        notes.append("read with the escapes of a URL undone")
    elif b"-----BEGIN " in data and ESCAPE.search(data):
        data = ESCAPE.sub(b"\n", data)
        notes.append("read with escaped ends of lines as ends of lines")
    begin = BEGIN.search(data)
    is_text = begin is not None and data.find(b"\0", 0, begin.start()) < 0
    return Pem(data, tuple(notes)) if is_text else None


def documents(data: bytes, label: bytes) -> list[bytes]:
    """Return the DER documents of a file that is DER or PEM."""
    if data[:1] == b"\x30" and b"-----BEGIN " not in data:  # a SEQUENCE, not the digit 0
        return [bytes(data)]
    found = [block_data(row.text or b"", row.line) for row in blocks(data) if row.label == label]
    if not found:
        wanted = label.decode().lower().replace("x509 crl", "revocation list")
        raise CertificateError(f"there is no {wanted}: neither DER nor PEM")
    return found


def blocks(data: bytes, *, whole: bool = True) -> Iterator[PemBlock]:
    """Yield each PEM block; the time is linear in the size.

    A block ends at its own end, whatever stands in it: blocks within blocks are read once. Raises
    CertificateError for one without an end; unless blocks are to be *whole*, it has no text.
    """
    at, line = 0, 1
    while begin := BEGIN.search(data, at):
        line += data.count(b"\n", at, begin.start())
        end = data.find(b"-----END " + begin[1] + b"-----", begin.end())
        if end < 0 and whole:
            raise no_end(line)
        text = None if end < 0 else data[begin.end() : end]
        yield PemBlock(begin[1], text, line, begin.start())
        if end < 0:
            return
        line += data.count(b"\n", begin.start(), end)
        at = end


def no_end(line: int) -> CertificateError:
    """Return what is wrong with a block that has no end."""
    return CertificateError(f"the PEM block that starts in line {line} has no end")


def block_data(text: bytes, line: int) -> bytes:
    """Decode strict base64: bits of the last digit that belong to no byte are zero."""
    digits = b"".join(text.split())
    where = f"the PEM block that starts in line {line}"
    try:
        data = a2b_base64(digits, strict_mode=True)
    except BadBase64:
        raise CertificateError(f"{where} has more than base64 in it") from None
    if b2a_base64(data, newline=False) != digits:
        raise CertificateError(f"{where} has bits set in its last digit that belong to no byte")
    return data
