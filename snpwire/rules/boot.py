"""What can be wrong with the confidential computing blob."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity
from ..wire.address import PAGE
from ..wire.boot import CC_BLOB_MAGIC, CcBlob
from . import record

if TYPE_CHECKING:
    from ..context import Context

LINUX = "Linux snp_init, setup_cpuid_table"


def cc_blob(blob: CcBlob, context: Context) -> Findings:
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


RULES = {CcBlob: (cc_blob, *record.RULES)}
