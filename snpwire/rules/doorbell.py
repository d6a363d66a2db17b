"""What can be wrong with a #HV doorbell page and its descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity
from ..wire.doorbell import DoorbellPage, ExtIntInfo
from . import record

if TYPE_CHECKING:
    from ..context import Context

FIRST_VECTOR = 32
"""Vectors below are exceptions."""
DRAFT = "coconut-svsm, alternate injection (draft)"


def _vector(vector: int, path: str, source: str) -> Findings:
    if 0 < vector < FIRST_VECTOR:
        text = f"{path} is {vector}, interrupts have vectors from {FIRST_VECTOR}"
        yield Finding("doorbell-vector", Severity.WARNING, path, 0, text, source)


def doorbell(page: DoorbellPage, context: Context) -> Findings:
    """Expect an interrupt vector, and nothing that coconut-svsm's draft alone defines."""
    yield from _vector(page.vector, "vector", page.SPEC)
    yield from record.unknown_bits(page.flags, "flags", 1, page.SPEC)
    if page.per_vmpl_events:
        text = f"per_vmpl_events is {page.per_vmpl_events:#x}: coconut-svsm's draft, else reserved"
        yield Finding("doorbell-draft", Severity.NOTE, "per_vmpl_events", 3, text, DRAFT)
    for vmpl in (1, 2, 3):
        name, offset = f"vmpl{vmpl}_info", 0x40 * vmpl
        if any(getattr(page, name).build()):
            text = f"{name} is not zero: coconut-svsm's draft, else left to software"
            yield Finding("doorbell-draft", Severity.NOTE, name, offset, text, DRAFT)


def ext_int(info: ExtIntInfo, context: Context) -> Findings:
    """Expect an interrupt vector (draft)."""
    for finding in _vector(info.status.pending_vector, "status.pending_vector", info.SPEC):
        yield finding._replace(path="status")


RULES = {
    DoorbellPage: (doorbell, record.reserved),
    ExtIntInfo: (ext_int, *record.RULES),
}
