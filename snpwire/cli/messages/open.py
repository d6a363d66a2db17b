"""``snpwire open``: authenticate and decrypt one message, or say which input is wrong."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from ...decode.document import Wanted, document
from ...errors import AuthError, DecodeError, MessageError, UsageError
from ...rules.opened_message import behind, judged
from ...wire import RECORDS
from ...wire.address import PAGE
from ...wire.message import HEADER_SIZE, MessagePage, payload_kind
from ..decode import summary
from ..encode import emit
from ..input import SourceError, cut, load
from ..output import note, say, style, write_file
from .keys import KeyOptions, claims_stdin, load_key, other_keys

if TYPE_CHECKING:
    from ...crypto.open_attempt import Attempt
    from ...finding import Finding
    from ...view.document import Document
    from ...wire.message import Header
    from ..input import Source
    from .keys import Key

DIFFERS = "tag differs"


class Asked(NamedTuple):
    """What the options of ``open`` ask for."""

    wanted: Wanted = Wanted()
    vmpck: int | None = None
    seqno: int | None = None
    secrets: str | None = None
    diagnosis: bool = True
    json: bool = False
    output: str | None = None
    redact: bool = False


def open_message(file: str, options: KeyOptions, asked: Asked) -> int:
    """Print what a message says; return 1 if it does not authenticate."""
    from ...crypto import sealing

    if file == "-" and claims_stdin(options):
        raise UsageError("standard input cannot be both key and message", help="give one a file")
    wanted = asked.wanted
    piece = cut(wanted.offset, wanted.length, wanted.page, None)
    source = load(file, form=wanted.form, piece=piece, fits=lambda size: size >= HEADER_SIZE)
    try:
        header, _ = sealing.parts(source.data)
        key = load_key(options, header.msg_vmpck if asked.vmpck is None else asked.vmpck)
        try:
            header, payload = sealing.open_message(sealing.Vmpck(key.data), source.data)
        except AuthError:
            return _failed(source, header, key, asked)
    except MessageError as exc:
        if asked.json:
            _say_refused(exc.code, [])
        raise SourceError(source.name, MessageError(f"{exc}  [{exc.code}]")) from None
    if asked.output == "-":
        emit(payload, output=None, as_hex=False)
        return 0
    if asked.output is not None:
        write_file(asked.output, payload)
    _print(source, header, payload, asked)
    return 0


def _print(source: Source, header: Header, payload: bytes, asked: Asked) -> None:
    """Print header and payload, and what is wrong with either."""
    for said in source.notes:
        note(said)
    page = _page(source, asked.wanted)
    name = payload_kind(header.msg_type, header.msg_version)
    inner, found = _payload(name, payload, source.base, asked.wanted)
    found += judged(header, inner.value if inner else None, asked.seqno)
    if asked.redact:
        page, inner = page.without_secrets(), inner and inner.without_secrets()
    if asked.json:
        from ...view import json as view

        whole: dict[str, Any] = {
            "schema": "open/1",
            "opens": True,
            "message": view.document(page),
            "payload": view.document(inner) if inner else None,
            "payload_hex": None if asked.redact else payload.hex(),
            "findings": [view.finding(f) for f in found],
        }
        say([view.dumps(whole)])
    else:
        from ...view.tree import finding_text

        _show(page._replace(value=header), inner, _bytes(name, payload, redact=asked.redact))
        say(finding_text(f, style()) for f in found)
    note(f"findings: {summary((*page.findings, *(inner.findings if inner else ()), *found))}")


def _page(source: Source, wanted: Wanted) -> Document:
    """Read the message as the page it is in, filled up with zeros if it is shorter."""
    data = source.data[:PAGE].ljust(PAGE, b"\0")
    size = min(len(source.data), PAGE)
    return document(
        RECORDS["message"], MessagePage.parse(data), wanted, size=size, base=source.base
    )


def _show(top: Document, inner: Document | None, plain: list[str]) -> None:
    from ...view.tree import tree

    say(tree(top, style=style()))
    say(tree(inner, style=style()) if inner else plain)


def _bytes(name: str, payload: bytes, *, redact: bool) -> list[str]:
    """Return the lines of a payload that has no fields."""
    said = f"that cannot be {name}" if name else "of a kind that is not known"
    head = f"payload  {len(payload)} bytes {said}"
    if redact:
        return [f"{head}, redacted"]
    rows = range(0, len(payload), 16)
    return [head, *(f"{HEADER_SIZE + n:#05x}  {payload[n : n + 16].hex(' ')}" for n in rows)]


def _payload(
    name: str, payload: bytes, base: int, wanted: Wanted
) -> tuple[Document | None, list[Finding]]:
    """Decode a payload; what is behind a record that has one size is filling."""
    if not name:
        return None, []
    kind = RECORDS[name]
    size = len(payload) if hasattr(kind.type, "ELEMENT") else kind.type.SIZE
    try:
        value = kind.type.parse(payload[:size])
    except DecodeError:
        return None, []  # that it is too short is said of the page
    doc = document(kind, value, wanted, size=size, base=base + HEADER_SIZE)
    return doc, behind(payload[size:], name)


def _failed(source: Source, header: Header, key: Key, asked: Asked) -> int:
    """Say that the tag does not fit, and which mistake would explain it."""
    attempts: list[Attempt] = []
    if asked.diagnosis:
        from ...crypto.diagnosis import diagnose

        others = key.others | (other_keys(asked.secrets) if asked.secrets else {})
        attempts = diagnose(key.data, source.data, others)
    if asked.json:
        mistake = next((attempt.code for attempt in attempts if attempt.opens), AuthError().code)
        _say_refused(mistake, attempts)
    sys.stdout.flush()
    lines = [f"snpwire: {source.name}: authentication failed"]
    if not asked.json:
        lines += _told(attempts, header)
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    return 1


def _say_refused(code: str, attempts: list[Attempt]) -> None:
    """Print as JSON that a message cannot be opened, and by which code."""
    from ...view.json import dumps

    tried = [attempt._asdict() for attempt in attempts]
    say([dumps({"schema": "open/1", "opens": False, "code": code, "attempts": tried})])


def _told(attempts: list[Attempt], header: Header) -> list[str]:
    """Return a line for each attempt, up to the last that opens; a run that does not shares one."""
    rows = []
    for opens, group in groupby(attempts, key=lambda a: (a.opens, a.opens or _family(a.name))):
        run = list(group)
        if opens[0]:
            rows += [(a.name, f"opens: {a.meaning}  [{a.code}]") for a in run]
        else:
            rows.append((_run_name([a.name for a in run], header), DIFFERS))
    last = max((n for n, (_, said) in enumerate(rows) if said != DIFFERS), default=len(rows))
    rows = rows[: last + 1]
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"  {name:<{width}}  {said}" for name, said in rows]
    if attempts and not any(a.opens for a in attempts):
        lines.append(f"  none of {len(attempts)} ways to open it does  [{AuthError().code}]")
    return lines


def _family(name: str) -> str:
    return name.partition(" ")[0]


def _run_name(names: list[str], header: Header) -> str:
    if names == ["as given"]:
        return f"key as given, nonce from seqno {header.msg_seqno}, aad 0x30..0x5f"
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)})"
