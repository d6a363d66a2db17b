"""The text form of protocol buffers: go-sev-guest's ``attest -outform textproto``, Go's ``%v``.

Only names and values are read, whatever message they stand in: its report's fields have names of
their own. A field that is zero is left out by whoever prints it.
"""

from __future__ import annotations

import re

MOST = 1 << 18
"""Most bytes of such a text; escaped, a report with its chain has some 25,000."""
_FIELD = re.compile(
    r'(?<![\w"\\])([a-z][a-z0-9_]*):\s*(?:(\d+)|"([^"\\]*+(?:\\.[^"\\]*+)*+)")(?=[\s},;]|\Z)'
)
_ESCAPE = re.compile(
    r"\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", re.DOTALL
)
_LETTERS = {"n": 10, "r": 13, "t": 9, "a": 7, "b": 8, "f": 12, "v": 11}


def proto_text(data: bytes) -> dict[str, int | bytes]:
    """Return numbers and bytes of a text by their names; empty if *data* is no such text."""
    if len(data) > MOST or b"report_data:" not in data or b"signature:" not in data:
        return {}
    found: dict[str, int | bytes] = {}
    for name, number, quoted in _FIELD.findall(data.decode("utf-8", "replace")):
        found.setdefault(name, int(number) if number else _unescaped(quoted))
    return found if isinstance(found.get("signature"), bytes) else {}


def _unescaped(text: str) -> bytes:
    """Return the bytes of a quoted text."""
    parts: list[bytes] = []
    at = 0
    for found in _ESCAPE.finditer(text):
        parts += [text[at : found.start()].encode(), _escape(found[1])]
        at = found.end()
    return b"".join([*parts, text[at:].encode()])


def _escape(text: str) -> bytes:
    """Return what an escape stands for: a byte, or a character in UTF-8."""
    if text[0] in "01234567":
        return bytes([int(text, 8) & 0xFF])
    if text[0] == "x" and len(text) > 1:
        return bytes([int(text[1:], 16)])
    if text[0] in "uU" and len(text) > 1:
        number = int(text[1:], 16)
        return chr(min(number, 0x10FFFF)).encode("utf-8", "replace")
    return bytes([_LETTERS.get(text, ord(text) & 0xFF)])
