"""Certificates that a verifier gets instead of the right ones, or in addition."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...crypto import emulated_ca
from ...crypto.kdf import VCEK_LABEL, key_pair
from ...engine.firmware.chip import Chip
from ...engine.profile import profile_named
from .attestation import SIGNATURE, VCEK, ReportChange, VerifierInput, evidence_of, older_tcb

if TYPE_CHECKING:
    from collections.abc import Callable

    from .attestation import Evidence

    Chain = tuple[bytes, ...]

OTHER_CHIP = b"another TEST chip".ljust(48, b"\0")
UNUSED_SERIAL = 0xFFFF
"""A serial number of no certificate."""


def other_chip(evidence: Evidence) -> VerifierInput:
    """Give the certificates of another chip."""
    chip = Chip(evidence.origin.profile, OTHER_CHIP)
    return VerifierInput(certificates=tuple(chip.certificates().values()))


def other_tcb(evidence: Evidence) -> VerifierInput:
    """Give the certificate of the same chip for an older TCB version."""
    profile, chip = evidence.origin.profile, Chip(evidence.origin.profile)
    tcb = older_tcb(profile)
    key = key_pair(chip.vcek_hash(tcb), VCEK_LABEL)
    return _below(evidence, emulated_ca.vcek(profile.product, key, tcb, chip.id))


def bare(evidence: Evidence) -> VerifierInput:
    """Give a VCEK without AMD's extensions."""
    return _below(evidence, emulated_ca.bare_vcek(evidence.product, evidence.key))


def _below(evidence: Evidence, key: bytes) -> VerifierInput:
    return VerifierInput(certificates=(key, *evidence.certificates[1:]))


def of_other_signer(evidence: Evidence) -> VerifierInput:
    """Give the chain of the VLEK for a report of the VCEK, or vice versa."""
    other = evidence_of(evidence.origin._replace(vlek=not evidence.origin.vlek))
    return VerifierInput(certificates=other.certificates)


def of_other_product(evidence: Evidence) -> VerifierInput:
    """Give the CA certificates of another product."""
    name = "milan" if evidence.product.name == "Genoa" else "genoa"
    return _above(
        evidence, emulated_ca.chain(profile_named(name).product, vlek=evidence.origin.vlek)
    )


def wrong_authority(evidence: Evidence) -> VerifierInput:
    """Give the ASVK where the ASK has signed, or vice versa."""
    return _above(evidence, emulated_ca.chain(evidence.product, vlek=not evidence.origin.vlek))


def forged_root(evidence: Evidence) -> VerifierInput:
    """Give a chain that is valid up to an untrusted root."""
    return _above(evidence, emulated_ca.forged_chain(evidence.product))


def forged_middle(evidence: Evidence) -> VerifierInput:
    """Give an ASK that the forged root has signed, below the right root."""
    middle, _ = emulated_ca.forged_chain(evidence.product)
    return _above(evidence, (middle, evidence.certificates[2]))


def _above(evidence: Evidence, chain: tuple[bytes, bytes]) -> VerifierInput:
    return VerifierInput(certificates=(evidence.certificates[0], *chain))


def _with(change: Callable[[Chain], Chain]) -> Callable[[Evidence], VerifierInput]:
    """Give the certificates after a change."""
    return lambda evidence: VerifierInput(certificates=change(evidence.certificates))


def without(place: int) -> Callable[[Evidence], VerifierInput]:
    """Leave one certificate out."""
    return _with(lambda rows: rows[:place] + rows[place + 1 :])


def broken_signature(place: int) -> Callable[[Evidence], VerifierInput]:
    """Flip the last bit of a certificate's signature."""

    def flipped(rows: Chain) -> Chain:
        broken = rows[place][:-1] + bytes((rows[place][-1] ^ 1,))
        return *rows[:place], broken, *rows[place + 1 :]

    return _with(flipped)


def at(year: int) -> Callable[[Evidence], VerifierInput]:
    """Verify in another year."""
    return lambda _: VerifierInput(at=datetime(year, 6, 1, tzinfo=UTC))


