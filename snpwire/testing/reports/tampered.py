"""Reports that do not say what the firmware said: altered after the signature, or signed lies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...crypto.signing import sign_report
from ...wire.report import REPORT_SIZE, SIGNED, KeyInfo, Report, Signature
from ...wire.tcb import TcbLayout
from .attestation import SIGNATURE, VCEK, VLEK, Change, Changed, attested

if TYPE_CHECKING:
    from collections.abc import Callable

    from .attestation import Evidence

    Forge = Callable[[Evidence], bytes]

CPUID_OF = {"Milan": (0x19, 0x11), "Genoa": (0x19, 0x01), "Turin": (0x1A, 0x50)}
"""Family and model of another product whose TCB versions have the same layout."""
USED = 48
"""Bytes of each number of a signature that P-384 uses."""
DEBUG, SMT = 1 << 19, 1


def altered(**change: Callable[[Any], Any]) -> Forge:
    """Change fields of the report and leave its signature as it is."""

    def forge(given: Evidence) -> bytes:
        value = Report.parse(given.report)
        fields = {name: alter(getattr(value, name)) for name, alter in change.items()}
        return value.replace(**fields).build()

    return forge


def signed(forge: Forge) -> Forge:
    """Have the right key sign what was made."""
    return lambda given: sign_report(forge(given), given.key)


def flip(data: bytes) -> bytes:
    """Change the first bit."""
    return bytes((data[0] ^ 1,)) + data[1:]


def more(number: int) -> int:
    """Count on by one."""
    return number + 1


def newer(given: Evidence) -> bytes:
    """Report a newer SNP firmware than the key stands for."""
    word = given.origin.profile.product.layout.word(Report.parse(given.report).reported_tcb)
    return altered(reported_tcb=lambda _: int(word.replace(snp=word.snp + 1)))(given)


def unknown_component(given: Evidence) -> bytes:
    """Set a byte of the reported TCB version that is no component of the product's."""
    byte = 5 if given.origin.profile.product.layout is TcbLayout.CLASSIC else 6
    return altered(reported_tcb=lambda tcb: tcb | 1 << 8 * byte)(given)


def other_product(given: Evidence) -> bytes:
    """Report the CPUID of another product."""
    family, model = CPUID_OF[given.origin.profile.product.name]
    return altered(cpuid_fam_id=lambda _: family, cpuid_mod_id=lambda _: model)(given)


def numbers(change: Callable[[bytes, bytes], tuple[bytes, bytes]]) -> Forge:
    """Change the two numbers of the signature, 48 bytes each, least byte first."""

    def forge(given: Evidence) -> bytes:
        value = Report.parse(given.report)
        both = change(value.signature.r[:USED], value.signature.s[:USED])
        r, s = (number.ljust(72, b"\0") for number in both)
        return value.replace(signature=Signature(r=r, s=s)).build()

    return forge


def ending(given: Evidence) -> bytes:
    """Set the last byte of the report, which no signature covers."""
    return given.report[:-1] + b"\1"


def spliced(given: Evidence) -> bytes:
    """Put the signature of another report of the same guest under this one."""
    other = attested(given.origin._replace(data=b"\xff" * 64)).report
    return given.report[:SIGNED] + other[SIGNED:]


def unsigned(given: Evidence) -> bytes:
    """Have the report made where the host forbids the chip's keys."""
    return attested(given.origin._replace(mask_key=True)).report


ALTERED: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("report_data", "the report data were changed", flip),
    ("measurement", "the launch digest was changed", flip),
    ("host_data", "the host's data were changed", flip),
    ("id_key_digest", "an ID key was put in", flip),
    ("author_key_digest", "an author key was put in", flip),
    ("report_id", "the report was made that of another guest", flip),
    ("policy", "the debug bit of the policy was changed", lambda bits: bits ^ DEBUG),
    ("guest_svn", "the guest's security version was raised", more),
    ("vmpl", "the VMPL was changed", more),
    ("platform_info", "it was hidden that SMT is on", lambda bits: bits ^ SMT),
    ("current_tcb", "the TCB version that runs was raised", more),
    ("launch_tcb", "the TCB version of the launch was raised", more),
    ("current_build", "the firmware's build was raised", more),
)
"""Fields that nothing but the signature protects."""


