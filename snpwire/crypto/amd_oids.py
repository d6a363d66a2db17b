"""Read AMD's extensions of a VCEK or VLEK certificate: its chip and its TCB version.

All are below 1.3.6.1.4.1.3704.1 (AMD 57230, as go-sev-guest and snpguest read it; seen in real
certificates of Milan, Genoa and Turin). A hardware ID is its bytes with no DER around them, or an
OCTET STRING in newer certificates; its length decides which. All others are DER. An identifier that
is not known may be a component of a TCB version, which could not be compared: it is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..errors import CertificateError, shown
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
NAMES = {
    STRUCT_VERSION: "structVersion",
    PRODUCT_NAME: "productName",
    **SPLS,
    HWID: "hwID",
    CSP_ID: "cspID",
}
PRODUCT = re.compile("[A-Z][a-z]+(-[A-Z][0-9])?")
"""NAME, or NAME-XN: a product, and its stepping."""
HWID_SIZES = (64, 8)
"""Turin has 8 bytes, Milan and Genoa 64."""


class Endorsement(NamedTuple):
    """AMD's extensions of a VCEK or VLEK certificate; None for one that is missing."""

    struct_version: int | None
    product_name: str | None
    spls: dict[str, int]
    hwid: bytes | None
    csp_id: str | None

    @property
    def product(self) -> str:
        """Return the product's name without its stepping; empty if there is none."""
        return (self.product_name or "").partition("-")[0]

    def summary(self) -> str:
        """Return all that is there in one line, in the words of AMD 57230."""
        parts = [] if self.struct_version is None else [f"structVersion {self.struct_version}"]
        parts += [] if self.product_name is None else [f"productName {self.product_name}"]
        parts += [f"{name} {level}" for name, level in self.spls.items()]
        parts += [] if self.hwid is None else [f"hwID {self.hwid.hex()}"]
        parts += [] if self.csp_id is None else [f"cspID {shown(self.csp_id)}"]
        return ", ".join(parts) or "none"


def endorsement(certificate: X509) -> Endorsement:
    """Read AMD's extensions of *certificate*. Raises CertificateError, which names one."""
    rows = certificate.extensions.items()
    return _endorsement(tuple((oid, row.value) for oid, row in rows if oid.startswith(ARC)))


def endorsement_parts(certificate: X509) -> tuple[Endorsement, dict[str, CertificateError]]:
    """Return what can be read of AMD's extensions, and by identifier what is wrong with others.

    To show a certificate, not to rely on it: ``endorsement`` refuses one that is not read whole.
    """
    found = _read_endorsement({})
    problems: dict[str, CertificateError] = {}
    for oid, row in certificate.extensions.items():
        if oid.startswith(ARC):
            try:
                part = _read_endorsement({oid: row.value})
            except CertificateError as exc:
                problems[oid] = exc
            else:
                found = _joined(found, part)
    return found, problems


def _joined(found: Endorsement, part: Endorsement) -> Endorsement:
    """Return *found* with what *part* has."""
    given = {name: value for name, value in part._asdict().items() if value is not None}
    return found._replace(**given | {"spls": found.spls | part.spls})


@lru_cache(maxsize=8)
def _endorsement(extensions: tuple[tuple[str, bytes], ...]) -> Endorsement:
    return _read_endorsement(dict(extensions))


def _read_endorsement(values: dict[str, bytes]) -> Endorsement:
    for oid in values:
        if oid not in NAMES:
            raise CertificateError(f"extension {shown(oid)} of AMD's is not known")
    return Endorsement(
        struct_version=_read(values, STRUCT_VERSION, _number),
        product_name=_read(values, PRODUCT_NAME, _product),
        spls={
            name: level
            for oid, name in SPLS.items()
            if (level := _read(values, oid, _level)) is not None
        },
        hwid=_read(values, HWID, hardware_id),
        csp_id=_read(values, CSP_ID, _provider),
    )


def _read(values: dict[str, bytes], oid: str, read: Callable[[bytes], T]) -> T | None:
    if oid not in values:
        return None
    try:
        return read(values[oid])
    except CertificateError as exc:
        raise CertificateError(f"extension {NAMES[oid]}: {exc.reason}", offset=exc.offset) from None


def _number(value: bytes) -> int:
    return der.integer(der.only(value))


def _level(value: bytes) -> int:
    level = _number(value)
    if not 0 <= level <= 0xFF:
        raise CertificateError(f"a patch level is 0 to 255, got {level}")
    return level


def _product(value: bytes) -> str:
    name = _ia5(value)
    if not PRODUCT.fullmatch(name):
        raise CertificateError(f"a product is NAME or NAME-XN, got {shown(name)}")
    return name


def _provider(value: bytes) -> str:
    name = _ia5(value)
    if not name:
        raise CertificateError("the provider's name is empty")
    return name


def _ia5(value: bytes) -> str:
    return der.text(der.only(value).expect(der.IA5, "an IA5String"))


def hardware_id(value: bytes) -> bytes:
    """Return the 64 or 8 bytes of a hardware id. Raises CertificateError."""
    if len(value) in HWID_SIZES:
        return value
    item = der.only(value).expect(der.OCTET_STRING, "a string of bytes")
    if len(item.contents) not in HWID_SIZES:
        raise item.error(f"a hardware id has 64 or 8 bytes, got {len(item.contents)}")
    return item.contents
