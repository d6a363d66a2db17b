"""Read lines of text from the bytes of a log.

Lines are looked for in bytes, so UTF-16 is turned into UTF-8 as it comes in; it is known by its
mark, or by the zero byte next to each of its first characters. All else is read line by line: as
UTF-8, or as Latin-1 where a line is none. Zero bytes, which a crash leaves in a log, are left out,
and so are the codes by which terminals set colours.

Editors, chats and web pages replace characters by others that look alike, and write some of them as
escapes or entities: each is read as what it was. A line that holds several messages is taken apart:
at a line feed that is written as an escape, between the objects of JSON, and before the time at
which a kernel's message starts.
"""

from __future__ import annotations

import codecs
import re
from typing import Protocol

_SNIFF = 64  # bytes, or the first line: what tells UTF-16
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,16}[A-Za-z]")
_QUOTE = re.compile(r" {0,8}(?:>(?!=) ?)+")
_LEADERS = frozenset("|*`+#-0123456789")
_LEADER = re.compile(r"(?:[|*`+# -]{1,8}|[0-9]{1,8}[:-] ?)(?=[\[<])")
"""What lists, tables, differences and ``grep -n`` put before a line."""
_TYPOGRAPHY = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\u3000", " "),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
        "\u2026": "...",
        **dict.fromkeys("\x91\x92\x82", "'"),
        **dict.fromkeys("\x93\x94\x84\x8b\x9b", '"'),
        **dict.fromkeys("\x96\x97", "-"),
        "\x85": "...",
    }
)
"""What an editor makes of quotation marks, hyphens, blanks and full stops.

Those below U+00A0 are Windows-1252's, in a line that was read as Latin-1.
"""
_ESCAPE = re.compile(r"\\+u([0-9a-fA-F]{4})|\\+([^\w\s\\]|_)")
_BREAK = re.compile(r"(?:\\+[rn])+|(?<=[}\"]), ?(?=\{ {0,3}\\*\")")
_STAMP = re.compile(r"\[ {0,11}[0-9]{1,7}\.[0-9]{6}\]")
_OBJECT = re.compile(r'.{0,600}"(?:msg|message|log|line|text)" ?: ?"', re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")
_EMPHASIS = re.compile(r"\*+|`+|~~|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)")
_ENTITY = re.compile(r"&(?:[a-z]{2,6}|#[0-9]{2,5}|#x[0-9a-fA-F]{2,4});")
_MARKS = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

FOREIGN: dict[bytes, tuple[str, str]] = {
    b"\x1f\x8b": ("gzip", "zcat FILE | snpwire log"),
    b"\xfd7zXZ\0": ("xz", "xzcat FILE | snpwire log"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstdcat FILE | snpwire log"),
    b"BZh9": ("bzip2", "bzcat FILE | snpwire log"),
    b"PK\x03\x04": ("a zip archive", "unzip -p FILE | snpwire log"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "7z x -so FILE | snpwire log"),
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
    if not text.isascii():
        text = text.translate(_TYPOGRAPHY)
    if "&" in text and _ENTITY.search(text):
        from html import unescape

        text = unescape(text)
    if text[:1] in _LEADERS and (leader := _LEADER.match(text)):
        text = text[leader.end() :]
    if ">" in text[:9] and (quote := _QUOTE.match(text)):
        text = text[quote.end() :]
    return text.rstrip("\r"), odd


def is_plain(text: str) -> bool:
    """Return whether *text* holds one message, as it was printed."""
    if "\\" in text or '"' in text or "}" in text:
        return False
    return "] " not in text or not _STAMP.search(text, 1)


def messages(text: str) -> list[str]:
    """Return the messages that *text* holds, which has no prefix any more; most hold one."""
    pieces = [text]
    if "\\" in text or "}" in text:
        pieces = [piece for piece in _BREAK.split(text) if piece] or pieces
    if "[" in text and _STAMP.search(text, 1):
        pieces = [part for piece in pieces for part in _at_stamps(piece)]
    if "\\" in text:
        pieces = [_ESCAPE.sub(_character, piece) for piece in pieces]
    return pieces


def _at_stamps(text: str) -> list[str]:
    """Return *text* cut before each time of a kernel's message that something stands before."""
    places = [found.start() for found in _STAMP.finditer(text) if text[: found.start()].strip()]
    return [
        text[start:end].strip() for start, end in zip([0, *places], [*places, None], strict=True)
    ]


def _character(found: re.Match[str]) -> str:
    """Return the character that an escape stands for, of those that belong into a line."""
    character = chr(int(found[1], 16)) if found[1] else found[2]
    return character if character.isprintable() else " "


def split_object(text: str) -> tuple[str, str]:
    """Return what an object of JSON has before its message, and the rest."""
    found = _OBJECT.match(text) if '"' in text else None
    end = found.end() if found else 0
    return text[:end], text[end:]


def is_decorated(text: str) -> bool:
    """Return whether ``undecorated`` may change *text*, whose blanks are single."""
    if "<" in text or "*" in text or "`" in text or "~~" in text or "=3D" in text:
        return True
    return not text.isprintable() or ("_" in text and _EMPHASIS.search(text) is not None)


def undecorated(text: str) -> str:
    """Return *text* without tags, and without the marks by which people emphasise a part of it."""
    return " ".join(_EMPHASIS.sub("", _TAG.sub("", text.replace("=3D", "="))).split())
