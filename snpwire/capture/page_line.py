r"""Read the lines in which the capture scripts print a page, and put one together from its pieces.

    snpwire's pages.bt, guest.bt: snp-page KIND in|out name=value ...: 00 01 02 ...
    snpwire's probes.sh:          ghcb_enter: (...) vcpu=0 rax=0x0 at_200={0x0,0x80000011,...} ...

``in`` goes to the hypervisor, ``out`` comes back. bpftrace prints bytes with ``%rh`` as above, with
``%rx`` as ``\x00\x01``, and with ``%r`` so, but for characters, which stand as they are. Those are
taken if they are as many as the kind has, because nothing marks a backslash. With ``-f json`` a
line is a JSON string. What was not printed of a page that comes in pieces is taken as zero, and
said to be absent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ..wire import RECORDS
from ..wire.ghcb import Page
from ..wire.message import payload_kind

if TYPE_CHECKING:
    from collections.abc import Mapping

HEAD = "snp-page "
WORD = "msr"
"""The kind whose line has a number behind the colon, and no bytes."""
PAYLOAD = "payload"
"""A message's plain payload: its type and version say of which kind."""
_NAME = re.compile(r"(\w{1,20})=([^\s:]{1,40})")
_BODY = re.compile(r'(?::|$)\s*(?P<body>.*?)(?:\\+n)?"?\}?\s*$')
_CUT = re.compile(r"[0-9a-fA-F]|\\")
"""What is left of a pair where a line ends early."""
_PAIRS = re.compile(r"(?:\s*[0-9a-fA-F]{2})*", re.ASCII)
_MIXED = re.compile(r"\\x([0-9a-f]{2})|([ -~])")
_NUMBER = re.compile("(?:0[xX])?[0-9a-fA-F]{1,16}")
_PIECE = re.compile(r"\b(\w{1,20})=(?:\{([0-9a-fA-FxX,\s]*)(\})?|(0x[0-9a-fA-F]{1,16}))")
_ARRAY = re.compile(r"at_([0-9a-f]{1,3})")
_QUADWORD = 8
_SHORT = "cut off"


class PageLine(NamedTuple):
    """One page as a script printed it."""

    kind: str
    """A kind of record; what the script calls it, where there is none of that name."""
    way: str
    """``in`` to the hypervisor or ``out`` of it."""
    names: Mapping[str, str]
    """What stands before the bytes: time, processor, process, vCPU and whatever else."""
    data: bytes
    absent: frozenset[str] = frozenset()
    """Fields whose bytes were not printed."""
    problem: str = ""
    """What is wrong with the bytes."""
    early: bool = False
    """Whether it is a response that still has the registers of its request."""

    @property
    def is_cut(self) -> bool:
        """Return whether it begins as its kind does, and further bytes are missing."""
        return bool(self.data) and self.problem.startswith(_SHORT)

    def longer(self, more: bytes) -> PageLine:
        """Return the page with *more* bytes behind those it has."""
        data = self.data + more
        return self._replace(data=data, problem=_wrong_size(self.kind, data))

    def number(self, name: str) -> int | None:
        """Return one of the names as a number, if it is there and is one."""
        try:
            return int(self.names[name], 0)
        except (KeyError, ValueError):
            return None


def page_line(kind: str, way: str, rest: str) -> PageLine:
    """Return the page of a line that begins ``snp-page KIND WAY``, and goes on with *rest*."""
    head, _, body = rest.partition(": ")
    names = dict(_NAME.findall(head))
    found = _BODY.match(f":{body}")
    body = found["body"] if found else body
    if kind == WORD:
        return _word(way, names, body)
    data, problem = _bytes(body)
    if kind == PAYLOAD:
        kind = _payload(names) or kind
    if problem and kind in RECORDS and len(mixed := _mixed(body)) == RECORDS[kind].type.SIZE:
        data, problem = mixed, ""
        names["form"] = "%r"
    return PageLine(kind, way, names, data, problem=problem or _wrong_size(kind, data))


