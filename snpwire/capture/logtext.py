"""Read lines of text from the bytes of a log.

Lines are looked for in bytes, so UTF-16 is turned into UTF-8 as it comes in; it is known by its
mark, or by the zero byte next to each of its first characters. All else is read line by line: as
UTF-8, or as Latin-1 where a line is none. Zero bytes, which a crash leaves in a log, are left out,
and so are the codes by which terminals set colours.
"""

from __future__ import annotations

import codecs
import re
from typing import Protocol

_SNIFF = 64  # bytes, or the first line: what tells UTF-16
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,16}[A-Za-z]")
_QUOTE = re.compile(r" {0,8}(?:> ?)+")
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

FOREIGN: dict[bytes, tuple[str, str]] = {
    b"\x1f\x8b": ("gzip", "zcat FILE | snpwire log"),
    b"\xfd7zXZ\0": ("xz", "xzcat FILE | snpwire log"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstdcat FILE | snpwire log"),
    b"BZh9": ("bzip2", "bzcat FILE | snpwire log"),
    b"LPKSHHRH": ("a systemd journal", "journalctl --file FILE -k | snpwire log"),
    b"\x7fELF": ("an ELF file, such as a memory dump", "crash or vmcore-dmesg prints its log"),
    b"KDUMP   ": ("a memory dump", "vmcore-dmesg FILE | snpwire log"),
}
"""What a file that is no text begins with: its name, and how to get its log."""


def foreign(head: bytes) -> tuple[str, str] | None:
    """Return what a file is that begins with *head* and is no text, and what reads it, or None."""
    return next((what for magic, what in FOREIGN.items() if head.startswith(magic)), None)


class _Incremental(Protocol):
    def decode(self, data: bytes, final: bool = ..., /) -> str: ...


class Decoder:
    """Bytes of a log, made such that a line feed ends each line."""

    def __init__(self) -> None:
        self.encoding = ""
        """Empty until it is known: the encoding, or ``bytes`` where lines decide for themselves."""
        self._head = b""
        self._wide: _Incremental | None = None

    def decode(self, data: bytes) -> bytes:
        """Return the next bytes."""
        if not self.encoding:
            self._head += data
            if len(self._head) < _SNIFF and b"\n" not in self._head:
                return b""
            data = self._begin()
        if self._wide:
            return self._wide.decode(data).encode("utf-8", "replace")
        return data

    def end(self) -> bytes:
        """Return the bytes that were held back."""
        data = b"" if self.encoding else self._begin()
        if self._wide:
            return self._wide.decode(data, True).encode("utf-8", "replace")
        return data

    def _begin(self) -> bytes:
        """Detect the encoding from the first bytes, and return them without its mark."""
        head, self._head = self._head, b""
        self.encoding = encoding_of(head)
        if self.encoding != "bytes":
            self._wide = codecs.getincrementaldecoder(self.encoding)("replace")
        marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)
        mark = next(filter(head.startswith, marks), b"")
        return head[len(mark) :]


def encoding_of(head: bytes) -> str:
    """Return UTF-16 of either kind, or ``bytes``: by its mark, or by its zeros.

    Only those of the first bytes count that are there however a log is cut.
    """
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    start = head[: min(_SNIFF, head.find(b"\n") + 1 or _SNIFF)]
    even, odd = start[0::2], start[1::2]
    for name, letters, zeros in (("utf-16-le", even, odd), ("utf-16-be", odd, even)):
        if len(start) >= 8 and 0 not in letters and 4 * zeros.count(0) >= 3 * len(zeros):
            return name
    return "bytes"


def line_text(raw: bytes) -> tuple[str, str]:
    """Return a line as text, without what mail and terminals added, and what was odd about it."""
    odd = ""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text, odd = raw.decode("latin-1"), "latin-1"
    if "\0" in text:
        text, odd = text.replace("\0", ""), "nul"
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    if ">" in text[:9] and (quote := _QUOTE.match(text)):
        text = text[quote.end() :]
    return text.rstrip("\r"), odd
