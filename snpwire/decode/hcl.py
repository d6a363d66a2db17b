"""How a blob of Hyper-V is read: its report, and whether that vouches for the claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..context import Decision
from ..view.document import Mark
from ..wire.hcl import HclBlob, HclReportType
from .interpretation import Interpretation
from .report import report

if TYPE_CHECKING:
    from .interpretation import Hints

ANSWERS = {True: "yes", False: "no", None: "not known"}


def hcl(value: HclBlob, hints: Hints) -> Interpretation:
    """Decide what the claims are, and which product made the report, if it is one of SEV-SNP."""
    claims = value.claims
    there = len(claims.data)
    size = f"{claims.size} bytes" if there == claims.size else f"{there} of {claims.size} bytes"
    how = f"report_data is {claims.hash or 'an unknown hash'}(claims): {ANSWERS[claims.fits]}"
    decision = Decision("claims", f"{size} of JSON at {claims.offset:#x}", how)
    found = Interpretation(hints.context())
    if value.head.report_type is HclReportType.SNP:
        inner = report(value.head.report, hints)
        meanings = {f"report.{path}": each for path, each in inner.meanings.items()}
        found = inner._replace(meanings=meanings)
    context = found.context._replace(decisions=(decision, *found.context.decisions))
    marks = (Mark("claims", claims.offset, claims.offset + there, "runtime claims, JSON"),)
    return found._replace(context=context, marks=marks if there else ())


INTERPRETERS = {HclBlob: hcl}
