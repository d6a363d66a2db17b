"""The default view: a line for each value with offset, size, name, value and meaning."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..bits import Flags, Word
from ..finding import Severity
from ..layout import Record, any_bit
from .meaning import Meaning, plain_meaning, word_fields
from .report import side_by_side
from .style import PLAIN, Style
from .table import Row, table
from .text import value_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..context import Context
    from ..finding import Finding
    from ..layout import Leaf
    from ..wire.ghcb import Page
    from .document import Document, Inner

ALIKE = 16
"""Findings of one code that are printed; JSON has all."""
MANY = 64
"""A record with more fields than this shows only those that are not zero."""


def tree(doc: Document, *, everything: bool = False, style: Style = PLAIN) -> Iterator[str]:
    """Yield the lines of a document; with *everything*, also zeros not marked valid."""
    yield style.mark(style.strong, heading(doc))
    yield from decision_lines(doc)
    rows = list(_rows(doc, everything))
    yield from table(rows, style)
    if doc.product:
        yield from table(list(side_by_side(doc, doc.product)), style)
    if doc.redacted:
        yield f"redacted: {' '.join(sorted(doc.redacted))}"
    if not everything and (
        zeros := sum(1 for group in _zero_groups(doc) if "reserved" not in group)
    ):
        yield f"{zeros} more are zero: --all shows them"
    if doc.unknown:
        yield f"unknown, not given: {' '.join(doc.unknown)}"
    if doc.absent:
        yield f"not in this input: {' '.join(sorted(doc.absent))}"
    yield from finding_lines(doc.findings, style)
    if doc.refused:
        yield refusal_text(doc.refused, doc.status)


def decision_lines(doc: Document) -> Iterator[str]:
    """Yield a line for each decision that the bytes alone did not make."""
    for decision in doc.decisions:
        yield f"{decision.what}  {decision.choice}: {decision.reason}"


def refusal_text(finding: Finding, status: str = "") -> str:
    """Return the response of the firmware, or of KVM, to a request that it refuses."""
    if status:
        return f"the firmware answers {status}: {finding.code}"
    from ..wire.operands import MalformedReason

    reason = MalformedReason(finding.reason)
    return (
        f"KVM 6.12 answers malformed input, reason {finding.reason} {reason.name}: {finding.code}"
    )


def heading(doc: Document) -> str:
    """Return the first line: kind, size, context."""
    where = f" at {doc.base:#x}" if doc.base else ""
    size = size_text(doc)
    if not doc.is_ghcb or doc.context.direction is None:
        return f"{doc.kind.name}  {size}{where}  {doc.kind.title}"
    value = doc.value
    usage = value.ghcb_usage  # type: ignore[union-attr]
    name = usage.name.lower() if usage.known else "unknown"
    version = value.protocol_version  # type: ignore[union-attr]
    title = _title(value, doc.context)  # type: ignore[arg-type]
    hidden = doc.missing or "ghcb_usage" in doc.absent
    known = "" if hidden else f"  protocol {version}  usage {usage:d} ({name})"
    page = "" if doc.context.gpa is None else f"  gpa {doc.context.gpa:#x}"
    return f"{doc.kind.name}  {size}{where}{page}  {doc.context.direction}: {title}{known}"


def size_text(doc: Document) -> str:
    """Return how many bytes a document is about, and of how many."""
    if doc.missing:
        return f"{doc.missing.start} of {doc.missing.of} bytes"
    return "partial" if doc.absent else f"{doc.size} bytes"


def _title(page: Page, context: Context) -> str:
    """Return the title of the exit; that of the whole code where a response leaves it open."""
    code = page.sw_exit_code
    if not code and not page.valid_bitmap.has("sw_exit_code"):
        return "no exit code is set"
    if any(decision.what == "event" for decision in context.decisions):
        return code.doc
    return context.event.title if context.event else code.name


def _rows(doc: Document, everything: bool) -> Iterator[Row]:
    zero_groups = frozenset() if everything else _zero_groups(doc)
    for leaf in doc.leaves():
        meaning = doc.meaning(leaf)
        if everything or (_group(leaf) not in zero_groups and _is_shown(doc, leaf, meaning)):
            yield from leaf_rows(leaf, meaning)
            for inner in doc.inner:
                if inner.path == leaf.path:
                    yield from _inner_rows(inner)
    if cut := doc.cut():
        yield cut_row(cut)


def _zero_groups(doc: Document) -> frozenset[str]:
    """Return the fields or groups that are all zero, if the record has very many fields."""
    leaves = list(doc.leaves())
    if doc.is_ghcb or len(leaves) <= MANY or not isinstance(doc.value, Record):
        return frozenset()
    groups = {_group(leaf) for leaf in leaves}
    return frozenset(groups - {_group(leaf) for leaf in leaves if any_bit(leaf.value)})


def _group(leaf: Leaf) -> str:
    """Return the group that a field is shown with: the record within the record."""
    return leaf.path.rpartition(".")[0] or leaf.path


def _is_shown(doc: Document, leaf: Leaf, meaning: Meaning) -> bool:
    """Return whether a value is shown: it is set, or marked valid where there is a bitmap."""
    unmarked = doc.is_ghcb and not meaning.valid and not doc.absent
    return any_bit(leaf.value) or not (leaf.gap or unmarked)


def leaf_rows(leaf: Leaf, meaning: Meaning) -> Iterator[Row]:
    """Yield the line of a leaf, and a line for each field of a word."""
    flags = []
    if meaning.valid is False and any_bit(leaf.value):
        flags.append("not marked valid")
    if leaf.gap and leaf.path != "rest" and any_bit(leaf.value):
        flags.append("not zero")
    offset = f"{leaf.offset:#05x}"
    shown = value_text(leaf)
    text = meaning.text if meaning.text != shown else ""
    yield Row(offset, str(leaf.size), leaf.path, shown, text or leaf.doc, ", ".join(flags))
    if isinstance(meaning.value, Word) and not isinstance(meaning.value, Flags):
        yield from (field.row("  ") for field in word_fields(meaning.value) if field.shown)
    elif isinstance(meaning.value, Flags) and not isinstance(leaf.value, Flags):
        yield Row("", "", "", " ".join(meaning.value.names()) or "none", "")


def cut_row(leaf: Leaf) -> Row:
    """Return the line of the field in which the bytes end."""
    return Row(f"{leaf.offset:#05x}", str(leaf.size), leaf.path, value_text(leaf), leaf.doc, "cut")


def _inner_rows(inner: Inner) -> Iterator[Row]:
    for leaf in inner.value.leaves():
        if any_bit(leaf.value) or not leaf.gap:
            path = f"  {inner.kind}.{leaf.path}"
            moved = leaf._replace(path=path, offset=inner.offset + leaf.offset)
            yield from leaf_rows(moved, plain_meaning(leaf.value))


def finding_lines(findings: Iterable[Finding], style: Style) -> Iterator[str]:
    """Yield a line for each finding; of one code no more than ALIKE, and how many more."""
    counts: Counter[str] = Counter()
    for finding in findings:
        counts[finding.code] += 1
        if counts[finding.code] <= ALIKE:
            yield finding_text(finding, style)
    for code, number in counts.items():
        if number > ALIKE:
            yield f"... and {number - ALIKE} more  [{code}]"


def finding_text(finding: Finding, style: Style) -> str:
    """Return a finding on one line."""
    code = {Severity.ERROR: style.bad, Severity.WARNING: style.warn, Severity.NOTE: style.faint}
    severity = style.mark(code[finding.severity], f"{finding.severity.name.lower():<7}")
    reason = f", reason {finding.reason}" if finding.reason else ""
    place = f"{finding.offset:#05x}  "
    if not finding.path or finding.path not in finding.text:  # most texts name the field
        place = f"{place}{finding.path}".rstrip() + ": "
    return f"{severity}  {place}{finding.text}  [{finding.code}{reason}; {finding.source}]"
