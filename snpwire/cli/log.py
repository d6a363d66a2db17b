"""``snpwire log``: what a log says of SNP, a line for each event, or an object of JSON."""

from __future__ import annotations

import json as plain_json
import sys
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

from ..bits import nearest
from ..capture.kernel_log import FAMILIES, LIMIT, Reader
from ..capture.logtext import encoding_of, foreign
from ..errors import InputError, UsageError, shown
from ..finding import counted
from .follow import Mark, chunks, followed
from .input import shown_name
from .output import note, style

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..capture.logs.record import LogRecord
    from ..view.style import Style

SNIFF = 16
"""Bytes that tell a file which is no text."""
CONTROLS = bytes({*range(32), 127} - set(b"\t\n\r\x1b"))
"""Characters that no text has."""


def run(file: str, *, only: str | None, json: bool, follow: bool, numbers: bool) -> int:
    """Print the records of a log, then what was counted."""
    wanted = families(only)
    reader, counts, shape = Reader(), Counter[str](), style()

    def show(records: Iterable[LogRecord]) -> None:
        for record in records:
            counts[record.family] += 1
            if record.family in wanted:
                sys.stdout.write(_json(record) if json else _text(record, shape, numbers=numbers))

    try:
        for piece in _checked(followed(file) if follow else chunks(file), file):
            show(_records(reader, piece, file))
            sys.stdout.flush()  # somebody may be watching
    except KeyboardInterrupt:
        show(reader.close())
        _summary(reader, counts, wanted)
        raise
    show(reader.close())
    _summary(reader, counts, wanted)
    return 0


def families(only: str | None) -> frozenset[str]:
    """Return the families that were asked for. Raises UsageError."""
    if only is None:
        return frozenset(FAMILIES)
    names = [name.strip() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in FAMILIES:
            hint = nearest(name, FAMILIES) or f"they are: {' '.join(FAMILIES)}"
            raise UsageError(f"there is no family {shown(name)} of records", help=hint)
    if not names:
        raise UsageError("--only names no family", help=f"they are: {' '.join(FAMILIES)}")
    return frozenset(names)


def _checked(source: Iterable[bytes | Mark], file: str) -> Iterator[bytes | Mark]:
    """Pass *source* on unless it begins as a file does that is no text. Raises InputError."""
    pieces = iter(source)
    head: list[bytes | Mark] = []
    begun = b""
    for piece in pieces:
        head.append(piece)
        begun += piece if isinstance(piece, bytes) else b""
        if len(begun) >= SNIFF or b"\n" in begun or isinstance(piece, Mark):
            break
    if what := foreign(begun):
        kind, instead = what
        raise InputError(f"{shown_name(file)}: this is {kind}, not the text of a log", help=instead)
    bare = len(begun) - len(begun.translate(None, CONTROLS))
    if 20 * bare > len(begun) and encoding_of(begun) == "bytes":
        note(f"{shown_name(file)}: {bare} of its first {len(begun)} bytes are no text")
    yield from chain(head, pieces)


def _records(reader: Reader, piece: bytes | Mark, file: str) -> Iterator[LogRecord]:
    """Yield what a piece of the log, or a mark between two, brings to an end."""
    if isinstance(piece, bytes):
        yield from reader.feed(piece)
    elif piece is Mark.PAUSE:
        yield from reader.idle()
    else:
        yield from reader.cut()
        note(f"{shown_name(file)}: {piece.value}; it goes on behind line {reader.lines}")


def _json(record: LogRecord) -> str:
    return f"{plain_json.dumps(record.to_plain())}\n"


def _text(record: LogRecord, shape: Style, *, numbers: bool) -> str:
    """Return a record on one line, and what to do about it on those below."""
    line = printable(record.said)
    if record.meaning:
        line += shape.mark(shape.faint, printable(f"   {record.meaning}"))
    if numbers:
        when = f"{record.time}  " if record.time else " "
        line = shape.mark(shape.faint, f"{record.line}: {when}") + line
    if record.cause or record.consequence or record.remedy:
        for name in ("cause", "consequence", "remedy"):
            text = getattr(record, name)
            if text and text not in record.meaning:
                line += f"\n  {name:<12} {printable(text)}"
    return f"{line}\n"


def printable(text: str) -> str:
    """Return *text* without what could move a terminal's cursor, or what its encoding lacks."""
    if text.isascii() and text.isprintable():
        return text
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return shown.encode(encoding, "backslashreplace").decode(encoding)


def _summary(reader: Reader, counts: Counter[str], wanted: frozenset[str]) -> None:
    """Say what was read, what passed by, and what was odd."""
    kept = {name: counts[name] for name in FAMILIES if counts[name] and name in wanted}
    left = sum(count for name, count in counts.items() if name not in wanted)
    told = ", ".join(f"{name} {count}" for name, count in kept.items())
    more = f", {left} of other families" if left else ""
    total = sum(kept.values())
    note(
        f"{counted(reader.lines, 'line')}: {counted(total, 'record')}"
        f"{f' ({told})' if told else ''}{more}; {reader.passed} passed by"
    )
    for text in oddities(reader):
        note(text)


def oddities(reader: Reader) -> Iterator[str]:
    """Yield what was odd about the bytes of a log."""
    if reader.text.encoding.startswith("utf-16"):
        yield f"read as {reader.text.encoding.upper()}"
    if count := reader.odd["latin-1"]:
        yield f"{counted(count, 'line')} no UTF-8: read as Latin-1"
    if count := reader.odd["nul"]:
        yield f"{counted(count, 'line')} with zero bytes, which were left out"
    if count := reader.odd["long"]:
        yield f"{counted(count, 'line')} longer than {LIMIT} bytes: the rest was not looked at"
    if reader.broken_count:
        lines = ", ".join(map(str, reader.broken))
        more = ", ..." if reader.broken_count > len(reader.broken) else ""
        what = counted(reader.broken_count, "line")
        yield f"{what} broken off within a known format, passed by: {lines}{more}"
