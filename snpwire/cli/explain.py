"""``snpwire explain``: what a number means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..view.explain import Question, explain
from ..view.table import table
from ..view.tree import finding_text
from .output import say, style

if TYPE_CHECKING:
    from ..finding import Finding
from ..errors import UsageError
from ..view.offsets import FORMATS
from ..wire import kind


def layout(name: str, form: str) -> int:
    """Print the offset table of a kind."""
    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}", help=f"formats are: {' '.join(FORMATS)}")
    say(FORMATS[form](kind(name)))
    return 0


def run(what: str, question: Question, *, json: bool) -> int:
    """Print what a number means, and what is wrong with it."""
    rows = list(explain(what, question))
    found = _findings(what, question)
    if json:
        from ..view.json import dumps, finding

        keys = ("offset", "size", "name", "value", "text")
        objects = [dict(zip(keys, (cell.strip() for cell in row), strict=False)) for row in rows]
        kept = [{key: cell for key, cell in row.items() if cell} for row in objects]
        say([dumps({"explain": what, "rows": kept, "findings": [finding(f) for f in found]})])
    else:
        say(table(rows, style()))
        say(finding_text(f, style()) for f in found)
    return 0


def _findings(what: str, question: Question) -> list[Finding]:
    """Return what the rules say of a value of the GHCB MSR, or of an entry of the RMP.

    Other numbers stand for themselves.
    """
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
