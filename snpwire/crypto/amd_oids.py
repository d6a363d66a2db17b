"""Read AMD's extensions of a VCEK or VLEK certificate: its chip and its TCB version.

All are below 1.3.6.1.4.1.3704.1 (AMD 57230, as go-sev-guest and snpguest read it; seen in real
certificates of Milan, Genoa and Turin). Two encodings exist: the value itself, and the value in an
OCTET STRING of its own. A hardware ID has no inner tag in the first, so its
length decides which one it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..errors import CertificateError
from . import der

if TYPE_CHECKING:
    from collections.abc import Callable

    from .x509 import X509

T = TypeVar("T")

ARC = "1.3.6.1.4.1.3704.1."
STRUCT_VERSION, PRODUCT_NAME, HWID, CSP_ID = ARC + "1", ARC + "2", ARC + "4", ARC + "5"
SPLS = {
    ARC + "3.1": "blSPL",
    ARC + "3.2": "teeSPL",
    ARC + "3.3": "snpSPL",
    ARC + "3.4": "spl4",
    ARC + "3.5": "spl5",
    ARC + "3.6": "spl6",
    ARC + "3.7": "spl7",
    ARC + "3.8": "ucodeSPL",
    ARC + "3.9": "fmcSPL",
}
"""Security patch levels. The four with a number are reserved; Turin lacks the first of them."""
COMPONENT_SPLS = {
    "fmc": "fmcSPL",
    "boot_loader": "blSPL",
    "tee": "teeSPL",
    "snp": "snpSPL",
    "microcode": "ucodeSPL",
}
"""Patch level of each component of a TCB version, in the order of an address at the key server."""
HWID_SIZES = (64, 8)
"""Turin has 8 bytes, Milan and Genoa 64."""


class Endorsement(NamedTuple):
    """AMD's extensions of a VCEK or VLEK certificate; None for one that is missing."""

    struct_version: int | None
    product_name: str | None
    spls: dict[str, int]
    hwid: bytes | None
    csp_id: str | None


def endorsement(certificate: X509) -> Endorsement:
    """Read AMD's extensions of *certificate*. Raises CertificateError, which names one."""
    values = {name: found.value for name, found in certificate.extensions.items()}
    return Endorsement(
        struct_version=_read(values, STRUCT_VERSION, "structVersion", _integer),
        product_name=_read(values, PRODUCT_NAME, "productName", _text),
        spls={
            name: level
            for oid, name in SPLS.items()
            if (level := _read(values, oid, name, _integer)) is not None
        },
        hwid=_read(values, HWID, "hwID", hardware_id),
        csp_id=_read(values, CSP_ID, "cspID", _text),
    )


def _read(values: dict[str, bytes], oid: str, name: str, read: Callable[[bytes], T]) -> T | None:
    if oid not in values:
        return None
    try:
        return read(values[oid])
    except CertificateError as exc:
        raise CertificateError(f"extension {name}: {exc.reason}", offset=exc.offset) from None


def _item(value: bytes) -> der.Item:
    """Return the item *value* is, taken out of an OCTET STRING if it is in one."""
    item = der.only(value)
    return der.only(item.contents) if item.tag == der.OCTET_STRING else item


def _integer(value: bytes) -> int:
    """Read an INTEGER, or one byte without a tag, which no INTEGER is."""
    return value[0] if len(value) == 1 else der.integer(_item(value))


def _text(value: bytes) -> str:
    return der.text(_item(value))


def hardware_id(value: bytes) -> bytes:
    """Return the 64 or 8 bytes of a hardware id. Raises CertificateError."""
    if len(value) in HWID_SIZES:
        return value
    item = der.only(value).expect(der.OCTET_STRING, "a string of bytes")
    if len(item.contents) not in HWID_SIZES:
        raise item.error(f"a hardware id has 64 or 8 bytes, got {len(item.contents)}")
    return item.contents
