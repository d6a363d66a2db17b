"""Bytes of a log as they come: a file to its end, or a file that goes on growing.

A file is followed by its name, as ``tail -F`` does. What a program still writes to the old file
after it was renamed is read before the new one is. A file that was cut down to nothing and has
outgrown its old size before it is looked at again cannot be told from one that has only grown.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from .input import shown_name

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 18
POLL = 0.2
"""Seconds between two looks at a file that has not grown."""
QUIET = 5
"""How many looks without anything new make a pause."""
SETTLED = 2
"""How many looks the old file has to be quiet for before the new one is read."""


class Mark(Enum):
    """What happened between two chunks."""

    PAUSE = "nothing has come for a second"
    REPLACED = "another file has the name now"
    TRUNCATED = "the file was cut down"


def chunks(file: str) -> Iterator[bytes]:
    """Yield the bytes of *file*, ``-`` being standard input, as they are there. Raises OSError."""
    try:
        if file == "-":
            yield from _pieces(sys.stdin.buffer)
            return
        with Path(file).open("rb", buffering=0) as stream:
            yield from _pieces(stream)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, shown_name(file)) from None


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    read = getattr(stream, "read1", stream.read)  # what is there, without waiting for more
    while data := read(CHUNK):
        yield data


def followed(file: str, *, poll: float = POLL) -> Iterator[bytes | Mark]:
    """Yield the bytes of *file* for as long as somebody wants them. Raises OSError."""
    if file == "-" or not stat.S_ISREG(_status(file).st_mode):
        yield from chunks(file)
        return
    try:
        yield from _Tail(file, poll)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, file) from None


def _opened(file: str) -> BinaryIO:
    return Path(file).open("rb", buffering=0)


def _status(file: str) -> os.stat_result:
    return Path(file).stat()


class _Tail:
    """A file that is followed."""

    def __init__(self, file: str, poll: float) -> None:
        self._file = file
        self._poll = poll

    def __iter__(self) -> Iterator[bytes | Mark]:
        stream = _opened(self._file)
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
                    yield Mark.TRUNCATED
                elif quiet >= SETTLED and (other := self._other(stream)):
                    stream.close()
                    stream, quiet = other, 0
                    yield Mark.REPLACED
                else:
                    if quiet == QUIET:
                        yield Mark.PAUSE
                    time.sleep(self._poll)
        finally:
            stream.close()

    def _other(self, stream: BinaryIO) -> BinaryIO | None:
        """Open the file that has the name now, if that is another one than *stream*."""
        try:
            other = _opened(self._file)
        except FileNotFoundError:
            return None  # it was taken away, and no new one is there yet
        if os.path.samestat(os.fstat(other.fileno()), os.fstat(stream.fileno())):
            other.close()
            return None
        return other
