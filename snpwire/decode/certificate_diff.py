"""Two files of certificates, part by part, and what became of the first to make it the second."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, NamedTuple

from ..crypto.amd_oids import endorsement_parts
from ..crypto.certificates import CertificateKind, kind_of, name_of, pin
from ..crypto.extension_text import extension_texts
from ..crypto.x509 import X509
from ..errors import named
from .certificate_sheet import algorithm_text, key_text, tcb_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from ..crypto.x509 import Crl

LISTED = 16
"""Serial numbers that are shown of a side."""
DATES, SIGNED = {"not before", "not after"}, {"serial", "signature"}


class PartChange(NamedTuple):
    """A part that differs; None on the side that has none."""

    part: str
    left: str | None
    right: str | None


class CertificateChange(NamedTuple):
    """A certificate or list, and its counterpart; None where there is no counterpart."""

    name: str
    left: X509 | Crl | None
    right: X509 | Crl | None
    parts: tuple[PartChange, ...]
    verdict: str
    """What the two are to each other."""


def certificate_changes(
    left: Iterable[X509 | Crl], right: Iterable[X509 | Crl]
) -> list[CertificateChange]:
    """Return every certificate of both sides with its counterpart, in the order of the left."""
    ours, others = list(left), list(right)
    if len(ours) == len(others) == 1:
        return [_change(ours[0], others[0])]
    taken = _counterparts(ours, others)
    used = set(taken.values())
    left_over = (row for at, row in enumerate(others) if at not in used)
    pairs = [(row, others[taken[at]] if at in taken else None) for at, row in enumerate(ours)]
    return [*(_change(*pair) for pair in pairs), *(_change(None, row) for row in left_over)]


def _counterparts(ours: list[X509 | Crl], others: list[X509 | Crl]) -> dict[int, int]:
    """Return the index of each one's counterpart: the same, or else one of its kind and name."""
    taken: dict[int, int] = {}
    for key in (_bytes, document_name):
        free: defaultdict[object, deque[int]] = defaultdict(deque)
        used = set(taken.values())
        for at, row in enumerate(others):
            if at not in used:
                free[key(row)].append(at)
        for at, row in enumerate(ours):
            if at not in taken and free[key(row)]:
                taken[at] = free[key(row)].popleft()
    return taken


def _bytes(document: X509 | Crl) -> object:
    return document.signed


def document_name(document: X509 | Crl) -> str:
    """Return kind and name of a certificate or list."""
    if isinstance(document, X509):
        return f"{kind_of(document)} {name_of(document)}"
    return f"CRL of {named(document.issuer_name)}"


def _change(left: X509 | Crl | None, right: X509 | Crl | None) -> CertificateChange:
    name = " and ".join(dict.fromkeys(document_name(row) for row in (left, right) if row))
    if left is None or right is None:
        side = "right" if left is None else "left"
        return CertificateChange(name, left, right, (), f"only the {side} side has it")
    a, b = document_parts(left), document_parts(right)
    paths = dict.fromkeys((*a, *b))
    parts = [PartChange(path, a.get(path), b.get(path)) for path in paths]
    changed = tuple(row for row in parts if row.left != row.right)
    return CertificateChange(name, left, right, changed, _verdict(left, right, changed))


def document_parts(document: X509 | Crl) -> dict[str, str]:
    """Return the parts of a document that can differ, as text."""
    parts = _certificate_parts(document) if isinstance(document, X509) else _crl_parts(document)
    texts = {part: text for part, text in parts if text is not None}
    for row in extension_texts(document.extensions):
        texts[row.name or row.oid] = f"{row.value}{' (critical)' if row.critical else ''}"
    return texts | {
        "algorithm": algorithm_text(document),
        "signature": document.signed.signature[:16].hex(" ") + " ..",
    }


def _certificate_parts(document: X509) -> Iterator[tuple[str, str | None]]:
    given, problems = endorsement_parts(document)
    yield "kind", kind_of(document).value
    yield "subject", named(document.subject_name)
    yield "issuer", named(document.issuer_name)
    yield "product", named(given.product_name) if given.product_name else None
    yield "struct version", None if given.struct_version is None else str(given.struct_version)
    levels = {f"tcb {part}": level for part, level in tcb_parts(given).items()}
    for part, level in levels.items():
        yield part, str(level)
    yield "hwid", None if given.hwid is None else given.hwid.hex()
    yield "csp id", None if given.csp_id is None else named(given.csp_id)
    for oid in problems:
        yield f"extension {oid}", document.extensions[oid].value.hex()
    yield "not before", _moment(document.not_before)
    yield "not after", _moment(document.not_after)
    yield "serial", f"{document.serial:#x}"
    yield "key", f"{key_text(document)}, SHA-256 {pin(document)}"


def _crl_parts(document: Crl) -> Iterator[tuple[str, str | None]]:
    yield "kind", "CRL"
    yield "issuer", named(document.issuer_name)
    yield "this update", _moment(document.this_update)
    yield "next update", _moment(document.next_update) if document.next_update else None
    serials = sorted(document.revoked)
    more = f" and {len(serials) - LISTED} more" if len(serials) > LISTED else ""
    listed = " ".join(map(hex, serials[:LISTED]))
    yield "revoked", f"{len(serials)}: {listed}{more}" if serials else "none"


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _verdict(left: X509 | Crl, right: X509 | Crl, changed: tuple[PartChange, ...]) -> str:
    """Return in words what the two are to each other."""
    if left == right:
        return "the same, byte by byte"
    if isinstance(left, X509) and isinstance(right, X509):
        return _certificate_verdict(left, right, {row.part for row in changed})
    if isinstance(left, X509) or isinstance(right, X509):
        return "a certificate and a revocation list: nothing to compare"
    gone, new = len(left.revoked - right.revoked), len(right.revoked - left.revoked)
    if gone or new:
        return f"{new} serials more are revoked, {gone} fewer"
    return "the same serials are revoked"


def _certificate_verdict(left: X509, right: X509, changed: set[str]) -> str:
    kind = kind_of(left)
    if kind != kind_of(right):
        return f"{kind} and {kind_of(right)} are two kinds of key"
    if left.spki == right.spki:
        return _same_key(left, right, changed)
    if kind in (CertificateKind.VCEK, CertificateKind.VLEK):
        return _other_key(changed)
    return "another key under the same name" if left.subject == right.subject else "another key"


def _same_key(left: X509, right: X509, changed: set[str]) -> str:
    others = sorted(changed - DATES - SIGNED)
    if others:
        return f"over the same key, but not the same in: {', '.join(others)}"
    if changed & DATES:
        return f"renewed: new signature and dates over the same key; {_longer(left, right)}"
    return "signed anew: another signature over the same key and dates"


def _longer(left: X509, right: X509) -> str:
    if left.not_after == right.not_after:
        return "both end at the same time"
    side = "left" if left.not_after > right.not_after else "right"
    return f"the {side} one is valid longer"


def _other_key(changed: set[str]) -> str:
    """Return why the key of a VCEK or VLEK is another: it follows from chip and TCB version."""
    if "hwid" in changed:
        return "the keys of two chips"
    if "csp id" in changed:
        return "the keys of two providers"
    tcb = sorted(part.removeprefix("tcb ") for part in changed if part.startswith("tcb "))
    if tcb:
        return f"the keys of two TCB versions: {', '.join(tcb)}"
    return "another key, though chip and TCB version are the same"
