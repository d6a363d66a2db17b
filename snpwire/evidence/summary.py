"""Evidence in lines, and as a plain object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import printable

if TYPE_CHECKING:
    from ..wire.hcl import RuntimeClaims
    from .content import EvidenceContent

ANSWERS = {True: "yes", False: "no"}


def evidence_lines(found: EvidenceContent) -> list[str]:
    """Return what was found, in lines: where the report lay, its claims and its certificates."""
    where = f"report at {found.place}".removesuffix(" at ") if found.report else "no report"
    lines = [f"{found.form}, {found.size} bytes: {where}"]
    rows = [row for row in found.parts if row.name != "report"]
    if rows:
        named = (f"{row.name} at {row.offset:#x}, {row.size} bytes" for row in rows)
        lines.append(f"around it: {'; '.join(named)}")
    if found.claims:
        lines.append(claims_line(found.claims))
    if found.certificates:
        lines.append(f"certificates in it: {' '.join(row.name for row in found.certificates)}")
    return [printable(line) for line in (*lines, *found.notes)]


def claims_line(claims: RuntimeClaims) -> str:
    """Return where the claims are, and whether the report vouches for them."""
    hash_name = claims.hash or "an unknown hash"
    begin = f"runtime claims at {claims.offset:#x}, {len(claims.data)} bytes"
    if len(claims.data) < claims.size:
        begin = f"runtime claims at {claims.offset:#x}: {len(claims.data)} of {claims.size} bytes"
    answer = "not known" if claims.fits is None else ANSWERS[claims.fits]
    return f"{begin}; report_data is {hash_name}(claims): {answer}"
