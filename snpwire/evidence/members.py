"""Bytes inside JSON, CBOR and YAML, each with its path.

In JSON bytes are a list of numbers below 256, base64 in either alphabet, with padding or without,
or hex; JSON in a text of JSON, in base64 (a token's parts, too) or in CBOR is read on. Of YAML only
lines of a key and a scalar are read, and blocks behind a key: what has bytes in it looks so. Of
other text objects of JSON, the options of a command line (QEMU's ``id-block=``), elements of XML
and tokens are looked at.

What is read is bounded: 4 MiB of text, 200,000 values, 100 levels, 8 texts within texts.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from ..errors import InputError
from ..wire.report import REPORT_SIZE
from .cbor import CborBytes, cbor_value, is_cbor
from .json_text import MAX_DEPTH, json_objects, parse
from .path import INSIDE, child
from .text_lines import text_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 1 << 22
"""Most bytes of JSON or YAML that are read."""
MAX_VALUES = 200_000
MAX_INSIDE = 8
LEAST = 16
"""Fewest digits that are taken for bytes; a shorter text is more often a word."""
_HEX = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2})+)")
_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+")
_BASE64 = re.compile(r"([A-Za-z0-9+/]+|[A-Za-z0-9_-]+)={0,2}")
_TOKEN = re.compile(r"\s*[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){2,4}\s*")
_OPTION = re.compile(
    r"(?<![\w-])([A-Za-z][\w-]{1,40})\s?=\s?[\"']?"
    r"((?:[A-Za-z0-9+/_-]|%2[BbFf]|%3[Dd]){16,}={0,2})(?![\w+/=%-])"
)
_ELEMENT = re.compile(r"<([A-Za-z][\w:.-]{0,60})(?:\s[^<>]{0,200})?>([A-Za-z0-9+/=_\s-]{16,})</\1>")
_BEARER = re.compile(r"(?<![\w.-])ey[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){1,4}")
_RUN = re.compile(r"(?<![\w+/-])[A-Za-z0-9+/_-]{1570,}={0,2}(?![\w+/=-])")
_DATA_URL = re.compile(r"data:[\w.+/;=-]{0,80};base64,")
_BYTE = re.compile(r"0[xX][0-9A-Fa-f]{1,2}")
_URL = str.maketrans("-_", "+/")


class Member(NamedTuple):
    """Bytes in a text, or in CBOR."""

    path: str
    data: bytes
    form: str
    """``list``, ``base64``, ``hex``, ``text`` or ``bytes``."""
    offset: int | None = None
    """Where they lie as they are, in CBOR."""
    problem: str = ""
    """What is wrong with the digits, of which as many as are whole were read."""


Node = Member | dict[str, Any]
"""Bytes, or an object of JSON."""


def members(data: bytes) -> Iterator[Member]:
    """Yield the bytes in *data*: JSON, CBOR, YAML, a token, options. None if it is none of these.

    Raises InputError for JSON that is broken, too large or too deep.
    """
    for _, member in nodes(data):
        if isinstance(member, Member):
            yield member


def nodes(data: bytes) -> Iterator[tuple[str, Node]]:
    """Yield objects of JSON (``dict``) and bytes (``Member``) of *data*, each with its path."""
    if is_cbor(data) and (found := _cbor(data, "$", 0)):
        yield from found
        return
    if not is_text(data):
        return
    text = _text(data)
    value = parse(text)
    if value is not None:
        yield from _walk(value, "$", 0)
    elif _TOKEN.fullmatch(text):
        yield from _token(text, "$", 0)
    elif (member := decoded(text, "$")) and not member.problem:
        own = len(member.data) == REPORT_SIZE or member.form == "hex"  # of the reader of dumps
        yield from (row for row in _bytes(member, 0) if row[1] is not member or not own)
    else:
        rows = [*_objects(text), *_options(text), *_lines(text)]
        sizes = [len(row.data) for _, row in rows if isinstance(row, Member)]
        yield from rows
        if max(sizes, default=0) < REPORT_SIZE:
            yield from _runs(text)


def is_text(data: bytes) -> bool:
    """Return whether *data* can be the text of JSON or YAML, by its beginning."""
    head = data[:4096]
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    return bool(head.strip()) and b"\0" not in head


def _text(data: bytes) -> str:
    """Return the text. Raises InputError if there is too much of it."""
    if len(data) > MOST:
        raise InputError(f"{len(data)} bytes of text, more than the {MOST} that are read")
    coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    return data.decode(coding, "replace").removeprefix("\ufeff")


def _walk(root: object, path: str, inside: int) -> Iterator[tuple[str, Node]]:
    """Yield the objects and bytes of a value, in its order. Raises InputError."""
    stack: list[Iterator[tuple[str, object]]] = [iter([(path, root)])]
    count = 0
    while stack:
        place, value = next(stack[-1], ("", None))
        if not place:
            stack.pop()
            continue
        count += 1
        if count > MAX_VALUES:
            raise InputError(f"the JSON has more than {MAX_VALUES} values")
        if len(stack) > MAX_DEPTH:
            raise InputError(f"the JSON is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, str):
            yield from _string(value, place, inside)
        elif isinstance(value, CborBytes):
            offset = value.offset if inside == 0 else None
            yield from _bytes(Member(place, bytes(value), "bytes", offset), inside)
        elif isinstance(value, dict) and (data := _indexed(value)) is not None:
            yield from _bytes(Member(place, data, "list"), inside)
        elif isinstance(value, dict):
            yield place, value
            stack.append(_children(place, value))
        elif isinstance(value, list):
            if (data := listed(value)) is not None:
                yield from _bytes(Member(place, data, "list"), inside)
            else:
                stack.append(_children(place, dict(enumerate(value))))


def _children(path: str, value: dict[Any, object]) -> Iterator[tuple[str, object]]:
    """Yield what an object or a list has; a path is made when its turn comes."""
    return ((child(path, key), each) for key, each in value.items())


def listed(value: list[object]) -> bytes | None:
    """Return the bytes that a list of numbers stands for; None if it is another list.

    Negative numbers are bytes as Java has them, texts such as ``0x7f`` as scripts write them.
    """
    if not value:
        return None
    kinds = set(map(type, value))
    if kinds == {str} and all(_BYTE.fullmatch(str(each)) for each in value):
        return bytes(int(str(each), 16) for each in value)
    if kinds != {int}:
        return None
    numbers: list[int] = value  # type: ignore[assignment]
    least, most = min(numbers), max(numbers)
    if least < -0x80 or most > (0x7F if least < 0 else 0xFF):
        return None
    return bytes(number & 0xFF for number in numbers)


def _indexed(value: dict[str, object]) -> bytes | None:
    """Return the bytes of an object of JavaScript whose names count: ``{"0": 1, "1": 255}``."""
    if len(value) < LEAST or "0" not in value:
        return None
    rows = [value.get(str(index)) for index in range(len(value))]
    return listed(rows)


def _string(text: str, path: str, inside: int) -> Iterator[tuple[str, Node]]:
    """Yield what a text stands for: bytes, JSON, a token, PEM."""
    if "-----BEGIN " in text:
        yield path, Member(path, text.encode(errors="replace"), "text")
    elif inside < MAX_INSIDE and text.lstrip()[:1] in ("{", "["):
        try:
            value = parse(text)
        except InputError:
            value = None
        yield from _walk(value, path + INSIDE, inside + 1)
    elif inside < MAX_INSIDE and _TOKEN.fullmatch(text):
        yield from _token(text, path, inside + 1)
    elif member := decoded(text, path):
        yield from _bytes(member, inside)


def decoded(text: str, path: str, size: int | None = None) -> Member | None:
    """Return the bytes that the digits of *text* stand for; None if it was not meant as bytes.

    Digits that may be hex and base64 are hex, unless only the other has the *size* wanted.
    """
    digits = "".join(text.split()) if len(text) >= LEAST else ""
    if digits.startswith("data:") and (found := _DATA_URL.match(digits)):
        digits = digits[found.end() :]
    if _PAIRS.fullmatch(digits):
        digits = digits.replace(":", "")
    if (found := _HEX.fullmatch(digits)) and (size is None or 4 * size != 3 * len(digits)):
        return Member(path, bytes.fromhex(found[1]), "hex")
    if len(digits) < LEAST or not _BASE64.fullmatch(digits):
        return None
    core = digits.rstrip("=").translate(_URL)
    over = len(core) % 4 == 1
    whole = core[:-1] if over else core
    data = a2b_base64(whole + "=" * (-len(whole) % 4))
    return Member(path, data, "base64", None, "the base64 ends inside a byte" if over else "")


def _token(text: str, path: str, inside: int) -> Iterator[tuple[str, Node]]:
    """Yield what the parts of a token between its dots stand for."""
    for index, part in enumerate(text.strip().split(".")):
        if member := decoded(part, f"{path} part {index}"):
            yield from _bytes(member, inside)


def _bytes(member: Member, inside: int) -> Iterator[tuple[str, Node]]:
    """Yield what is in bytes that are JSON or CBOR themselves, then the bytes."""
    data = member.data
    if inside < MAX_INSIDE and len(data) >= LEAST:
        if data.lstrip()[:1] in (b"{", b"[") and is_text(data):
            yield from _inner_text(data, member.path + INSIDE, inside + 1)
        elif is_cbor(data):
            yield from _cbor(data, member.path + INSIDE, inside + 1)
    yield member.path, member


def _inner_text(data: bytes, path: str, inside: int) -> Iterator[tuple[str, Node]]:
    try:
        value = parse(_text(data))
    except InputError:
        return
    yield from _walk(value, path, inside)


def _cbor(data: bytes, path: str, inside: int) -> list[tuple[str, Node]]:
    """Return the objects and bytes of CBOR; none of bytes that are no CBOR. Raises InputError."""
    value = cbor_value(data)
    return list(_walk(value, path, inside)) if value is not None else []


def _objects(text: str) -> Iterator[tuple[str, Node]]:
    """Yield what the objects of JSON in a text have."""
    for row in json_objects(text):
        yield from _walk(row.value, f"line {row.line}{INSIDE}", 0)


def _numbered(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield what a pattern finds, with the line that it begins in."""
    line, at = 1, 0
    for found in pattern.finditer(text):
        line += text.count("\n", at, found.start())
        at = found.start()
        yield line, found


def _runs(text: str) -> Iterator[tuple[str, Node]]:
    """Yield the bytes of digits as many as of a report, whatever stands around them."""
    for line, found in _numbered(_RUN, text):
        if member := decoded(found[0], f"digits in line {line}"):
            yield from _bytes(member, 1)


def _options(text: str) -> Iterator[tuple[str, Node]]:
    """Yield the bytes of a command line's options, ``id-block=..``, of XML's elements, of tokens.

    So are ``NAME = "..."`` of TOML and of a shell.
    """
    for pattern, path in ((_OPTION, "{}="), (_ELEMENT, "<{}>")):
        for found in pattern.finditer(text):
            if member := decoded(unquote(found[2]), path.format(found[1])):
                yield from _bytes(member, 1)
    for line, found in _numbered(_BEARER, text):
        yield from _token(found[0], f"token in line {line}", 1)


def _lines(text: str) -> Iterator[tuple[str, Node]]:
    """Yield the bytes behind the keys of lines."""
    for row in text_lines(text):
        path = f"{row.key} in line {row.line}"
        if row.value[:1] == "[" and (value := parse(row.value)) is not None:
            yield from _walk(value, path, 1)
        elif len(row.value) >= LEAST:
            yield from _string(row.value, path, 1)
