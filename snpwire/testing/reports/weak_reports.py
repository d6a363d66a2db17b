"""Authentic reports that a careful verifier refuses, and odd ones that it accepts.

The right key signed each. What they say gives the guest away, or is nothing that a firmware writes;
or it is odd and no reason to refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...wire.report import GuestPolicy, KeyInfo, PlatformInfo, Report
from .attestation import ReportChange, VerifierInput
from .forgery import alter, sign_again

if TYPE_CHECKING:
    from collections.abc import Callable

    from .attestation import Evidence
    from .forgery import Tamper

HOST_ASKED = 0xFFFF_FFFF
AGENT = b"\x66" * 32
KEY = b"\x77" * 48


def set_fields(**fields: Any) -> Tamper:
    """Set fields of the report, and sign it."""
    return sign_again(alter(**{name: _constant(value) for name, value in fields.items()}))


def _constant(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def shift(**parts: dict[str, int]) -> Tamper:
    """Add to components of TCB versions, and sign the report."""

    def tamper(evidence: Evidence) -> bytes:
        value = Report.parse(evidence.report)
        fields = {}
        for name, steps in parts.items():
            word = evidence.product.layout.word(getattr(value, name))
            added = {part: int(getattr(word, part)) + step for part, step in steps.items()}
            fields[name] = int(word.replace(**added))
        return value.replace(**fields).build()

    return sign_again(tamper)


def set_policy(**bits: int) -> Tamper:
    """Set bits of the guest's policy, and sign the report."""
    return sign_again(alter(policy=lambda word: GuestPolicy(word).replace(**bits)))


def _row(name: str, why: str, fails: tuple[str, ...], tamper: Tamper, **where: Any) -> ReportChange:
    return ReportChange(name, why, fails, lambda evidence: VerifierInput(tamper(evidence)), **where)


ORDER = ("tcb-order",)
WEAK_REPORTS: tuple[ReportChange, ...] = (
    _row(
        "agent-bound",
        "a migration agent is bound, which can take the guest elsewhere",
        ("migration",),
        sign_again(
            alter(
                policy=lambda word: GuestPolicy(word).replace(migrate_ma=1),
                report_id_ma=lambda _: AGENT,
            )
        ),
    ),
    _row(
        "policy-bit-17",
        "bit 17 of the policy is clear, with which no firmware launches a guest",
        ("policy-bits",),
        set_policy(reserved_must_be_one=0),
    ),
    _row(
        "policy-unknown-bit",
        "a bit of the policy is set that nobody named: it may be a permission",
        ("policy-bits",),
        sign_again(alter(policy=lambda word: GuestPolicy(word | 1 << 40))),
    ),
    _row(
        "host-asked",
        "the host asked for it: the report data are its word and not the guest's",
        ("vmpl",),
        set_fields(vmpl=HOST_ASKED),
    ),
    _row("vmpl-4", "it is of VMPL 4, there are 0 to 3", ("vmpl",), set_fields(vmpl=4)),
    _row(
        "reported-above-committed",
        "it reports a newer TCB version than is committed",
        ORDER,
        shift(committed_tcb={"snp": -1}),
    ),
    _row(
        "committed-above-current",
        "a newer TCB version is committed than runs",
        ORDER,
        shift(current_tcb={"snp": -1}, committed_tcb={"microcode": 1}),
    ),
    _row(
        "order-by-component",
        "a component of the committed TCB version is older, though the number is larger",
        ORDER,
        shift(
            committed_tcb={"boot_loader": -1, "microcode": 1},
            current_tcb={"microcode": 1},
        ),
    ),
    _row("version-1", "it has version 1", ("report-version",), set_fields(version=1)),
    _row(
        "version-6",
        "its version is none that is known: a field may have another meaning",
        ("report-version",),
        set_fields(version=6),
        version=3,
    ),
    _row(
        "key-info-reserved",
        "a reserved bit of key_info is set",
        ("key-info",),
        sign_again(alter(key_info=lambda word: KeyInfo(word | 1 << 31))),
    ),
    _row(
        "author-without-key",
        "an author key is claimed, and its digest is zero",
        ("key-info",),
        sign_again(
            alter(
                key_info=lambda word: KeyInfo(word | 1),
                id_key_digest=lambda _: KEY,
                author_key_digest=lambda _: bytes(48),
            )
        ),
    ),
    _row(
        "no-measurement",
        "the measurement is zero, no launch ends so",
        ("measurement",),
        set_fields(measurement=bytes(48)),
    ),
)
"""Authentic, and not to be trusted."""
ODD_REPORTS: tuple[ReportChange, ...] = (
    _row(
        "provisional",
        "the firmware that runs is newer than what is committed",
        (),
        shift(current_tcb={"microcode": 1}),
    ),
    _row(
        "launched-later",
        "the guest was launched at a newer TCB version than runs now, and migrated",
        (),
        shift(launch_tcb={"microcode": 1}),
    ),
    _row(
        "version-4",
        "it has version 4, which nobody published and which is as those beside it",
        (),
        set_fields(version=4),
        version=3,
    ),
    _row(
        "platform-bit-6",
        "a bit of platform_info is set that no document names, as in genuine reports",
        (),
        sign_again(alter(platform_info=lambda word: PlatformInfo(word | 1 << 6))),
    ),
    _row(
        "reserved-byte",
        "a reserved byte is set, as newer firmware may",
        (),
        sign_again(alter(reserved_0x1eb=lambda _: b"\1")),
    ),
)
"""Odd, and no reason to refuse."""
