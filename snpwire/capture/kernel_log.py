"""Read the log of a host or a guest: what the kernel and the tools said of SNP, as records.

A log is read in blocks of bytes. One expression of a few words that every known format has is run
over a block; only the lines that it hits are taken apart. All others pass by and are counted.

A line that breaks off within a known format is kept until the next one, which a mailer may have
cut from it. Nothing raises, whatever the bytes, and where the blocks are cut changes nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .loglines import caller_of, parted, time_of
from .logs import rmp
from .logs.past import Past
from .logs.record import Line, LogRecord
from .logtext import Decoder, line_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .logs.template import Format, Template

LIMIT = 1 << 16
"""Bytes of one line that are looked at; no format comes near."""
_JOINED = 4  # lines that a mailer may have made of one

ANCHORS = ("RMP", "PFN", "rmp")
"""Words of which every format has one: lines without any of them pass by."""

_ANCHOR = re.compile("|".join(ANCHORS).encode())
_ANCHOR_TEXT = re.compile("|".join(ANCHORS))

FAMILIES: dict[str, tuple[str, tuple[Format, ...]]] = {
    "rmp": ("entries of the reverse map table, and what failed on them", rmp.FORMATS),
}
"""Title and formats of each family."""


class _Known(NamedTuple):
    """A wording, where it comes from."""

    family: str
    format: Format
    wording: Template


def _filed() -> dict[str, list[_Known]]:
    """Return the wordings under the word that finds each."""
    filed: dict[str, list[_Known]] = {word: [] for word in ANCHORS}
    for family, (_, formats) in FAMILIES.items():
        for fmt in formats:
            for wording in fmt.wordings:
                found = _ANCHOR_TEXT.search("\0".join(wording.literals))
                assert found, wording.text
                filed[found[0]].append(_Known(family, fmt, wording))
    return filed


_FILED = _filed()


class RmpLine(NamedTuple):
    """An entry of the reverse map table that a log shows."""

    pfn: int
    lo: int
    hi: int | None
    """None where the log has only the fields of the low quadword."""
    line: int


def records(chunks: Iterable[bytes]) -> Iterator[LogRecord]:
    """Yield the records of a log that comes in *chunks*, cut anywhere."""
    reader = Reader()
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.close()


def rmp_entries(chunks: Iterable[bytes]) -> Iterator[RmpLine]:
    """Yield each entry of the reverse map table in a log, as often as it is printed."""
    for record in records(chunks):
        fields = record.fields
        if record.kind == "rmp-entry":
            yield RmpLine(fields["pfn"], fields["lo"], fields["hi"], record.line)
        elif record.kind == "rmp-decoded" and "lo" in fields:
            yield RmpLine(fields["pfn"], fields["lo"], None, record.line)


class Reader:
    """A log while it comes in."""

    def __init__(self) -> None:
        self.lines = 0
        """Lines seen so far."""
        self.known = 0
        """Lines that went into records."""
        self.text = Decoder()
        self._past = Past()
        self._rest = bytearray()
        self._head: list[Line] = []

    @property
    def passed(self) -> int:
        """Return how many lines passed by."""
        return self.lines - self.known - len(self._head)

    def feed(self, chunk: bytes) -> Iterator[LogRecord]:
        """Take the next bytes; yield the records that they complete."""
        data = self.text.decode(chunk)
        cut = data.rfind(b"\n") + 1
        if not cut:
            self._keep(data)
            return
        end = data.find(b"\n") + 1
        self._keep(data[:end])
        first, self._rest = bytes(self._rest), bytearray()
        yield from self._block(first)
        yield from self._block(data[end:cut])
        self._keep(data[cut:])

    def close(self) -> Iterator[LogRecord]:
        """Take the end of the log; yield what was still open."""
        self._keep(self.text.end())
        if self._rest:
            yield from self._block(bytes(self._rest) + b"\n")
            self._rest = bytearray()
        self._give_up()

    def _keep(self, data: bytes) -> None:
        """Put off the beginning of a line."""
        end = data.endswith(b"\n")
        room = LIMIT - len(self._rest)
        self._rest += data[: max(room, 0)] if len(data) > room else data
        if end and not self._rest.endswith(b"\n"):
            self._rest += b"\n"

    def _block(self, block: bytes) -> Iterator[LogRecord]:
        """Read whole lines."""
        before, counted, at = self.lines, 0, 0
        size = len(block)
        while at < size:
            if self._head:
                start = at
            else:
                found = _ANCHOR.search(block, at)
                if found is None:
                    break
                start = block.rfind(b"\n", at, found.start()) + 1 or at
            end = block.find(b"\n", start)
            before += block.count(b"\n", counted, start)
            counted = start
            self.lines = before + 1
            yield from self._line(block[start : min(end, start + LIMIT)])
            at = end + 1
        self.lines = before + block.count(b"\n", counted)

    def _line(self, raw: bytes) -> Iterator[LogRecord]:
        text, _ = line_text(raw)
        prefix, message = parted(text)
        line = Line(self.lines, self.lines, prefix, " ".join(message.split()))
        if record := self._match(line):
            self._head = []
            self.known += 1
            yield record
            return
        if self._head:
            if record := self._continued(line):
                yield record
                return
            if self._head:
                return
        if self._breaks_off(line):
            self._head = [line]

    def _match(self, line: Line) -> LogRecord | None:
        for known in _candidates(line.text):
            if known.wording.key in line.text:
                fields = known.wording.match(line.text)
                if fields is not None:
                    return self._record(known, line, fields)
        return None

    def _record(self, known: _Known, line: Line, fields: dict[str, Any]) -> LogRecord:
        self._past.line = line.number
        told = known.format.tell(fields, self._past)
        return LogRecord(
            known.format.kind,
            known.format.key,
            known.family,
            line.number,
            line.last,
            time_of(line.prefix),
            caller_of(line.prefix),
            {**fields, **told.fields},
            *told[:-1],
        )

    def _breaks_off(self, line: Line) -> bool:
        return any(known.wording.broken(line.text) for known in _candidates(line.text))

    def _continued(self, line: Line) -> LogRecord | None:
        """Join *line* to those kept, if that makes a known format or the beginning of one."""
        head = self._head[0]
        if not line.prefix:
            so_far = [part.text for part in self._head] + [line.text]
            for glue in (" ", ""):
                whole = Line(head.number, line.number, head.prefix, glue.join(so_far))
                if record := self._match(whole):
                    self.known += len(so_far)
                    self._head = []
                    return record
            if len(so_far) < _JOINED and any(
                self._breaks_off(line._replace(text=glue.join(so_far))) for glue in (" ", "")
            ):
                self._head.append(line)
                return None
        self._give_up()
        return None

    def _give_up(self) -> None:
        self._head = []


def _candidates(text: str) -> Iterator[_Known]:
    """Yield the wordings that *text* may have."""
    for word in dict.fromkeys(_ANCHOR_TEXT.findall(text)):
        yield from _FILED[word]