def _word(way: str, names: Mapping[str, str], body: str) -> PageLine:
    """Return the GHCB MSR of a line."""
    if not _NUMBER.fullmatch(body):
        return PageLine(WORD, way, names, b"", problem="no number of 64 bits")
    return PageLine(WORD, way, names, int(body, 16).to_bytes(_QUADWORD, "little"))


def _bytes(body: str) -> tuple[bytes, str]:
    r"""Return the bytes that are printed as pairs of digits, with ``\x`` or not, and what stops."""
    if "\\x" in body:
        body = re.sub(r"\\+x", " ", body)
    try:
        return bytes.fromhex(body), ""
    except ValueError:
        pairs = _PAIRS.match(body)
        data = bytes.fromhex(pairs[0]) if pairs else b""
        if pairs and _CUT.fullmatch(body[pairs.end() :].strip()):
            return data, ""  # its size says that it is cut
        return data, f"no hex behind its first {len(data)} bytes: print it with %rh"


def _mixed(body: str) -> bytes:
    """Return the bytes of ``%r``, or none where the text has other characters."""
    found = _MIXED.findall(body) if "\\x" in body and not _MIXED.sub("", body) else []
    return bytes(int(digits, 16) if digits else ord(letter) for digits, letter in found)


def _payload(names: Mapping[str, str]) -> str:
    """Return the kind of a payload by the message's type and version."""
    try:
        return payload_kind(int(names.get("type", "0"), 0), int(names.get("version", "1"), 0))
    except ValueError:
        return ""


def _wrong_size(kind: str, data: bytes) -> str:
    """Return that a page is not whole, or longer than its kind."""
    size = getattr(RECORDS[kind].type, "SIZE", 0) if kind in RECORDS else 0
    if kind not in RECORDS or RECORDS[kind].type.fits(len(data)):
        return ""
    if len(data) < size:
        cut = "; raise max_strlen" if len(data) in (64, 1024) else ""
        return f"{_SHORT}: {len(data)} bytes of {size}{cut}"
    return f"{len(data)} bytes, which is no {kind}"


def pieces_page(way: str, rest: str) -> PageLine:
    """Return the GHCB page of a probe's event: fields by name, and arrays of quadwords."""
    pieces = _Pieces()
    names: dict[str, str] = {}
    problem = ""
    for name, words, end, number in _PIECE.findall(rest):
        place = _place(name)
        if place:
            pieces.put(*place, words or number)
        elif number:
            names[name] = number
        if words and not end:
            problem = f"cut off within {name}"
    names |= dict(_NAME.findall(rest[:40]))
    early = way == "out"
    return PageLine("ghcb", way, names, bytes(pieces.data), pieces.absent(), problem, early)


class _Pieces:
    """A page while it is put together."""

    def __init__(self) -> None:
        self.data = bytearray(Page.SIZE)
        self._shown = bytearray(Page.SIZE)

    def put(self, at: int, width: int, text: str) -> None:
        """Put numbers that commas divide at an offset, as far as they are numbers and fit."""
        for word in filter(None, text.replace(" ", "").split(",")):
            try:
                piece = int(word, 16).to_bytes(width, "little")
            except (ValueError, OverflowError):
                return
            if at + width > Page.SIZE:
                return
            self.data[at : at + width] = piece
            self._shown[at : at + width] = b"\1" * width
            at += width

    def absent(self) -> frozenset[str]:
        """Return the fields of which a byte is missing."""
        fields = Page.FIELDS
        return frozenset(f.path for f in fields if not all(self._shown[f.offset : f.end]))


def _place(name: str) -> tuple[int, int] | None:
    """Return where a piece begins, and how wide each of its numbers is."""
    if array := _ARRAY.fullmatch(name):
        return int(array[1], 16), _QUADWORD
    field = next((f for f in Page.FIELDS if f.path == name), None)
    return (field.offset, field.end - field.offset) if field else None
