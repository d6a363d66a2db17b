"""What was found: a report, where it lay, and what was beside it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ..wire.hcl import RuntimeClaims


class EvidenceCertificate(NamedTuple):
    """A certificate or revocation list beside a report."""

    name: str
    """VCEK, VLEK, ASK, ASVK, ARK, CRL, or ``certificate`` if its subject is none of AMD's."""
    der: bytes
    place: str
    """Where it lay, as the place of the report."""


class EvidencePart(NamedTuple):
    """A run of bytes of what surrounds the report."""

    name: str
    offset: int
    size: int


class EvidenceContent(NamedTuple):
    """What bytes hold besides being bytes: a report, certificates, claims."""

    form: str
    """In words, such as ``HCL blob`` or ``TSM report, JSON``."""
    size: int
    """Bytes that were looked at."""
    report: bytes | None = None
    """The 1184 bytes; None where there are certificates alone."""
    place: str = ""
    """Where the report lay: a path of JSON, an offset, or both."""
    path: str = ""
    """The path alone; empty where the report lies in the bytes as they are."""
    offset: int | None = None
    """Offset of the report in the bytes that were looked at, where it lies in them unencoded."""
    assembled: bool = False
    """The report was put together from its fields, its reserved bytes taken as zero."""
    kind: str = ""
    """Kind, a name of ``wire.RECORDS``, that the bytes are of as a whole; empty if none."""
    certificates: tuple[EvidenceCertificate, ...] = ()
    claims: RuntimeClaims | None = None
    """Runtime claims whose hash the report should have."""
    parts: tuple[EvidencePart, ...] = ()
    """What the bytes around the report are, where they are known; offsets as in ``place``."""
    notes: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """Return what was found, for JSON; the report's own bytes are left out."""
        rows: dict[str, Any] = {
            "form": self.form,
            "size": self.size,
            "report": self.report is not None,
            "place": self.place,
            "path": self.path,
            "offset": self.offset,
            "assembled": self.assembled,
            "parts": [row._asdict() for row in self.parts],
            "claims": claims_plain(self.claims) if self.claims else None,
            "certificates": [
                {"name": row.name, "place": row.place, "size": len(row.der)}
                for row in self.certificates
            ],
            "notes": list(self.notes),
        }
        return {name: cell for name, cell in rows.items() if cell not in ("", None, [])}


def claims_plain(claims: RuntimeClaims) -> dict[str, Any]:
    """Return claims for JSON, read if they are JSON themselves."""
    rows: dict[str, Any] = {
        "offset": claims.offset,
        "size": claims.size,
        "present": len(claims.data),
        "hash": claims.hash,
        "fits": claims.fits,
    }
    try:
        read = json.loads(claims.data)
    except (ValueError, RecursionError):
        return rows
    return rows | {"claims": read}
