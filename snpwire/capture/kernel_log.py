"""Read the log of a host or a guest: the messages of kernel and tools about SNP, as records.

A log is read in blocks of bytes. Every known format has one of a few words, which are looked for in
a whole block; only lines with one of them are parsed. All others are skipped and counted.

A line that breaks off within a known format is kept until the next one, which a mailer may have
cut from it. Nothing raises, whatever the bytes, and where the blocks are cut changes nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from .loglines import caller_of, split_prefix
from .logs.entries import run
from .logs.formats import FAMILIES, Hits, IndexEntry, breaks_off, match
from .logs.record import Fact, LogBlock, LogLine, LogRecord, LogState
from .logs.rmp import KIND as ENTRY
from .logtext import Decoder, line_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


__all__ = ["FAMILIES", "LIMIT", "Reader", "records"]

LIMIT = 1 << 15
"""Bytes of one line that are looked at: a page takes four characters a byte, and what is before."""
_JOINED = 4  # lines that a mailer may have made of one
_REMEMBERED = 20
_BLANKS = re.compile("^ |[\t\xa0]| $")


def records(chunks: Iterable[bytes]) -> Iterator[LogRecord]:
    """Yield the records of a log that comes in *chunks*, cut anywhere."""
    reader = Reader()
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.close()


class _OpenBlock:
    """A block that waits for further lines."""

    def __init__(
        self, entry: IndexEntry, head: LogLine, fields: dict[str, Any], block: LogBlock
    ) -> None:
        self.entry = entry
        self.head = head
        self.fields = fields
        self.block = block
        self.last = head.last
        """Its last line so far."""
        self.caller = caller_of(head.prefix)
        """The thread that logs it, if that is known: another one's lines are no part of it."""


