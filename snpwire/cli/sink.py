"""Where results go: standard output, or a file that is whole or not there at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..view.style import COLOUR, PLAIN, Style

if TYPE_CHECKING:
    from collections.abc import Iterable


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
