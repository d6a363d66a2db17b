"""A new directory with every page of a run, whole or not there at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from .source import shown_name

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ..engine.trace import Step


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
        self._folder.chmod(0o777 & ~_umask())
        try:
            self._folder.replace(self._target)
        except OSError as exc:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise OSError(exc.errno, exc.strerror, str(self._target)) from None

    def step(self, step: Step) -> list[str]:
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


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask
