"""``snpwire recipe``: the scripts that capture what the other commands read."""

from __future__ import annotations

from pathlib import Path

from ..capture.recipe import NAMES, named
from ..capture.recipe import recipe as script
from ..errors import UsageError
from .input import shown_name
from .output import write_file, write_lines, write_note

RUNS = {"sh": "sh", "bt": "bpftrace", "py": "python3"}
"""What runs a script, by its ending; drgn runs one of them."""


def recipe(name: str | None, output: str | None) -> int:
    """Print a script, or write it to a file; without a name list them."""
    if name is None:
        if output is not None:
            raise UsageError("-o is for one recipe", help="snpwire recipe NAME -o FILE")
        width = max(map(len, NAMES)) + 2
        write_lines(f"{n:<{width}}{script(n).head['captures']}" for n in NAMES)
        return 0
    found = script(name)
    others = [n for n in named(name) if n != found.name]
    if others:
        write_note(f"this is {found.name}; there is {others[0]} as well")
    if output is None:
        write_lines(found.text.splitlines())
        return 0
    write_file(output, found.text.encode())
    write_note(f"{shown_name(output)}: run it with {_command(found.name)} as root")
    _make_executable(Path(output))
    return 0


def _command(name: str) -> str:
    return "drgn" if name == "snp.py" else RUNS[name.rpartition(".")[2]]


def _make_executable(path: Path) -> None:
    """Let whoever may read the file run it; a device or a pipe stays as it is."""
    if path.is_file():
        mode = path.stat().st_mode & 0o777
        path.chmod(mode | (mode & 0o444) >> 2)
