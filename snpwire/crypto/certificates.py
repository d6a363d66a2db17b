"""Load AMD's certificates, identify each, and check one against the next.

A chain is VCEK (a chip's key for one TCB version), ASK, ARK; or VLEK (a key that a provider had
loaded), ASVK, ARK. The ARK signs itself, and is trusted because its public key is pinned here, so
that no certificate has to be shipped. All CA keys are RSA, all signatures RSASSA-PSS with SHA-384.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from ..errors import CertificateError, SignatureError, named, shown
from ..wire.certs import CertTable, certificates
from . import x509
from .pem import documents
from .x509 import SHA384, X509, Crl, Pss, RsaKey, Signed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

AMD_ROOTS: Mapping[str, str] = {
    "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9": "AMD's ARK-Milan",
    "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831": "AMD's ARK-Genoa",
    "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08": "AMD's ARK-Turin",
}
"""SHA-256 of the public key (SubjectPublicKeyInfo) of each root that is trusted.

Computed from https://kdsintf.amd.com/vcek/v1/{product}/cert_chain as two projects keep it: Milan,
serial 010000, from go-sev-guest; Genoa, 020000, and Turin, 030000, from
microsoft/TEE-Attestation-Verification, the same certificates as in go-sev-guest's VLEK chains.
"""
AMD_PSS = Pss(SHA384, SHA384, 48, 1)


class CertificateKind(StrEnum):
    """Kind of a certificate, by its subject's common name."""

    VCEK = "VCEK"
    VLEK = "VLEK"
    ASK = "ASK"
    ASVK = "ASVK"
    ARK = "ARK"
    OTHER = "other"


ISSUERS = {
    CertificateKind.VCEK: CertificateKind.ASK,
    CertificateKind.VLEK: CertificateKind.ASVK,
    CertificateKind.ASK: CertificateKind.ARK,
    CertificateKind.ASVK: CertificateKind.ARK,
}


def kind_of(certificate: X509) -> CertificateKind:
    """Return the kind of *certificate*, by its subject's name."""
    return _kind(certificate.subject_name)


@lru_cache(maxsize=64)
def _kind(name: str) -> CertificateKind:
    if name in ("SEV-VCEK", "SEV-VLEK"):
        return CertificateKind(name[4:])
    for start, kind in (
        ("ARK-", CertificateKind.ARK),
        ("SEV-VLEK-", CertificateKind.ASVK),
        ("SEV-", CertificateKind.ASK),
    ):
        if name.startswith(start):
            return kind
    return CertificateKind.OTHER


def name_of(certificate: X509) -> str:
    """Return the name of the subject as a line may show it, whoever chose it; empty if none."""
    return named(certificate.subject_name)


def product_in(certificate: X509) -> str:
    """Return the product in the name of an ARK, ASK or ASVK: what follows the last dash."""
    return certificate.subject_name.rpartition("-")[2]


def load(data: bytes) -> list[X509]:
    """Read the certificates of a file, DER or PEM, in the file's order. Raises CertificateError.

    Between PEM's blocks any text may stand (RFC 7468); inside it may not.
    """
    return [x509.parse_certificate(der) for der in documents(data, b"CERTIFICATE")]


def load_crl(data: bytes) -> Crl:
    """Read one revocation list, DER or PEM. Raises CertificateError."""
    found = documents(data, b"X509 CRL")
    if len(found) != 1:
        raise CertificateError(f"expected one revocation list, got {len(found)}")
    return x509.parse_crl(found[0])


class TableContents(NamedTuple):
    """What a certificate table holds."""

    certificates: list[X509]
    crl: Crl | None
    """The latest revocation list."""
    notes: tuple[str, ...] = ()
    """Entries that were passed over."""


def load_table(data: bytes | CertTable) -> TableContents:
    """Read the certificates, and the revocation list, of an extended request's table.

    An entry that cannot be read is passed over if another one of its name can: whoever hands over
    the table could have good evidence refused. Raises CertificateError, which names the entry.
    """
    table = data if isinstance(data, CertTable) else CertTable.parse(data)
    found: list[X509] = []
    lists: list[Crl] = []
    problems: list[tuple[str, CertificateError]] = []
    names = set()
    for entry in certificates(table):
        if entry.name not in ("VCEK", "VLEK", "ASK", "ARK", "CRL"):
            continue
        try:
            if entry.problem:
                raise CertificateError(f"it {entry.problem}")
            if entry.name == "CRL":
                lists.append(load_crl(entry.data))
            else:
                found += load(entry.data)
            names.add(entry.name)
        except CertificateError as exc:
            problems.append((entry.name, exc))
    for name, problem in problems:
        if name not in names:
            raise CertificateError(f"{name}: {problem.reason}", offset=problem.offset)
    notes = tuple(f"another {name} of the table cannot be read: {why}" for name, why in problems)
    crl = max(lists, key=lambda row: row.this_update, default=None)
    return TableContents(found, crl, notes)


def pin(certificate: X509) -> str:
    """Return the SHA-256 of the public key, in hex, by which a root is trusted."""
    return sha256(certificate.spki).hexdigest()


def pins(certificates: Iterable[X509], source: str = "") -> dict[str, str]:
    """Return *certificates* as the roots that ``verify`` trusts, each with where it is from."""
    of = f" of {source}" if source else ""
    return {pin(row): (name_of(row) or "a certificate without a name") + of for row in certificates}


def check_issued(certificate: X509, issuer: X509) -> None:
    """Verify that *issuer* signed *certificate*. Raises SignatureError.

    Whether it may issue certificates is another question: ``rfc5280`` answers it.
    """
    if certificate.issuer != issuer.subject:
        raise SignatureError(
            f"its issuer is {shown(certificate.issuer_name)}, not {shown(issuer.subject_name)}"
        )
    check_signed(certificate.signed, issuer)


def check_signed(signed: Signed, issuer: X509) -> None:
    """Verify an RSASSA-PSS signature by the key of *issuer*. Raises SignatureError."""
    if signed.pss != AMD_PSS:
        raise SignatureError("the signature is not RSASSA-PSS with SHA-384 and 48 bytes of salt")
    if not signed.agrees:
        raise SignatureError("the signed part names another algorithm than the signature")
    if not isinstance(issuer.key, RsaKey):
        raise SignatureError(f"{shown(issuer.subject_name)} has no RSA key")
    from .pss import check_pss  # slow to load

    check_pss(signed, issuer.key, shown(issuer.subject_name))
