"""The standard streams of this process: a reader that goes away changes no answer.

Python ignores SIGPIPE and raises BrokenPipeError instead, at any of the places that write. Were
that an end, the answer would be lost: ``verify ... | true`` must not be a success. So the stream
itself remembers that its reader has gone, drops what comes, and the command goes on to its answer.
A command whose output is all that it is for ends at once, as by SIGPIPE. Standard error is never
worth an answer, whatever is wrong with it.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Outlet(io.RawIOBase):
    """A standard stream that is written until its reader goes away, and dropped from then on."""

    def __init__(self, fd: int, forgiven: type[OSError] | None) -> None:
        """Write to *fd*; raise errors once, but those *forgiven* never."""
        self._fd = fd
        self._forgiven = forgiven or ()
        self._gone = False

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the file descriptor."""
        return self._fd

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return os.isatty(self._fd)

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of *data*, or drop it. Raises OSError."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest and not self._gone:
                rest = rest[os.write(self._fd, rest) :]
        except self._forgiven:
            self._gone = True
        except OSError:  # told once: Python would try again when it exits
            self._gone = True
            raise
        return size


def keep_answers(*, ends: bool) -> None:
    """Replace standard output and error; a command that *ends* does so when its reader goes away.

    Text that the encoding lacks, as the bytes of a file's name may be, is written as escapes.
    """
    forgiven = None if ends else BrokenPipeError
    sys.stdout = _text(sys.stdout, forgiven, buffered=not _is_unbuffered(sys.stdout))
    sys.stderr = _text(sys.stderr, OSError, buffered=False)


def _is_unbuffered(stream: object) -> bool:
    """Return whether Python was told to write at once, with -u or PYTHONUNBUFFERED."""
    return isinstance(getattr(stream, "buffer", None), io.RawIOBase)


def _text(old: Any, forgiven: type[OSError] | None, *, buffered: bool) -> io.TextIOWrapper:
    """Return a stream in place of *old*."""
    outlet = Outlet(old.fileno(), forgiven)
    beneath: Any = io.BufferedWriter(outlet) if buffered else outlet
    return io.TextIOWrapper(
        beneath,
        encoding=old.encoding,
        errors="backslashreplace",
        line_buffering=buffered and outlet.isatty(),
        write_through=not buffered,
    )
