"""Addresses of a report's certificates at AMD's key distribution service (KDS).

AMD 57230, as go-sev-guest, virtee and snpguest use it. Numbers are decimal; the chip is in hex, 128
digits, and 16 on Turin, whose first parameter is fmcSPL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import UsageError
from ..product import decide
from ..wire.report import Report, SigningKey
from .amd_oids import COMPONENT_SPLS, endorsement_parts
from .binding import NAMED
from .certificates import CertificateKind, kind_of, product_in
from .x509 import X509

if TYPE_CHECKING:
    from ..wire.tcb import Product, TcbClassic, TcbTurin
    from .amd_oids import Endorsement
    from .x509 import Crl

HOST = "https://kdsintf.amd.com"
PROVIDER = "given to the provider that the key is of"
"""Why an address of a VLEK is of no use to others."""


class Address(NamedTuple):
    """Address of a certificate, a chain or a revocation list."""

    name: str
    """``VCEK`` or ``VLEK``, ``chain`` (ASK or ASVK, then ARK, as PEM), ``CRL``."""
    url: str
    reason: str = ""
    """Why there is no address, or a note on it."""


def addresses(report: Report, *, product: str | None = None) -> list[Address]:
    """Return the addresses of the certificates of *report*.

    Raises UsageError if it is not signed, or if its product is not known.
    """
    decision = decide(report, product=product)
    row = decision.product
    if row is None:
        raise UsageError(
            f"the report does not say which product made it: {decision.reason}",
            help="name it: Milan, Genoa or Turin",
        )
    if not row.kds:
        raise UsageError(f"the key server has no certificates of {row.name}")
    signer = SigningKey(report.key_info.signing_key)
    if signer not in (SigningKey.VCEK, SigningKey.VLEK):
        raise UsageError(f"no certificate belongs to a report whose signing key is {signer.name}")
    base = f"{HOST}/{signer.name.lower()}/v1/{row.kds}"
    query = _query(decision.tcb(report.reported_tcb))
    if signer == SigningKey.VLEK:
        first = Address("VLEK", f"{base}/cert?{query}", PROVIDER)
    else:
        first = _vcek(base, report.chip_id, row, query)
    return [first, Address("chain", f"{base}/cert_chain"), Address("CRL", f"{base}/crl")]


def _vcek(base: str, chip_id: bytes, product: Product, query: str) -> Address:
    if not any(chip_id):
        return Address("VCEK", "", "the report has its chip id masked")
    return Address("VCEK", f"{base}/{chip_id[: product.chip_id_size].hex()}?{query}")


def _query(tcb: TcbClassic | TcbTurin) -> str:
    return "&".join(
        f"{name}={getattr(tcb, part)}" for part, name in COMPONENT_SPLS.items() if part in tcb.BITS
    )


def document_address(document: X509 | Crl) -> Address | None:
    """Return the address that a certificate or list came from; None if it is not AMD's by name.

    An address that does not follow from what the certificate says is empty, with the reason.
    """
    if not isinstance(document, X509):
        name = document.issuer_name.rpartition("-")[2]
        known = name in NAMED and document.issuer_name.startswith("ARK-")
        return Address("CRL", f"{HOST}/vcek/v1/{name}/crl") if known else None
    kind = kind_of(document)
    if kind in (CertificateKind.VCEK, CertificateKind.VLEK):
        return _key_address(kind, endorsement_parts(document)[0])
    name = product_in(document)
    if kind is CertificateKind.OTHER or name not in NAMED:
        return None
    signs = "vlek" if kind is CertificateKind.ASVK else "vcek"
    both = "ASVK and ARK" if kind is CertificateKind.ASVK else "ASK and ARK"
    return Address("chain", f"{HOST}/{signs}/v1/{name}/cert_chain", f"{both}, PEM")


def document_addresses(document: X509 | Crl) -> list[Address]:
    """Return the address that a document came from, and those of what belongs to it.

    Raises UsageError if it is not AMD's by its name.
    """
    own = document_address(document)
    if own is None:
        raise UsageError("the key server has no such certificate: by its name it is not AMD's")
    if own.name not in ("VCEK", "VLEK") or not isinstance(document, X509):
        name = own.url.removeprefix(HOST).split("/")[3]
        other = Address("CRL", f"{HOST}/vcek/v1/{name}/crl")
        return [own] if own.name == "CRL" else [own, other]
    product = endorsement_parts(document)[0].product
    if product not in NAMED:
        return [own]
    base = f"{HOST}/{own.name.lower()}/v1/{product}"
    return [own, Address("chain", f"{base}/cert_chain"), Address("CRL", f"{base}/crl")]


def _key_address(kind: CertificateKind, given: Endorsement) -> Address:
    row = NAMED.get(given.product)
    if row is None:
        return Address(kind.value, "", "the certificate names no product of the key server")
    parts = [COMPONENT_SPLS[part] for part in row.layout.word.BITS]
    missing = [name for name in parts if name not in given.spls]
    if missing:
        return Address(kind.value, "", f"the certificate has no {' '.join(missing)}")
    query = "&".join(
        f"{name}={given.spls[name]}" for name in COMPONENT_SPLS.values() if name in parts
    )
    base = f"{HOST}/{kind.value.lower()}/v1/{row.kds}"
    if kind is CertificateKind.VLEK:
        return Address("VLEK", f"{base}/cert?{query}", PROVIDER)
    if given.hwid is None:
        return Address("VCEK", "", "the certificate has no hwID")
    return Address("VCEK", f"{base}/{given.hwid.hex()}?{query}")
