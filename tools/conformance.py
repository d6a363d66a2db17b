"""Run what AMD's firmware was observed to do against the model, row by row.

    python tools/conformance.py ../shared/vectors/firmware
    python tools/conformance.py ../shared/vectors/firmware --show key/vmpl/vmpck0_vmpl0
    python tools/conformance.py ../shared/vectors/firmware --only guest_request

The model is written from the facts; no row decides an answer, each is only compared with it.
"""

from __future__ import annotations

import argparse
import gzip
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from conformance_cases import Case, guest_request, rmp_state, sequences
from conformance_commands import command, launch
from conformance_keys import kdf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance_host import Row

FILES: dict[str, Callable[[Row], Case]] = {
    "guest_request": guest_request,
    "guest_request_seq": sequences,
    "kdf": kdf,
    "launch_digest": launch,
    "commands": command,
    "rmp_state": rmp_state,
}
WIDTH = 32
"""Characters of a value in a line; longer ones take several."""


def path_of(folder: Path, name: str) -> Path:
    """Return where the rows of a file are."""
    return folder / f"{name}.jsonl.gz"


def rows(folder: Path, name: str) -> Iterator[Row]:
    """Yield the rows of a file."""
    with gzip.open(path_of(folder, name), "rt") as lines:
        for line in lines:
            yield json.loads(line)


def cases(folder: Path, only: str = "") -> Iterator[tuple[str, Case]]:
    """Yield every row with what the model does, by file."""
    for name, judge in FILES.items():
        if not only or name == only:
            for row in rows(folder, name):
                yield name, judge(row)


def leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and text of everything in a value; long hex strings in pieces, by their place."""
    if value and isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            inner = f"[{key}]" if isinstance(value, list) else f".{key}" if path else f"{key}"
            yield from leaves(item, path + inner)
    elif isinstance(value, str) and len(value) > WIDTH:
        for at in range(0, len(value), WIDTH):
            yield f"{path}+{at // 2:#05x}", value[at : at + WIDTH]
    else:
        yield path, value if isinstance(value, str) else json.dumps(value)


def side_by_side(case: Case) -> Iterator[str]:
    """Yield the lines that show a case: what was observed, what the model does.

    Pieces of zeros in both are left out.
    """
    expected, found = dict(leaves(case.expected)), dict(leaves(case.found))
    paths = list({**expected, **found})
    first = max(map(len, paths), default=0)
    yield f"{case.name}  {'passed' if case.passed else 'FAILED'}"
    yield f"{'':{first}}  {'observed':{WIDTH}}  model"
    for path in paths:
        one, other = expected.get(path, "-"), found.get(path, "-")
        if one == other and "+" in path and not one.strip("0"):
            continue
        differs = "" if one == other else "  DIFFERS"
        yield f"{path:{first}}  {one:{WIDTH}}  {other:{WIDTH}}{differs}".rstrip()


def main(arguments: list[str]) -> int:
    """Print a line for each category, or one case; return how many failed, at most 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--show", metavar="NAME", help="print this case side by side")
    parser.add_argument("--only", metavar="FILE", choices=FILES, default="")
    given = parser.parse_args(arguments)
    for file in [given.only] if given.only else FILES:
        if not path_of(given.folder, file).is_file():
            parser.error(f"there is no {path_of(given.folder, file)}")
    passed: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    names: list[str] = []
    shown = False
    for file, case in cases(given.folder, given.only):
        if case.name == given.show:
            shown = True
            print("\n".join(side_by_side(case)))
        (passed if case.passed else failed)[file, case.category] += 1
        if not case.passed:
            names.append(case.name)
    if given.show:
        if not shown:
            print(f"no row is called {given.show}", file=sys.stderr)
        return int(not shown)
    for file, category in sorted({*passed, *failed}):
        key = file, category
        print(f"{file:18} {category:20} {passed[key]:5} passed {failed[key]:4} failed")
    for name in names:
        print(f"failed: {name}")
    print(f"{passed.total()} passed, {failed.total()} failed")
    return int(bool(failed))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # quiet when a pager is left
    sys.exit(main(sys.argv[1:]))
