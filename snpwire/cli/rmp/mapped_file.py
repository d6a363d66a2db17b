"""Files as memory: mapped, never read as a whole, with the holes of a sparse one known.

What cannot be mapped, a pipe, is copied to a temporary file that is sparse where it has zeroes.
"""

from __future__ import annotations

import mmap
import os
import stat
import sys
from errno import ENXIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ...errors import InputError
from ..input import SNIFF, shown_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHUNK = 1 << 20
BLOCK = 4096
NEAR = 1 << 15
"""Bytes of a hole that is not worth to be left out."""
SHORT = 1 << 18
"""Bytes between two holes, on average, below which a touch of them is to read no more than them."""
ENTRY = 16
MARKS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")
"""What text in UTF-16 or UTF-8 may begin with."""


class Mapped(NamedTuple):
    """A piece of a file as memory."""

    memory: memoryview
    offset: int
    """Where in the file it begins."""
    spans: tuple[tuple[int, int], ...]
    """Which bytes of the piece can be other than zero: starts and ends."""

    def entries(self, start: int) -> list[tuple[int, int]]:
        """Return which entries can be other than zero, if the first is at byte *start*."""
        return [
            (max(0, first - start) // ENTRY, -(-(stop - start) // ENTRY))
            for first, stop in self.spans
            if stop > start
        ]


class Stream:
    """A file that is open: its beginning is known, and it is read as text or mapped."""

    def __init__(self, file: str) -> None:
        """Open *file*, ``-`` being standard input. Raises OSError, which names it."""
        self.name = shown_name(file)
        try:
            self._stream: IO[bytes] = (
                sys.stdin.buffer if file == "-" else Path(file).open("rb")  # noqa: SIM115
            )
            self._mappable = _mappable(self._stream)
            if self._mappable:
                self._stream.seek(0)
            self.head = self._stream.read(SNIFF)
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror, self.name) from None

    def is_text(self) -> bool:
        """Tell whether it seems to be a log: text that may have some zero bytes in it."""
        if self.head.startswith(MARKS) or (self.head and b"\0" not in self.head):
            return True
        written = self.head.replace(b"\0", b"")
        seen = sum(written.count(byte) for byte in (*range(0x20, 0x7F), 9, 10, 13))
        return b"\n" in written and seen > len(written) * 0.95

    def chunks(self) -> Iterator[bytes]:
        """Yield all of it. Raises OSError, which names it."""
        chunk = self.head
        while chunk:
            yield chunk
            try:
                chunk = self._stream.read(CHUNK)
            except OSError as exc:
                raise OSError(exc.errno, exc.strerror, self.name) from None

    def mapped(self, offset: int = 0, length: int | None = None) -> Mapped:
        """Map a piece of it. Raises InputError, and OSError, which names it."""
        try:
            if self._mappable:
                return _mapped(self._stream.fileno(), offset, length)
            with _copied(self.chunks()) as copy:
                return _mapped(copy.fileno(), offset, length)
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror, self.name) from None

    def close(self) -> None:
        """Close the file; what is mapped stays so."""
        if self._stream is not sys.stdin.buffer:
            self._stream.close()


def _mappable(stream: IO[bytes]) -> bool:
    """Tell whether a stream is a file of some kind that may be mapped, and not a pipe."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:  # no file of the system's at all
        return False
    return stat.S_ISREG(mode) or stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and stream.seekable())


def _mapped(fd: int, offset: int, length: int | None) -> Mapped:
    end = os.lseek(fd, 0, os.SEEK_END)
    size = max(0, end - offset) if length is None else length
    if offset + size > end and (end or length is None):
        raise InputError(f"{size} bytes at {offset:#x} go past the end, which is {end:#x}")
    if not size:
        return Mapped(memoryview(b""), offset, ())
    lead = offset % mmap.ALLOCATIONGRANULARITY
    try:
        whole = mmap.mmap(fd, lead + size, access=mmap.ACCESS_READ, offset=offset - lead)
    except (OSError, ValueError, OverflowError) as exc:
        raise InputError(f"cannot be mapped: {getattr(exc, 'strerror', None) or exc}") from None
    held = merged(data(fd, offset, offset + size))
    spans = tuple((first - offset, end - offset) for first, end in held)
    if spans and sum(end - first for first, end in spans) < len(spans) * SHORT:
        whole.madvise(mmap.MADV_RANDOM)  # else holes are read along, more than there is of data
    return Mapped(memoryview(whole)[lead:], offset, spans)


def data(fd: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield which bytes of a file from *start* to *stop* are no hole; all where nobody can tell."""
    at = start
    while at < stop:
        try:
            first = os.lseek(fd, at, os.SEEK_DATA)
            end = os.lseek(fd, first, os.SEEK_HOLE)
        except OSError as exc:
            if exc.errno != ENXIO:  # there is data behind *at*, or no telling
                yield at, stop
            return
        if not at <= first < end:  # a device takes any place for the first
            yield at, stop
            return
        if first < stop:
            yield first, min(end, stop)
        at = end


def merged(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield spans with the small holes between them filled, so that there are not too many."""
    start, end = 0, 0
    for first, stop in spans:
        if first - end > NEAR:
            if end:
                yield start, end
            start = first
        end = stop
    if end:
        yield start, end


def let_go(array: Any) -> None:
    """Tell the system that what *array* shows of a mapped file can leave memory for now."""
    below = array
    while below is not None and not isinstance(below, mmap.mmap):
        below = below.obj if isinstance(below, memoryview) else getattr(below, "base", None)
    if below is not None:
        below.madvise(mmap.MADV_DONTNEED)


def _copied(chunks: Iterator[bytes]) -> IO[bytes]:
    """Copy to a temporary file, which has holes where there are zeroes."""
    from tempfile import TemporaryFile

    copy = TemporaryFile()  # noqa: SIM115 - for the caller
    size = 0
    for chunk in chunks:
        for at in range(0, len(chunk), BLOCK):
            block = chunk[at : at + BLOCK]
            if block.count(0) != len(block):
                copy.seek(size + at)
                copy.write(block)
        size += len(chunk)
    copy.truncate(size)
    copy.flush()
    return copy
