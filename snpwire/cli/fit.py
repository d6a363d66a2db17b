"""``--report`` of ``snpwire decode cert``: whether certificates are those of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..crypto.binding import NAMED, endorsement_in
from ..crypto.certificates import kind_of, name_of
from ..crypto.check import CheckState
from ..crypto.fit import SIGNERS, Fit, fit
from .messages.verify import report_of
from .options import PieceOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..crypto.x509 import X509
    from ..view.style import Style

WORDS = {CheckState.HOLDS: "same", CheckState.FAILED: "DIFFERS"}
WIDTH = len(CheckState.NOT_CHECKED)


class ReportFit(NamedTuple):
    """A report, and the certificates that were compared with it."""

    report: str
    rows: tuple[tuple[X509, Fit], ...]

    @property
    def holds(self) -> bool:
        """Return whether a key fits, or, where there is none, all of the others do."""
        keys = [found.fits for row, found in self.rows if kind_of(row) in SIGNERS]
        others = [found.fits for row, found in self.rows if kind_of(row) not in SIGNERS]
        return (any(keys) if keys else True) and all(others)

    def lines(self, style: Style) -> Iterator[str]:
        """Yield a line for each part that was compared, and the answer."""
        for row, found in self.rows:
            width = max(len(check.name) for check in found.checks)
            for check in found.checks:
                word = f"{WORDS.get(check.state, str(check.state)):<{WIDTH}}"
                mark = style.bad if check.state is CheckState.FAILED else style.faint
                yield f"{style.mark(mark, word)}  {check.name:<{width}}  {check.reason}"
            yield from self._answer(row, found)

    def _answer(self, row: X509, found: Fit) -> Iterator[str]:
        name = f"{kind_of(row)} {name_of(row)}"
        if found.fits:
            yield f"{name} fits {self.report}: the chain is for verify to check"
            return
        if not found.failed:
            yield f"{name} differs in nothing from {self.report}: {found.decisive} not compared"
            return
        yield f"{name} does not fit {self.report}: {', '.join(found.failed)}"
        if found.cause:
            yield found.cause
        if found.wanted and found.wanted.url:
            note = f"  {found.wanted.reason}" if found.wanted.reason else ""
            yield f"fetch instead: {found.wanted.url}{note}"
        else:
            reason = found.wanted.reason if found.wanted else found.hint
            yield f"what to fetch instead is not told: {reason}"

    def plain(self) -> dict[str, Any]:
        """Return the comparison for JSON."""
        return {
            "report": self.report,
            "fits": self.holds,
            "certificates": [
                {
                    "kind": kind_of(row).value,
                    "fits": found.fits,
                    "differs": found.failed,
                    "cause": found.cause,
                    "checks": [
                        {"name": c.name, "state": str(c.state), "reason": c.reason}
                        for c in found.checks
                    ],
                    "fetch": found.wanted.url if found.wanted and not found.fits else None,
                }
                for row, found in self.rows
            ],
        }


def report_fit(report: str, certificates: list[X509], product: str | None) -> ReportFit:
    """Compare certificates with the report in a file. Raises SourceError and OSError."""
    source = report_of(report, PieceOptions())
    found: list[tuple[X509, Fit]] = []
    for row in sorted(certificates, key=lambda row: kind_of(row) not in SIGNERS):
        found.append((row, fit(source.data, row, product)))
        if product is None and found[-1][1].fits:
            product = known_product(row)
    return ReportFit(source.name, tuple(found))


def known_product(certificate: X509) -> str | None:
    """Return the product of a key that signed the report, for which that of others is compared."""
    given = endorsement_in(certificate)
    return given.product.lower() if given and given.product in NAMED else None
