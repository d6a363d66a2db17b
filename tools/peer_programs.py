"""Small programs that ask released libraries of others, in ``tools/peers``, and how they are built.

Two are asked: go-sev-guest by Google, in Go, and the ``sev`` crate of virtee, in Rust. Their
versions are pinned. The programs are built once, into ``$XDG_CACHE_HOME/snpwire/peers``; without a
compiler, or without a registry the first time, there is nothing to compare with.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOLDER = Path(__file__).resolve().parent / "peers"
WRONG_HERE = re.compile(r"checksum|lock file|go\.sum|go\.mod")
"""In a failed download: the fault is in our files, not in the way to the registry."""


class MissingError(Exception):
    """A peer cannot be asked here, and why."""


class RefusedError(Exception):
    """A peer does not read the report, and what it says."""


class Peer(NamedTuple):
    """A library, and how the program that asks it is built."""

    name: str
    folder: str
    compiler: str
    oldest: tuple[int, int]
    """The oldest version of the compiler that will do."""
    version: list[str]
    fetch: list[str]
    build: list[str]
    made: str
    """Where the program is, below the cache's folder."""
    fields: Callable[[Mapping[str, Any]], dict[str, Any]]
    """Returns the peer's fields by our paths."""

    @property
    def sources(self) -> Path:
        """Return the folder of the program's sources."""
        return FOLDER / self.folder


def cache(peer: Peer) -> Path:
    """Return the folder that *peer* is built in; other sources are built in another."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = sha256()
    for path in sorted(peer.sources.iterdir()):
        if path.suffix != ".lock":  # cargo writes one, which names where it fetched from
            digest.update(path.read_bytes() if path.is_file() else b"")
    return base / "snpwire" / "peers" / f"{peer.folder}-{digest.hexdigest()[:16]}"


def program(peer: Peer) -> Path:
    """Return the program that asks *peer*, built if it was not. Raises MissingError."""
    folder = cache(peer)
    path = folder / peer.made
    if not path.exists():
        present(peer)
        folder.mkdir(parents=True, exist_ok=True)
        fetched = ran(peer, peer.fetch, folder)
        if fetched.returncode and not WRONG_HERE.search(fetched.stderr):
            raise MissingError(f"{peer.name}: its registry does not answer: {last(fetched)}")
        built = fetched if fetched.returncode else ran(peer, peer.build, folder)
        if built.returncode:
            raise RuntimeError(f"{peer.name} cannot be built:\n{built.stderr}")
    return path


def present(peer: Peer) -> None:
    """Raise MissingError unless the compiler is there, and new enough."""
    try:
        text = ran(peer, peer.version, Path()).stdout
    except OSError:
        raise MissingError(f"{peer.name}: {peer.compiler} is not installed") from None
    found = re.search(r"(\d+)\.(\d+)", text)
    if not found or (int(found[1]), int(found[2])) < peer.oldest:
        oldest = ".".join(map(str, peer.oldest))
        got = text.strip() or "an unknown version"
        raise MissingError(f"{peer.name}: {peer.compiler} {oldest} is needed, here is {got}")


def ran(peer: Peer, command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one step of a build; in *command* OUT stands for *folder*."""
    words = [word.replace("OUT", str(folder)) for word in command]
    kept = os.environ | {
        "GOTOOLCHAIN": "local",
        "CARGO_NET_RETRY": "1",
        "CARGO_TERM_COLOR": "never",
    }
    return subprocess.run(
        words, cwd=peer.sources, env=kept, capture_output=True, text=True, check=False
    )


def last(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line that a program said."""
    return (done.stderr.strip().splitlines() or ["nothing said"])[-1].strip()


def ask(path: Path, data: bytes, *words: str) -> dict[str, Any]:
    """Return what the program at *path* makes of a report. Raises RefusedError."""
    done = subprocess.run([path, *words], input=data, capture_output=True, check=False, timeout=60)
    if done.returncode:
        raise RefusedError(done.stderr.decode().strip())
    reading: dict[str, Any] = json.loads(done.stdout)
    return reading
