"""Where results go: standard output, a file, a directory; either is whole or not there at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, printable
from ..view.style import COLOUR, PLAIN, Style
from .input import shown_name

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self


class SaveFolder:
    """A new directory, filled under a temporary name and moved into place when all is well."""

    def __init__(self, path: str) -> None:
        """Make the temporary directory. Raises UsageError and OSError, which name *path*."""
        from .scratch import Scratch, discard_left

        self._target = Path(path)
        if self._target.exists() and (not self._target.is_dir() or any(self._target.iterdir())):
            hint = "--save makes a new directory"
            raise UsageError(f"{shown_name(path)} is there already", help=hint)
        discard_left(self._target.parent)
        try:
            self._made = Scratch.folder(self._target.parent)
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror, path) from None
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Move all into place, or leave nothing where something failed."""
        if kind is not None:
            self._made.discard()
            return
        try:
            self._made.move(self._target, 0o777 & ~_umask())
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror, str(self._target)) from None

    def add(self, name: str, data: bytes) -> str:
        """Write the next file of a series; return its name, which begins with a number."""
        self._number += 1
        name = f"{self._number:04d}-{name}"
        self.write(name, data)
        return name

    def write(self, name: str, data: bytes) -> None:
        """Write one file, for its owner alone: pages of a guest hold keys."""
        file = os.open(self._made.path / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as stream:
            stream.write(data)


def write_lines(lines: Iterable[str]) -> None:
    """Print lines of data; nothing in them but our own colours moves a terminal."""
    write = sys.stdout.write
    for line in lines:
        write(f"{line if line.isprintable() else _harmless(line)}\n")


def _harmless(line: str) -> str:
    """Return *line* with all escaped that is unprintable, but tabs and colours in use."""
    import re

    codes = "|".join(re.escape(code) for code in terminal_style() if code)
    parts = re.split(f"(\t|{codes})" if codes else "(\t)", line)
    return "".join(part if place % 2 else printable(part) for place, part in enumerate(parts))


def write_json(value: Any, *, indent: int | None = 2) -> None:
    """Print a value as JSON, which is ASCII; without *indent* on one line."""
    from ..view.json import dumps

    sys.stdout.write(f"{dumps(value, indent=indent)}\n")


def write_note(*texts: str) -> None:
    """Print remarks about the work on standard error, a line each."""
    sys.stdout.flush()
    sys.stderr.write("".join(f"note: {printable(text)}\n" for text in texts))


def terminal_style() -> Style:
    """Return the colours of a terminal, or none where standard output is not one."""
    if os.environ.get("NO_COLOR"):
        return PLAIN
    forced = os.environ.get("FORCE_COLOR", "0") not in ("", "0")
    return COLOUR if forced or sys.stdout.isatty() else PLAIN


def write_file(path: str, data: bytes, *, private: bool = False) -> None:
    """Write a file, whole or not at all; *private* is for its owner alone, as it may hold keys.

    Raises OSError, which names it.
    """
    try:
        if _is_output(path):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        elif Path(path).exists() and not Path(path).is_file():
            Path(path).write_bytes(data)  # a device or a pipe; a directory raises
        else:
            _replace(Path(os.path.realpath(path)), data, private=private)  # a link stays one
    except OSError as exc:
        if _is_output(path):
            raise
        raise OSError(exc.errno, exc.strerror, path) from None


def _is_output(path: str) -> bool:
    """Return whether *path* names standard output, which no file may take the place of."""
    if not path.startswith(("/dev/", "/proc/")):
        return False
    try:
        return os.path.samestat(os.stat(path), os.fstat(sys.stdout.fileno()))
    except OSError:
        return False


def _replace(target: Path, data: bytes, *, private: bool) -> None:
    """Write a temporary file in the same directory, then rename it to *target*."""
    from .scratch import Scratch

    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    made = Scratch.file(target.parent)
    try:
        with os.fdopen(os.dup(made.fd), "wb") as stream:
            stream.write(data)
    except BaseException:
        made.discard()
        raise
    made.move(target, mode & 0o600 if private else mode)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
