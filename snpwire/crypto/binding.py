"""What binds a VCEK or VLEK to a report: chip, TCB version and product, as AMD's extensions say.

A VCEK is derived from a chip and a TCB version, and its certificate names both; a VLEK's names the
provider that had it loaded, and no chip. Whatever one of them has that is the other's, or lacks, or
has twice, is refused: there is no certificate of AMD's that it could be (AMD 57230).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CertificateError, shown
from ..product import TcbLayout
from ..wire.tcb import PRODUCTS, product_of
from .amd_oids import COMPONENT_SPLS, HWID_SIZES, Endorsement, endorsement
from .certificates import CertificateKind, kind_of, product_in
from .check import made, not_made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..product import ProductDecision
    from ..wire.report import Report
    from .chain import Chain
    from .check import Check
    from .x509 import X509

LAYOUTS = {0: TcbLayout.CLASSIC, 1: TcbLayout.TURIN}
"""Layout of a TCB version by a certificate's structVersion."""
NAMED = {row.kds: row for row in reversed(PRODUCTS) if row.kds}
"""The products that the key server has certificates of."""


def endorsement_in(certificate: X509 | None) -> Endorsement | None:
    """Return AMD's extensions of a certificate, None if they cannot be read."""
    try:
        return endorsement(certificate) if certificate else None
    except CertificateError:
        return None


def decided(decision: ProductDecision, given: Endorsement | None) -> ProductDecision:
    """Take the TCB layout from the certificate where the report does not determine it."""
    if not decision.assumed or given is None or given.struct_version not in LAYOUTS:
        return decision
    version = given.struct_version
    reason = f"the report does not tell; structVersion of the certificate is {version}"
    return decision._replace(layout=LAYOUTS[version], reason=reason, assumed=False)


def binding_checks(
    report: Report, decision: ProductDecision, certificate: X509, chain: Chain
) -> Iterator[Check]:
    """Compare the chip, TCB version and product of the certificate with the report's."""
    try:
        given = endorsement(certificate)
    except CertificateError as exc:
        yield made("certificate-extensions", False, str(exc))
        return
    kind = kind_of(certificate)
    yield made("certificate-extensions", True, given.summary())
    yield _struct_version(decision, given)
    yield from _tcb(report, decision, given)
    yield _hwid(report, decision, given, kind)
    yield from _provider(given, kind)
    yield _product(report, decision, given)
    yield from _product_above(given, chain)


def _struct_version(decision: ProductDecision, given: Endorsement) -> Check:
    version, layout = given.struct_version, decision.layout
    wanted = next(number for number, row in LAYOUTS.items() if row is layout)
    has = "does not say" if version is None else f"says {version}"
    reason = f"structVersion of the certificate {has}, that of the report's TCB order is {wanted}"
    return made("struct-version", version == wanted, reason)


def _tcb(report: Report, decision: ProductDecision, given: Endorsement) -> Iterator[Check]:
    word = decision.tcb(report.reported_tcb)
    for component in word.BITS:
        name = COMPONENT_SPLS[component]
        level, reported = given.spls.get(name), getattr(word, component)
        text = "does not say" if level is None else f"says {level}"
        reason = f"the report says {reported}, {name} of the certificate {text}"
        yield made(f"tcb-{component.replace('_', '-')}", level == reported, reason)
    compared = {COMPONENT_SPLS[component] for component in word.BITS}
    spare = [name for name, level in given.spls.items() if level and name not in compared]
    fine = not word.unknown and not spare
    reason = "no others are set" if fine else f"others are set: {word.unknown:#x} {' '.join(spare)}"
    yield made("tcb-others", fine, reason.rstrip())


def _hwid(
    report: Report, decision: ProductDecision, given: Endorsement, kind: CertificateKind
) -> Check:
    if kind == CertificateKind.VLEK:
        if given.hwid is not None:
            return made(
                "hwid", False, "the certificate of a VLEK names a chip, as none of AMD's does"
            )
        return not_made("hwid", "a VLEK is not bound to a chip")
    if given.hwid is None:
        return made("hwid", False, "the certificate does not say for which chip it is")
    sizes = _hwid_sizes(decision)
    if len(given.hwid) not in sizes:
        reason = f"hwID of the certificate has {len(given.hwid)} bytes, a chip's has {sizes[0]}"
        return made("hwid", False, reason)
    if not any(report.chip_id):
        return not_made("hwid", "the report has its chip id masked")
    same = report.chip_id == given.hwid.ljust(len(report.chip_id), b"\0")
    reason = "the chip id is the certificate's" if same else "the chip id is not the certificate's"
    return made("hwid", same, reason)


def _hwid_sizes(decision: ProductDecision) -> tuple[int, ...]:
    """Return the sizes that a chip's id may have: both where no source has the product's."""
    if decision.product:
        size = decision.product.chip_id_size
        return HWID_SIZES if size is None else (size,)
    return (8,) if decision.layout is TcbLayout.TURIN else (64,)


def _provider(given: Endorsement, kind: CertificateKind) -> Iterator[Check]:
    """Check that a VLEK, and no VCEK, is of a provider; which one is for a policy to compare."""
    check, provider = "certificate-csp-id", shown(given.csp_id)
    if kind == CertificateKind.VLEK and given.csp_id is None:
        yield made(check, False, "the certificate has no cspID: it does not say whose the key is")
    elif kind == CertificateKind.VLEK:
        yield made(check, True, f"cspID: the key is that of {provider}")
    elif given.csp_id is not None:
        yield made(check, False, f"the certificate of a VCEK has a VLEK's cspID, {provider}")


def _product(report: Report, decision: ProductDecision, given: Endorsement) -> Check:
    """Compare the product of the certificate with the report's, by CPUID and as asked for."""
    if given.product_name is None:
        return made("product", False, "the certificate does not say for which product it is")
    says = f"the certificate says {shown(given.product_name)}"
    known = NAMED.get(given.product)
    if known is None:
        return made("product", False, f"{says}, which is no product that is known")
    modern = report.version >= 3  # and has the CPUID family and model
    seen = product_of(report.cpuid_fam_id, report.cpuid_mod_id) if modern else None
    if decision.product is None:
        if modern:
            cpu = f"CPUID family {report.cpuid_fam_id:#x} model {report.cpuid_mod_id:#x}"
            return made("product", False, f"{says}; the report's {cpu} is no product that is known")
        if known.layout is not decision.layout:
            return made("product", False, f"{says}, whose TCB order is another: {decision.reason}")
        return not_made("product", f"{says}, the report does not tell", "--product")
    reason = f"{says}, the report {decision.product.name}: {decision.reason}"
    fits = known.kds == decision.product.kds and (seen is None or seen.kds == known.kds)
    return made("product", fits, reason)


def _product_above(given: Endorsement, chain: Chain) -> Iterator[Check]:
    """Compare the product of the certificate with that in its issuers' names."""
    if given.product_name is None:
        return
    for row in (chain.intermediate, chain.root):
        if row:
            reason = (
                f"the certificate says {shown(given.product_name)},"
                f" its issuer is {shown(row.subject_name)}"
            )
            name = f"product-{kind_of(row).value.lower()}"
            yield made(name, product_in(row) == given.product, reason)
