"""``snpwire open``: authenticate and decrypt one message, or diagnose which input is wrong."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ...decode import Hints, document
from ...errors import AuthError, DecodeError, MessageError, UsageError
from ...finding import summary
from ...rules.plaintext import plaintext_findings, tail_findings
from ...wire import RECORDS
from ...wire.address import PAGE
from ...wire.message import HEADER_SIZE, payload_kind
from ..encode import write_bytes
from ..input import SourceError, cut, load
from ..output import terminal_style, write_file, write_json, write_lines, write_note
from .keys import claims_stdin, load_key, other_keys

if TYPE_CHECKING:
    from ...crypto.open_attempt import Attempt
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
    """Print a message; return 1 if it does not authenticate."""
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
            _write_refusal(exc.code, [])
        raise SourceError(source.name, MessageError(f"{exc}  [{exc.code}]")) from None
    if options.output == "-":
        write_bytes(payload, output=None, as_hex=False, private=True)
        return 0
    if options.output is not None:
        write_file(options.output, payload, private=True)
    _print(source, header, payload, options)
    return 0


def _print(source: Source, header: Header, payload: bytes, options: OpenOptions) -> None:
    """Print header and payload, and the findings on both."""
    write_note(*source.notes)
    known = Hints(product=options.product)
    page = _page_document(source, known)
    name = payload_kind(header.msg_type, header.msg_version)
    inner, found = _payload_document(name, payload, source.base, known)
    found += plaintext_findings(header, inner.value if inner else None, options.seqno)
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
        from ...view.tree import finding_lines

        _show(page._replace(value=header), inner, _hex_lines(name, payload, redact=options.redact))
        write_lines(finding_lines(found, terminal_style()))
    write_note(f"findings: {summary((*page.findings, *(inner.findings if inner else ()), *found))}")


def _page_document(source: Source, known: Hints) -> Document:
    """Return the document of the message page, zero-padded to its size."""
    data = source.data[:PAGE].ljust(PAGE, b"\0")
    page = document("message", data, known, base=source.base)
    return page._replace(size=min(len(source.data), PAGE))


def _show(top: Document, inner: Document | None, plain: list[str]) -> None:
    from ...view.tree import tree

    write_lines(tree(top, style=terminal_style()))
    write_lines(tree(inner, style=terminal_style()) if inner else plain)


def _hex_lines(name: str, payload: bytes, *, redact: bool) -> list[str]:
    """Return the lines of a payload that has no fields."""
    reason = f"that cannot be {name}" if name else "of unknown kind"
    head = f"payload  {len(payload)} bytes {reason}"
    if redact:
        return [f"{head}, redacted"]
    rows = range(0, len(payload), 16)
    return [head, *(f"{HEADER_SIZE + n:#05x}  {payload[n : n + 16].hex(' ')}" for n in rows)]


def _payload_document(
    name: str, payload: bytes, base: int, known: Hints
) -> tuple[Document | None, list[Finding]]:
    """Return the document of a payload, and findings on the bytes after a fixed-size record."""
    if not name:
        return None, []
    kind = RECORDS[name]
    size = len(payload) if hasattr(kind.type, "ELEMENT") else kind.type.SIZE
    try:
        doc = document(kind, payload[:size], known, base=base + HEADER_SIZE)
    except DecodeError:
        return None, []  # the page has the finding that it is too short
    return doc, tail_findings(payload[size:], name)


def _failed(source: Source, header: Header, key: Key, options: OpenOptions) -> int:
    """Print that authentication failed, and which mistake would explain it."""
    attempts: list[Attempt] = []
    if options.diagnosis:
        from ...crypto.diagnosis import diagnose

        others = key.others | (other_keys(options.secrets) if options.secrets else {})
        attempts = diagnose(key.data, source.data, others)
    if options.json:
        mistake = next((attempt.code for attempt in attempts if attempt.opens), AuthError().code)
        _write_refusal(mistake, attempts)
    sys.stdout.flush()
    lines = [f"snpwire: {source.name}: authentication failed"]
    if not options.json:
        lines += _attempt_lines(attempts, header)
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    return 1


def _write_refusal(code: str, attempts: list[Attempt]) -> None:
    """Print as JSON that a message cannot be opened, with the code of the mistake."""
    rows = [attempt._asdict() for attempt in attempts]
    write_json({"schema": "open/1", "opens": False, "code": code, "attempts": rows})


def _attempt_lines(attempts: list[Attempt], header: Header) -> list[str]:
    """Return a line for each attempt, up to the last that opens; failed neighbours share one."""
    rows = []
    for opens, group in groupby(attempts, key=lambda a: (a.opens, a.opens or _family(a.name))):
        run = list(group)
        if opens[0]:
            rows += [(a.name, f"opens: {a.meaning}  [{a.code}]") for a in run]
        else:
            rows.append((_run_name([a.name for a in run], header), DIFFERS))
    last = max((n for n, (_, text) in enumerate(rows) if text != DIFFERS), default=len(rows))
    rows = rows[: last + 1]
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"  {name:<{width}}  {text}" for name, text in rows]
    if attempts and not any(a.opens for a in attempts):
        lines.append(f"  none of {len(attempts)} ways to open it does  [{AuthError().code}]")
    return lines


def _family(name: str) -> str:
    return name.partition(" ")[0]


def _run_name(names: list[str], header: Header) -> str:
    if names == ["as given"]:
        return f"key as given, nonce from seqno {header.msg_seqno}, aad 0x30..0x5f"
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]} ({len(names)})"
