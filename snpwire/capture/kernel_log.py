"""Read the log of a host or a guest: the messages of kernel and tools about SNP, as records.

A log is read in blocks of bytes. Every known format has one of a few words, which are looked for in
a whole block; only lines with one of them are parsed. All others are skipped and counted.

A line that breaks off within a known format is kept until the next one, which a mailer may have
cut from it. A line may hold several messages, and each of them becomes a record. One that speaks of
SEV or SNP and is of no known format is counted apart. Records come in the order of their first
lines; those behind a block that is still open wait for its end, up to a number that bounds memory.
Nothing raises, whatever the bytes, and where the blocks are cut changes nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

from .loglines import caller_of, split_prefix
from .logs.formats import FAMILIES, Hits, IndexEntry, Occurrence, breaks_off, occurrences
from .logs.record import Fact, LogBlock, LogLine, LogRecord, LogState
from .logtext import Decoder, is_decorated, is_plain, line_text, messages, split_object, undecorated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


__all__ = ["FAMILIES", "LIMIT", "UNKNOWN", "Reader", "records"]

UNKNOWN = "unknown"
"""Kind and family of a message that speaks of SEV or SNP and is of no known format."""

LIMIT = 1 << 15
"""Bytes of one line that are looked at: a page takes four characters a byte, and what is before."""
_ENTRY = "rmp-entry"  # the kind whose records come in runs
_JOINED = 4  # lines that a mailer may have made of one
_REMEMBERED = 20
_HELD = 256
"""Records that wait for the end of a block that began before them."""
_TOPIC = re.compile(
    r"(?<![A-Za-z0-9_+/])(?:ccp [0-9a-f]{4}:|(?:SEV|SNP|RMP|GHCB|VMSA|VMPCK[0-3]?|VMPL[0-3]?|PSP"
    r"|RMPUPDATE|PVALIDATE|PSMASH|SVSM)(?![A-Za-z0-9+/]))"
)
"""What a message speaks of that is listed though its format is not known."""
_OTHERS = (
    *("# ", "$ ", "grep", "amdgpu", "[drm]", "no command queues available", "enabling device ("),
    *("registered SEV device", " enabled", "does not support TEE"),
)
"""What one of the next has."""
_OTHER = re.compile(
    r"^[#$] |\b[ef]?grep\b|\bamdgpu\b|\[drm\]|no command queues available|enabling device \("
    r"|registered SEV device|(?:tee|ccp) enabled|does not support TEE"
)
"""Commands that people typed, other users of the same words, and messages without a meaning."""


def records(chunks: Iterable[bytes]) -> Iterator[LogRecord]:
    """Yield the records of a log that comes in *chunks*, cut anywhere."""
    reader = Reader()
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.close()


@cache
def _run() -> Callable[[str, int, int], Iterator[tuple[LogRecord, int]]]:
    """Return what reads entries in a row, importing it."""
    from .logs.entries import run

    return run


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

    def __init__(self, *, unknown: bool = False) -> None:
        self._shows = unknown
        """Whether messages of no known format become records, too."""
        self.lines = 0
        """Lines read so far."""
        self.known = 0
        """Lines that went into records."""
        self.unknown: list[int] = []
        """The first of the lines that speak of SEV or SNP and are of no known format."""
        self.unknown_count = 0
        """Messages of no known format."""
        self._unknown_lines = 0
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
        self._held: list[LogRecord] = []

    @property
    def passed(self) -> int:
        """Return how many lines went into no record."""
        return self.lines - self.known - len(self._head)

    @property
    def skipped(self) -> int:
        """Return how many lines went into no record and do not speak of SEV or SNP."""
        return self.passed - self._unknown_lines

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
        yield from self._ordered([self._ended(waiting) for waiting in list(self._open)])

    def cut(self) -> Iterator[LogRecord]:
        """Take the end of one file; another one follows, with its own encoding."""
        yield from self.close()
        self.text = Decoder()

    def idle(self) -> Iterator[LogRecord]:
        """Yield what is still open, because nothing has come for some time."""
        self._give_up()
        ended = [self._ended(w) for w in list(self._open) if not w.block.pending]
        held, self._held = self._held, []
        yield from sorted([*held, *ended], key=_line_of)

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
            if not (self._head or (self._open and self._watching())):
                found = hits.after(at)
                if found == size:
                    break
                start = block.rfind(b"\n", at, found) + 1 or at
            end = block.find(b"\n", start)
            before += block.count(b"\n", counted, start)
            counted = start
            self.lines = before + 1
            done = self._line(block[start : min(end, start + LIMIT)])
            if done and (len(done) > 1 or self._open or self._held):
                yield from self._ordered(done)
            elif done:
                yield done[0]
            at = end + 1
            if done and done[-1].kind == _ENTRY and not self._open:
                text = text or block.decode("latin-1")
                for record, end in _run()(text, at, self.lines + 1):
                    at, self.lines = end, record.line
                    self.known += 1
                    yield record
        self.lines = before + block.count(b"\n", counted)

    def _watching(self) -> bool:
        """Return whether an open block counts the next line, whatever is in it."""
        return any(waiting.block.watches for waiting in self._open)

    def _ordered(self, done: list[LogRecord]) -> list[LogRecord]:
        """Return the records that no open block comes before; hold the others."""
        if not self._open and not self._held:
            return sorted(done, key=_line_of)
        self._held += done
        if not self._open or len(self._held) > _HELD:
            first = self.lines + 1
        elif (done and done[0].line < self._held[0].line) or len(self._held) == len(done):
            first = min(waiting.head.number for waiting in self._open)
        else:
            return []
        self._held.sort(key=_line_of)
        ready = [record for record in self._held if record.line < first]
        del self._held[: len(ready)]
        return ready

    def _line(self, raw: bytes) -> list[LogRecord]:
        """Read one line and each message in it."""
        text, odd = line_text(raw)
        if odd:
            self.odd[odd] += 1
        if len(raw) >= LIMIT:
            self.odd["long"] += 1
        prefix, message = split_prefix(text)
        done: list[LogRecord] = []
        unknown = self.unknown_count
        if is_plain(message):
            known = self._message(prefix, message, done)
        else:
            known = self._several(prefix, message, done)
        self.known += known
        self._unknown_lines += not known and self.unknown_count > unknown
        return done

    def _several(self, prefix: str, message: str, done: list[LogRecord]) -> bool:
        """Read a line that may hold several messages; return whether one of them is known."""
        known = False
        for number, piece in enumerate(messages(message)):
            before, rest = (prefix, piece) if number == 0 else split_prefix(piece)
            head, rest = split_object(rest)
            if head:
                inner, rest = split_prefix(rest)
                before += head + inner
            known |= self._message(before, rest, done)
        return known

    def _message(self, prefix: str, text: str, done: list[LogRecord]) -> bool:
        """Read one message: part of an open block, formats, the rest of a broken line, or none."""
        if "  " in text or "\t" in text or "\xa0" in text or text.strip(" ") != text:
            text = " ".join(text.split())
        line = LogLine(self.lines, self.lines, prefix, text)
        if self._open and self._taken(line, done):
            return True
        found = self._read(line)
        for entry, part, fields in found:
            self._add(done, entry, part, fields)
        if not found and not self._head and _TOPIC.search(line.text):
            self._note_unknown(line, done)
        return bool(found)

    def _note_unknown(self, line: LogLine, done: list[LogRecord]) -> None:
        """Count a message of no known format, unless it only seems to speak of SEV or SNP."""
        if any(word in line.text for word in _OTHERS) and _OTHER.search(line.text):
            return
        self.unknown_count += 1
        if len(self.unknown) < _REMEMBERED and line.number not in self.unknown[-1:]:
            self.unknown.append(line.number)
        if self._shows:
            number, prefix = line.number, line.prefix
            done.append(LogRecord(UNKNOWN, UNKNOWN, UNKNOWN, number, number, prefix, {}, line.text))

    def _taken(self, line: LogLine, done: list[LogRecord]) -> bool:
        """Offer *line* to the open blocks; end those that it ends, or that waited too long."""
        caller = caller_of(line.prefix)
        for waiting in reversed(self._open):
            other = caller and waiting.caller and caller != waiting.caller
            taken = not other and waiting.block.take(line)
            if taken:
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

    def _read(self, line: LogLine) -> list[_Reading]:
        """Find the formats in *line*, joined to what is kept if need be; keep what breaks off."""
        found = occurrences(line.text)
        if (
            not found
            and is_decorated(line.text)
            and (bare := undecorated(line.text)) != line.text
            and (found := occurrences(bare))
        ):
            line = line._replace(text=bare)
        begins = not found and breaks_off(line.text)
        if self._head and not (found or line.prefix) and line.text:
            for glue in (" ", ""):
                parts = [*self._head, line]
                text = glue.join(part.text for part in parts)
                whole = LogLine(parts[0].number, line.number, parts[0].prefix, text)
                if joined := occurrences(text):
                    self.known += len(parts) - 1
                    self._head = []
                    return _readings(whole, joined)
                if len(parts) < _JOINED and not begins and breaks_off(text):
                    self._head = parts
                    return []
        self._give_up()
        if begins:
            self._head = [line]
        return _readings(line, found) if found else []

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


def _line_of(record: LogRecord) -> int:
    return record.line


_Reading = tuple[IndexEntry, LogLine, dict[str, Any]]
"""A format, the part of a line in which it stands, and its fields."""


def _readings(line: LogLine, found: list[Occurrence]) -> list[_Reading]:
    """Return each format of a line with its own part of the line."""
    if len(found) == 1:
        return [(found[0].entry, line, found[0].fields)]
    starts = [0, *(place.end for place in found[:-1])]
    ends = [*(place.start for place in found[1:]), len(line.text)]
    return [
        (place.entry, line._replace(text=line.text[start:end]), place.fields)
        for place, start, end in zip(found, starts, ends, strict=True)
    ]


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
