"""Verify an attestation report against its certificates, check by check.

Each check is made on its own, so that one that fails does not hide the others. One that cannot be
made (the chip id is masked, no list was given) neither holds nor fails, and gives the reason.

The time is an argument that defaults to now, in Python as on the command line: whoever forgot it
would otherwise trust certificates of any age. It is the one clock that is read below the command
line.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from ..errors import SignatureError, UsageError, shown
from ..product import decide
from ..wire.report import SIGNED, Report, SignatureAlgo, SigningKey
from . import appraisal, id_keys
from . import certificates as certs
from .binding import NAMED, binding_checks, decided, endorsement_in
from .certificates import AMD_ROOTS, CertificateKind, kind_of
from .chain import Chain, Signers, best, by_name, distinct, keys_of, noted, paths
from .chain_checks import Terms, chain_checks
from .check import Check, Verification, made, not_made, tried
from .documents import certificates_of, crl_of
from .policy import AppraisalPolicy
from .policy_rule import Subject
from .signing import check, check_unused
from .x509 import EcKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..product import ProductDecision
    from .amd_oids import Endorsement
    from .documents import CertificateSource, CrlSource
    from .id_keys import OwnerKeys
    from .x509 import X509

SIGNERS = {SigningKey.VCEK: CertificateKind.VCEK, SigningKey.VLEK: CertificateKind.VLEK}
FIELD_OF = {"id-key": "id_key_digest", "author-key": "author_key_digest"}
"""Field of a report that a check of the owner's keys compares."""


def verify(
    report: bytes,
    certificates: CertificateSource | Iterable[CertificateSource],
    *,
    roots: Mapping[str, str] | CertificateSource | Iterable[CertificateSource] = AMD_ROOTS,
    crl: CrlSource | None = None,
    at: datetime | None = None,
    product: str | None = None,
    policy: AppraisalPolicy | None = None,
    owner: OwnerKeys | None = None,
) -> Verification:
    """Return every check of *report* up to a root, of what it says, and of *policy* and *owner*.

    Certificates are bytes (DER or PEM), PEM as text, paths, objects of ``cryptography``, or what
    ``certificates.load`` returns, in any order, with others beside them. Only *roots* are trusted:
    certificates, or the SHA-256 of public keys and their names. *at* is the time that dates are
    checked for, now by default, and has a time zone. *owner* has the keys that must have signed the
    ID block.

    The answer has no truth value: ask for ``verified``, or call ``require()``, which raises. Raises
    DecodeError if *report* has not the size of one, UsageError for a product that is not known or a
    time without a zone, CertificateError for what is no certificate, and KeyFormatError for a
    malformed key.
    """
    value = Report.parse(report)
    rows, terms = _given(certificates, roots, crl, at)
    if not any(report):
        return Verification((made("report", False, "every byte is zero: there is no report"),))
    decision = decide(value, product=product)
    keys = keys_of(rows, SIGNERS.get(_signer(value)))
    signed = _Signature(report, value)
    keys = [row for row in keys if not signed.problem(row)] or keys

    def checks(chain: Chain) -> list[Check]:
        return [*_keyed(value, decision, chain, signed), *chain_checks(chain, terms)]

    chain, found = _taken(rows, keys, terms, checks)
    endorsed = endorsement_in(chain.key)
    decision = decided(decision, endorsed)
    found = [*_reported(value, decision), _present(chain), *found]
    found += _appraised(_subject(value, decision, endorsed), policy, owner)
    return Verification(tuple(found), tuple(chain.rows), endorsed)


def _appraised(
    subject: Subject, policy: AppraisalPolicy | None, owner: OwnerKeys | None
) -> list[Check]:
    """Return the checks of what a report says, by default and by *policy* and *owner*."""
    keys = list(id_keys.checks(subject.report, owner)) if owner else []
    compared = frozenset(FIELD_OF[row.name] for row in keys)
    return [*appraisal.checks(subject, policy or AppraisalPolicy(), compared), *keys]


def _subject(report: Report, decision: ProductDecision, given: Endorsement | None) -> Subject:
    """Return what is appraised; the certificate tells its product where the report does not."""
    if given is None:
        return Subject(report, decision)
    if decision.product is None and given.product_name:
        named = NAMED.get(given.product_name.partition("-")[0])
        decision = decision._replace(product=named)
    return Subject(report, decision, given.csp_id)


