"""Reports that differ from what the firmware reported: changed after signing, or before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...crypto.signing import sign_report
from ...wire.report import REPORT_SIZE, SIGNED, KeyInfo, Report, Signature
from ...wire.tcb import TcbLayout
from .attestation import SIGNATURE, VCEK, VLEK, ReportChange, VerifierInput, evidence_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .attestation import Evidence

    Tamper = Callable[[Evidence], bytes]

CPUID_OF = {"Milan": (0x19, 0x11), "Genoa": (0x19, 0x01), "Turin": (0x1A, 0x50)}
"""Family and model of another product whose TCB versions have the same layout."""
USED = 48
"""Bytes of each number of a signature that P-384 uses."""
DEBUG, SMT = 1 << 19, 1


def alter(**change: Callable[[Any], Any]) -> Tamper:
    """Change fields of the report and leave its signature as it is."""

    def tamper(evidence: Evidence) -> bytes:
        value = Report.parse(evidence.report)
        fields = {name: change_of(getattr(value, name)) for name, change_of in change.items()}
        return value.replace(**fields).build()

    return tamper


def sign_again(tamper: Tamper) -> Tamper:
    """Sign the result with the right key."""
    return lambda evidence: sign_report(tamper(evidence), evidence.key)


def flip(data: bytes) -> bytes:
    """Change the first bit."""
    return bytes((data[0] ^ 1,)) + data[1:]


def increment(number: int) -> int:
    """Return the next number."""
    return number + 1


def newer_tcb(evidence: Evidence) -> bytes:
    """Report a newer SNP firmware than that of the key."""
    word = evidence.product.layout.word(Report.parse(evidence.report).reported_tcb)
    return alter(reported_tcb=lambda _: int(word.replace(snp=word.snp + 1)))(evidence)


def unknown_component(evidence: Evidence) -> bytes:
    """Set a byte of the reported TCB version that is no component of the product's."""
    byte = 5 if evidence.product.layout is TcbLayout.CLASSIC else 6
    return alter(reported_tcb=lambda tcb: tcb | 1 << 8 * byte)(evidence)


def other_product(evidence: Evidence) -> bytes:
    """Report the CPUID of another product."""
    family, model = CPUID_OF[evidence.product.name]
    return alter(cpuid_fam_id=lambda _: family, cpuid_mod_id=lambda _: model)(evidence)


def set_numbers(change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> Tamper:
    """Change R and S of the signature, 48 bytes each, little-endian."""

    def tamper(evidence: Evidence) -> bytes:
        value = Report.parse(evidence.report)
        both = change(value.signature.r[:USED], value.signature.s[:USED])
        r, s = (number.ljust(72, b"\0") for number in both)
        return value.replace(signature=Signature(r=r, s=s)).build()

    return tamper


def set_last_byte(evidence: Evidence) -> bytes:
    """Set the last byte of the report, which no signature covers."""
    return evidence.report[:-1] + b"\1"


def other_signature(evidence: Evidence) -> bytes:
    """Replace the signature by that of another report of the same guest."""
    other = evidence_of(evidence.origin._replace(data=b"\xff" * 64)).report
    return evidence.report[:SIGNED] + other[SIGNED:]


def no_signature(evidence: Evidence) -> bytes:
    """Request the report where the host masks the chip's keys."""
    return evidence_of(evidence.origin._replace(mask_key=True)).report


ALTERED: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("report_data", "the report data were changed", flip),
    ("measurement", "the launch digest was changed", flip),
    ("host_data", "the host's data were changed", flip),
    ("id_key_digest", "an ID key was put in", flip),
    ("author_key_digest", "an author key was put in", flip),
    ("report_id", "the report was made that of another guest", flip),
    ("policy", "the debug bit of the policy was changed", lambda bits: bits ^ DEBUG),
    ("guest_svn", "the guest's security version was raised", increment),
    ("vmpl", "the VMPL was changed", increment),
    ("platform_info", "it was hidden that SMT is on", lambda bits: bits ^ SMT),
    ("current_tcb", "the TCB version that runs was raised", increment),
    ("launch_tcb", "the TCB version of the launch was raised", increment),
    ("current_build", "the firmware's build was raised", increment),
)
"""Fields that only the signature protects."""


