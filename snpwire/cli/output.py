"""Where results go: standard output, or a file that is whole or not there at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..view.style import COLOUR, PLAIN, Style

if TYPE_CHECKING:
    from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import UsageError
from .input import shown_name

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ..engine.trace import TraceStep


class Saved:
    """Files that are put beside the directory's place, and moved there when all is well."""

    def __init__(self, path: str) -> None:
        """Make the directory that stands in. Raises UsageError and OSError, which name *path*."""
        import tempfile

        self._target = Path(path)
        if self._target.exists() and (not self._target.is_dir() or any(self._target.iterdir())):
            hint = "--save makes a new directory"
            raise UsageError(f"{shown_name(path)} is there already", help=hint)
        try:
            made = tempfile.mkdtemp(dir=self._target.parent, prefix=".snpwire-")
        except OSError as exc:
            raise OSError(exc.errno, exc.strerror, path) from None
        self._folder, self._number = Path(made), 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Move all into place, or leave nothing where something failed."""
        import shutil

        if kind is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            return
        self._folder.chmod(0o777 & ~_umask_saving())
        try:
            self._folder.replace(self._target)
        except OSError as exc:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise OSError(exc.errno, exc.strerror, str(self._target)) from None

    def step(self, step: TraceStep) -> list[str]:
        """Write the pages of a step; return the names of the files."""
        names = []
        for item in step.written:
            self._number += 1
            kind = item.kind or "bytes"
            name = f"{self._number:04d}-{step.actor}-{step.action}.{kind}.bin"
            self.file(name, item.data)
            names.append(name)
        return names

    def file(self, name: str, data: bytes) -> None:
        """Write one file."""
        (self._folder / name).write_bytes(data)


def _umask_saving() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask


def say(lines: Iterable[str]) -> None:
    """Print lines of data."""
    write = sys.stdout.write
    for line in lines:
        write(f"{line}\n")


def note(text: str) -> None:
    """Print a remark about the work on standard error."""
    sys.stdout.flush()
    sys.stderr.write(f"note: {text}\n")


def style() -> Style:
    """Return colours if standard output is a terminal or they are forced, else none."""
    if os.environ.get("NO_COLOR"):
        return PLAIN
    forced = os.environ.get("FORCE_COLOR", "0") not in ("", "0")
    return COLOUR if forced or sys.stdout.isatty() else PLAIN


def write_file(path: str, data: bytes) -> None:
    """Write a file, whole or not at all. Raises OSError, which names it."""
    try:
        if _is_output(path):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        elif Path(path).exists() and not Path(path).is_file():
            Path(path).write_bytes(data)  # a device or a pipe; a directory raises
        else:
            _replace(Path(os.path.realpath(path)), data)  # a link stays one
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, path) from None


def _is_output(path: str) -> bool:
    """Tell whether *path* is a name of standard output: the name itself is not to be replaced."""
    if not path.startswith(("/dev/", "/proc/")):
        return False
    try:
        return os.path.samestat(os.stat(path), os.fstat(sys.stdout.fileno()))
    except OSError:
        return False


def _replace(target: Path, data: bytes) -> None:
    """Write a temporary file beside *target*, then let it take its place."""
    import tempfile

    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".snpwire-")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
