"""Which product made an attestation report, and so in which order its TCB versions are.

From version 3 on a report has the CPUID family and model. Before that the chip id is all there is:
Turin uses its first 8 bytes, Milan and Genoa all 64, and a host may have it masked, which leaves
nothing. virtee/sev refuses a masked report; here the older order is assumed, since version 2 is of
its time, and the decision says so. A caller who knows better names the product.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .bits import nearest
from .errors import AbsentError, UsageError, shown
from .wire.tcb import PRODUCTS, Product, TcbClassic, TcbLayout, TcbTurin, product_of

if TYPE_CHECKING:
    from .wire.report import Report

__all__ = [
    "EntryLayout",
    "ProductDecision",
    "TcbLayout",
    "decide",
    "entry_layout",
    "product_named",
]


class ProductDecision(NamedTuple):
    """What was decided about a report, and why."""

    product: Product | None
    """None where the bytes do not say."""
    layout: TcbLayout
    reason: str
    assumed: bool = False
    """The layout is a guess."""

    def tcb(self, number: int) -> TcbClassic | TcbTurin:
        """Return a TCB version of the report with its components named."""
        return self.layout.word(number)


def decide(report: Report, *, product: str | None = None) -> ProductDecision:
    """Decide how the TCB versions of *report* are laid out; a *product* given is taken.

    Raises UsageError for a product that is not known.
    """
    if product is not None:
        row = product_named(product)
        return ProductDecision(row, row.layout, _forced(row, report))
    return _by_cpuid(report) if report.version >= 3 else _by_chip_id(report)


class EntryLayout(NamedTuple):
    """Whether the bits of a table's entry are known on a processor."""

    choice: str
    """The products whose bits are taken, or ``unknown``."""
    reason: str

    @property
    def known(self) -> bool:
        """Return whether the bits of an entry are known."""
        return self.choice == MEASURED


MEASURED = "milan, genoa"
"""Where AMD-ASPFW and Linux agree on the bits of an entry in memory."""
GENERATIONS = {"zen3": "Milan", "zen4": "Genoa", "zen5": "Turin", "0x19": "Genoa", "0x1a": "Turin"}
"""Other names of a family that a person may use, and a product of it."""


def entry_layout(family: str | None) -> EntryLayout:
    """Decide how an entry of the reverse map table in memory is laid out.

    Raises UsageError for a family that is not known.
    """
    if family is None:
        reason = "an entry does not tell the processor; --family turin shows what is sure there"
        return EntryLayout(MEASURED, reason)
    row = product_named(GENERATIONS.get(family.lower(), family))
    if row.layout is TcbLayout.CLASSIC:
        return EntryLayout(MEASURED, f"as asked for: {row.name}")
    reason = f"{row.name}, as asked for: no source has its bits, Linux prints both quadwords unread"
    return EntryLayout("unknown", reason)


def product_named(name: str) -> Product:
    """Return the product called *name*, in any case. Raises UsageError, with the nearest one."""
    names = {product.name.lower(): product for product in PRODUCTS}
    try:
        return names[name.lower()]
    except KeyError:
        hint = nearest(name, names) or f"products are: {' '.join(names)}"
        raise UsageError(f"there is no product {shown(name)}", help=hint) from None


def _forced(row: Product, report: Report) -> str:
    try:
        seen = _by_cpuid(report) if report.version >= 3 else None
    except AbsentError:
        seen = None
    if seen is None or seen.product is row:
        return "as asked for"
    name = seen.product.name if seen.product else "a product that is not known"
    return f"as asked for, though {_cpuid(report)} is {name}"


def _cpuid(report: Report) -> str:
    return f"CPUID family {report.cpuid_fam_id:#x} model {report.cpuid_mod_id:#x}"


def _by_cpuid(report: Report) -> ProductDecision:
    family, model = report.cpuid_fam_id, report.cpuid_mod_id
    row = product_of(family, model)
    if row:
        return ProductDecision(row, row.layout, f"the report has {_cpuid(report)}")
    later = family >= 0x1A  # the first family with Turin's order
    layout = TcbLayout.TURIN if later else TcbLayout.CLASSIC
    than = "Turin's, as of all later ones known" if later else "that of Milan and Genoa"
    reason = f"{_cpuid(report)} is no product that is known; the order assumed is {than}"
    return ProductDecision(None, layout, reason, assumed=True)


def _by_chip_id(report: Report) -> ProductDecision:
    before = f"version {report.version} has no CPUID family"
    if not any(report.chip_id):
        reason = f"{before} and the chip id is masked; the order assumed is that of Milan and Genoa"
        return ProductDecision(None, TcbLayout.CLASSIC, reason, assumed=True)
    if not any(report.chip_id[8:]):
        reason = f"{before}; a chip id of 8 bytes is Turin's"
        return ProductDecision(product_named("Turin"), TcbLayout.TURIN, reason)
    reason = f"{before}; a chip id of more than 8 bytes is Milan's or Genoa's"
    return ProductDecision(None, TcbLayout.CLASSIC, reason)