class Reader:
    """A log while it comes in."""

    def __init__(self) -> None:
        self.lines = 0
        """Lines read so far."""
        self.known = 0
        """Lines that went into records."""
        self.broken: list[int] = []
        """The first of the lines that break off within a known format."""
        self.broken_count = 0
        self.odd: Counter[str] = Counter()
        """Lines whose bytes were odd, of those that were looked at: latin-1, nul, long."""
        self.text = Decoder()
        self._log = LogState()
        self._rest = bytearray()
        self._head: list[LogLine] = []
        self._open: list[_OpenBlock] = []

    @property
    def passed(self) -> int:
        """Return how many lines were skipped."""
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
        for waiting in list(self._open):
            yield self._ended(waiting)

    def cut(self) -> Iterator[LogRecord]:
        """Take the end of one file; another one follows, with its own encoding."""
        yield from self.close()
        self.text = Decoder()

    def idle(self) -> Iterator[LogRecord]:
        """Yield what is still open, because nothing has come for some time."""
        self._give_up()
        for waiting in list(self._open):
            if not waiting.block.pending:
                yield self._ended(waiting)

    def _keep(self, data: bytes) -> None:
        """Put off the beginning of a line, and no more of it than is looked at."""
        end = data.endswith(b"\n")
        self._rest += data[: LIMIT - len(self._rest)]
        if end and not self._rest.endswith(b"\n"):
            self._rest += b"\n"

    def _block(self, block: bytes) -> Iterator[LogRecord]:
        """Read whole lines."""
        before, counted, at, size = self.lines, 0, 0, len(block)
        hits, text = Hits(block), ""
        while at < size:
            start = at
            if not self._watching():
                found = hits.after(at)
                if found == size:
                    break
                start = block.rfind(b"\n", at, found) + 1 or at
            end = block.find(b"\n", start)
            before += block.count(b"\n", counted, start)
            counted = start
            self.lines = before + 1
            done = self._line(block[start : min(end, start + LIMIT)])
            yield from done
            at = end + 1
            if done and done[-1].kind == ENTRY and not self._open:
                text = text or block.decode("latin-1")
                for record, end in run(text, at, self.lines + 1):
                    at, self.lines = end, record.line
                    self.known += 1
                    yield record
        self.lines = before + block.count(b"\n", counted)

    def _watching(self) -> bool:
        """Return whether the next line counts, whatever is in it."""
        return bool(self._head) or any(waiting.block.watches for waiting in self._open)

    def _line(self, raw: bytes) -> list[LogRecord]:
        """Read one line: part of an open block, a format, the rest of a broken line, or none."""
        text, odd = line_text(raw)
        if odd:
            self.odd[odd] += 1
        if len(raw) >= LIMIT:
            self.odd["long"] += 1
        prefix, message = split_prefix(text)
        if "  " in message or _BLANKS.search(message):
            message = " ".join(message.split())
        line = LogLine(self.lines, self.lines, prefix, message)
        done: list[LogRecord] = []
        if self._open and self._taken(line, done):
            return done
        if whole := self._read(line):
            self._add(done, *whole)
        return done

    def _taken(self, line: LogLine, done: list[LogRecord]) -> bool:
        """Offer *line* to the open blocks; end those that it ends, or that waited too long."""
        caller = caller_of(line.prefix)
        for waiting in reversed(self._open):
            other = caller and waiting.caller and caller != waiting.caller
            taken = not other and waiting.block.take(line)
            if taken:
                self.known += 1
                waiting.last = line.number
            silent = line.number - waiting.last
            if waiting.block.done or silent > waiting.block.patience:
                done.append(self._ended(waiting))
            if taken:
                return True
        return False

    def _add(
        self, done: list[LogRecord], entry: IndexEntry, line: LogLine, fields: dict[str, Any]
    ) -> None:
        """Add the record of a line, or open the block that it begins."""
        self._log.line = line
        fact = entry.format.interpret(fields, self._log)
        if isinstance(fact, Fact):
            done.append(_record(entry, line, fields, fact))
            return
        new = _OpenBlock(entry, line, fields, fact)
        same = (entry.format, new.caller)
        done += [self._ended(w) for w in self._open[:] if (w.entry.format, w.caller) == same]
        self._open.append(new)
        if fact.done:
            done.append(self._ended(new))

    def _read(self, line: LogLine) -> tuple[IndexEntry, LogLine, dict[str, Any]] | None:
        """Find a format in *line*, joined to what is kept if need be; keep it if it breaks off."""
        found = match(line.text)
        begins = found is None and breaks_off(line.text)
        if self._head and not (found or begins or line.prefix) and line.text:
            for glue in (" ", ""):
                parts = [*self._head, line]
                text = glue.join(part.text for part in parts)
                whole = LogLine(parts[0].number, line.number, parts[0].prefix, text)
                if found := match(text):
                    self.known += len(parts)
                    self._head = []
                    return found[0], whole, found[1]
                if len(parts) < _JOINED and breaks_off(text):
                    self._head = parts
                    return None
        self._give_up()
        if found:
            self.known += 1
            return found[0], line, found[1]
        if begins:
            self._head = [line]
        return None

    def _ended(self, waiting: _OpenBlock) -> LogRecord:
        """Return the record of a block, which no further line can change."""
        self._open.remove(waiting)
        head = waiting.head._replace(last=waiting.last)
        return _record(waiting.entry, head, waiting.fields, waiting.block.fact())

    def _give_up(self) -> None:
        """Skip the broken line that is kept, and remember where it was."""
        if self._head:
            self.broken_count += 1
            if len(self.broken) < _REMEMBERED:
                self.broken.append(self._head[0].number)
        self._head = []


def _record(entry: IndexEntry, line: LogLine, fields: dict[str, Any], fact: Fact) -> LogRecord:
    return LogRecord(
        entry.format.kind,
        entry.format.key,
        entry.family,
        line.number,
        line.last,
        line.prefix,
        {**fields, **fact.fields},
        fact.text,
        fact.meaning,
        fact.cause,
        fact.consequence,
        fact.remedy,
        fact.columns,
    )