def _row(name: str, why: str, fails: tuple[str, ...], tamper: Tamper, **where: Any) -> ReportChange:
    return ReportChange(name, why, fails, lambda evidence: VerifierInput(tamper(evidence)), **where)


def _alterations() -> list[ReportChange]:
    return [
        _row(
            f"altered-{field.replace('_', '-')}",
            f"{why} after the report was signed",
            (SIGNATURE,),
            alter(**{field: change}),
        )
        for field, why, change in ALTERED
    ]


CHIP = "the chip id was changed after the report was signed"
FORGED_REPORTS: tuple[ReportChange, ...] = (
    *_alterations(),
    _row("altered-chip-id", CHIP, (SIGNATURE, "hwid"), alter(chip_id=flip), signers=VCEK),
    _row("altered-chip-id", CHIP, (SIGNATURE,), alter(chip_id=flip), signers=VLEK),
    _row(
        "altered-reported-tcb",
        "the reported TCB version was raised after the report was signed",
        (SIGNATURE, "tcb-snp"),
        newer_tcb,
    ),
    _row(
        "other-signature", "the signature is that of another report", (SIGNATURE,), other_signature
    ),
    _row("r-changed", "r has a bit flipped", (SIGNATURE,), set_numbers(lambda r, s: (flip(r), s))),
    _row("s-zero", "s is zero", (SIGNATURE,), set_numbers(lambda r, _: (r, bytes(USED)))),
    _row("swapped", "r and s are exchanged", (SIGNATURE,), set_numbers(lambda r, s: (s, r))),
    _row(
        "big-endian",
        "r and s are big-endian",
        (SIGNATURE,),
        set_numbers(lambda r, s: (r[::-1], s[::-1])),
    ),
    _row(
        "long-r",
        "r has a 49th byte, too long for P-384",
        (SIGNATURE, "signature-reserved"),
        set_numbers(lambda r, s: (r + b"\1", s)),
    ),
    _row(
        "last-byte",
        "its last byte is set, which nothing covers",
        ("signature-reserved",),
        set_last_byte,
    ),
    _row("all-zero", "every byte of it is zero", ("report",), lambda _: bytes(REPORT_SIZE)),
    _row("short", "its last byte is missing", ("size",), lambda evidence: evidence.report[:-1]),
    _row("long", "it is one byte too long", ("size",), lambda evidence: evidence.report + b"\0"),
    _row(
        "unsigned",
        "the host masks the chip's keys, so that it is not signed",
        (SIGNATURE, "signing-key"),
        no_signature,
        signers=VCEK,
    ),
    _row(
        "newer-tcb",
        "it claims a newer TCB version than that of its key",
        ("tcb-snp",),
        sign_again(newer_tcb),
    ),
    _row(
        "unknown-tcb",
        "a byte of its reported TCB version is set that is no component",
        ("tcb-others",),
        sign_again(unknown_component),
    ),
    _row(
        "other-chip-id",
        "it claims another chip",
        ("hwid",),
        sign_again(alter(chip_id=flip)),
        signers=VCEK,
    ),
    _row(
        "other-algorithm",
        "it names an unknown signature algorithm",
        ("signature-algo",),
        sign_again(alter(signature_algo=increment)),
    ),
    _row(
        "version-1", "it has version 1", ("report-version",), sign_again(alter(version=lambda _: 1))
    ),
    _row(
        "no-signer",
        "it says that it is not signed",
        ("signing-key",),
        sign_again(alter(key_info=lambda info: KeyInfo(info).replace(signing_key=7))),
    ),
    _row(
        "other-product",
        "it claims another product than its certificates",
        ("product",),
        sign_again(other_product),
        version=3,
    ),
)
