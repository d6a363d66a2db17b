"""What is wrong with a certificate, or a revocation list, by itself: the strict checks as findings.

A verifier refuses what is an error here. Nothing is said of signatures, which need the issuer.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ..errors import SignatureError, shown
from ..finding import Finding, Findings, Severity
from .amd_oids import COMPONENT_SPLS, HWID, NAMES, endorsement_parts
from .binding import LAYOUTS, NAMED
from .certificates import (
    AMD_PSS,
    AMD_ROOTS,
    CertificateKind,
    kind_of,
    pin,
)
from .rfc5280 import check_authority, check_dates, check_fresh, check_leaf, check_whole
from .x509 import EcKey, RsaKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from .amd_oids import Endorsement
    from .x509 import X509, Crl, Signed

AMD, RFC = "AMD 57230", "RFC 5280"
LEAVES = (CertificateKind.VCEK, CertificateKind.VLEK)
BELOW = {CertificateKind.ASK: 0, CertificateKind.ASVK: 0, CertificateKind.ARK: 1}
"""CAs that a CA of AMD's has below it."""


class CertificatePlace(NamedTuple):
    """Where a certificate stands that is judged, and what it is called."""

    path: str
    offset: int

    def error(self, code: str, part: str, text: str, source: str = AMD) -> Finding:
        """Return a finding that a verifier refuses."""
        return self.found(Severity.ERROR, code, part, text, source)

    def found(
        self, severity: Severity, code: str, part: str, text: str, source: str = AMD
    ) -> Finding:
        """Return a finding about a *part*."""
        return Finding(code, severity, f"{self.path}.{part}", self.offset, text, source)


def certificate_findings(certificate: X509, at: datetime, place: CertificatePlace) -> Findings:
    """Yield what is wrong with a certificate at a time."""
    kind = kind_of(certificate)
    yield from _tried(place, "cert-dates", "dates", partial(check_dates, certificate, at))
    if kind is CertificateKind.OTHER:
        name = shown(certificate.subject_name)
        text = f"not AMD's: {name} is no name of a VCEK, VLEK, ASK, ASVK or ARK"
        yield place.found(Severity.WARNING, "cert-foreign", "subject", text)
        return
    yield from _algorithm(certificate.signed, place)
    yield from _key(certificate, kind, place)
    if kind in LEAVES:
        usage = partial(check_leaf, certificate, NAMES)
        yield from _endorsed(certificate, kind, place)
    else:
        usage = partial(check_authority, certificate, BELOW[kind])
    yield from _tried(place, "cert-usage", "extensions", usage)
    if kind is CertificateKind.ARK and pin(certificate) not in AMD_ROOTS:
        text = "its key is none that AMD publishes: no root key that is pinned here"
        yield place.found(Severity.WARNING, "cert-root", "key", text)


def crl_findings(crl: Crl, at: datetime, place: CertificatePlace) -> Findings:
    """Yield what is wrong with a revocation list at a time."""
    yield from _algorithm(crl.signed, place)
    yield from _tried(place, "crl-dates", "dates", partial(check_fresh, crl, at))
    yield from _tried(place, "crl-whole", "extensions", partial(check_whole, crl))
    if not crl.issuer_name.startswith("ARK-"):
        text = f"{shown(crl.issuer_name)} is no ARK: AMD's lists are its own"
        yield place.found(Severity.WARNING, "cert-foreign", "issuer", text)


def _tried(place: CertificatePlace, code: str, part: str, check: Callable[[], None]) -> Findings:
    try:
        check()
    except SignatureError as exc:
        yield place.error(code, part, str(exc), RFC)


def _algorithm(signed: Signed, place: CertificatePlace) -> Findings:
    if signed.pss != AMD_PSS:
        text = "the signature is not RSASSA-PSS with SHA-384 and 48 bytes of salt"
        yield place.error("cert-algorithm", "signature", text)
    if not signed.agrees:
        text = "the signed part names another algorithm than the signature"
        yield place.error("cert-algorithm", "signature", text, RFC)


def _key(certificate: X509, kind: CertificateKind, place: CertificatePlace) -> Findings:
    wanted, name = (EcKey, "P-384") if kind in LEAVES else (RsaKey, "RSA")
    if not isinstance(certificate.key, wanted):
        yield place.error("cert-key", "key", f"the key of a {kind} is {name}, this is another")


def _endorsed(certificate: X509, kind: CertificateKind, place: CertificatePlace) -> Findings:
    """Judge AMD's extensions: each alone, then together."""
    given, problems = endorsement_parts(certificate)
    for oid, problem in problems.items():
        yield place.error("cert-extension", NAMES.get(oid, oid), str(problem))
    for name in _missing(given, kind, {NAMES.get(oid) for oid in problems}):
        text = f"a {kind} has {name}, this has none"
        yield place.error("cert-missing", name, text)
    if kind is CertificateKind.VCEK and given.csp_id is not None:
        text = f"the certificate of a VCEK has a VLEK's cspID, {shown(given.csp_id)}"
        yield place.error("cert-csp-id", "cspID", text)
    if kind is CertificateKind.VLEK and given.hwid is not None:
        text = "the certificate of a VLEK names a chip, as none of AMD's does"
        yield place.error("cert-hwid", NAMES[HWID], text)
    if given.product_name is not None:
        yield from _product(given, certificate, place)


def _missing(given: Endorsement, kind: CertificateKind, known: set[str | None]) -> list[str]:
    """Return the names of extensions that the kind has and the certificate has not."""
    layout = LAYOUTS.get(given.struct_version if given.struct_version is not None else -1)
    parts = layout.word.BITS if layout else ("boot_loader", "tee", "snp", "microcode")
    values = {
        "structVersion": given.struct_version,
        "productName": given.product_name,
        **{COMPONENT_SPLS[part]: given.spls.get(COMPONENT_SPLS[part]) for part in parts},
        **({"hwID": given.hwid} if kind is CertificateKind.VCEK else {"cspID": given.csp_id}),
    }
    return [name for name, value in values.items() if value is None and name not in known]


def _product(given: Endorsement, certificate: X509, place: CertificatePlace) -> Findings:
    """Compare what follows from the product's name with what is there."""
    row = NAMED.get(given.product)
    if row is None:
        text = f"{shown(given.product_name)} is no product that is known"
        yield place.found(Severity.WARNING, "cert-product", "productName", text)
        return
    if other := _issuer_product(certificate, given):
        text = f"it is of {given.product}, its issuer of {shown(other)}"
        yield place.error("cert-product", "issuer", text)
    version = given.struct_version
    if version is not None and LAYOUTS.get(version) is not row.layout:
        text = f"structVersion {version} is not that of {row.name}"
        yield place.error("cert-struct-version", "structVersion", text)
    if given.hwid is not None and len(given.hwid) != row.chip_id_size:
        text = f"hwID has {len(given.hwid)} bytes, that of {row.name} has {row.chip_id_size}"
        yield place.error("cert-hwid", "hwID", text)


def _issuer_product(certificate: X509, given: Endorsement) -> str:
    """Return the product in the issuer's name if it is another; empty if it is the same."""
    name = certificate.issuer_name.rpartition("-")[2]
    return "" if name == given.product else name or "none"
