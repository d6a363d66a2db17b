"""TCB versions: eight bytes, one for each component, in one of two orders; and the products.

A product is identified by its CPUID family and model, combined as in a report. The ranges are those
of virtee/sev, the widest of any source: go-sev-guest and Oak know one model of each product,
snpguest leaves out the last of Genoa's (0xAF).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ..bits import Word, bits


class TcbClassic(Word, width=64, spec="56860, TCB_VERSION (AMD-ASPFW, virtee/sev)"):
    """TCB version of Milan and Genoa."""

    boot_loader = bits(0, 8, "ASP boot loader SVN")
    tee = bits(8, 8, "TEE (ASP OS) SVN")
    snp = bits(48, 8, "SNP firmware SVN")
    microcode = bits(56, 8, "Lowest microcode patch level of all cores")


class TcbTurin(Word, width=64, spec="56860, TCB_VERSION of Turin (virtee/sev)"):
    """TCB version of Turin."""

    fmc = bits(0, 8, "FMC (first mutable code) SVN")
    boot_loader = bits(8, 8, "ASP boot loader SVN")
    tee = bits(16, 8, "TEE (ASP OS) SVN")
    snp = bits(24, 8, "SNP firmware SVN")
    microcode = bits(56, 8, "Lowest microcode patch level of all cores")


class TcbLayout(StrEnum):
    """Order of the components of a TCB version."""

    CLASSIC = "classic"
    TURIN = "turin"

    @property
    def word(self) -> type[TcbClassic | TcbTurin]:
        """Return the type that reads a TCB version of this order."""
        return TcbTurin if self is TcbLayout.TURIN else TcbClassic


class Product(NamedTuple):
    """Product: a line of processors."""

    name: str
    family: int
    models: tuple[tuple[int, int], ...]
    """First and last model of each range."""
    layout: TcbLayout
    kds: str
    """Name in the addresses of AMD's key server; empty if it has none."""
    chip_id_size: int | None
    """Bytes of ``chip_id`` used, also at the key server; None: not known."""
    note: str = ""


PRODUCTS = (
    Product("Milan", 0x19, ((0x00, 0x0F),), TcbLayout.CLASSIC, "Milan", 64),
    Product(
        "Genoa",
        0x19,
        ((0x10, 0x1F), (0xA0, 0xAF)),
        TcbLayout.CLASSIC,
        "Genoa",
        64,
        "the second range is Bergamo and Siena, which the key server calls Genoa as well",
    ),
    Product("Turin", 0x1A, ((0x00, 0x11),), TcbLayout.TURIN, "Turin", 8),
    Product(
        "Venice",
        0x1A,
        ((0x50, 0x57), (0x90, 0xAF), (0xC0, 0xC7)),
        TcbLayout.TURIN,
        "",
        None,
        "virtee/sev alone; there are no certificates yet",
    ),
)


def product_of(family: int, model: int) -> Product | None:
    """Return the product of a combined CPUID family and model, or None if none is known."""
    for product in PRODUCTS:
        if product.family == family and any(a <= model <= b for a, b in product.models):
            return product
    return None
