"""``snpwire open``: authenticate and decrypt one message, or say which input is wrong."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ...decode.document import Wanted, document
from ...errors import AuthError, DecodeError, MessageError, UsageError
from ...rules.opened_message import behind, judged
from ...wire import RECORDS
from ...wire.address import PAGE
from ...wire.message import HEADER_SIZE, MessagePage, payload_kind
from ..decode import summary
from ..encode import write_bytes
from ..input import SourceError, cut, load
from ..output import terminal_style, write_file, write_json, write_lines, write_note
from .keys import claims_stdin, load_key, other_keys

if TYPE_CHECKING:
    from ...crypto.attempt import Attempt
    from ...finding import Finding
    from ...view.document import Document
    from ...wire.message import Header
    from ..input import Source
    from ..options import PieceOptions
    from .keys import Key
    from .options import KeyOptions, OpenOptions

DIFFERS = "tag differs"


def open_message(
    file: str, key_options: KeyOptions, options: OpenOptions, piece: PieceOptions
) -> int:
    """Print what a message says; return 1 if it does not authenticate."""
    from ...crypto import sealing

    if file == "-" and claims_stdin(key_options):
        raise UsageError("standard input cannot be both key and message", help="give one a file")
    within = cut(piece.offset, piece.length, piece.page, None)
    source = load(file, form=piece.form, piece=within, fits=lambda size: size >= HEADER_SIZE)
    try:
        header, _ = sealing.parts(source.data)
        key = load_key(key_options, header.msg_vmpck if options.vmpck is None else options.vmpck)
        try:
            header, payload = sealing.open_message(sealing.Vmpck(key.data), source.data)
        except AuthError:
            return _failed(source, header, key, options)
    except MessageError as exc:
        if options.json:
            _say_refused(exc.code, [])
        raise SourceError(source.name, MessageError(f"{exc}  [{exc.code}]")) from None
    if options.output == "-":
        write_bytes(payload, output=None, as_hex=False)
        return 0
    if options.output is not None:
        write_file(options.output, payload)
    _print(source, header, payload, options)
    return 0


def _print(source: Source, header: Header, payload: bytes, options: OpenOptions) -> None:
    """Print header and payload, and what is wrong with either."""
    write_note(*source.notes)
    known = Wanted(product=options.product)
    page = _page(source, known)
    name = payload_kind(header.msg_type, header.msg_version)
    inner, found = _payload(name, payload, source.base, known)
    found += judged(header, inner.value if inner else None, options.seqno)
    if options.redact:
        page, inner = page.without_secrets(), inner and inner.without_secrets()
    if options.json:
        from ...view import json as view

        whole: dict[str, Any] = {
            "schema": "open/1",
            "opens": True,
            "message": view.document(page),
            "payload": view.document(inner) if inner else None,
            "payload_hex": None if options.redact else payload.hex(),
            "findings": [view.finding(f) for f in found],
        }
        write_json(whole)
    else:
        from ...view.tree import finding_text

        _show(page._replace(value=header), inner, _bytes(name, payload, redact=options.redact))
        write_lines(finding_text(f, terminal_style()) for f in found)
    write_note(f"findings: {summary((*page.findings, *(inner.findings if inner else ()), *found))}")


def _page(source: Source, known: Wanted) -> Document:
    """Read the message as the page it is in, filled up with zeros if it is shorter."""
    data = source.data[:PAGE].ljust(PAGE, b"\0")
    size = min(len(source.data), PAGE)
    return document(RECORDS["message"], MessagePage.parse(data), known, size=size, base=source.base)


def _show(top: Document, inner: Document | None, plain: list[str]) -> None:
    from ...view.tree import tree

    write_lines(tree(top, style=terminal_style()))
    write_lines(tree(inner, style=terminal_style()) if inner else plain)


def _bytes(name: str, payload: bytes, *, redact: bool) -> list[str]:
    """Return the lines of a payload that has no fields."""
    said = f"that cannot be {name}" if name else "of a kind that is not known"
    head = f"payload  {len(payload)} bytes {said}"
    if redact:
        return [f"{head}, redacted"]
    rows = range(0, len(payload), 16)
    return [head, *(f"{HEADER_SIZE + n:#05x}  {payload[n : n + 16].hex(' ')}" for n in rows)]


def _payload(
    name: str, payload: bytes, base: int, known: Wanted
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
    doc = document(kind, value, known, size=size, base=base + HEADER_SIZE)
    return doc, behind(payload[size:], name)


def _failed(source: Source, header: Header, key: Key, options: OpenOptions) -> int:
    """Say that the tag does not fit, and which mistake would explain it."""
    attempts: list[Attempt] = []
    if options.diagnosis:
        from ...crypto.diagnosis import diagnose

        others = key.others | (other_keys(options.secrets) if options.secrets else {})
        attempts = diagnose(key.data, source.data, others)
    if options.json:
        mistake = next((attempt.code for attempt in attempts if attempt.opens), AuthError().code)
        _say_refused(mistake, attempts)
    sys.stdout.flush()
    lines = [f"snpwire: {source.name}: authentication failed"]
    if not options.json:
        lines += _told(attempts, header)
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    return 1


def _say_refused(code: str, attempts: list[Attempt]) -> None:
    """Print as JSON that a message cannot be opened, and by which code."""
    tried = [attempt._asdict() for attempt in attempts]
    write_json({"schema": "open/1", "opens": False, "code": code, "attempts": tried})


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
