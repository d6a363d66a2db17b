"""Checks of the appraisal that may be allowed to fail, by name; no other check may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

ALLOWABLE: Mapping[str, str] = {
    "debug": "the guest's policy allows debugging",
    "migration": "the guest's policy allows a migration agent",
    "policy-bits": "the guest's policy has bit 17 clear, or a bit that nobody named",
    "vmpl": "the VMPL is none of 0 to 3: the host asked for the report, or it is impossible",
    "tcb-order": "a reported TCB version above the committed one, or that above the current one",
    "report-version": "the version of the report is not known",
    "key-info": "reserved bits of key_info, or an author key without a digest",
    "measurement": "the measurement is zero",
    "claims": "the report does not vouch for the runtime claims of its evidence",
}
"""Checks that may be allowed to fail, and what their failing means."""


def check_names(rule: str, names: object) -> tuple[str, ...]:
    """Return names of checks that can be allowed to fail. Raises UsageError, with the nearest."""
    if not isinstance(names, list | tuple):
        raise UsageError(f"{rule}: expected a list of checks, got {shown(names)}")
    for name in names:
        if not isinstance(name, str) or name not in ALLOWABLE:
            from ..bits import nearest

            close = nearest(name, ALLOWABLE) if isinstance(name, str) else ""
            known = close or f"they are: {', '.join(ALLOWABLE)}"
            raise UsageError(f"{rule}: {shown(name)} is no check that can be allowed", help=known)
    return tuple(names)
