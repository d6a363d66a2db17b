"""``snpwire explain``: what a number means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UsageError
from ..view.explain import Question, explain
from ..view.table import table
from ..view.tree import finding_lines
from .output import terminal_style, write_json, write_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..finding import Finding
    from ..view.table import Row


def layout(name: str, form: str) -> int:
    """Print the offset table of a kind."""
    from ..view.offsets import FORMATS
    from ..wire import kind

    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}", help=f"formats are: {' '.join(FORMATS)}")
    write_lines(line for text in FORMATS[form](kind(name)) for line in text.split("\n"))
    return 0


def run(what: str, question: Question, *, json: bool) -> int:
    """Print the meaning of a number, and findings on it."""
    rows = [*explain(what, question), *_checks(what, question)]
    found = _findings(what, question)
    if json:
        from ..view.json import finding

        keys = ("offset", "size", "name", "value", "text")
        objects = [dict(zip(keys, (cell.strip() for cell in row), strict=False)) for row in rows]
        filled = [{key: cell for key, cell in row.items() if cell} for row in objects]
        write_json({"explain": what, "rows": filled, "findings": [finding(f) for f in found]})
    else:
        write_lines(table(rows, terminal_style()))
        write_lines(finding_lines(found, terminal_style()))
    return 0


def _checks(what: str, question: Question) -> Iterator[Row]:
    """Return what the firmware checks before a command; nothing for another topic."""
    if what != "command":
        return iter(())
    from ..rules.command_check import SOURCE
    from ..rules.commands import CHECKS
    from ..view.topics.command import check_rows
    from ..wire.command_table import command_named

    checks = CHECKS.get(command_named(question.text), ())
    return check_rows([(check.statuses, check.text) for check in checks], SOURCE)


def _findings(what: str, question: Question) -> list[Finding]:
    """Return the findings on a value of the GHCB MSR or an RMP entry; no rules judge others."""
    from ..rules import findings

    if what == "msr":
        from ..wire.msr import Msr

        return findings(Msr(value=question.number()))
    if what == "rmp":
        from ..context import Context
        from ..product import entry_layout
        from ..view.topics.rmp import entry_of

        return findings(entry_of(question), Context(entry_layout=entry_layout(question.family)))
    return []
