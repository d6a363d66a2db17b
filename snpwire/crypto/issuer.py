"""Who signed a certificate or a list, among those of the same input.

A signature is checked where its issuer is there. Up to a pinned root it shows that AMD issued the
certificate; everything else about a chain (dates, usage, revocation) is for ``verify``.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from ..errors import SignatureError, named
from .certificates import AMD_ROOTS, check_issued, check_signed, pin
from .check import CheckState
from .x509 import X509

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .x509 import Crl

CHECKS = 256
"""Signatures that are checked in one input: more say nothing to a person, and take time."""
DEPTH = 4


class Issuance(NamedTuple):
    """Whether an issuer's signature holds."""

    state: CheckState
    reason: str
    root: str = ""
    """The pinned root that it leads to."""


class Issuers:
    """The certificates of an input, as issuers of one another."""

    def __init__(self, certificates: Iterable[X509]) -> None:
        self._by_name: defaultdict[bytes, list[X509]] = defaultdict(list)
        for row in {row.der: row for row in certificates}.values():
            self._by_name[row.subject].append(row)
        self._left = CHECKS
        self._known: dict[bytes, Issuance] = {}

    def issuance(self, document: X509 | Crl, depth: int = 0) -> Issuance:
        """Return whether the signature of a document holds, by which issuer of the input."""
        signed = document.signed.tbs + document.signed.signature
        if signed not in self._known:
            self._known[signed] = self._found(document, depth)
        return self._known[signed]

    def _found(self, document: X509 | Crl, depth: int) -> Issuance:
        name = named(document.issuer_name) or "an issuer without a name"
        rows = self._by_name.get(document.issuer, [])
        if not rows:
            return Issuance(CheckState.NOT_CHECKED, f"{name} is not in this input")
        problem = ""
        for row in rows:
            if self._left <= 0:
                return Issuance(CheckState.NOT_CHECKED, f"{CHECKS} others were checked")
            self._left -= 1
            problem = _problem(document, row)
            if not problem:
                return Issuance(CheckState.HOLDS, _reason(document, row), self._root(row, depth))
        return Issuance(CheckState.FAILED, f"not signed by {name} of this input: {problem}")

    def _root(self, issuer: X509, depth: int) -> str:
        if pin(issuer) in AMD_ROOTS:
            return AMD_ROOTS[pin(issuer)]
        if issuer.issuer == issuer.subject or depth >= DEPTH:
            return ""
        return self.issuance(issuer, depth + 1).root


def _problem(document: X509 | Crl, issuer: X509) -> str:
    try:
        if isinstance(document, X509):
            check_issued(document, issuer)
        else:
            check_signed(document.signed, issuer)
    except SignatureError as exc:
        return str(exc)
    return ""


def _reason(document: X509 | Crl, issuer: X509) -> str:
    if isinstance(document, X509) and document.spki == issuer.spki:
        return "signed by its own key"
    return f"signed by {named(issuer.subject_name)} of this input"
