"""Verify an attestation report against its certificates, link by link.

Each link is checked on its own, so that one that fails does not hide the others. A link that cannot
be checked (no time was given, the chip ID is masked) neither holds nor fails, and gives the reason.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..errors import CertificateError, SignatureError, shown
from ..product import ProductDecision, TcbLayout, decide
from ..wire.report import SIGNED, Report, Signature, SignatureAlgo, SigningKey
from . import certificates as certs
from . import id_keys
from .amd_oids import COMPONENT_SPLS, Endorsement, endorsement
from .certificates import AMD_ROOTS, CertificateKind, Chain, kind_of
from .link import Link, failures
from .signing import check, check_unused
from .x509 import EcKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from .id_keys import OwnerKeys
    from .policy import AppraisalPolicy
    from .x509 import X509, Crl

__all__ = ["Link", "failures", "verify", "verify_chain"]

LAYOUTS = {0: TcbLayout.CLASSIC, 1: TcbLayout.TURIN}
"""Layout of a TCB version by a certificate's structVersion."""
SIGNERS = {SigningKey.VCEK: CertificateKind.VCEK, SigningKey.VLEK: CertificateKind.VLEK}
KNOWN_VERSIONS = range(2, 6)


def verify(
    report: bytes,
    certificates: Iterable[X509],
    *,
    roots: Mapping[str, str] = AMD_ROOTS,
    crl: Crl | None = None,
    at: datetime | None = None,
    product: str | None = None,
    policy: AppraisalPolicy | None = None,
    owner: OwnerKeys | None = None,
) -> list[Link]:
    """Return every link from *report* up to a root, and those of *policy* and *owner*.

    Only *roots* are trusted: SHA-256 of a public key, and its name. *at*, with a time zone, is the
    time that dates are checked for. *owner* has the keys that must have signed the ID block. Raises
    DecodeError if *report* has not the size of one, UsageError for a product that is not known, and
    KeyFormatError for a malformed key.
    """
    value = Report.parse(report)
    if not any(report):
        return [Link("report", False, "every byte is zero: there is no report")]
    chain = certs.arrange(certificates, SIGNERS.get(_signer(value)))
    decision = _decided(decide(value, product=product), chain.key)
    links = [*_report(value, decision), *_present(chain)]
    if chain.key:
        links += [
            _signature(report, value.signature, chain.key),
            _signing_key(value, chain.key),
            *_endorsed(value, decision, chain.key, chain),
        ]
    links += _upward(chain, roots, crl, at)
    if owner:
        links += id_keys.links(value, owner)
    return links + (policy.check(value, decision) if policy else [])


def verify_chain(
    certificates: Iterable[X509],
    *,
    roots: Mapping[str, str] = AMD_ROOTS,
    crl: Crl | None = None,
    at: datetime | None = None,
) -> list[Link]:
    """Return every link of a chain, up to a root; arguments are those of ``verify``."""
    chain = certs.arrange(certificates)
    return [*_present(chain), *_upward(chain, roots, crl, at)]


def _upward(
    chain: Chain, roots: Mapping[str, str], crl: Crl | None, at: datetime | None
) -> list[Link]:
    return [*_chain(chain), _root(chain, roots), *_dates(chain, at), _crl(chain, crl, at)]


def _signer(report: Report) -> SigningKey:
    return SigningKey(report.key_info.signing_key)


def _decided(decision: ProductDecision, certificate: X509 | None) -> ProductDecision:
    """Take the TCB layout from the certificate where the report does not determine it."""
    if not decision.assumed or certificate is None:
        return decision
    try:
        version = endorsement(certificate).struct_version
    except CertificateError:
        return decision
    if version not in LAYOUTS:
        return decision
    reason = f"the report does not tell; structVersion of the certificate is {version}"
    return decision._replace(layout=LAYOUTS[version], reason=reason, assumed=False)


def _report(report: Report, decision: ProductDecision) -> Iterator[Link]:
    """Check the report by itself."""
    version = report.version
    known = version in KNOWN_VERSIONS
    reason = f"version {version}" + ("" if known else " is not known: read as the latest that is")
    yield Link("report-version", known or (None if version > 1 else False), reason)
    algo = report.signature_algo
    known = algo == SignatureAlgo.ECDSA_P384_SHA384
    yield Link("signature-algo", known, f"{algo.name}, {int(algo)}")
    yield Link("tcb-layout", None if decision.assumed else True, decision.reason)
    unused = partial(check_unused, report.signature)
    yield _check_link("signature-reserved", "unused bytes are zero", unused)


def _present(chain: Chain) -> Iterator[Link]:
    """Report which certificates are present."""
    places = {"VCEK or VLEK": chain.key, "ASK or ASVK": chain.intermediate, "ARK": chain.root}
    have = [kind_of(row).value for row in places.values() if row]
    reason = ", ".join([" ".join(have) or "none", *chain.notes])
    missing = [name for name, row in places.items() if row is None]
    if missing:
        reason += f"; missing: {', '.join(missing)}"
    yield Link("certificates", not missing, reason)


def _check_link(name: str, good: str, check: Callable[[], None]) -> Link:
    """Run a check that raises, and return its result as a link."""
    try:
        check()
    except SignatureError as exc:
        return Link(name, False, str(exc))
    return Link(name, True, good)


def _signature(report: bytes, signature: Signature, certificate: X509) -> Link:
    def fits() -> None:
        if not isinstance(certificate.key, EcKey):
            raise SignatureError("the certificate has no key of P-384")
        check(report[:SIGNED], signature, certificate.key)

    good = f"signed by the key of {kind_of(certificate)}"
    return _check_link("report-signature", good, fits)


