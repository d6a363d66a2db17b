"""List of APIC IDs that a hypervisor returns to a guest."""

from __future__ import annotations

from construct import Int32ul

from ..block import Block
from ..layout import Record, at

SPEC = "56421, get APIC ids (Linux, edk2, linux-svsm)"


class ApicIdHeader(Record, size=4, spec=SPEC):
    """Number of APIC IDs in the list."""

    num_entries: int = at(0x0, Int32ul, "Number of APIC IDs that follow")


class ApicIdList(
    Block,
    head=ApicIdHeader,
    element=("apic_ids", Int32ul, "APIC ID of a vCPU"),
    count="num_entries",
    limit=0xFFFF_FFFF,
    spec=SPEC,
):
    """APIC IDs of all vCPUs."""


KINDS = {"apic-ids": ApicIdList}