def crl_without_ca(evidence: Evidence) -> VerifierInput:
    """Give a CRL that does not contain the ASK or ASVK."""
    return VerifierInput(crl=emulated_ca.crl(evidence.product, (UNUSED_SERIAL,)))


def crl_with_ca(evidence: Evidence) -> VerifierInput:
    """Give a CRL that contains the ASK or ASVK."""
    product = evidence.product
    own = emulated_ca.ASVK if evidence.origin.vlek else emulated_ca.ASK
    return VerifierInput(
        crl=emulated_ca.crl(product, (UNUSED_SERIAL, emulated_ca.SERIALS[product.name] | own))
    )


def forged_crl(evidence: Evidence) -> VerifierInput:
    """Give a CRL that the root did not sign."""
    return VerifierInput(crl=emulated_ca.crl(evidence.product, forged=True))


OTHER_ORDER = _with(lambda rows: (*rows[::-1], rows[0]))
"""The certificates in reverse, and that of the key twice."""
DATES = ("{key}-dates", "{ca}-dates", "ark-dates")
HARMLESS_CHAINS: tuple[ReportChange, ...] = (
    ReportChange(
        "shuffled", "the certificates come in another order, and one twice", (), OTHER_ORDER
    ),
    ReportChange("unrevoked", "there is a CRL", (), crl_without_ca),
)
BAD_CHAINS: tuple[ReportChange, ...] = (
    ReportChange(
        "of-other-chip", "the VCEK is another chip's", (SIGNATURE, "hwid"), other_chip, VCEK
    ),
    ReportChange(
        "of-other-tcb",
        "the VCEK is that of the same chip for an older TCB version",
        (SIGNATURE, "tcb-snp", "tcb-microcode"),
        other_tcb,
        VCEK,
    ),
    ReportChange(
        "bare-certificate",
        "the VCEK does not say for which chip and TCB version it is",
        ("tcb-*", "hwid", "product"),
        bare,
        VCEK,
    ),
    ReportChange(
        "of-other-signer",
        "the certificates are those of a VLEK for a VCEK's report, or vice versa",
        (SIGNATURE, "signing-key"),
        of_other_signer,
    ),
    ReportChange(
        "of-other-product",
        "ASK, or ASVK, and ARK are those of another product",
        ("product-{ca}", "product-ark", "{key}-signature"),
        of_other_product,
    ),
    ReportChange(
        "wrong-authority",
        "there is an ASVK in place of the ASK, or vice versa",
        ("certificates", "{key}-signature"),
        wrong_authority,
    ),
    ReportChange(
        "forged-root",
        "the chain is valid and its names are right, but its root is not trusted",
        ("root",),
        forged_root,
        VCEK,
    ),
    ReportChange(
        "forged-ask", "the ASK is not signed by the root", ("ask-signature",), forged_middle, VCEK
    ),
    ReportChange(
        "key-seal",
        "the signature of the key's certificate is broken",
        ("{key}-signature",),
        broken_signature(0),
    ),
    ReportChange(
        "ca-seal",
        "the signature of the ASK, or ASVK, is broken",
        ("{ca}-signature",),
        broken_signature(1),
    ),
    ReportChange(
        "root-seal",
        "the signature of the root over itself is broken",
        ("ark-signature",),
        broken_signature(2),
    ),
    ReportChange("no-key", "the certificate of the key is missing", ("certificates",), without(0)),
    ReportChange(
        "no-ca",
        "the ASK, or ASVK, is missing",
        ("certificates", "{key}-signature"),
        without(1),
    ),
    ReportChange(
        "no-root", "the ARK is missing", ("certificates", "{ca}-signature", "root"), without(2)
    ),
    ReportChange(
        "no-certificates",
        "there are no certificates",
        ("certificates", "root"),
        _with(lambda _: ()),
    ),
    ReportChange("too-late", "all certificates have expired", DATES, at(2050)),
    ReportChange("too-early", "no certificate is valid yet", DATES, at(2019)),
    ReportChange("revoked", "the ASK, or ASVK, was revoked", ("crl",), crl_with_ca),
    ReportChange("forged-list", "the CRL is not signed by the root", ("crl",), forged_crl),
)
