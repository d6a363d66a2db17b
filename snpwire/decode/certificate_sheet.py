"""What one certificate or revocation list says, as the rows of a sheet and as JSON."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from ..crypto.amd_oids import COMPONENT_SPLS, NAMES, endorsement_parts
from ..crypto.binding import LAYOUTS, NAMED
from ..crypto.certificates import (
    AMD_PSS,
    AMD_ROOTS,
    CertificateKind,
    kind_of,
    name_of,
    pin,
    product_in,
)
from ..crypto.check import CheckState
from ..crypto.extension_text import extension_texts
from ..crypto.kds import document_address
from ..crypto.x509 import RSASSA_PSS, X509, EcKey, RsaKey
from ..errors import named
from ..finding import counted
from ..view.certificate import Sheet, sheet_row
from ..wire.tcb import PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ..crypto.amd_oids import Endorsement
    from ..crypto.issuer import Issuance
    from ..crypto.x509 import Crl
    from ..product import TcbLayout
    from ..view.table import Row

TITLES = {
    CertificateKind.VCEK: "key of one chip at one TCB version, which signs its reports",
    CertificateKind.VLEK: "key that a cloud provider had loaded, which signs reports",
    CertificateKind.ASK: "by its name AMD's key that signs VCEKs",
    CertificateKind.ASVK: "by its name AMD's key that signs VLEKs",
    CertificateKind.ARK: "by its name AMD's root key of a product",
    CertificateKind.OTHER: "not AMD's: by its name no certificate of SEV-SNP",
}
LEAVES = (CertificateKind.VCEK, CertificateKind.VLEK)
AUTHORITIES = (CertificateKind.ASK, CertificateKind.ASVK, CertificateKind.ARK)
REVOKED = 16
"""Serial numbers of a list that are printed; JSON has all."""
STATES = {CheckState.HOLDS: "holds", CheckState.FAILED: "FAILED"}


def certificate_sheet(certificate: X509, issuance: Issuance, at: datetime) -> Sheet:
    """Return what a certificate says."""
    kind = kind_of(certificate)
    given, problems = endorsement_parts(certificate)
    product = given.product_name or (product_in(certificate) if kind in AUTHORITIES else "")
    rows = [
        sheet_row("subject", name_of(certificate) or "no name", TITLES[kind]),
        sheet_row("issuer", named(certificate.issuer_name) or "no name"),
        *_product_rows(kind, given, product),
        *_tcb_rows(given),
        *_identity_rows(given),
        *(sheet_row(NAMES.get(oid, oid), "unreadable", str(exc)) for oid, exc in problems.items()),
        _validity_row(certificate, at),
        sheet_row("serial", f"{certificate.serial:#x}"),
        *_key_rows(certificate, kind),
        *_signature_rows(certificate, issuance),
        *_extension_rows(certificate),
    ]
    address = document_address(certificate)
    if address:
        rows.append(sheet_row("key server", address.url or "none", address.reason))
    title = "  ".join(filter(None, [kind.value, named(product)]))
    return Sheet(title, tuple(rows), _plain(certificate, given, issuance, at))


def _product_rows(kind: CertificateKind, given: Endorsement, product: str) -> Iterator[Row]:
    if kind is CertificateKind.OTHER and not given.product_name:
        return
    name, _, stepping = product.partition("-")
    known = "" if name in NAMED else "no product that is known"
    yield sheet_row("product", named(name) or "not given", known)
    if stepping:
        yield sheet_row("stepping", named(stepping))


def tcb_layout(given: Endorsement) -> TcbLayout | None:
    """Return the order of TCB versions, by the certificate's version or its product."""
    if given.struct_version in LAYOUTS:
        return LAYOUTS[given.struct_version]
    row = NAMED.get(given.product)
    return row.layout if row else None


def tcb_parts(given: Endorsement) -> dict[str, int]:
    """Return the levels that a TCB version of the certificate's order consists of."""
    layout = tcb_layout(given)
    names = layout.word.BITS if layout else COMPONENT_SPLS
    spls = {part: given.spls.get(COMPONENT_SPLS[part]) for part in names}
    return {part: level for part, level in spls.items() if level is not None}


def tcb_word(given: Endorsement) -> str:
    """Return the TCB version as one word; empty if a part of it is missing."""
    layout, parts = tcb_layout(given), tcb_parts(given)
    if layout is None or parts.keys() != layout.word.BITS.keys():
        return ""
    return f"{int(layout.word.of(**parts)):#018x}"


def _tcb_rows(given: Endorsement) -> Iterator[Row]:
    parts, layout = tcb_parts(given), tcb_layout(given)
    if parts:
        order = f"in the order of {_order(layout)}" if layout else "in an order that is not known"
        yield sheet_row("tcb", tcb_word(given) or "not whole", f"as a report has it, {order}")
    for part, level in parts.items():
        yield sheet_row(f"  {part}", str(level), COMPONENT_SPLS[part])
    known = {COMPONENT_SPLS[part] for part in parts}
    for name, level in given.spls.items():
        if name not in known and level:
            yield sheet_row(f"  {name}", str(level), "reserved, and not zero")


def _order(layout: TcbLayout) -> str:
    return " and ".join(row.name for row in PRODUCTS if row.kds and row.layout is layout)


def _identity_rows(given: Endorsement) -> Iterator[Row]:
    if given.hwid is not None:
        text = f"{counted(len(given.hwid), 'byte')}: chip_id of its reports"
        yield sheet_row("hwid", given.hwid.hex(), text)
    if given.csp_id is not None:
        yield sheet_row("csp id", named(given.csp_id), "provider that the key was given to")
    if given.struct_version is not None:
        yield sheet_row("struct version", str(given.struct_version))