def verify_chain(
    certificates: CertificateSource | Iterable[CertificateSource],
    *,
    roots: Mapping[str, str] | CertificateSource | Iterable[CertificateSource] = AMD_ROOTS,
    crl: CrlSource | None = None,
    at: datetime | None = None,
) -> Verification:
    """Return every check of a chain, up to a root; arguments are those of ``verify``."""
    rows, terms = _given(certificates, roots, crl, at)
    chain, found = _taken(rows, keys_of(rows), terms, lambda chain: chain_checks(chain, terms))
    return Verification((_present(chain), *found), tuple(chain.rows), endorsement_in(chain.key))


def _given(
    certificates: CertificateSource | Iterable[CertificateSource],
    roots: Mapping[str, str] | CertificateSource | Iterable[CertificateSource],
    crl: CrlSource | None,
    at: datetime | None,
) -> tuple[list[X509], Terms]:
    """Read what a caller gave."""
    rows, trusted = certificates_of(certificates), roots
    if not isinstance(trusted, Mapping):
        own = certificates_of(trusted)
        rows = [*rows, *own]
        trusted = certs.pins(own)
    read = None if crl is None else crl_of(crl)
    return distinct(rows), Terms(trusted, read, _moment(at), Signers())


def _moment(at: datetime | None) -> datetime:
    """Return the time to check dates for. Raises UsageError for one without a zone."""
    if at is None:
        return datetime.now(UTC)
    if not isinstance(at, datetime) or at.utcoffset() is None:
        raise UsageError(
            f"the time to verify at has no time zone: {shown(at)}",
            help="datetime(2026, 3, 31, tzinfo=UTC)",
        )
    return at


def _taken(
    rows: list[X509], keys: list[X509], terms: Terms, checks: Callable[[Chain], list[Check]]
) -> tuple[Chain, list[Check]]:
    """Return the chain that fits best, with notes, and its checks."""
    found = best(paths(rows, keys, terms.roots, terms.signers), checks)
    if found is None:
        chain = by_name(rows, keys[0] if keys else None, terms.signers)
        found = chain, checks(chain)
    return noted(found[0], rows), found[1]


class _Signature:
    """The signature of a report, tried once by each key."""

    def __init__(self, report: bytes, value: Report) -> None:
        self._signed, self._signature = report[:SIGNED], value.signature
        self._known: dict[bytes, str] = {}

    def problem(self, certificate: X509) -> str:
        """Return why the key of *certificate* did not sign the report, or an empty string."""
        if certificate.spki not in self._known:
            self._known[certificate.spki] = self._tried(certificate.key)
        return self._known[certificate.spki]

    def _tried(self, key: object) -> str:
        if not isinstance(key, EcKey):
            return "the certificate has no key of P-384"
        try:
            check(self._signed, self._signature, key)
        except SignatureError as exc:
            return str(exc)
        return ""


def _signer(report: Report) -> SigningKey:
    return SigningKey(report.key_info.signing_key)


def _reported(report: Report, decision: ProductDecision) -> Iterator[Check]:
    """Check the report by itself."""
    algo = report.signature_algo
    known = algo == SignatureAlgo.ECDSA_P384_SHA384
    yield made("signature-algo", known, f"{algo.name}, {int(algo)}")
    if decision.assumed:
        yield not_made("tcb-layout", decision.reason, "--product")
    else:
        yield made("tcb-layout", True, decision.reason)
    unused = partial(check_unused, report.signature)
    yield tried("signature-reserved", "unused bytes are zero", unused)


def _keyed(
    report: Report, decision: ProductDecision, chain: Chain, signature: _Signature
) -> Iterator[Check]:
    """Check the report against the certificate of its key."""
    key = chain.key
    if key is None:
        return
    kind, signer = kind_of(key), _signer(report)
    problem = signature.problem(key)
    yield made("report-signature", not problem, problem or f"signed by the key of {kind}")
    reason = f"the report names {signer.name}, the certificate is a {kind}"
    yield made("signing-key", SIGNERS.get(signer) == kind, reason)
    yield from binding_checks(report, decided(decision, endorsement_in(key)), key, chain)


def _present(chain: Chain) -> Check:
    """Report which certificates are present."""
    places = {"VCEK or VLEK": chain.key, "ASK or ASVK": chain.intermediate, "ARK": chain.root}
    have = [kind_of(row).value for row in chain.rows]
    reason = ", ".join([" ".join(have) or "none", *chain.notes])
    missing = [name for name, row in places.items() if row is None]
    if missing:
        reason += f"; missing: {', '.join(missing)}"
    return made("certificates", not missing, reason)
