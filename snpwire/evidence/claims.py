"""Whether a report vouches for the runtime claims beside it: the check ``claims``.

A report may be genuine and the claims those of somebody else: whoever relies on the claims needs
both. So a hash that differs fails, and so does one that cannot be computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..crypto.check import CheckGroup, made, not_made

if TYPE_CHECKING:
    from ..crypto.check import Check
    from .content import EvidenceContent

NAME = "claims"


def claims_checks(found: EvidenceContent) -> list[Check]:
    """Return the check of the claims of evidence; none where it has no claims."""
    claims = found.claims
    if claims is None:
        return []
    group = CheckGroup.APPRAISAL
    if not claims.data:
        reason = f"the {claims.size} bytes of runtime claims are not in this input"
        return [not_made(NAME, reason, group=group)]
    if not claims.hash:
        return [made(NAME, False, "the type of their hash is not known", group)]
    if claims.fits is None:
        reason = f"they are cut: {len(claims.data)} of {claims.size} bytes"
        return [made(NAME, False, reason, group)]
    what = "is" if claims.fits else "is not"
    reason = f"report_data {what} {claims.hash} of the {claims.size} bytes of runtime claims"
    return [made(NAME, claims.fits, reason, group)]
