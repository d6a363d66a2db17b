"""What a status of the firmware says to whoever asked for a report, whatever tool shows it."""

from __future__ import annotations

from ...wire.status import Status
from .guest import STATUS_REMEDIES
from .operands import status_words
from .record import Fact

ASKED = "the guest's dmesg has the same failure from the driver, and whether its key is wiped"
_VMPL = (
    "the VMPL that was asked for is more privileged than the guest's own: under an SVSM or a"
    " paravisor the kernel runs at VMPL 1 or 2, and may not ask for 0"
)
_VMPL_REMEDY = (
    "ask for the VMPL that the guest's kernel runs at ('SNP running at VMPL' in its dmesg): with"
    " snpguest --vmpl 1, with sev-guest-get-report -v 1; then look at message version and sizes"
)
_OLD_CLIENT = "a tool or a kernel of another release than the firmware's messages"
_COUNT = (
    "guest and firmware count the messages differently: the driver began anew with its sequence"
    " number, as after it was loaded again, or another user of the same VMPCK counted on"
)
CAUSES: dict[Status, tuple[str, str]] = {
    Status.INVALID_PARAM: (f"{_VMPL}; or {_OLD_CLIENT}", _VMPL_REMEDY),
    Status.AEAD_OFLOW: (
        _COUNT,
        "reboot the guest; use one driver and one VMPCK, and the driver of a newer kernel",
    ),
    Status.INVALID_KEY: (
        "no key to sign with: VLEK asked for and none loaded, the launch disabled the VCEK, or the"
        " host masks its chip key",
        STATUS_REMEDIES[Status.INVALID_KEY],
    ),
}
"""Cause and remedy for what tools meet most, as a person asks about it."""


def status_fact(status: int, spelt: str) -> Fact:
    """Return what a status of the firmware says to a guest's tool, given as *spelt*."""
    code = Status(status)
    cause, remedy = CAUSES.get(code, ("", STATUS_REMEDIES.get(code, "")))
    return Fact(
        f"guest request refused by the firmware  {spelt} {code.name if code.known else 'unknown'}",
        status_words(status, request=True),
        cause=cause,
        remedy=remedy or ASKED,
        fields={"status": code, "side": "firmware"},
    )
