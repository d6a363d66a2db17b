"""Find the chain that fits among certificates in any order, with any others beside it.

Whoever hands over a table may put what they like before the right certificates: another of the same
name, an expired one, a chain of another product. The report would be refused although a path
exists. So every path is tried whose signatures hold up to a trusted key, under the keys that signed
the report; only if there is none is one put together by names, so that what fails can be said.

No number of certificates makes it slow: a key is tried once for each signature, and a chain that
goes up to a trusted root is one that its owner signed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from ..errors import SignatureError
from .certificates import ISSUERS, CertificateKind, check_issued, kind_of, name_of, pin
from .check import CheckState

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    from .check import Check
    from .x509 import X509

LEAVES = (CertificateKind.VCEK, CertificateKind.VLEK)
INTERMEDIATES = (CertificateKind.ASK, CertificateKind.ASVK)
NOTES = 8
"""Names of unused certificates that are shown."""


class Chain(NamedTuple):
    """Certificates in their places; None where one is missing."""

    key: X509 | None
    """VCEK or VLEK."""
    intermediate: X509 | None
    root: X509 | None
    notes: tuple[str, ...] = ()
    """Changes that were made: reordered, left out."""

    @property
    def rows(self) -> list[X509]:
        """Return the certificates that are there, from the key up."""
        return [row for row in self[:3] if row is not None]


class Signers:
    """Which certificate signed which, each tried once."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes, bytes], str] = {}

    def problem(self, certificate: X509, issuer: X509) -> str:
        """Return why *issuer* did not sign *certificate*, or an empty string."""
        pair = (certificate.der, issuer.subject, issuer.spki)
        if pair not in self._known:
            try:
                check_issued(certificate, issuer)
            except SignatureError as exc:
                self._known[pair] = str(exc)
            else:
                self._known[pair] = ""
        return self._known[pair]


def distinct(given: Iterable[X509]) -> list[X509]:
    """Return each certificate once, in its first place."""
    return list({row.der: row for row in given}.values())


def keys_of(rows: Iterable[X509], wanted: CertificateKind | None = None) -> list[X509]:
    """Return the VCEKs and VLEKs; those of the *wanted* kind alone, if there is any."""
    keys = [row for row in rows if kind_of(row) in LEAVES]
    return [row for row in keys if kind_of(row) == wanted] or keys


def paths(
    rows: list[X509], keys: Iterable[X509], trusted: Container[str], signers: Signers
) -> Iterator[Chain]:
    """Yield each chain from one of *keys* to a trusted root whose signatures hold."""
    roots: defaultdict[bytes, dict[bytes, list[X509]]] = defaultdict(dict)
    for row in rows:  # by name, then by key: a key is tried once, whoever else has its name
        if kind_of(row) == CertificateKind.ARK and pin(row) in trusted:
            roots[row.subject].setdefault(row.spki, []).append(row)
    authorities: defaultdict[bytes, list[tuple[X509, list[X509]]]] = defaultdict(list)
    for row in rows:
        if kind_of(row) in INTERMEDIATES and row.issuer in roots:
            for group in roots[row.issuer].values():
                if not signers.problem(row, group[0]):
                    authorities[row.subject].append((row, group))
    for key in keys:
        for row, group in authorities.get(key.issuer, ()):
            if ISSUERS[kind_of(key)] == kind_of(row) and not signers.problem(key, row):
                yield from (Chain(key, row, root) for root in group)


def by_name(rows: list[X509], key: X509 | None, signers: Signers) -> Chain:
    """Return the chain above *key* that is no path to a trusted root, to say where it fails.

    An issuer is one that signed, or else has the name, or else is of the kind.
    """
    above = (ISSUERS[kind_of(key)],) if key else INTERMEDIATES
    intermediate = _issuer(rows, key, above, signers)
    return Chain(key, intermediate, _issuer(rows, intermediate, (CertificateKind.ARK,), signers))


def _issuer(
    rows: list[X509], issued: X509 | None, kinds: tuple[CertificateKind, ...], signers: Signers
) -> X509 | None:
    fitting = [row for row in rows if kind_of(row) in kinds]
    named = [row for row in fitting if issued and row.subject == issued.issuer]
    signed = (row for row in named if issued and not signers.problem(issued, row))
    return next(signed, next(iter(named or fitting), None))


def noted(chain: Chain, rows: list[X509]) -> Chain:
    """Return *chain* with notes on what became of all the certificates."""
    used = {row.der for row in chain.rows}
    others = Counter(name_of(row) or "one" for row in rows if row.der not in used)
    notes = [
        f"{name} is not used" if count == 1 else f"{count} of {name} are not used"
        for name, count in islice(others.items(), NOTES)
    ]
    if len(others) > NOTES:
        notes.append(f"nor are {len(others) - NOTES} other names")
    if [row.der for row in rows if row.der in used] != [row.der for row in chain.rows]:
        notes.append("they came in another order")
    return chain._replace(notes=tuple(notes))


def best(
    chains: Iterable[Chain], checks: Callable[[Chain], list[Check]]
) -> tuple[Chain, list[Check]] | None:
    """Return the first chain without checks that fail, or else one with the fewest; its checks."""
    found, least = None, 0
    for chain in chains:
        made = checks(chain)
        count = sum(row.state is CheckState.FAILED for row in made)
        if not count:
            return chain, made
        if found is None or count < least:
            found, least = (chain, made), count
    return found
