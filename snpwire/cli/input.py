"""Where bytes come from: a file, a piece of one, standard input; raw or as some kind of text.

No more is read than anything can need: an input may be a device without an end, or an image of a
host's memory. A file of raw bytes is known by its beginning, and a piece of it is read alone.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ..errors import InputError, SnpwireError, UsageError, printable
from ..wire.address import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from ..capture.kvm_ghcb import GhcbBlock
    from ..errors import DecodeError
    from ..wire import Kind

SNIFF = 1 << 16
"""Bytes by which an input is known as raw or as text; more than any record of one size has."""
MOST = 1 << 24
"""Most bytes of an input that may be of any size: of a log, and of what holds a list."""
MOST_DIGITS = 1 << 22
"""Most bytes of text that spells bytes: reading it takes a second."""
CHUNK = 1 << 20
PIECES = "--page N takes one 4 KiB page of it, --offset and --length any piece"


class Cut(NamedTuple):
    """The piece of a file that is wanted."""

    offset: int = 0
    length: int | None = None
    short: bool = False
    """Fewer bytes will do."""

    def of(self, data: bytes) -> bytes:
        """Return the piece of *data*. Raises InputError if it lies outside."""
        self.check(len(data))
        end = None if self.length is None else self.offset + self.length
        return data[self.offset : end]

    def check(self, size: int) -> None:
        """Raise InputError if it lies outside of *size* bytes."""
        if self.offset > size:
            raise InputError(f"offset {self.offset:#x} is past the end, which is {size:#x}")
        enough = self.short and self.offset < size
        if self.length is not None and self.offset + self.length > size and not enough:
            raise InputError(
                f"{self.length} bytes at {self.offset:#x} go past the end, which is {size:#x}"
            )


class InnerValue(NamedTuple):
    """A value, and what it lay in."""

    kind: Kind
    value: Any
    """Bytes, or a value of the kind."""
    lines: tuple[str, ...]
    """Where it lay, in words."""
    plain: dict[str, Any]
    """The same for JSON."""
    base: int = 0
    """Offset in the input, where it lies there as it is."""
    absent: frozenset[str] = frozenset()
    """Paths of the fields that a text does not have."""


class Source(NamedTuple):
    """What was read, and how."""

    name: str
    data: bytes
    base: int = 0
    """Offset of the data in its file."""
    notes: tuple[str, ...] = ()
    log: GhcbBlock | None = None
    """KVM's dump of a GHCB, where that was the input; there are no bytes then."""
    prose: bool = False
    """The bytes are those of a text that spells none."""
    raw: bytes = b""
    """All of the input before its text was read; nothing where a form or a piece was asked for."""
    found: InnerValue | None = None
    """The value, where it lay in something else."""


class SourceError(InputError):
    """An input error that names the input."""

    def __init__(self, name: str, cause: SnpwireError) -> None:
        super().__init__(f"{name}: {cause}", help=cause.help)
        self.name = name
        self.cause = cause


class TextError(InputError):
    """A text that is broken, as far as it spells bytes."""

    def __init__(self, cause: InputError, raw: bytes) -> None:
        super().__init__(cause.reason, line=cause.line, help=cause.help)
        self.raw = raw


class LargeInputError(InputError):
    """There is more than could be meant."""

    def __init__(self, most: int, size: int = 0) -> None:
        amount = f"{size} bytes, more" if size > most else "more bytes"
        super().__init__(f"it has {amount} than the {most} that are read", help=PIECES)
        self.size = size
        """Of the file; 0 if it is none, or grows."""


def cut(
    offset: int | None,
    length: int | None,
    page: int | None,
    size: int | None,
    *,
    strict: bool = True,
) -> Cut | None:
    """Return the piece that the options name; without a length, *size* bytes if that is fixed.

    Where *strict* is false, a piece without a length may be shorter.
    """
    short = not strict and length is None
    if page is not None:
        if offset is not None:
            raise UsageError("--page and --offset both say where to begin", help="give one of them")
        return Cut(page * PAGE, PAGE if length is None else length, short)
    if offset is None and length is None:
        return None
    return Cut(offset or 0, size if length is None else length, short)


