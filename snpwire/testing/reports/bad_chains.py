"""Certificates that a verifier is given in place of the right ones, or beside them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...crypto import emulated_ca as issue
from ...crypto.kdf import VCEK_LABEL, key_pair
from ...engine.firmware.chip import Chip
from ...engine.profile import profile_named
from .attestation import SIGNATURE, VCEK, Change, Changed, attested, older

if TYPE_CHECKING:
    from collections.abc import Callable

    from .attestation import Evidence

OTHER_CHIP = b"another TEST chip".ljust(48, b"\0")
NOBODYS = 0xFFFF
"""A serial number that no certificate has."""


def other_chip(given: Evidence) -> Changed:
    """Give the certificates of another chip."""
    chip = Chip(given.origin.profile, OTHER_CHIP)
    return Changed(certificates=tuple(chip.certificates().values()))


def other_tcb(given: Evidence) -> Changed:
    """Give the certificate of the same chip for an older TCB version."""
    profile, chip = given.origin.profile, Chip(given.origin.profile)
    tcb = older(profile)
    key = key_pair(chip.vcek_hash(tcb), VCEK_LABEL)
    return _below(given, issue.vcek(profile.product, key, tcb, chip.id))


def bare(given: Evidence) -> Changed:
    """Give a VCEK without AMD's extensions."""
    return _below(given, issue.bare_vcek(given.origin.profile.product, given.key))


def _below(given: Evidence, key: bytes) -> Changed:
    return Changed(certificates=(key, *given.certificates[1:]))


def of_other_signer(given: Evidence) -> Changed:
    """Give the chain of the VLEK for a report of the VCEK, or the other way round."""
    other = attested(given.origin._replace(vlek=not given.origin.vlek))
    return Changed(certificates=other.certificates)


def of_other_product(given: Evidence) -> Changed:
    """Give the authorities of another product."""
    name = "milan" if given.origin.profile.product.name == "Genoa" else "genoa"
    return _above(given, issue.chain(profile_named(name).product, vlek=given.origin.vlek))


def wrong_authority(given: Evidence) -> Changed:
    """Give the ASVK where the ASK has signed, or the other way round."""
    return _above(given, issue.chain(given.origin.profile.product, vlek=not given.origin.vlek))


def forged_root(given: Evidence) -> Changed:
    """Give a chain that is sound up to a root of no standing."""
    return _above(given, issue.forged_chain(given.origin.profile.product))


def forged_middle(given: Evidence) -> Changed:
    """Give an ASK that the forged root has signed, below the right root."""
    middle, _ = issue.forged_chain(given.origin.profile.product)
    return _above(given, (middle, given.certificates[2]))


def _above(given: Evidence, chain: tuple[bytes, bytes]) -> Changed:
    return Changed(certificates=(given.certificates[0], *chain))


def without(place: int) -> Callable[[Evidence], Changed]:
    """Leave one certificate out."""

    def act(given: Evidence) -> Changed:
        rows = given.certificates
        return Changed(certificates=rows[:place] + rows[place + 1 :])

    return act


def broken_seal(place: int) -> Callable[[Evidence], Changed]:
    """Flip the last bit of a certificate's signature."""

    def act(given: Evidence) -> Changed:
        rows = list(given.certificates)
        rows[place] = rows[place][:-1] + bytes((rows[place][-1] ^ 1,))
        return Changed(certificates=tuple(rows))

    return act


def at(year: int) -> Callable[[Evidence], Changed]:
    """Verify in another year."""
    return lambda _: Changed(at=datetime(year, 6, 1, tzinfo=UTC))


def unrevoked(given: Evidence) -> Changed:
    """Give a list of revoked certificates that the ASK, or ASVK, is not in."""
    return Changed(crl=issue.crl(given.origin.profile.product, (NOBODYS,)))


def revoked(given: Evidence) -> Changed:
    """Give a list of revoked certificates that the ASK, or ASVK, is in."""
    product = given.origin.profile.product
    own = issue.ASVK if given.origin.vlek else issue.ASK
    return Changed(crl=issue.crl(product, (NOBODYS, issue.SERIALS[product.name] | own)))


def forged_list(given: Evidence) -> Changed:
    """Give a list of revoked certificates that is not the root's."""
    return Changed(crl=issue.crl(given.origin.profile.product, forged=True))


def shuffled(given: Evidence) -> Changed:
    """Give the certificates the other way round, and the one of the key twice."""
    return Changed(certificates=(*given.certificates[::-1], given.certificates[0]))


DATES = ("{key}-dates", "{ca}-dates", "ark-dates")
HARMLESS: tuple[Change, ...] = (
    Change("shuffled", "the certificates come in another order, and one twice", (), shuffled),
    Change("unrevoked", "there is a list of revoked certificates", (), unrevoked),
)
CHAINS: tuple[Change, ...] = (
    Change("of-other-chip", "the VCEK is another chip's", (SIGNATURE, "hwid"), other_chip, VCEK),
    Change(
        "of-other-tcb",
        "the VCEK is that of the same chip for an older TCB version",
        (SIGNATURE, "tcb-snp", "tcb-microcode"),
        other_tcb,
        VCEK,
    ),
    Change(
        "bare-certificate",
        "the VCEK does not say for which chip and TCB version it is",
        ("tcb-*", "hwid", "product"),
        bare,
        VCEK,
    ),
    Change(
        "of-other-signer",
        "the certificates are those of a VLEK for a VCEK's report, or the other way round",
        (SIGNATURE, "signing-key"),
        of_other_signer,
    ),
    Change(
        "of-other-product",
        "ASK, or ASVK, and ARK are those of another product",
        ("product-{ca}", "product-ark", "{key}-signature"),
        of_other_product,
    ),
    Change(
        "wrong-authority",
        "there is an ASVK in place of the ASK, or the other way round",
        ("certificates", "{key}-signature"),
        wrong_authority,
    ),
    Change(
        "forged-root",
        "the chain is sound and its names are right, but its root is not to be trusted",
        ("root",),
        forged_root,
        VCEK,
    ),
    Change(
        "forged-ask", "the ASK is not signed by the root", ("ask-signature",), forged_middle, VCEK
    ),
    Change(
        "key-seal",
        "the signature of the key's certificate is broken",
        ("{key}-signature",),
        broken_seal(0),
    ),
    Change(
        "ca-seal",
        "the signature of the ASK, or ASVK, is broken",
        ("{ca}-signature",),
        broken_seal(1),
    ),
    Change(
        "root-seal",
        "the signature of the root over itself is broken",
        ("ark-signature",),
        broken_seal(2),
    ),
    Change("no-key", "the certificate of the key is missing", ("certificates",), without(0)),
    Change(
        "no-ca",
        "the ASK, or ASVK, is missing",
        ("certificates", "{key}-signature"),
        without(1),
    ),
    Change("no-root", "the ARK is missing", ("certificates", "{ca}-signature", "root"), without(2)),
    Change(
        "no-certificates",
        "there are no certificates",
        ("certificates", "root"),
        lambda _: Changed(certificates=()),
    ),
    Change("too-late", "all certificates have expired", DATES, at(2050)),
    Change("too-early", "no certificate is valid yet", DATES, at(2019)),
    Change("revoked", "the ASK, or ASVK, was revoked", ("crl",), revoked),
    Change("forged-list", "the list of what is revoked is not the root's", ("crl",), forged_list),
)
