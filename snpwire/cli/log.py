"""``snpwire log``: the SNP events in a log, a line or a JSON object each."""

from __future__ import annotations

import json as plain_json
import sys
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any

from ..bits import nearest
from ..capture.kernel_log import FAMILIES, LIMIT, UNKNOWN, Reader
from ..capture.logs.verdicts import Verdicts
from ..capture.logtext import encoding_of, foreign
from ..errors import InputError, UsageError, shown
from ..finding import counted
from .follow import FileEvent, chunks, follow
from .input import shown_name
from .output import terminal_style, write_note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..capture.logs.record import LogRecord
    from ..view.style import Style

SNIFF = 16
"""Bytes from which a file that is no text is recognised."""
CONTROLS = bytes({*range(32), 127} - set(b"\t\n\r\x1b"))
"""Bytes that are not in any text."""


def run(
    file: str,
    *,
    only: str | None,
    json: bool,
    following: bool,
    numbers: bool,
    unknown: bool = False,
    given: bytes | None = None,
) -> int:
    """Print the records of a log, what they say as a whole, then their counts.

    *given* is what was read of it.
    """
    wanted = families(only)
    reader, counts, shape = Reader(unknown=unknown), Counter[str](), terminal_style()
    verdicts = Verdicts()

    def show(records: Iterable[LogRecord]) -> None:
        for record in records:
            counts[record.family] += 1
            verdicts.feed(record)
            if record.family in wanted or record.family == UNKNOWN:
                sys.stdout.write(_json(record) if json else _text(record, shape, numbers=numbers))

    def end() -> None:
        show(reader.close())
        for lines, plain in verdicts.blocks(wanted):
            sys.stdout.write(_answer(lines, plain, shape, json=json))
        sys.stdout.flush()
        _summary(reader, counts, wanted)

    try:
        source = chunks(file) if given is None else (given,)
        for piece in _text_only(follow(file) if following else source, file):
            show(_records(reader, piece, file))
            sys.stdout.flush()  # for a reader that waits
    except KeyboardInterrupt:
        end()
        raise
    end()
    return 0


def families(only: str | None) -> frozenset[str]:
    """Return the families that *only* names, or all. Raises UsageError."""
    if only is None:
        return frozenset(FAMILIES)
    names = [name.strip() for name in only.split(",") if name.strip()]
    for name in names:
        if name not in FAMILIES:
            hint = nearest(name, FAMILIES) or f"they are: {' '.join(FAMILIES)}"
            raise UsageError(f"there is no record type {shown(name)}", help=hint)
    if not names:
        raise UsageError("--only names no record type", help=f"they are: {' '.join(FAMILIES)}")
    return frozenset(names)


def _text_only(source: Iterable[bytes | FileEvent], file: str) -> Iterator[bytes | FileEvent]:
    """Yield *source*; raise InputError if it begins as a file that is no text."""
    pieces = iter(source)
    head: list[bytes | FileEvent] = []
    begun = b""
    for piece in pieces:
        head.append(piece)
        begun += piece if isinstance(piece, bytes) else b""
        if len(begun) >= SNIFF or b"\n" in begun or isinstance(piece, FileEvent):
            break
    if what := foreign(begun):
        kind, instead = what
        raise InputError(f"{shown_name(file)}: this is {kind}, not the text of a log", help=instead)
    bare = len(begun) - len(begun.translate(None, CONTROLS))
    if 20 * bare > len(begun) and encoding_of(begun) == "bytes":
        write_note(f"{shown_name(file)}: {bare} of its first {len(begun)} bytes are no text")
    yield from chain(head, pieces)


def _records(reader: Reader, piece: bytes | FileEvent, file: str) -> Iterator[LogRecord]:
    """Yield the records that end in a piece of the log, or at an event of its file."""
    if isinstance(piece, bytes):
        yield from reader.feed(piece)
    elif piece is FileEvent.PAUSE:
        yield from reader.idle()
    else:
        yield from reader.cut()
        write_note(f"{shown_name(file)}: {piece.value}; reading goes on after line {reader.lines}")


def _json(record: LogRecord) -> str:
    return f"{plain_json.dumps(record.to_plain())}\n"


def _answer(lines: list[str], plain: dict[str, Any], shape: Style, *, json: bool) -> str:
    """Return a verdict: its lines, the first of them marked, or a JSON object."""
    if json:
        return f"{plain_json.dumps(plain)}\n"
    first, *rest = map(printable, lines)
    return "\n".join([shape.mark(shape.strong, first), *rest, ""])


def _text(record: LogRecord, shape: Style, *, numbers: bool) -> str:
    """Return a record on one line, its cause, consequence and remedy on those below."""
    line = printable(record.text)
    if record.kind == UNKNOWN:
        line = f"{shape.mark(shape.warn, 'unknown')}  {line}"
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
    """Note what was read, what was skipped, and what was odd."""
    shown = {name: counts[name] for name in FAMILIES if counts[name] and name in wanted}
    left = sum(count for name, count in counts.items() if name in FAMILIES and name not in wanted)
    by_family = ", ".join(f"{name} {count}" for name, count in shown.items())
    more = f", {left} of other types" if left else ""
    total = sum(shown.values())
    write_note(
        f"{counted(reader.lines, 'line')}: {counted(total, 'record')}"
        f"{f' ({by_family})' if by_family else ''}{more}; {reader.skipped} skipped"
    )
    if count := reader.unknown_count:
        shown_all = bool(counts[UNKNOWN])
        hint = "" if shown_all else "; --unknown shows them"
        what = f"{counted(count, 'message')} about SEV or SNP of no known format"
        write_note(f"{what}: {_places(reader.unknown, count)}{hint}")
    for text in oddities(reader):
        write_note(text)


def oddities(reader: Reader) -> Iterator[str]:
    """Yield notes on the encoding of a log and on its damaged lines."""
    if reader.text.encoding.startswith("utf-16"):
        yield f"read as {reader.text.encoding.upper()}"
    if count := reader.odd["latin-1"]:
        yield f"{counted(count, 'line')} no UTF-8: read as Latin-1"
    if count := reader.odd["nul"]:
        yield f"{counted(count, 'line')} with zero bytes, which were dropped"
    if count := reader.odd["long"]:
        yield f"{counted(count, 'line')} longer than {LIMIT} bytes: the rest was not read"
    if reader.broken_count:
        what = counted(reader.broken_count, "line")
        lines = _places(reader.broken, reader.broken_count)
        yield f"{what} cut off within a known format, skipped: {lines}"


def _places(lines: list[int], count: int) -> str:
    """Return the numbers of the first lines of *count*."""
    return f"{', '.join(map(str, lines))}{', ...' if count > len(lines) else ''}"
