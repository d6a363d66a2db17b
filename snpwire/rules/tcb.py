"""What can be wrong among the TCB versions and firmware versions of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity, bit_list
from ..wire.report import Report

if TYPE_CHECKING:
    from ..product import ProductDecision

TCBS = ("current_tcb", "reported_tcb", "committed_tcb", "launch_tcb")
SOURCE = "go-sev-guest validate.go; SNP_CONFIG, SNP_COMMIT of AMD-ASPFW"
PAIRS = (
    ("committed_tcb", "current_tcb", Severity.WARNING, "what is committed cannot be undone"),
    ("reported_tcb", "committed_tcb", Severity.WARNING, "a host may report less, not more"),
    ("launch_tcb", "current_tcb", Severity.NOTE, "provisional firmware was taken back since"),
)
"""Lower, higher, how bad it is where the lower is above, and why."""


def unused_bits(report: Report, decision: ProductDecision) -> Findings:
    """Expect zeros between the components, as the layout has them."""
    for field in TCBS:
        word = decision.tcb(getattr(report, field))
        if word.unknown:
            which = bit_list(word.unknown)
            text = (
                f"{field} has {which} set, which the {decision.layout} layout does not use:"
                " another product's?"
            )
            place = Report.place(field)
            yield Finding("tcb-unknown-bits", Severity.WARNING, field, place, text, word.SPEC)


def order(report: Report, decision: ProductDecision) -> Findings:
    """Expect reported at most committed, and committed at most current, component by component."""
    for lower, higher, severity, why in PAIRS:
        below, above = (decision.tcb(getattr(report, field)) for field in (lower, higher))
        for name, part in below.BITS.items():
            ours, theirs = part.value(below), int(getattr(above, name))
            if ours > theirs:
                text = f"{lower} has {name} {ours}, {higher} has {theirs}: {why}"
                yield Finding("tcb-order", severity, lower, Report.place(lower), text, SOURCE)
    current, committed = (_version(report, which) for which in ("current", "committed"))
    if committed > current:
        text = f"committed firmware {_dotted(committed)} is above current {_dotted(current)}"
        place = Report.place("committed_build")
        yield Finding("firmware-order", Severity.WARNING, "committed_build", place, text, SOURCE)
    elif report.committed_tcb != report.current_tcb or committed < current:
        text = "committed firmware or TCB is not what runs: the host may still go back"
        place = Report.place("committed_tcb")
        yield Finding("tcb-provisional", Severity.NOTE, "committed_tcb", place, text, SOURCE)


def _version(report: Report, which: str) -> tuple[int, ...]:
    return tuple(getattr(report, f"{which}_{part}") for part in ("major", "minor", "build"))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
