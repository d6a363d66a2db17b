"""Files as memory: mapped, never read whole, with the holes of sparse files known.

What cannot be mapped, such as a pipe, is copied to a temporary file, sparse where it is zero.
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
"""Bytes of a hole that is read along with the data around it."""
SHORT = 1 << 18
"""Average bytes between two holes below which the kernel is asked not to read ahead."""
ENTRY = 16
BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")
"""Byte order marks of UTF-16 and UTF-8."""


class MappedPiece(NamedTuple):
    """A piece of a file as memory."""

    memory: memoryview
    offset: int
    """Its offset in the file."""
    spans: tuple[tuple[int, int], ...]
    """Bytes of the piece that may be other than zero: starts and ends."""

    def entries(self, start: int) -> list[tuple[int, int]]:
        """Return which entries may be other than zero, if the first is at byte *start*."""
        return [
            (max(0, first - start) // ENTRY, -(-(stop - start) // ENTRY))
            for first, stop in self.spans
            if stop > start
        ]


class FileMap(mmap.mmap):
    """A map of a file that knows where it has to end."""

    end = 0
    """Least size of the file; 0 for a device, whose size is not known."""

    def check(self) -> None:
        """Raise InputError if the file has been cut: what is left of its last page reads as 0."""
        if self.end and self.size() < self.end:
            raise InputError(f"a file was cut to {self.size():#x} bytes while it was read")


class MappedStream:
    """An open file whose beginning has been read; the rest is read as text or mapped."""

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
        """Return whether it looks like a log: text, perhaps with some zero bytes."""
        if self.head.startswith(BYTE_ORDER_MARKS) or (self.head and b"\0" not in self.head):
            return True
        written = self.head.replace(b"\0", b"")
        printable = sum(written.count(byte) for byte in (*range(0x20, 0x7F), 9, 10, 13))
        return b"\n" in written and printable > len(written) * 0.95

    def chunks(self) -> Iterator[bytes]:
        """Yield all bytes of the file. Raises OSError, which names it."""
        chunk = self.head
        while chunk:
            yield chunk
            try:
                chunk = self._stream.read(CHUNK)
            except OSError as exc:
                raise OSError(exc.errno, exc.strerror, self.name) from None

    def map(self, offset: int = 0, length: int | None = None) -> MappedPiece:
        """Map a piece of the file. Raises InputError, and OSError, which names it."""
        try:
            if self._mappable:
                return _map(self._stream.fileno(), offset, length)
            with _sparse_copy(self.chunks()) as copy:
                return _map(copy.fileno(), offset, length)
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror, self.name) from None

    def close(self) -> None:
        """Close the file; mapped pieces stay mapped."""
        if self._stream is not sys.stdin.buffer:
            self._stream.close()


def _mappable(stream: IO[bytes]) -> bool:
    """Return whether a stream is a file that may be mapped, not a pipe."""
    try:
        mode = os.fstat(stream.fileno()).st_mode
    except OSError:  # not a file of the system
        return False
    return stat.S_ISREG(mode) or stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and stream.seekable())


def _map(fd: int, offset: int, length: int | None) -> MappedPiece:
    end = os.lseek(fd, 0, os.SEEK_END)
    size = max(0, end - offset) if length is None else length
    if offset + size > end and (end or length is None):
        raise InputError(f"{size} bytes at {offset:#x} go past the end, which is {end:#x}")
    if not size:
        return MappedPiece(memoryview(b""), offset, ())
    lead = offset % mmap.ALLOCATIONGRANULARITY
    try:
        whole = FileMap(fd, lead + size, access=mmap.ACCESS_READ, offset=offset - lead)
    except (OSError, ValueError, OverflowError) as exc:
        raise InputError(f"cannot be mapped: {getattr(exc, 'strerror', None) or exc}") from None
    if stat.S_ISREG(os.fstat(fd).st_mode):
        whole.end = offset + size
    spans_of_data = merge_spans(data_spans(fd, offset, offset + size))
    spans = tuple((first - offset, end - offset) for first, end in spans_of_data)
    if spans and sum(end - first for first, end in spans) < len(spans) * SHORT:
        whole.madvise(mmap.MADV_RANDOM)  # or the kernel reads more holes ahead than there is data
    return MappedPiece(memoryview(whole)[lead:], offset, spans)


def data_spans(fd: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield the bytes of a file from *start* to *stop* that are no hole; all if that is unknown."""
    at = start
    while at < stop:
        try:
            first = os.lseek(fd, at, os.SEEK_DATA)
            end = os.lseek(fd, first, os.SEEK_HOLE)
        except OSError as exc:
            if exc.errno != ENXIO:  # there is data after *at*, or the file system cannot say
                yield at, stop
            return
        if not at <= first < end:  # a device accepts any offset
            yield at, stop
            return
        if first < stop:
            yield first, min(end, stop)
        at = end


def merge_spans(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield spans with the small holes between them filled, so that they are few."""
    start, end = 0, 0
    for first, stop in spans:
        if first - end > NEAR:
            if end:
                yield start, end
            start = first
        end = stop
    if end:
        yield start, end


def release(array: Any) -> None:
    """Tell the kernel that the mapped pages below *array* may leave memory for now.

    Raises InputError if the file has been cut meanwhile.
    """
    below = array
    while below is not None and not isinstance(below, FileMap):
        below = below.obj if isinstance(below, memoryview) else getattr(below, "base", None)
    if below is not None:
        below.check()
        below.madvise(mmap.MADV_DONTNEED)


def _sparse_copy(chunks: Iterator[bytes]) -> IO[bytes]:
    """Copy to a temporary file that has holes where the data is zero."""
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
