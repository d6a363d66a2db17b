"""What can be wrong with a guest policy, wherever it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity, bit_list

if TYPE_CHECKING:
    from ..wire.report import GuestPolicy

FIRMWARE = "AMD-ASPFW sev_guest.h, go-sev-guest"


def policy_findings(policy: GuestPolicy, path: str, offset: int) -> Findings:
    """Expect bit 17 set, and no bit without a name."""
    if not policy.reserved_must_be_one:
        text = f"{path} has bit 17 clear, it has to be set; the firmware launches no such guest"
        yield Finding("policy-bit-17", Severity.ERROR, path, offset, text, FIRMWARE)
    if policy.unknown:
        which = bit_list(policy.unknown)
        text = f"{path} has {which} set, which no source names; go-sev-guest refuses it"
        yield Finding("policy-unknown-bits", Severity.WARNING, path, offset, text, FIRMWARE)
    if policy.debug:
        text = f"{path} allows debugging: the host may read and change the guest's memory"
        yield Finding("policy-debug", Severity.NOTE, path, offset, text, policy.SPEC)