def load(
    file: str,
    *,
    form: str,
    piece: Cut | None,
    fits: Callable[[int], bool] | None,
    given: bytes | None = None,
) -> Source:
    """Read *file*, ``-`` being standard input, or what was *given* of it.

    Raises SourceError and OSError.
    """
    name = shown_name(file)
    try:
        with _open(file) if given is None else BytesIO(given) as stream:
            return _load(name, file, stream, form, piece, fits)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, file_name(file)) from None
    except SnpwireError as exc:
        raise SourceError(name, exc) from None


def shown_name(file: str | None) -> str:
    """Return what a message, a view or JSON calls *file*: escaped, it is somebody else's text."""
    return "<stdin>" if file in (None, "-") else printable(str(file))


def contents(file: str, most: int = MOST) -> bytes:
    """Return all of *file*, ``-`` being standard input. Raises SourceError and OSError."""
    try:
        with _open(file) as stream:
            return _rest(stream, b"", most)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, file_name(file)) from None
    except LargeInputError as exc:
        raise SourceError(shown_name(file), InputError(exc.reason)) from None


def everything(file: str) -> bytes:
    """Return all of *file*, of which a piece can be read if it is too large.

    Raises SourceError and OSError.
    """
    try:
        with _open(file) as stream:
            return _rest(stream, b"", MOST)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, file_name(file)) from None
    except LargeInputError as exc:
        raise SourceError(shown_name(file), exc) from None


def file_name(file: str) -> str:
    """Return the name of *file* for an OSError, which is escaped when it is printed."""
    return "<stdin>" if file == "-" else file


def _open(file: str) -> AbstractContextManager[IO[bytes]]:
    return nullcontext(sys.stdin.buffer) if file == "-" else Path(file).open("rb")


def _rest(stream: IO[bytes], head: bytes, most: int) -> bytes:
    """Return *head* and what follows. Raises LargeInputError, having read one byte too many."""
    data = head + stream.read(max(most + 1 - len(head), 0))
    if len(data) > most:
        raise LargeInputError(most, _size(stream))
    return data


def _size(stream: IO[bytes]) -> int:
    """Return the size of a file; 0 for anything else, which has none."""
    try:
        return os.fstat(stream.fileno()).st_size
    except OSError:  # not a file of the system
        return 0


def _load(
    name: str,
    file: str,
    stream: IO[bytes],
    form: str,
    piece: Cut | None,
    fits: Callable[[int], bool] | None,
) -> Source:
    base = piece.offset if piece else 0
    head = stream.read(SNIFF)
    if is_raw(head, form):  # without the reader of text, which costs start-up
        source = _raw(name, file, stream, head, piece, fits)
        return source._replace(raw=source.data) if form == "auto" and not piece else source
    raw = _rest(stream, head, MOST)
    exact = form == "auto" and not piece and _is_exact(len(raw), fits)
    if form in ("auto", "kvm") and not exact:
        block = _log(raw, form, fits)
        if block and piece:
            raise InputError("this is KVM's dump of a GHCB, of which no piece can be cut")
        if block:
            return Source(name, b"", 0, ("a GHCB as KVM prints it",), block)
    if len(raw) > MOST_DIGITS:
        raise LargeInputError(MOST_DIGITS, len(raw))
    from ..capture.hextext import read

    try:
        reading = read(raw, form, sizes=None if piece else fits)
    except InputError as exc:
        raise TextError(exc, raw if form == "auto" and not piece else b"") from None
    if exact and reading.form != "raw":
        return Source(name, raw, base, (f"taken as raw bytes, though they spell {reading.form}",))
    data = piece.of(reading.data) if piece else reading.data
    notes = () if reading.form == "raw" else (f"read as {reading.form}",)
    prose = reading.form == "raw" and bool(reading.notes)
    return Source(
        *(name, data, base, (*notes, *reading.notes)),
        prose=prose,
        raw=raw if form == "auto" and not piece else b"",
    )


