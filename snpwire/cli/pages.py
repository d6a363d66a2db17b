"""``snpwire decode`` of a stream of pages: each is decoded as it comes, below a line that names it.

Only one page is kept at a time. What is no page of the kind asked for is counted, words of the MSR
protocol and ends of commands are shown as ``log`` shows them where no kind is asked for, and a loss
of events is noted, because pages are then missing.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from ..capture.kernel_log import Reader
from ..capture.logs.page_words import DIRECTIONS
from ..capture.logs.pages import KIND
from ..decode import Hints, document
from ..errors import DecodeError, InputError, UsageError
from ..finding import Severity, counted, tally
from ..wire import RECORDS
from .follow import CHUNK, FileEvent, chunks
from .input import shown_name
from .output import terminal_style, write_json, write_lines, write_note

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..capture.logs.record import LogRecord
    from ..view.document import Document
    from .options import ContextOptions, ViewOptions

ALL = "auto"
"""In the place of a kind: every page."""
LOSS = "trace-loss"
OTHER = "unknown"
"""What pages are counted as whose kind is not known, however many names there are."""


class StreamOptions(NamedTuple):
    """What is wanted of a stream."""

    kind: str
    context: ContextOptions
    view: ViewOptions
    redact: bool = False
    fail_on: str | None = None


def run(file: str, options: StreamOptions) -> int:
    """Print every page of a kind; return 1 if a finding reaches the threshold."""
    stream = _Stream(options)
    reader = Reader()
    try:
        for piece in _pieces(file):
            stream.show(reader.feed(piece) if isinstance(piece, bytes) else reader.idle())
        stream.show(reader.close())
    except KeyboardInterrupt:
        stream.end(reader)
        raise
    stream.end(reader)
    if not stream.pages:
        of_kind = "" if options.kind == ALL else f" of kind {options.kind}"
        reason = f"{shown_name(file)}: no page{of_kind} in {counted(reader.lines, 'line')}"
        raise InputError(reason, help="log FILE shows what the lines are")
    if stream.cut and options.fail_on:
        raise InputError(
            f"{shown_name(file)}: pages that are not whole pass no check: {stream.cut}"
        )
    return int(stream.failed)


def _pieces(file: str) -> Iterator[bytes | FileEvent]:
    """Yield an input as it comes; its beginning was looked at, so that it is there already."""
    if file == "-":
        stream: Any = sys.stdin.buffer
        yield stream.read1(CHUNK)
    yield from chunks(file)


class _Stream:
    """Pages while they come in."""

    def __init__(self, options: StreamOptions) -> None:
        if options.view.fields is not None:
            raise UsageError("--fields is for one value, not for a stream of pages")
        self._options = options
        self.pages: Counter[str] = Counter()
        """How many pages of each kind were shown."""
        self.failed = False
        """Whether a finding reached the threshold."""
        self.cut = 0
        """Pages that are not whole, and so not decoded."""
        self._findings: Counter[Severity] = Counter()
        self._others = 0

    def show(self, records: Iterable[LogRecord]) -> None:
        """Print what the next records are."""
        for record in records:
            self._one(record)
        sys.stdout.flush()  # for a reader that waits

    def end(self, reader: Reader) -> None:
        """Note what was read."""
        kinds = ", ".join(f"{name} {count}" for name, count in self.pages.items())
        others = f"; {counted(self._others, 'other record')}" if self._others else ""
        cut = f", {self.cut} not whole" if self.cut else ""
        write_note(
            f"{counted(reader.lines, 'line')}: {counted(self.pages.total(), 'page')}"
            f"{f' ({kinds})' if kinds else ''}{cut}{others}; findings: {tally(self._findings)}"
        )

    def _one(self, record: LogRecord) -> None:
        if record.kind == LOSS:
            write_note(f"line {record.line}: {record.text}: {record.meaning}")
        wanted = self._options.kind
        kind = record.fields.get("page", "")
        if record.family != KIND or wanted not in (ALL, kind):
            self._others += 1
            return
        doc = self._document(record)
        if kind:
            self.pages[kind if kind in RECORDS else OTHER] += 1
            self.cut += bool(record.consequence)
        if doc is None:
            self._line(record)
            return
        self._print(doc, record)
        self._judge(doc)

    def _document(self, record: LogRecord) -> Document | None:
        """Return the page decoded; None for what is no page, is not whole, or is not shown."""
        data, kind = record.fields.get("data"), record.fields.get("page", "")
        if data is None or kind not in RECORDS or kind == "msr":
            return None
        given = self._options.context
        absent = frozenset(record.fields.get("absent", ()))
        hints = Hints(
            DIRECTIONS.get(record.fields["way"]), given.gpa, given.product, given.family, absent
        )
        try:
            doc = document(kind, data, hints)
        except DecodeError:
            return None
        return doc.without_secrets() if self._options.redact else doc

    def _line(self, record: LogRecord) -> None:
        """Print a record as ``log`` does."""
        if self._options.view.json is not None:
            write_json(record.to_plain(), indent=None)
            return
        meaning = f"   {record.meaning}" if record.meaning else ""
        write_lines([f"{heading(record)}", f"{record.text}{meaning}", ""])

    def _print(self, doc: Document, record: LogRecord) -> None:
        hexdump, json, _, everything = self._options.view
        if json is not None:
            from ..view.json import document as plain

            write_json({**plain(doc, full=json == "full"), "capture": origin(record)}, indent=None)
            return
        write_lines([heading(record)])
        if hexdump:
            from ..view.hex import annotated, legend

            write_lines([*legend(doc), *annotated(doc, only=None, style=terminal_style()), ""])
            return
        from ..view.tree import tree

        write_lines([*tree(doc, everything=everything, style=terminal_style()), ""])

    def _judge(self, doc: Document) -> None:
        self._findings.update(found.severity for found in doc.findings)
        threshold = self._options.fail_on
        if threshold is not None:
            least = Severity[threshold.upper()]
            self.failed |= any(found.severity >= least for found in doc.findings)


_NAMES = ("cpu", "vcpu", "pid", "task", "context", "pfn", "type", "ret", "result")


def origin(record: LogRecord) -> dict[str, Any]:
    """Return where a page was: its line, its time, its way, and what stands before its bytes."""
    plain = record.to_plain()
    fields = plain["fields"]
    names = {name: fields[name] for name in _NAMES if name in fields}
    return {"line": record.line, "time": record.time, "way": fields.get("way", ""), **names}


def heading(record: LogRecord) -> str:
    """Return the line above a page."""
    words = origin(record)
    line, time, way = words.pop("line"), words.pop("time"), words.pop("way")
    kind = record.fields.get("page", record.kind)
    names = (f"{name}={value}" for name, value in words.items())
    return " ".join(filter(None, ("-- line", str(line), time, kind, way, *names)))
