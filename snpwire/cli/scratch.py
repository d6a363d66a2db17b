"""Files and folders that are made under another name, and moved into place when they are whole.

Until then they are this process's alone: it holds a lock on each, which ends with the process,
however that ends. Whoever gets the lock of such a name therefore knows that its owner is dead, also
across containers, where a process number says nothing, and may remove it.
"""

from __future__ import annotations

import fcntl
import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

PREFIX, SUFFIX = ".snpwire-", ".unfinished"
NAME = re.compile(re.escape(PREFIX) + "[0-9a-f]{16}" + re.escape(SUFFIX))


class Scratch(NamedTuple):
    """A file or folder of which only its owner knows; private to the user."""

    path: Path
    fd: int
    """Open as long as it is unfinished: the lock is on it."""

    @classmethod
    def file(cls, parent: Path) -> Self:
        """Make a file in *parent*. Raises OSError."""
        return cls._made(parent, folder=False)

    @classmethod
    def folder(cls, parent: Path) -> Self:
        """Make a folder in *parent*. Raises OSError."""
        return cls._made(parent, folder=True)

    @classmethod
    def _made(cls, parent: Path, *, folder: bool) -> Self:
        while True:
            path = parent / f"{PREFIX}{os.urandom(8).hex()}{SUFFIX}"
            OWN.add(path)  # before it is there: a signal may arrive at any time
            if folder:
                path.mkdir(0o700)
                fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            else:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            if _locked(fd, path, fcntl.LOCK_EX):
                return cls(path, fd)
            os.close(fd)  # someone took it for left, in the moment before it was locked
            OWN.discard(path)

    def move(self, target: Path, mode: int) -> None:
        """Give it its mode and its name. Raises OSError; it is gone then."""
        try:
            os.fchmod(self.fd, mode)
            self.path.replace(target)
        except OSError:
            self.discard()
            raise
        OWN.discard(self.path)
        os.close(self.fd)

    def discard(self) -> None:
        """Remove it."""
        _removed(self.path)
        OWN.discard(self.path)
        os.close(self.fd)


OWN: set[Path] = set()
"""What this process has not finished."""


def discard_all() -> None:
    """Remove what this process has not finished, before it ends."""
    for path in tuple(OWN):
        _removed(path)
    OWN.clear()


def discard_left(parent: Path) -> None:
    """Remove what processes left in *parent* that were killed."""
    try:
        with os.scandir(parent) as entries:
            names = [entry.name for entry in entries if NAME.fullmatch(entry.name)]
    except OSError:
        return  # what comes next says what is wrong with it
    for path in (parent / name for name in names):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            own = os.fstat(fd).st_uid == os.geteuid()
            if own and path not in OWN and _locked(fd, path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                _removed(path)
        finally:
            os.close(fd)


def _locked(fd: int, path: Path, how: int) -> bool:
    """Lock *fd* and return whether it still is what *path* names.

    Where a file system has no locks nobody gets one, so that nothing is taken for left.
    """
    try:
        fcntl.flock(fd, how)
    except OSError:
        return not how & fcntl.LOCK_NB
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    except FileNotFoundError:
        return False


def _removed(path: Path) -> None:
    import shutil

    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