def _raw(
    name: str,
    file: str,
    stream: IO[bytes],
    head: bytes,
    piece: Cut | None,
    fits: Callable[[int], bool] | None,
) -> Source:
    """Return raw bytes, or a piece of them. Raises InputError and OSError."""
    if piece is None:
        most = SNIFF if fits is not None and not fits(MOST) else MOST
        return Source(name, _rest(stream, head, most))
    if file != "-" and Path(file).is_file():
        data = _slice(stream, piece)
        return Source(name, data, piece.offset, (f"{piece_text(piece)} of a larger file",))
    return Source(name, _passing(stream, head, piece), piece.offset)


def _slice(stream: IO[bytes], piece: Cut) -> bytes:
    """Read a piece without reading the file."""
    size = _size(stream)
    piece.check(size)
    stream.seek(piece.offset)
    if piece.length is None:
        return _rest(stream, b"", MOST)
    if piece.length > MOST:
        raise LargeInputError(MOST, piece.length)
    wanted = min(piece.length, size - piece.offset)
    data = stream.read(wanted)
    if len(data) < wanted:
        raise InputError(f"it was cut to {piece.offset + len(data):#x} bytes while it was read")
    return data


def _passing(stream: IO[bytes], head: bytes, piece: Cut) -> bytes:
    """Read a piece of what comes but once, keeping nothing before it."""
    seen, part = len(head), head[piece.offset :]
    while seen < piece.offset and (chunk := stream.read(min(CHUNK, piece.offset - seen))):
        seen += len(chunk)
    wanted = MOST + 1 if piece.length is None else min(piece.length, MOST + 1)
    data = part[:wanted] + stream.read(max(wanted - len(part), 0))
    if len(data) > MOST:
        raise LargeInputError(MOST)
    piece.check(seen if seen < piece.offset else piece.offset + len(data))
    return data


def piece_text(piece: Cut) -> str:
    """Return the piece in words."""
    length = "the rest" if piece.length is None else f"{piece.length} bytes"
    return f"{length} at {piece.offset:#x}"


def size_help(exc: DecodeError, source: Source, size: int | None) -> str:
    """Return which option takes the right piece; *size* is that of a command's buffer, or 0."""
    length = len(source.data)
    if size is not None:
        return f"--length {size} takes as many from the beginning" if 0 < size < length else ""
    if not exc.path and length > PAGE:
        return "--page N takes one 4 KiB page of it, --offset and --length any piece"
    return exc.help


def is_raw(head: bytes, form: str = "auto") -> bool:
    """Return whether an input is raw bytes, from its beginning: only UTF-16 has a zero byte."""
    return form == "raw" or (form == "auto" and b"\0" in head and not _is_wide(head))


def _is_wide(head: bytes) -> bool:
    """Return whether an input may be UTF-16: by its mark, or letters and zeros in turn."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return True
    start = head[:64]
    for letters, zeros in ((start[::2], start[1::2]), (start[1::2], start[::2])):
        if letters and zeros and not any(zeros) and letters.isascii() and min(letters) >= ord("\t"):
            return True
    return False


def _is_exact(size: int, fits: Callable[[int], bool] | None) -> bool:
    """Return whether *size* is the one size that fits: such bytes are raw, whatever they spell."""
    return fits is not None and fits(size) and not fits(size + 1)


def _log(raw: bytes, form: str, fits: Callable[[int], bool] | None) -> GhcbBlock | None:
    """Read KVM's dump of a GHCB; a broken one may be bytes of the right size that look like it."""
    if form == "auto" and b"GHCB (GPA=" not in raw:
        return None
    from ..capture.kvm_ghcb import looks_like, parse

    text = raw.decode("utf-8", "replace")
    if form == "kvm":
        return parse(text)
    try:
        return parse(text) if looks_like(text) else None
    except InputError:
        if fits is None or not fits(len(raw)):
            raise
        return None
