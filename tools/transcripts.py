"""Run the commands that a text shows and compare, or replace, what it says they print.

A table between ``<!-- NAME -->`` and ``<!-- /NAME -->`` is made of the declarations that it lists.
A transcript is a line ``$ snpwire ...`` and the lines below it, up to the next such line, a code
fence, or the end. Standard output and error are shown as a terminal mixes them; an exit code other
than 0 is a last line ``[exit N]``. Commands may be joined by ``|``. They run in this process, so a
transcript covers code like any test.

    python tools/transcripts.py --check README.md tests/golden/*.txt
    python tools/transcripts.py README.md
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from snpwire.__main__ import main as snpwire
from snpwire.capture.kernel_log import FAMILIES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
PROMPT = "$ snpwire"


class Result(list[str]):
    """The lines that a command printed, and how it ended."""

    def __init__(self, output: str, code: int) -> None:
        super().__init__(output.splitlines())
        if code:
            self.append(f"[exit {code}]")


@contextmanager
def streams(given: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Stand in for the three standard streams; yield what gathers output and errors."""
    out, err = io.BytesIO(), io.BytesIO()
    kept = sys.stdin, sys.stdout, sys.stderr
    sys.stdin = io.TextIOWrapper(io.BytesIO(given), "utf-8")
    sys.stdout = io.TextIOWrapper(out, "utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, "utf-8", "backslashreplace", write_through=True)
    try:
        yield out, err
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            stream.detach()  # or it would close what it wrote to
        sys.stdin, sys.stdout, sys.stderr = kept


def call(words: list[str], given: bytes = b"") -> tuple[bytes, bytes, int]:
    """Run one command line in this process; return output, errors and exit code."""
    os.environ |= {"COLUMNS": "100", "NO_COLOR": "1"}
    with streams(given) as (out, err):
        code = snpwire(words)
    return out.getvalue(), err.getvalue(), code


def run(line: str) -> Result:
    """Run commands joined by ``|`` and return what a terminal would show."""
    data, shown, code = b"", "", 0
    for stage in _stages(shlex.split(line)):
        data, errors, code = call(stage[1:], data)
        shown += errors.decode()
    return Result(data.decode("utf-8", "replace") + shown, code)


def _stages(words: list[str]) -> list[list[str]]:
    stages: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            stages.append([])
        else:
            stages[-1].append(word)
    return stages


def record_types() -> str:
    """Return a table of what ``snpwire log`` knows: each family, with its kinds and wordings."""
    rows = ["| type | what it is about | kinds of records | wordings |", "|---|---|---|---|"]
    for name, (title, formats) in FAMILIES.items():
        kinds = len({fmt.kind for fmt in formats})
        wordings = sum(len(fmt.wordings) for fmt in formats)
        rows.append(f"| `{name}` | {title} | {kinds} | {wordings} |")
    return "\n".join(rows)


TABLES = {"record types": record_types}
"""What makes each table, by the name in its marks."""


def _with_tables(text: str) -> str:
    """Return *text* with every table as it is now."""
    for name, make in TABLES.items():
        first, last = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        head, mark, rest = text.partition(first)
        if mark:
            text = f"{head}{mark}{make()}{last}{rest.partition(last)[2]}"
    return text


def renewed(text: str) -> str:
    """Return *text* with its tables and the output of every transcript as they are now."""
    lines, source = [], iter(_with_tables(text).split("\n"))
    for line in source:
        lines.append(line)
        if line.startswith(PROMPT):
            lines += run(line[2:])
            following = _after(source)
            if following is None:
                lines.append("")
                break
            _resume(lines, following, source)
    return "\n".join(lines)


def _after(source: Iterator[str]) -> str | None:
    """Skip the old output; return the line that ends it."""
    for line in source:
        if line.startswith((PROMPT, "```")):
            return line
    return None


def _resume(lines: list[str], line: str | None, source: Iterator[str]) -> None:
    """Go on with the line that ended an output, which may be a command itself."""
    while line is not None and line.startswith(PROMPT):
        lines.append(line)
        lines += run(line[2:])
        line = _after(source)
    lines.append("" if line is None else line)


def main(words: list[str]) -> int:
    """Renew the files named, or tell which are out of date."""
    check = "--check" in words
    os.chdir(ROOT)
    stale = 0
    for name in (word for word in words if word != "--check"):
        path = Path(name)
        old = path.read_text()
        new = renewed(old)
        if old == new:
            continue
        stale += 1
        if check:
            sys.stderr.write(f"transcripts: {name} is out of date: tools/fix renews it\n")
        else:
            path.write_text(new)
            sys.stderr.write(f"transcripts: renewed {name}\n")
    return int(check and stale > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
