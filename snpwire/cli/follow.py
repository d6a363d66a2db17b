"""Bytes of a log as they come: a file to its end, or a file that goes on growing.

A file is followed by its name, as ``tail -F`` does. What a program still writes to the old file
after it was renamed is read before the new one. A file that was truncated and has outgrown its old
size before the next look cannot be distinguished from one that has only grown.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .input import file_name

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 18
POLL = 0.2
"""Seconds between two looks at a file that has not grown."""
QUIET = 5
"""Looks without new data that make a pause."""
SETTLED = 2
"""Looks without new data at the old file before the new one is read."""


class FileEvent(Enum):
    """What happened between two chunks."""

    PAUSE = "no data for a second"
    REPLACED = "another file has the name now"
    TRUNCATED = "the file was truncated"


def chunks(file: str) -> Iterator[bytes | FileEvent]:
    """Yield the bytes of *file*, or of standard input for ``-``, as they come. Raises OSError.

    A pipe that has nothing for a second has a pause, too.
    """
    try:
        if file == "-":
            yield from _pieces(sys.stdin.buffer)
            return
        with Path(file).open("rb", buffering=0) as stream:
            yield from _pieces(stream)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, file_name(file)) from None


def _pieces(stream: BinaryIO) -> Iterator[bytes | FileEvent]:
    read = getattr(stream, "read1", stream.read)  # what is available, without waiting for more
    while True:
        if _is_silent(stream):
            yield FileEvent.PAUSE
        if not (data := read(CHUNK)):
            return
        yield data


def _is_silent(stream: BinaryIO) -> bool:
    """Return whether *stream* has nothing to read for some time, if that can be known."""
    try:
        ready, _, _ = select.select([stream], [], [], QUIET * POLL)
    except (OSError, ValueError):
        return False  # no descriptor, or none that can be waited for
    return not ready


def follow(file: str, *, poll: float = POLL) -> Iterator[bytes | FileEvent]:
    """Yield the bytes of *file* and what happens to it, without end. Raises OSError."""
    if file == "-" or not stat.S_ISREG(_status(file).st_mode):
        yield from chunks(file)
        return
    try:
        yield from _Tail(file, poll)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, file) from None


def _open(file: str) -> BinaryIO:
    return Path(file).open("rb", buffering=0)


def _status(file: str) -> os.stat_result:
    return Path(file).stat()


class _Tail:
    """A file that is followed."""

    def __init__(self, file: str, poll: float) -> None:
        self._file = file
        self._poll = poll

    def __iter__(self) -> Iterator[bytes | FileEvent]:
        stream = _open(self._file)
        quiet = 0
        try:
            while True:
                if data := stream.read(CHUNK):
                    quiet = 0
                    yield data
                    continue
                quiet += 1
                if os.fstat(stream.fileno()).st_size < stream.tell():
                    stream.seek(0)
                    yield FileEvent.TRUNCATED
                elif quiet >= SETTLED and (other := self._other(stream)):
                    stream.close()
                    stream, quiet = other, 0
                    yield FileEvent.REPLACED
                else:
                    if quiet == QUIET:
                        yield FileEvent.PAUSE
                    time.sleep(self._poll)
        finally:
            stream.close()

    def _other(self, stream: BinaryIO) -> BinaryIO | None:
        """Open the file that has the name now, unless that is *stream*."""
        try:
            other = _open(self._file)
        except FileNotFoundError:
            return None  # it was removed, and there is no new one yet
        if os.path.samestat(os.fstat(other.fileno()), os.fstat(stream.fileno())):
            other.close()
            return None
        return other
