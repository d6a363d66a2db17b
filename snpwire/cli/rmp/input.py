"""The input of ``snpwire rmp``: images of the table, whole, in segments or in part, and logs."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import DecodeError, InputError, UsageError
from ...finding import counted
from ...numeral import DECIMAL, reading, readings
from ...wire.address import C_BIT, PAGE
from ..input import SourceError, shown_name
from ..output import write_note
from .mapped_file import MappedPiece, MappedStream, release

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ...rmp.dump import Dump
    from ...rmp.table import Table
    from .options import RmpOptions


class Input(NamedTuple):
    """A table as it was read, and what to note about it."""

    name: str
    dump: Dump
    is_log: bool
    notes: tuple[str, ...]

    def release(self) -> None:
        """Let the pages of mapped images leave memory, so that its use does not grow with them."""
        try:
            for extent in self.dump.extents:
                release(extent.words)
        except InputError as exc:
            raise SourceError(self.name, exc) from None


def read(options: RmpOptions) -> Input:
    """Read the table that the options name. Raises SourceError, UsageError, OSError."""
    _check_options(options)
    if options.segments is not None:
        return _segments(options, options.segments)
    places = [_file_and_address(file) for file in options.images]
    if len(places) > 1 or places[0][1] is not None:
        return _parts(options, places)
    with closing(MappedStream(options.images[0])) as stream:
        try:
            if options.form == "log" or (options.form == "auto" and stream.is_text()):
                return _log(stream)
            return _image(stream.name, stream.map(options.offset or 0, options.length), options)
        except (DecodeError, InputError) as exc:
            raise SourceError(stream.name, exc) from None


def _check_options(options: RmpOptions) -> None:
    """Raise UsageError for options that contradict each other."""
    if options.base is not None and (options.base % PAGE or options.base >= C_BIT):
        raise UsageError(f"--base {options.base:#x} is not the address of a page")
    if options.first is not None and options.first >= C_BIT // PAGE:
        raise UsageError(f"--first {options.first:#x} is not a page number")
    if options.first is not None and options.counters:
        raise UsageError("--first is for part of a table, which has no counters before it")
    if options.first is not None and options.base is not None:
        raise UsageError("--first is for part of a table, --base for a whole one")
    if options.shift is not None and options.segments is None:
        raise UsageError("--shift needs the segment table", help="--segments FILE")


def _image(name: str, mapped: MappedPiece, options: RmpOptions) -> Input:
    """Map a table onto an image."""
    from ...rmp.dump import Dump, partial_dump
    from ...rmp.page_ranges import PageRanges
    from ...rmp.table import Table

    partial = options.first is not None
    table = Table.over(
        mapped.memory, counters=False if partial else options.counters, base=options.base
    )
    start = 0 if table.counters is None else table.counters.nbytes
    words, offset = table.extents[0].words, mapped.offset + start
    if options.first is not None:
        return Input(
            name,
            partial_dump(words, options.first, offset, _data_pages(mapped, options.first)),
            False,
            (),
        )
    every = PageRanges.of([(0, table.pages)])
    dump = Dump(
        table.extents,
        (offset,),
        every,
        _data_pages(mapped, 0, start),
        True,
        table.counters,
        mapped.offset,
        options.base,
        table.size,
    )
    return Input(name, dump, False, _layout_notes(table) if options.counters is None else ())


def _layout_notes(table: Table) -> tuple[str, ...]:
    """Note whether the image is read with counters or without."""
    if table.counters is None:
        return (f"entries from the first byte on, no counters: {table.why}",)
    return (f"16 KiB of ASID counters, then entries: {table.why}",)


def _data_pages(mapped: MappedPiece, first: int, start: int = 0) -> Any:
    """Return the pages whose entries may be other than zero."""
    from ...rmp.page_ranges import PageRanges

    return PageRanges.of((first + a, first + b) for a, b in mapped.entries(start))


def number_of(text: str, *, base: int = 0, possible: Callable[[int], bool] | None = None) -> int:
    """Return the number that *text* has, and say so where it was read as hex without a mark."""
    found = reading(text, base=base, possible=possible)
    if found.note and found.base != DECIMAL:
        write_note(f"{text} is read as {found.value:#x}: {found.note}")
    return found.value


def _file_and_address(file: str) -> tuple[str, int | None]:
    """Split ``FILE@ADDRESS``; a file that has such a name is that file."""
    name, found, place = file.rpartition("@")
    if not found or Path(file).exists():
        return file, None
    if not readings(place):
        return file, None
    address = number_of(place, possible=lambda value: value % PAGE == 0)
    if not 0 <= address < C_BIT or address % PAGE:
        raise UsageError(f"{file}: {place} is not the address of a page")
    return name, address


def _parts(options: RmpOptions, places: list[tuple[str, int | None]]) -> Input:
    """Join images, each with the address where its memory begins."""
    from ...rmp.dump import join_dumps

    dumps: list[tuple[str, Dump]] = []
    for file, address in places:
        if address is None:
            raise UsageError(
                f"{file}: each of several images needs the address where its memory begins",
                help=f"{file}@0x0",
            )
        one = options._replace(first=address // PAGE, counters=None, base=None)
        dumps.append((file, _part(file, one)))
    dumps.sort(key=lambda pair: pair[1].first)
    for (before, earlier), (after, later) in pairwise(dumps):
        if earlier.stop > later.first:
            raise UsageError(
                f"{after} begins at {later.first * PAGE:#x}, but {before} goes to "
                f"{earlier.stop * PAGE:#x}"
            )
    names = " ".join(shown_name(file) for file, _ in places)
    return Input(names, join_dumps(dump for _, dump in dumps), False, ())


def _part(file: str, options: RmpOptions) -> Dump:
    with closing(MappedStream(file)) as stream:
        try:
            return _image(
                stream.name, stream.map(options.offset or 0, options.length), options
            ).dump
        except (DecodeError, InputError) as exc:
            raise SourceError(stream.name, exc) from None


def _segments(options: RmpOptions, rst: str) -> Input:
    """Place each segment where the segment table maps it."""
    from ...rmp.dump import join_dumps, whole_dump
    from ...rmp.page_ranges import PageRanges
    from ...rmp.segments import SegmentedTable, mapped_pages

    shift = 37 if options.shift is None else options.shift
    words = _segment_table(rst)
    used = [index for index, word in enumerate(words) if mapped_pages(word, shift)]
    if len(used) != len(options.images):
        raise UsageError(
            f"{rst} has {len(used)} segments, but there are {len(options.images)} images",
            help="name the images in the order of the segments",
        )
    images = {index: _segment(file) for index, file in zip(used, options.images, strict=True)}
    tables = {index: table for index, (_, table) in images.items()}
    try:
        segmented = SegmentedTable(words, tables, shift=shift)
    except DecodeError as exc:
        raise SourceError(rst, exc) from None
    dumps = [
        whole_dump(extent, data=_data_pages(mapped, extent.first).within(extent.first, extent.stop))
        for (mapped, _), extent in zip(images.values(), segmented.extents, strict=True)
    ]
    every = PageRanges.of((extent.first, extent.stop) for extent in segmented.extents)
    dump = join_dumps(dumps)._replace(whole=True, known=every)
    why = "segments: their entries are read as those of Milan and Genoa, which no source confirms"
    return Input(" ".join(map(shown_name, options.images)), dump, False, (why,))


def _segment_table(rst: str) -> tuple[int, ...]:
    """Return the words of a segment table. Raises SourceError."""
    from struct import unpack

    with closing(MappedStream(rst)) as stream:
        data = b"".join(stream.chunks())
    if not data or len(data) > PAGE or len(data) % 8:
        reason = f"a segment table has up to {PAGE} bytes, in eights, got {len(data)}"
        raise SourceError(rst, InputError(reason))
    return unpack(f"<{len(data) // 8}Q", data)


def _segment(file: str) -> tuple[MappedPiece, Table]:
    """Map a table onto the image of a segment. Raises SourceError."""
    from ...rmp.table import Table

    with closing(MappedStream(file)) as stream:
        try:
            mapped = stream.map()
            return mapped, Table.over(mapped.memory, counters=False)
        except (DecodeError, InputError) as exc:
            raise SourceError(stream.name, exc) from None


def _log(stream: MappedStream) -> Input:
    """Collect the entries in a log. Raises InputError if there are none."""
    from ...rmp.dump import dump_of_entries

    log = LogEntries()
    log.read(stream)
    if not log.entries and not log.regions:
        raise InputError(
            "no line shows an entry of the reverse map table", help="--from image reads it as one"
        )
    dump = dump_of_entries(log.entries, log.regions)
    return Input(stream.name, dump, True, tuple(log.notes()))


class LogEntries:
    """The entries in a log: of a page that is dumped twice, the last."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[int, int]] = {}
        self.regions: list[tuple[int, int]] = []
        """Page ranges, start and end, of which every entry that is not zero is in the log."""
        self._lines = 0
        self._changed = 0
        self._partial: set[int] = set()
        """Pages of which the log has only fields, without VMPL permissions and sub-page counts."""

    def read(self, stream: MappedStream) -> None:
        """Read all lines."""
        from ...capture.kernel_log import records
        from ...wire.address import REGION

        for record in records(stream.chunks()):
            fields = record.fields
            if record.kind == "rmp-entry":
                self._entry(int(fields["pfn"]), (int(fields["lo"]), int(fields["hi"])))
            elif record.kind == "rmp-decoded" and "state" in fields:
                self._decoded(fields)
            elif record.kind == "rmp-region":
                self.regions.append((int(fields["first"]), int(fields["end"])))
            elif record.kind == "rmp-region-empty":
                head = int(fields["pfn"]) & -REGION
                self.regions.append((head, head + REGION))

    def _entry(self, page: int, entry: tuple[int, int]) -> None:
        self._lines += 1
        if page not in self._partial:
            self._changed += self.entries.get(page, entry) != entry
        self._partial.discard(page)
        self.entries[page] = entry

    def _decoded(self, fields: Mapping[str, Any]) -> None:
        """Take an entry from its fields, unless the log has its quadwords too."""
        from ...wire.rmp import RmpLo

        page = int(fields["pfn"])
        self._lines += 1
        if page not in self.entries or page in self._partial:
            values = {name: int(fields[name]) for name in RmpLo.BITS if name in fields}
            self.entries[page] = int(RmpLo.of(**values)), 0
            self._partial.add(page)

    def notes(self) -> Iterator[str]:
        """Yield notes on how much of the table the log has."""
        entries = counted(len(self.entries), "entry", "entries")
        lines = counted(self._lines, "line")
        text = f"a log: only the entries in it are counted, {entries} on {lines}"
        if self.regions:
            count = counted(len(set(self.regions)), "region")
            text += f" and the zero entries of {count} of 2 MiB"
        yield text
        if self._changed:
            lines = counted(self._changed, "line shows", "lines show")
            yield f"{lines} an entry differently from an earlier line; the last is used"
        if self._partial:
            pages = counted(len(self._partial), "page")
            yield f"of {pages} the log has only fields: permissions and sub-page counts are unknown"
