"""What can be wrong with the doorbell page, the APIC id list, the confidential computing blob."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Severity
from ..wire.address import PAGE
from ..wire.boot import CC_BLOB_MAGIC
from . import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..context import Context
    from ..wire.apic import ApicIdList
    from ..wire.boot import CcBlob
    from ..wire.doorbell import DoorbellPage, ExtIntInfo

FIRST_VECTOR = 32
"""Vectors below are exceptions."""
DRAFT = "coconut-svsm, alternate injection (draft)"
LINUX = "Linux snp_init, setup_cpuid_table"


def _vector(vector: int, path: str, source: str) -> Iterator[Finding]:
    if 0 < vector < FIRST_VECTOR:
        text = f"{path} is {vector}, interrupts have vectors from {FIRST_VECTOR}"
        yield Finding("doorbell-vector", Severity.WARNING, path, 0, text, source)


def doorbell(page: DoorbellPage, context: Context) -> Iterator[Finding]:
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


def ext_int(info: ExtIntInfo, context: Context) -> Iterator[Finding]:
    """Expect an interrupt vector (draft)."""
    for finding in _vector(info.status.pending_vector, "status.pending_vector", info.SPEC):
        yield finding._replace(path="status")


def apic_ids(ids: ApicIdList, context: Context) -> Iterator[Finding]:
    """Expect each APIC id once, and at least one."""
    if ids.head.num_entries == 0:
        text = "num_entries is 0: a guest has a processor"
        yield Finding("apic-ids-none", Severity.WARNING, "num_entries", 0, text, ids.SPEC)
    seen: dict[int, int] = {}
    for index, apic_id in enumerate(ids.elements):
        first = seen.setdefault(apic_id, index)
        if first != index:
            text = f"APIC id {apic_id:#x} is that of apic_ids[{first}] as well"
            path, offset = f"apic_ids[{index}]", ids.SIZE + 4 * index
            yield Finding("apic-ids-repeated", Severity.WARNING, path, offset, text, ids.SPEC)


def cc_blob(blob: CcBlob, context: Context) -> Iterator[Finding]:
    """Expect the magic, and two pages (Linux takes neither page at 0 nor one cut short)."""
    if blob.magic != CC_BLOB_MAGIC:
        text = f"magic is {blob.magic:#010x}, it has to be {CC_BLOB_MAGIC:#010x}"
        yield Finding("cc-blob-magic", Severity.ERROR, "magic", 0, text, LINUX)
    for name, offset in (("secrets_phys", 0x08), ("cpuid_phys", 0x18)):
        place = getattr(blob, name)
        if place % PAGE or not place:
            severity = Severity.WARNING if place else Severity.ERROR
            text = f"{name} is {place:#x}, no page starts there"
            yield Finding("cc-blob-page", severity, name, offset, text, LINUX)
    if blob.secrets_len != PAGE:
        text = f"secrets_len is {blob.secrets_len:#x}, it has to be {PAGE:#x}"
        yield Finding("cc-blob-length", Severity.ERROR, "secrets_len", 0x10, text, LINUX)
    if blob.cpuid_len < PAGE:
        text = f"cpuid_len is {blob.cpuid_len:#x}, it has to be {PAGE:#x} at least"
        yield Finding("cc-blob-length", Severity.ERROR, "cpuid_len", 0x20, text, LINUX)


DOORBELL = (doorbell, record.reserved)
EXT_INT = (ext_int, *record.RULES)
APIC_IDS = (apic_ids, *record.BLOCK)
CC_BLOB = (cc_blob, *record.RULES)
