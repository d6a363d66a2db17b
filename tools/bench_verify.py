"""What ``bench.py`` measures of verifying: a report and its chain, beside the bare signatures."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bench_contests import ROOT, Contest, Rival, timed
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from snpwire.crypto.certificates import load, pins
from snpwire.crypto.verify import verify
from snpwire.crypto.x509 import EcKey, RsaKey
from snpwire.wire.report import SIGNED, Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from snpwire.crypto.x509 import X509

NAMES = ("report.bin", "vcek.der", "ask_ark.pem")
NOW = datetime(2026, 3, 31, tzinfo=UTC)
BEFORE = 2.2
"""Times the bare signatures that verifying took before a chain was searched for, measured so."""


def verifying() -> dict[str, Callable[[], Contest]]:
    """Return what makes each contest, by name."""
    return {"verify": verify_report}


def verify_report() -> Contest:
    """Compare a report verified up to its root with the four signatures that takes."""
    files = [ROOT.joinpath("tests", "messages", name).read_bytes() for name in NAMES]
    report, *documents = files
    rows = [row for document in documents for row in load(document)]
    names: dict[str, Any] = {
        "report": report,
        "documents": documents,
        "rows": rows,
        "options": {"roots": pins(rows[-1:]), "at": NOW},
        "verify": verify,
        "check": _signatures(report, rows),
    }
    verify(report, documents, roots=[rows[-1]], at=NOW).require()
    rivals = [
        Rival(
            "snpwire, from DER and PEM",
            timed("verify(report, documents, **options)", **names),
            1.1 * BEFORE,
        ),
        Rival(
            "snpwire, certificates read before", timed("verify(report, rows, **options)", **names)
        ),
    ]
    title = "Verify a report up to its root"
    return Contest(title, "the four signatures, bare", timed("check()", **names), rivals)


def _signatures(report: bytes, rows: list[X509]) -> Callable[[], None]:
    """Return what checks the signatures of a report and its chain, and nothing else."""
    value = Report.parse(report).signature
    key, *authorities = (_public(row) for row in rows)
    scheme, ecdsa = padding.PSS(padding.MGF1(SHA384()), 48), ec.ECDSA(SHA384())
    signature = encode_dss_signature(value.r_number, value.s_number)
    issued = list(zip(rows, [*authorities, authorities[-1]], strict=True))

    def check() -> None:
        key.verify(signature, report[:SIGNED], ecdsa)
        for row, issuer in issued:
            issuer.verify(row.signed.signature, row.signed.tbs, scheme, SHA384())

    return check


def _public(row: X509) -> Any:
    if isinstance(row.key, EcKey):
        return ec.EllipticCurvePublicNumbers(row.key.x, row.key.y, ec.SECP384R1()).public_key()
    if isinstance(row.key, RsaKey):
        return rsa.RSAPublicNumbers(row.key.e, row.key.n).public_key()
    raise TypeError(row.subject_name)
