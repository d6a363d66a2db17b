"""The meaning of a report: its TCB versions by the layout decided, and fields taken together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..finding import as_far
from ..wire.report import SigningKey
from .meaning import Meaning
from .table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..layout import Leaf
    from ..product import ProductDecision
    from ..wire.report import KeyInfo, Report
    from .document import Document

NO_AGENT = b"\xff" * 32
TAIL = ("_tcb", "tcb_version")
"""Ends of the names of TCB versions."""


def tcb_fields(value: Any) -> list[Leaf]:
    """Return the fields of a record that hold a TCB version."""
    return [leaf for leaf in value.leaves() if leaf.path.endswith(TAIL)]


def tcb_meanings(value: Any, decision: ProductDecision) -> dict[str, Meaning]:
    """Return each TCB version with its components named."""
    return {
        leaf.path: Meaning(leaf.doc, decision.tcb(leaf.value), bits=True)
        for leaf in tcb_fields(value)
    }


def report_meanings(
    report: Report, decision: ProductDecision | None, prefix: str = ""
) -> dict[str, Meaning]:
    """Return the meanings of the fields of a report, read together; of those that are there."""
    meanings = tcb_meanings(report, decision) if decision else {}
    meanings |= dict(as_far(_field_meanings, report))
    if decision:
        meanings |= dict(as_far(_product_meanings, report, decision))
    return {f"{prefix}{path}": meaning for path, meaning in meanings.items()}


def _field_meanings(report: Report) -> Iterator[tuple[str, Meaning]]:
    """Yield what fields mean on any product, in the order of the fields that it takes."""
    yield "policy", Meaning("guest policy", report.policy, bits=True)
    yield "key_info", Meaning(_signed(report.key_info), report.key_info, bits=True)
    if report.report_id_ma == NO_AGENT:
        yield "report_id_ma", Meaning("no migration agent")
    if not any(report.chip_id):
        yield "chip_id", Meaning("masked, or the report of a VLEK")
    for which in ("current", "committed"):
        parts = (getattr(report, f"{which}_{part}") for part in ("major", "minor", "build"))
        yield f"{which}_major", Meaning(f"of {which} firmware {'.'.join(map(str, parts))}")


def _product_meanings(report: Report, decision: ProductDecision) -> Iterator[tuple[str, Meaning]]:
    """Yield what fields mean on a product that is known."""
    row = decision.product
    if row and report.version >= 3:
        text = f"CPUID family, combined; with the model: {row.name}"
        yield "cpuid_fam_id", Meaning(text)
    if row and row.chip_id_size and any(report.chip_id):
        yield "chip_id", Meaning(f"chip ID: {row.name} uses {row.chip_id_size} bytes")


def _signed(info: KeyInfo) -> str:
    key = SigningKey(info.signing_key)
    if not key.known:
        return "the signing key is not known"
    return "not signed" if key is SigningKey.NONE else f"signing key {key.name}"


def side_by_side(doc: Document, decision: ProductDecision) -> Iterator[Row]:
    """Yield the TCB versions of a document as rows, with a column for each component."""
    fields = [leaf for leaf in doc.leaves() if leaf.path.endswith(TAIL)]
    if len(fields) < 2:
        return
    names = list(decision.layout.word.BITS)
    width = {name: max(len(name), 3) for name in names}
    yield Row("", "", "tcb versions", "  ".join(f"{name:>{width[name]}}" for name in names), "")
    for leaf in fields:
        word = decision.tcb(leaf.value)
        cells = (f"{int(getattr(word, name)):>{width[name]}}" for name in names)
        yield Row("", "", f"  {leaf.path}", "  ".join(cells), "")


def product_object(decision: ProductDecision) -> dict[str, Any]:
    """Return product and layout for JSON; the components are among its bits."""
    product = decision.product
    return {
        "product": product.name if product else None,
        "layout": str(decision.layout),
        "assumed": decision.assumed,
    }
