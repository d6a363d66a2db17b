"""Boot data of a guest: AP start addresses, and its secrets and CPUID pages."""

from __future__ import annotations

from construct import Int16ul, Int32ul, Int64ul

from ..layout import Record, at

CC_BLOB_MAGIC = 0x4544_4D41
"""Reads ``AMDE`` in memory."""


class ApJumpTable(Record, size=4, spec="56421, AP jump table (Linux)"):
    """Start address of an AP that leaves its reset hold."""

    ip: int = at(0x0, Int16ul, "Instruction pointer the AP starts at")
    cs: int = at(0x2, Int16ul, "Code segment the AP starts in")


class CcBlob(Record, size=40, spec="Linux struct cc_blob_sev_info; edk2"):
    """Addresses and sizes of the secrets page and the CPUID page."""

    magic: int = at(0x00, Int32ul, "Magic number 0x45444d41, which reads AMDE")
    version: int = at(0x04, Int16ul, "Version of this structure")
    secrets_phys: int = at(0x08, Int64ul, "Guest-physical address of the secrets page")
    secrets_len: int = at(0x10, Int32ul, "Length of the secrets page")
    cpuid_phys: int = at(0x18, Int64ul, "Guest-physical address of the CPUID page")
    cpuid_len: int = at(0x20, Int32ul, "Length of the CPUID page")


KINDS = {"ap-jump-table": ApJumpTable, "cc-blob": CcBlob}
