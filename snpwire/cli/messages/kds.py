"""``snpwire explain kds``: addresses of a report's certificates at AMD's key server."""

from __future__ import annotations

from ...errors import UsageError
from ...wire.report import Report
from ..options import PieceOptions
from ..output import terminal_style, write_json, write_lines


def addresses(file: str, *, product: str | None, json: bool) -> int:
    """Print the addresses of a report's certificates. Nothing is fetched."""
    from ...crypto.kds import addresses as run
    from ...view.table import Row, table
    from .verify import report_of

    report = Report.parse(report_of(file, PieceOptions()).data)
    try:
        found = run(report, product=product)
    except UsageError as exc:
        named = exc.help if product else "--product milan, genoa or turin"
        raise UsageError(str(exc), help=named if exc.help else "") from None
    if json:
        write_json({"explain": "kds", "addresses": [row._asdict() for row in found]})
    else:
        write_lines(
            table(
                [Row("", "", row.name, row.url or "none", row.reason) for row in found],
                terminal_style(),
            )
        )
    return 0
