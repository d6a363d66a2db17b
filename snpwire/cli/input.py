"""Where bytes come from: a file, a piece of one, standard input; raw or as some kind of text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InputError, SnpwireError, UsageError
from ..wire.address import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..capture.kvm_ghcb import GhcbBlock
    from ..errors import DecodeError

SNIFF = 1 << 16


class Cut(NamedTuple):
    """The piece of a file that is wanted."""

    offset: int = 0
    length: int | None = None

    def of(self, data: bytes) -> bytes:
        """Return the piece of *data*. Raises InputError if it lies outside."""
        if self.offset > len(data):
            raise InputError(f"offset {self.offset:#x} is past the end, which is {len(data):#x}")
        if self.length is None:
            return data[self.offset :]
        if self.offset + self.length > len(data):
            raise InputError(
                f"{self.length} bytes at {self.offset:#x} go past the end, which is {len(data):#x}"
            )
        return data[self.offset : self.offset + self.length]


class Source(NamedTuple):
    """What was read, and how."""

    name: str
    data: bytes
    base: int = 0
    """Offset of the data in its file."""
    notes: tuple[str, ...] = ()
    log: GhcbBlock | None = None
    """KVM's dump of a GHCB, where that was the input; there are no bytes then."""


class SourceError(InputError):
    """An input error that names the input."""

    def __init__(self, name: str, cause: SnpwireError) -> None:
        super().__init__(f"{name}: {cause}", help=cause.help)


def cut(offset: int | None, length: int | None, page: int | None, size: int | None) -> Cut | None:
    """Return the piece that the options name; without a length, *size* bytes if that is fixed."""
    if page is not None:
        if offset is not None:
            raise UsageError("--page and --offset both say where to begin", help="give one of them")
        return Cut(page * PAGE, PAGE if length is None else length)
    if offset is None and length is None:
        return None
    return Cut(offset or 0, size if length is None else length)


def load(file: str, *, form: str, piece: Cut | None, fits: Callable[[int], bool] | None) -> Source:
    """Read *file*, ``-`` being standard input. Raises SourceError and OSError."""
    name = shown_name(file)
    try:
        return _load(name, file, form, piece, fits)
    except SnpwireError as exc:
        raise SourceError(name, exc) from None


def shown_name(file: str | None) -> str:
    """Return what a message calls *file*."""
    return "<stdin>" if file in (None, "-") else str(file)


def contents(file: str) -> bytes:
    """Return all of *file*, ``-`` being standard input. Raises OSError, which names it."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, shown_name(file)) from None


def _load(
    name: str, file: str, form: str, piece: Cut | None, fits: Callable[[int], bool] | None
) -> Source:
    base = piece.offset if piece else 0
    if piece and file != "-" and Path(file).is_file() and _is_raw(_head(file), form):
        return Source(name, _slice(file, piece), base, (f"{piece_text(piece)} of a larger file",))
    raw = contents(file)
    if _is_raw(raw[:SNIFF], form):  # known without the reader of text, which costs start-up
        return Source(name, piece.of(raw) if piece else raw, base)
    exact = form == "auto" and not piece and _is_exact(len(raw), fits)
    if form in ("auto", "kvm") and not exact:
        block = _log(raw, form, fits)
        if block and piece:
            raise InputError("this is KVM's dump of a GHCB, of which no piece can be cut")
        if block:
            return Source(name, b"", 0, ("a GHCB as KVM prints it",), block)
    from ..capture.hextext import read

    reading = read(raw, form, sizes=None if piece else fits)
    if exact and reading.form != "raw":
        return Source(name, raw, base, (f"taken as raw bytes, though they spell {reading.form}",))
    data = piece.of(reading.data) if piece else reading.data
    notes = () if reading.form == "raw" else (f"read as {reading.form}",)
    return Source(name, data, base, (*notes, *reading.notes))


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


def _is_raw(head: bytes, form: str) -> bool:
    """Return whether an input is raw bytes, from its beginning: no text holds a zero byte."""
    return form == "raw" or (form == "auto" and b"\0" in head)


def _is_exact(size: int, fits: Callable[[int], bool] | None) -> bool:
    """Return whether *size* is the one size that fits: such bytes are raw, whatever they spell."""
    return fits is not None and fits(size) and not fits(size + 1)


def _head(file: str) -> bytes:
    with Path(file).open("rb") as stream:
        return stream.read(SNIFF)


def _slice(file: str, piece: Cut) -> bytes:
    """Read a piece without reading the file."""
    size = Path(file).stat().st_size
    if piece.offset > size:
        raise InputError(f"offset {piece.offset:#x} is past the end, which is {size:#x}")
    if piece.length is not None and piece.offset + piece.length > size:
        raise InputError(
            f"{piece.length} bytes at {piece.offset:#x} go past the end, which is {size:#x}"
        )
    with Path(file).open("rb") as stream:
        stream.seek(piece.offset)
        return stream.read() if piece.length is None else stream.read(piece.length)


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