def _validity_row(certificate: X509, at: datetime) -> Row:
    before, after = certificate.not_before, certificate.not_after
    text, flag = "now inside", ""
    if at < before:
        text, flag = "not valid yet", "not valid now"
    if at > after:
        text, flag = f"over since {after:%Y-%m-%d %H:%M:%S} UTC", "not valid now"
    return sheet_row("valid", f"{before:%Y-%m-%d} to {after:%Y-%m-%d}", text, flag)


def key_text(certificate: X509) -> str:
    """Return the type and size of a key."""
    if isinstance(certificate.key, EcKey):
        return "EC P-384"
    if isinstance(certificate.key, RsaKey):
        return f"RSA {certificate.key.n.bit_length()} bits"
    return "another kind"


def _key_rows(certificate: X509, kind: CertificateKind) -> Iterator[Row]:
    own = pin(certificate)
    yield sheet_row("key", key_text(certificate), f"SHA-256 of it: {own}")
    if own in AMD_ROOTS:
        yield sheet_row("root", "pinned", f"the key is that of {AMD_ROOTS[own]}")
    elif kind is CertificateKind.ARK:
        yield sheet_row("root", "not AMD's", "the key is none that AMD publishes", "not pinned")


def algorithm_text(document: X509 | Crl) -> str:
    """Return how a document is signed."""
    pss = document.signed.pss
    if pss == AMD_PSS:
        return "RSASSA-PSS, SHA-384, salt of 48 bytes"
    if document.signed.algorithm == RSASSA_PSS:
        return "RSASSA-PSS with other parameters than AMD's"
    return f"algorithm {document.signed.algorithm}, not AMD's"


def _signature_rows(document: X509 | Crl, issuance: Issuance) -> Iterator[Row]:
    flag = "refused" if issuance.state is CheckState.FAILED else ""
    root = f", up to {issuance.root}, which is pinned" if issuance.root else ""
    state = STATES.get(issuance.state, str(issuance.state))
    yield sheet_row("signature", state, f"{issuance.reason}{root}", flag)
    yield sheet_row("algorithm", algorithm_text(document))


def _extension_rows(document: X509 | Crl) -> Iterator[Row]:
    for row in extension_texts(document.extensions):
        flag = "critical" if row.critical else ""
        if row.name:
            yield sheet_row(row.name, row.value, "", flag)
        else:
            yield sheet_row("unknown extension", row.value, row.oid, flag)


def _plain(
    certificate: X509, given: Endorsement, issuance: Issuance, at: datetime
) -> dict[str, Any]:
    """Return what a certificate says, for JSON; what is not there is null."""
    kind, layout = kind_of(certificate), tcb_layout(given)
    address = document_address(certificate)
    product = given.product or (product_in(certificate) if kind in AUTHORITIES else None)
    return {
        "kind": kind.value,
        "subject": certificate.subject_name,
        "issuer": certificate.issuer_name,
        "product": product,
        "product_name": given.product_name,
        "struct_version": given.struct_version,
        "tcb": {"layout": layout and layout.value, "word": tcb_word(given) or None}
        | tcb_parts(given)
        if given.spls
        else None,
        "spls": given.spls,
        "hwid": None if given.hwid is None else given.hwid.hex(),
        "csp_id": given.csp_id,
        "not_before": _moment(certificate.not_before),
        "not_after": _moment(certificate.not_after),
        "valid_now": certificate.not_before <= at <= certificate.not_after,
        "serial": hex(certificate.serial),
        "key": {"type": key_text(certificate), "sha256": pin(certificate)},
        "root": AMD_ROOTS.get(pin(certificate)),
        "sha256": sha256(certificate.der).hexdigest(),
        **_signed(certificate, issuance),
        "url": address and address.url,
    }


def _signed(document: X509 | Crl, issuance: Issuance) -> dict[str, Any]:
    return {
        "signature": {
            "algorithm": algorithm_text(document),
            "state": str(issuance.state),
            "reason": issuance.reason,
            "root": issuance.root or None,
        },
        "extensions": [row._asdict() for row in extension_texts(document.extensions)],
    }


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def crl_sheet(crl: Crl, issuance: Issuance, at: datetime) -> Sheet:
    """Return what a revocation list says."""
    serials = sorted(crl.revoked)
    listed = " ".join(map(hex, serials[:REVOKED]))
    more = f" ... and {len(serials) - REVOKED} more" if len(serials) > REVOKED else ""
    product = named(crl.issuer_name.rpartition("-")[2])
    rows = (
        sheet_row("issuer", named(crl.issuer_name) or "no name"),
        sheet_row("this update", f"{crl.this_update:%Y-%m-%d}"),
        _next_row(crl, at),
        sheet_row("revoked", str(len(serials)), f"serial {listed}{more}" if serials else "none"),
        *_signature_rows(crl, issuance),
        *_extension_rows(crl),
    )
    plain = {
        "kind": "CRL",
        "issuer": crl.issuer_name,
        "version": crl.version,
        "this_update": _moment(crl.this_update),
        "next_update": crl.next_update and _moment(crl.next_update),
        "revoked": [hex(serial) for serial in serials],
        **_signed(crl, issuance),
    }
    return Sheet(f"CRL  {product}".rstrip(), rows, plain)


def _next_row(crl: Crl, at: datetime) -> Row:
    if crl.next_update is None:
        return sheet_row("next update", "not given", "", "a verifier refuses such a list")
    late = at > crl.next_update
    text = "over" if late else "now inside"
    flag = "outdated" if late else ""
    return sheet_row("next update", f"{crl.next_update:%Y-%m-%d}", text, flag)
