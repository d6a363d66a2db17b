"""What can be wrong with an APIC ID list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity
from ..wire.apic import ApicIdList
from . import record

if TYPE_CHECKING:
    from ..context import Context


def apic_ids(ids: ApicIdList, context: Context) -> Findings:
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


RULES = {ApicIdList: (apic_ids, *record.BLOCK)}
