"""Bytes inside JSON, CBOR and YAML, each with its path.

In JSON bytes are a list of numbers below 256, base64 in either alphabet, with padding or without,
or hex; JSON in a text of JSON, in base64 (a token's parts, too) or in CBOR is read on. Of YAML only
lines of a key and a scalar are read, and blocks behind a key: what has bytes in it looks so. Of
other text the options of a command line (QEMU's ``id-block=``) and elements of XML are looked at.

What is read is bounded: 4 MiB of text, 200,000 values, 100 levels, 8 texts within texts.
"""

from __future__ import annotations

import re
from binascii import a2b_base64
from json import JSONDecodeError
from json import loads as json_loads
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InputError, shown
from .cbor import CborBytes, cbor_value, is_cbor
from .path import INSIDE, child

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 1 << 22
"""Most bytes of JSON or YAML that are read."""
MAX_VALUES = 200_000
MAX_DEPTH = 100
MAX_INSIDE = 8
LEAST = 16
"""Fewest digits that are taken for bytes; a shorter text is more often a word."""
_HEX = re.compile(r"(?:0x)?((?:[0-9A-Fa-f]{2})+)")
_PAIRS = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+")
_BASE64 = re.compile(r"([A-Za-z0-9+/]+|[A-Za-z0-9_-]+)={0,2}")
_TOKEN = re.compile(r"\s*[A-Za-z0-9_-]{8,}(\.[A-Za-z0-9_-]*){2,4}\s*")
_OPTION = re.compile(
    r"(?<![\w-])([a-z][a-z0-9-]{1,30})=\"?([A-Za-z0-9+/_-]{16,}={0,2})(?![\w+/=-])"
)
_ELEMENT = re.compile(r"<([A-Za-z][\w-]{1,30})>([A-Za-z0-9+/=_\s-]{16,})</\1>")
_YAML = re.compile(r"^([ ]*)(?:- )?([A-Za-z_][\w.-]*):(?:[ ]+(\S.*))?$")
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
        yield from (row for row in _bytes(member, 0) if row[1] is not member)
    else:
        yield from _options(text)
        yield from _yaml(text)


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


def parse(text: str) -> object:
    """Return the value of a JSON text; None if it is none, or ``null``.

    A text that begins as an object of JSON does, and is none, is broken. Raises InputError.
    """
    body = text.lstrip()
    if body[:1] not in ("{", "[", '"'):
        return None
    try:
        return json_loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise InputError(f"the JSON is nested deeper than {MAX_DEPTH} levels") from None
    except JSONDecodeError as exc:
        if re.match(r'\{\s*"', body):
            reason = f"the JSON breaks off or is broken: {exc.msg}, column {exc.colno}"
            raise InputError(reason, line=exc.lineno) from None
    except ValueError:  # a number of more digits than Python converts
        raise InputError("the JSON has a number of too many digits") from None
    return None


def _object(rows: list[tuple[str, object]]) -> dict[str, object]:
    """Return the object of *rows*. Raises InputError for a name that stands for two values."""
    found: dict[str, object] = dict(rows)
    if len(found) < len(rows):
        for name, value in rows:
            if found[name] != value:
                raise InputError(f"the JSON has two members {shown(name)} in one object")
    return found


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
    """Return the bytes that a list of numbers stands for; None if it is another list."""
    if not value or set(map(type, value)) != {int}:
        return None
    try:
        return bytes(value)  # type: ignore[arg-type]
    except ValueError:
        return None


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
    """Return the objects and bytes of CBOR; whoever has too many values has none."""
    value = cbor_value(data)
    try:
        return list(_walk(value, path, inside)) if value is not None else []
    except InputError:
        return []


def _options(text: str) -> Iterator[tuple[str, Node]]:
    """Yield the bytes of a command line's options, ``id-block=..``, and of XML's elements."""
    for found in _OPTION.finditer(text):
        if member := decoded(found[2], f"{found[1]}="):
            yield from _bytes(member, 1)
    for found in _ELEMENT.finditer(text):
        if member := decoded(found[2], f"<{found[1]}>"):
            yield from _bytes(member, 1)


def _yaml(text: str) -> Iterator[tuple[str, Node]]:
    """Yield the bytes behind the keys of lines, and the blocks behind them."""
    lines = text.splitlines()
    index = 0
    while index < len(lines):
        index += 1
        found = _YAML.match(lines[index - 1].rstrip())
        if not found:
            continue
        path = f"{found[2]} in line {index}"
        scalar = re.sub(r"^!!?\w+\s*", "", found[3] or "").strip()
        if scalar in ("|", ">", "|-", ">-", "|+", ">+"):
            index, scalar = _block(lines, index, len(found[1]))
        yield from _scalar(scalar.strip("\"'"), path)


def _scalar(scalar: str, path: str) -> Iterator[tuple[str, Node]]:
    if scalar[:1] == "[" and (value := parse(scalar)) is not None:
        yield from _walk(value, path, 1)
    elif len(scalar) >= LEAST:
        yield from _string(scalar, path, 1)


def _block(lines: list[str], start: int, indent: int) -> tuple[int, str]:
    """Return where the lines end that are indented by more than *indent*, and those lines."""
    end = start
    while end < len(lines):
        line = lines[end]
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        end += 1
    return end, "\n".join(line.strip() for line in lines[start:end])
