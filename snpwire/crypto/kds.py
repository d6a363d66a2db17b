"""Addresses of a report's certificates at AMD's key distribution service (KDS).

AMD 57230, as go-sev-guest, virtee and snpguest use it. Numbers are decimal; the chip is in hex, 128
digits, and 16 on Turin, whose first parameter is fmcSPL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..errors import UsageError
from ..product import decide
from ..wire.report import Report, SigningKey
from .amd_oids import COMPONENT_SPLS

if TYPE_CHECKING:
    from ..wire.tcb import Product, TcbClassic, TcbTurin

HOST = "https://kdsintf.amd.com"


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
        first = Address("VLEK", f"{base}/cert?{query}", "given to the provider that the key is of")
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
