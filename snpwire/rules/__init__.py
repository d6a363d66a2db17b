"""Judgements over decoded values: named checks that say what is wrong, where, and for whom.

A rule is a function that yields findings, and a module keeps its rules in tuples. The table below
names the tuple for each class, as text, so that judging a GHCB page imports what that page needs
and no more. A class that is not in the table is judged by ``record.RULES``, which fit every one.

A receiver refuses an error; over a warning implementations differ, or a mistake is likely; a note
is what correct senders do as well.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..context import Context
    from ..finding import Finding

__all__ = ["TABLE", "findings"]

TABLE: dict[str, str] = {
    "ghcb:Page": "ghcb:RULES",
    "ghcb:HypervPage": "ghcb:HYPERV",
    "msr:Msr": "msr:RULES",
    "psc:PscBuffer": "psc:RULES",
    "certs:CertTable": "certs:RULES",
    "certs:TioBlobEntry": "certs:TIO",
    "doorbell:DoorbellPage": "others:DOORBELL",
    "doorbell:ExtIntInfo": "others:EXT_INT",
    "apic:ApicIdList": "others:APIC_IDS",
    "boot:CcBlob": "others:CC_BLOB",
    "svsm:Caa": "svsm:CAA",
    "svsm:PvalidateRequest": "svsm:PVALIDATE",
    "svsm:AttestServices": "svsm:ATTEST",
    "svsm:AttestSingleService": "svsm:ATTEST_SINGLE",
    "svsm:ServicesManifest": "svsm:MANIFEST",
    "svsm:VtpmRequest": "svsm:VTPM_REQUEST",
    "svsm:VtpmResponse": "svsm:VTPM_RESPONSE",
}
"""``module:Class`` below ``wire``, and ``module:TUPLE`` below ``rules``."""


def findings(value: Any, context: Context | None = None) -> list[Finding]:
    """Return what the rules say about *value*, a record or a block, by offset, the worst first."""
    kind = type(value)
    home = f"{kind.__module__.rpartition('.')[2]}:{kind.__name__}"
    module, _, name = TABLE.get(home, "record:RULES").partition(":")
    rules: tuple[Callable[[Any, Context | None], Iterator[Finding]], ...] = getattr(
        import_module(f".{module}", __name__), name
    )
    found = [finding for rule in rules for finding in rule(value, context)]
    return sorted(found, key=lambda finding: (finding.offset, -finding.severity))