def _row(name: str, why: str, fails: tuple[str, ...], forge: Forge, **where: Any) -> Change:
    return Change(name, why, fails, lambda given: Changed(forge(given)), **where)


def _alterations() -> list[Change]:
    return [
        _row(
            f"altered-{field.replace('_', '-')}",
            f"{why} after the report was signed",
            (SIGNATURE,),
            altered(**{field: change}),
        )
        for field, why, change in ALTERED
    ]


CHIP = "the chip id was changed after the report was signed"
FORGERIES: tuple[Change, ...] = (
    *_alterations(),
    _row("altered-chip-id", CHIP, (SIGNATURE, "hwid"), altered(chip_id=flip), signers=VCEK),
    _row("altered-chip-id", CHIP, (SIGNATURE,), altered(chip_id=flip), signers=VLEK),
    _row(
        "altered-reported-tcb",
        "the reported TCB version was raised after the report was signed",
        (SIGNATURE, "tcb-snp"),
        newer,
    ),
    _row("other-signature", "the signature is that of another report", (SIGNATURE,), spliced),
    _row("r-changed", "r has a bit flipped", (SIGNATURE,), numbers(lambda r, s: (flip(r), s))),
    _row("s-zero", "s is zero", (SIGNATURE,), numbers(lambda r, _: (r, bytes(USED)))),
    _row("swapped", "r and s stand for each other", (SIGNATURE,), numbers(lambda r, s: (s, r))),
    _row(
        "big-endian",
        "r and s have their bytes turned",
        (SIGNATURE,),
        numbers(lambda r, s: (r[::-1], s[::-1])),
    ),
    _row(
        "long-r",
        "r has a 49th byte, so that it is no number of P-384",
        (SIGNATURE, "signature-reserved"),
        numbers(lambda r, s: (r + b"\1", s)),
    ),
    _row("last-byte", "a byte of it is set that nothing covers", ("signature-reserved",), ending),
    _row("all-zero", "every byte of it is zero", ("report",), lambda _: bytes(REPORT_SIZE)),
    _row("short", "its last byte is missing", ("size",), lambda given: given.report[:-1]),
    _row("long", "it is one byte too long", ("size",), lambda given: given.report + b"\0"),
    _row(
        "unsigned",
        "the host forbids the chip's keys, so that nobody signs",
        (SIGNATURE, "signing-key"),
        unsigned,
        signers=VCEK,
    ),
    _row(
        "newer-tcb",
        "it claims a newer TCB version than its key stands for",
        ("tcb-snp",),
        signed(newer),
    ),
    _row(
        "unknown-tcb",
        "a byte of its reported TCB version is set that is no component",
        ("tcb-others",),
        signed(unknown_component),
    ),
    _row(
        "other-chip-id",
        "it claims to be of another chip",
        ("hwid",),
        signed(altered(chip_id=flip)),
        signers=VCEK,
    ),
    _row(
        "other-algorithm",
        "it names a signature algorithm that nobody knows",
        ("signature-algo",),
        signed(altered(signature_algo=more)),
    ),
    _row(
        "version-1", "it has version 1", ("report-version",), signed(altered(version=lambda _: 1))
    ),
    _row(
        "no-signer",
        "it says that nobody signed it",
        ("signing-key",),
        signed(altered(key_info=lambda info: KeyInfo(info).replace(signing_key=7))),
    ),
    _row(
        "other-product",
        "it claims another product than its certificates",
        ("product",),
        signed(other_product),
        version=3,
    ),
)
