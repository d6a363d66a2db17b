"""Whether a certificate is that of a report's key: what both say of chip, TCB and product.

It is the question before ``verify``: was the right certificate fetched, and if not, which one would
be. Neither chain nor dates are checked, and nothing is compared with a policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import SignatureError, UsageError, shown
from ..product import decide
from ..wire.report import SIGNED, Report, SigningKey
from .amd_oids import COMPONENT_SPLS
from .binding import NAMED, binding_checks, decided, endorsement_in
from .certificates import CertificateKind, kind_of, product_in
from .chain import Chain
from .check import CheckState, made, not_made
from .kds import addresses
from .x509 import EcKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..product import ProductDecision
    from .check import Check
    from .kds import Address
    from .x509 import X509

SIGNERS = {CertificateKind.VCEK: SigningKey.VCEK, CertificateKind.VLEK: SigningKey.VLEK}
AUTHORITIES = {
    CertificateKind.ASK: (SigningKey.VCEK,),
    CertificateKind.ASVK: (SigningKey.VLEK,),
    CertificateKind.ARK: (SigningKey.VCEK, SigningKey.VLEK),
}
"""Keys of reports that a CA is above of."""


class Fit(NamedTuple):
    """Whether a certificate fits a report."""

    checks: tuple[Check, ...]
    wanted: Address | None
    """Where the certificate is that would fit; None if the report does not tell."""
    hint: str = ""
    """Why it does not."""
    cause: str = ""
    """What was mistaken for what, where that can be told."""
    decisive: str = "report-signature"
    """The check without which nothing is said to fit."""

    @property
    def failed(self) -> list[str]:
        """Return the names of the parts that differ."""
        return [row.name for row in self.checks if row.state is CheckState.FAILED]

    @property
    def fits(self) -> bool:
        """Return whether nothing differs, and what decides was compared."""
        held = (row.name for row in self.checks if row.state is CheckState.HOLDS)
        return not self.failed and self.decisive in held


def fit(report: bytes, certificate: X509, product: str | None = None) -> Fit:
    """Return whether *certificate* belongs to *report*. Raises DecodeError and UsageError."""
    value = Report.parse(report)
    decision = decide(value, product=product)
    kind = kind_of(certificate)
    if kind in SIGNERS:
        checks = tuple(_key_checks(report, value, decision, certificate))
    elif kind in AUTHORITIES:
        checks = tuple(_authority_checks(value, decision, certificate))
    else:
        reason = f"{shown(certificate.subject_name)} is no certificate of SEV-SNP"
        checks = (made("kind", False, reason),)
    wanted, hint = _wanted(value, product or _product(decision, certificate), kind)
    decisive = "product" if kind in AUTHORITIES else "report-signature"
    cause = other_tcb(value, decision, certificate) if kind in SIGNERS else ""
    return Fit(checks, wanted, hint, cause, decisive)


def _key_checks(
    report: bytes, value: Report, decision: ProductDecision, certificate: X509
) -> Iterator[Check]:
    kind, signer = kind_of(certificate), SigningKey(value.key_info.signing_key)
    reason = f"the report names {signer.name}, the certificate is a {kind}"
    yield made("signing-key", SIGNERS[kind] == signer, reason)
    chain = Chain(certificate, None, None)
    given = decided(decision, endorsement_in(certificate))
    for row in binding_checks(value, given, certificate, chain):
        if row.state is CheckState.FAILED and row.name == "hwid":
            yield row._replace(reason=_chips(value, certificate) or row.reason)
        elif row.name != "certificate-extensions" or row.state is CheckState.FAILED:
            yield row
    problem = _signature_problem(report, value, certificate)
    yield made("report-signature", not problem, problem or f"signed by the key of this {kind}")


def _chips(value: Report, certificate: X509) -> str:
    """Return both chips where they differ; empty if the certificate names none."""
    given = endorsement_in(certificate)
    if given is None or given.hwid is None:
        return ""
    ours = value.chip_id.hex()
    return f"the report has the chip id {ours}, hwID of the certificate is {given.hwid.hex()}"


def other_tcb(value: Report, decision: ProductDecision, certificate: X509) -> str:
    """Return which TCB version of a report the certificate is of, if not the reported one."""
    given = endorsement_in(certificate)
    names = decision.layout.word.BITS
    levels = {part: given.spls.get(COMPONENT_SPLS[part]) for part in names} if given else {}
    for field in ("current_tcb", "committed_tcb", "launch_tcb"):
        word = decision.tcb(getattr(value, field))
        if word != value.reported_tcb and levels == {part: getattr(word, part) for part in names}:
            return f"it is of {field} of the report, whose key is that of reported_tcb"
    return ""


def _signature_problem(report: bytes, value: Report, certificate: X509) -> str:
    if not isinstance(certificate.key, EcKey):
        return "the certificate has no key of P-384"
    from .signing import check  # slow to load

    try:
        check(report[:SIGNED], value.signature, certificate.key)
    except SignatureError as exc:
        return str(exc)
    return ""


def _authority_checks(
    value: Report, decision: ProductDecision, certificate: X509
) -> Iterator[Check]:
    kind, signer = kind_of(certificate), SigningKey(value.key_info.signing_key)
    reason = f"the report names {signer.name}, the certificate is an {kind}"
    yield made("signing-key", signer in AUTHORITIES[kind], reason)
    name, row = product_in(certificate), decision.product
    if row is not None:
        text = f"the certificate is of {shown(name)}, the report of {row.name}"
        yield made("product", name == row.kds, f"{text}: {decision.reason}")
        return
    known = NAMED.get(name)
    text = f"the certificate is of {shown(name)}"
    if known is None or known.layout is not decision.layout:
        yield made("product", False, f"{text}, whose TCB order is another: {decision.reason}")
    else:
        yield not_made("product", f"{text}, the report does not tell", "--product")


def _product(decision: ProductDecision, certificate: X509) -> str | None:
    """Return the product that a report does not tell, by its certificate if that can be."""
    if decision.product is not None:
        return None
    given = endorsement_in(certificate)
    name = given.product if given and given.product else product_in(certificate)
    row = NAMED.get(name)
    return name.lower() if row and row.layout is decision.layout else None


def _wanted(
    value: Report, product: str | None, kind: CertificateKind
) -> tuple[Address | None, str]:
    """Return the address of the certificate that fits, or why there is none."""
    try:
        found = addresses(value, product=product)
    except UsageError as exc:
        return None, str(exc)
    return found[1 if kind in AUTHORITIES else 0], ""
