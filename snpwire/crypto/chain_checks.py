"""Check a chain by itself: signatures, root, what each certificate may do, dates, revocation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from ..errors import shown
from . import certificates as certs
from .amd_oids import NAMES
from .certificates import kind_of
from .check import made, not_made, tried
from .rfc5280 import check_authority, check_dates, check_leaf, check_revoked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from .chain import Chain, Signers
    from .check import Check
    from .x509 import X509, Crl


class Terms(NamedTuple):
    """What a chain is checked with."""

    roots: Mapping[str, str]
    """SHA-256 of the public key of each trusted root, and its name."""
    crl: Crl | None
    at: datetime
    signers: Signers


def chain_checks(chain: Chain, terms: Terms) -> list[Check]:
    """Check each certificate against the next, and what it may be used for."""
    return [
        *_signatures(chain, terms.signers),
        _root(chain, terms.roots),
        *_usage(chain),
        *_dates(chain, terms.at),
        _crl(chain, terms.crl, terms.at),
    ]


def _lower(certificate: X509) -> str:
    return kind_of(certificate).value.lower()


def _signatures(chain: Chain, signers: Signers) -> Iterator[Check]:
    """Check each certificate against the next, and the root against itself."""
    for row, issuer in (
        (chain.key, chain.intermediate),
        (chain.intermediate, chain.root),
        (chain.root, chain.root),
    ):
        if row is None:
            continue
        name = f"{_lower(row)}-signature"
        if issuer is None:
            yield made(name, False, f"its issuer {shown(row.issuer_name)} was not given")
            continue
        problem = signers.problem(row, issuer)
        yield made(name, not problem, problem or f"signed by {shown(issuer.subject_name)}")


def _root(chain: Chain, roots: Mapping[str, str]) -> Check:
    if chain.root is None:
        return made("root", False, "the chain does not reach a root")
    digest = certs.pin(chain.root)
    if digest in roots:
        return made("root", True, f"the public key is that of {roots[digest]}")
    trusted = ", ".join(roots.values()) or "none"
    reason = f"the chain ends at {shown(chain.root.subject_name)}, public key {digest}"
    return made("root", False, f"{reason}, which is not trusted; trusted: {trusted}")


def _usage(chain: Chain) -> Iterator[Check]:
    """Check that each may do what it does here."""
    if chain.key:
        name = f"{_lower(chain.key)}-usage"
        yield tried(name, "its key may sign reports", partial(check_leaf, chain.key, NAMES))
    for below, row in enumerate((chain.intermediate, chain.root)):
        if row:
            good = "it may issue certificates"
            yield tried(f"{_lower(row)}-usage", good, partial(check_authority, row, below))


def _dates(chain: Chain, at: datetime) -> Iterator[Check]:
    for row in chain.rows:
        span = f"valid {row.not_before:%Y-%m-%d} to {row.not_after:%Y-%m-%d}"
        yield tried(f"{_lower(row)}-dates", span, partial(check_dates, row, at))


def _crl(chain: Chain, crl: Crl | None, at: datetime) -> Check:
    if crl is None:
        return not_made("crl", "no revocation list was given", "--crl")
    row, root = chain.intermediate, chain.root
    if row is None or root is None:
        return made("crl", False, "there is no chain that the revocation list could be about")
    good = f"serial {row.serial:#x} is not revoked"
    return tried("crl", good, partial(check_revoked, crl, row, root, at))