def _signing_key(report: Report, certificate: X509) -> Link:
    signer, kind = _signer(report), kind_of(certificate)
    reason = f"the report names {signer.name}, the certificate is a {kind}"
    return Link("signing-key", SIGNERS.get(signer) == kind, reason)


def _endorsed(
    report: Report, decision: ProductDecision, certificate: X509, chain: Chain
) -> Iterator[Link]:
    """Compare the chip, TCB version and product of the certificate with the report's."""
    try:
        given = endorsement(certificate)
    except CertificateError as exc:
        yield Link("certificate-extensions", False, str(exc))
        return
    yield Link("certificate-extensions", True, "AMD's extensions can be read")
    yield from _tcb(report, decision, given)
    yield _hwid(report, given, kind_of(certificate))
    yield from _product(decision, given, chain)


def _tcb(report: Report, decision: ProductDecision, given: Endorsement) -> Iterator[Link]:
    word = decision.tcb(report.reported_tcb)
    for component in word.BITS:
        name = COMPONENT_SPLS[component]
        level, reported = given.spls.get(name), getattr(word, component)
        text = "does not say" if level is None else f"says {level}"
        reason = f"the report says {reported}, {name} of the certificate {text}"
        yield Link(f"tcb-{component.replace('_', '-')}", level == reported, reason)
    spare = [
        name for name in given.spls if name not in COMPONENT_SPLS.values() and given.spls[name]
    ]
    spare += [
        name
        for part, name in COMPONENT_SPLS.items()
        if part not in word.BITS and name in given.spls
    ]
    fine = not word.unknown and not spare
    reason = "no others are set" if fine else f"others are set: {word.unknown:#x} {' '.join(spare)}"
    yield Link("tcb-others", fine, reason.rstrip())


def _hwid(report: Report, given: Endorsement, kind: CertificateKind) -> Link:
    if kind == CertificateKind.VLEK:
        return Link("hwid", None, "a VLEK is not bound to a chip")
    if given.hwid is None:
        return Link("hwid", False, "the certificate does not say for which chip it is")
    if not any(report.chip_id):
        return Link("hwid", None, "the report has its chip id masked")
    same = report.chip_id == given.hwid.ljust(len(report.chip_id), b"\0")
    reason = "the chip id is the certificate's" if same else "the chip id is not the certificate's"
    return Link("hwid", same, reason)


def _product(decision: ProductDecision, given: Endorsement, chain: Chain) -> Iterator[Link]:
    """Compare the product of the certificate with the report's and with that of its issuers."""
    if given.product_name is None:
        yield Link("product", False, "the certificate does not say for which product it is")
        return
    name = given.product_name.partition("-")[0]
    product = shown(given.product_name)
    if decision.product is None:
        yield Link("product", None, f"the certificate says {product}, the report does not tell")
    else:
        reason = f"the certificate says {product}, the report {decision.product.name}"
        yield Link("product", name == decision.product.kds, f"{reason}: {decision.reason}")
    for row in (chain.intermediate, chain.root):
        if row:
            issuer = certs.product_in(row)
            reason = f"the certificate says {product}, its issuer is {shown(row.subject_name)}"
            yield Link(f"product-{_lower(row)}", issuer == name, reason)


def _lower(certificate: X509) -> str:
    return kind_of(certificate).value.lower()


def _chain(chain: Chain) -> Iterator[Link]:
    """Check each certificate against the next, and the root against itself."""
    for row, issuer in (
        (chain.key, chain.intermediate),
        (chain.intermediate, chain.root),
        (chain.root, chain.root),
    ):
        if row is None:
            continue
        name = f"{_lower(row)}-signature"
        if issuer is None:
            yield Link(name, False, f"its issuer {shown(row.issuer_name)} was not given")
            continue
        good = f"signed by {shown(issuer.subject_name)}"
        yield _check_link(name, good, partial(certs.check_issued, row, issuer))


def _root(chain: Chain, roots: Mapping[str, str]) -> Link:
    if chain.root is None:
        return Link("root", False, "the chain does not reach a root")
    digest = certs.pin(chain.root)
    if digest in roots:
        return Link("root", True, f"the public key is that of {roots[digest]}")
    trusted = ", ".join(roots.values()) or "none"
    reason = f"the chain ends at {shown(chain.root.subject_name)}, public key {digest}"
    return Link("root", False, f"{reason}, which is not trusted; trusted: {trusted}")


def _dates(chain: Chain, at: datetime | None) -> Iterator[Link]:
    for row in (chain.key, chain.intermediate, chain.root):
        if row is None:
            continue
        name, span = (
            f"{_lower(row)}-dates",
            f"{row.not_before:%Y-%m-%d} to {row.not_after:%Y-%m-%d}",
        )
        if at is None:
            yield Link(name, None, f"valid {span}; no time was given")
        else:
            yield _check_link(name, f"valid {span}", partial(certs.check_dates, row, at))


def _crl(chain: Chain, crl: Crl | None, at: datetime | None) -> Link:
    if crl is None:
        return Link("crl", None, "no revocation list was given")
    row, root = chain.intermediate, chain.root
    if row is None or root is None:
        return Link("crl", False, "there is no chain that the revocation list could be about")
    good = f"serial {row.serial:#x} is not revoked"
    return _check_link("crl", good, partial(certs.check_revoked, crl, row, root, at))
