"""``snpwire explain``: what a number means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UsageError
from ..view.explain import subject, subject_rows
from ..view.table import table
from ..view.tree import finding_lines
from .output import terminal_style, write_json, write_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..finding import Finding
    from ..view.explain import Question
    from ..view.table import Row


def layout(name: str, form: str) -> int:
    """Print the offset table of a kind."""
    from ..view.offsets import FORMATS
    from ..wire import kind

    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}", help=f"formats are: {' '.join(FORMATS)}")
    write_lines(line for text in FORMATS[form](kind(name)) for line in text.split("\n"))
    return 0


def run(what: str, question: Question, *, report: str | None = None, json: bool) -> int:
    """Print the meaning of a number, and findings on it."""
    if report is not None:
        question = question._replace(report=_report(what, report))
    about = subject(what, question)
    what, question = about.topic, about.question
    rows = [*subject_rows(about), *_checks(what, question)]
    found = _findings(what, question)
    if json:
        from ..view.json import finding

        keys = ("offset", "size", "name", "value", "text")
        objects = [dict(zip(keys, (cell.strip() for cell in row), strict=False)) for row in rows]
        filled = [{key: cell for key, cell in row.items() if cell} for row in objects]
        write_json(
            {
                "explain": what or question.text,
                "rows": filled,
                "findings": [finding(f) for f in found],
            }
        )
    else:
        write_lines(table(rows, terminal_style()))
        write_lines(finding_lines(found, terminal_style()))
    return 0


def _report(what: str, file: str) -> bytes:
    """Return the bytes of the report whose TCB versions are explained. Raises UsageError."""
    if what != "tcb":
        raise UsageError(f"--report goes with explain tcb, not with {what}")
    from .messages.verify import report_of
    from .options import PieceOptions

    return report_of(file, PieceOptions()).data


def _checks(what: str, question: Question) -> Iterator[Row]:
    """Return what the firmware checks before a command, and what changes a derived key."""
    if what == "key-select" and question.text:
        from ..view.topics.key import key_request
        from .engine.derivation import change_rows

        return change_rows(key_request(question.text))
    if what != "command" or not question.text:
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

    if not question.text:
        return []
    if what == "msr":
        from ..wire.msr import Msr

        return findings(Msr(value=question.number()))
    if what == "rmp":
        from ..context import Context
        from ..product import entry_layout
        from ..view.topics.rmp import entry_of

        return findings(entry_of(question), Context(entry_layout=entry_layout(question.family)))
    return []
