"""What programs say that fetch certificates and check reports by them: snpguest, go-sev-guest.

AMD's key server (KDS) makes a VCEK for the chip, the product and the TCB that stand in the address.
The key is another one for each TCB, so most of what goes wrong is one of these three.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .record import Fact
from .statement import Statement, statement
from .template import form

if TYPE_CHECKING:
    from .record import LogState

ANSWERS = {
    400: (
        "the address is not one that the server reads",
        "a chip id that is not of 64 bytes (8 on Turin), or a component of the TCB that is missing",
        "snpwire explain kds makes the address of a report",
    ),
    404: (
        "the server has no such certificate",
        "the product in the address is not the chip's (Bergamo and Siena go by Genoa); or the chip"
        " id is zero, since the host masks it (MASK_CHIP_KEY, MASK_CHIP_ID) or a VLEK signs; or the"
        " TCB is not this report's reported_tcb",
        "snpwire explain kds makes the address of a report; a VLEK comes with the extended report",
    ),
    429: (
        "the server limits how often one address asks",
        "many verifiers behind one address, or one that keeps no certificate",
        "wait, and keep the certificate: it stays the same until the reported TCB changes; or take"
        " it from the extended report",
    ),
}
"""Meaning, cause and remedy for each answer of the server."""
_FAULT = ("the server failed by itself", "", "ask again later; or take it from the extended report")


def _answer(fields: dict[str, Any], log: LogState) -> Fact:
    code = int(fields["code"])
    meaning, cause, remedy = ANSWERS.get(code, _FAULT if code >= 500 else ("", "", ""))
    return Fact(
        f"AMD's key server answers {code}",
        meaning,
        cause=cause,
        consequence="the report cannot be verified without the certificate",
        remedy=remedy,
        fields={"side": "user space"},
    )


def _product(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"the report is of a {fields['found']}, the verifier expects a {fields['wanted']}",
        "each product has its own root (ARK) and its own measurements",
        remedy="set the verifier's product, or let it take it from the report",
    )


_CHECKS = "snpwire verify checks report and certificates, and says which check fails"
_CHAIN = (
    "ARK and ASK are of another product than the VCEK: Milan, Genoa and Turin have their own; or"
    " a VLEK, which the ASVK signs and not the ASK"
)
_OTHER_KEY = (
    "the certificate is of another TCB than the report's reported_tcb, or of another chip; or a"
    " VLEK signed (signing_key); or the report was changed"
)
_OTHER_REMEDY = f"fetch it for reported_tcb and chip_id of this report; {_CHECKS}"
ROWS = (
    Statement(
        "cert_chain",
        "tool-certificates",
        (
            "The {key:o} was not signed by the AMD {issuer:o}!",
            "The AMD {key:o} was not signed by the AMD {issuer:o}!",
        ),
        "the {key} is not signed by the {issuer}",
        "the certificates are no chain",
        cause=_CHAIN,
        remedy=f"look at each one's product and issuer with snpwire decode auto; {_CHECKS}",
        side="user space",
    ),
    Statement(
        "cert_root",
        "tool-certificates",
        ("The AMD ARK is not self-signed!",),
        "the ARK is not signed by itself",
        "it is no root of AMD's",
        cause="another certificate under its name",
        remedy="fetch the product's cert_chain from AMD's key server",
        side="user space",
    ),
    Statement(
        "cert_report",
        "tool-certificates",
        (
            "VCEK did NOT sign the Attestation Report!",
            "VLEK did NOT sign the Attestation Report!",
            "VEK did NOT sign the Attestation Report!",
            "report signature verification error: x509: ECDSA verification failure",
        ),
        "the certificate's key did not sign this report",
        "a VCEK is another key for each TCB",
        cause=_OTHER_KEY,
        remedy=_OTHER_REMEDY,
        side="user space",
    ),
    Statement(
        "cert_tcb",
        "tool-certificates",
        ("Report TCB {part:s} and Certificate {other:s} mismatch encountered.",),
        "certificate and report differ in {part}",
        "the certificate is of another TCB, or with ID of another chip",
        cause="it was fetched for another TCB than reported_tcb, or before the host's TCB changed",
        remedy=_OTHER_REMEDY,
        side="user space",
    ),
    Statement(
        "cert_roots",
        "tool-certificates",
        (
            "VCEK could not be verified by any trusted roots",
            "VLEK could not be verified by any trusted roots",
        ),
        "no trusted root signs this certificate",
        "the verifier tried the roots of the products that it was given",
        cause=_CHAIN,
        remedy="give the verifier the roots of the chip's product",
        side="user space",
    ),
    Statement(
        "go_product_name",
        "verifier-product",
        ("unknown product name (new stepping published?): '{product:s}'",),
        "the certificate names the product {product}",
        "the verifier expects a stepping behind it, such as Milan-B0",
        cause="the key server gives certificates without the stepping, Genoa's among them",
        remedy="a newer go-sev-guest; or its workaround for KDS's product names",
        side="user space",
    ),
    Statement(
        "go_tcb_order",
        "verifier-tcb",
        (
            "TCB {lower:r} is not component-wise less than or equal",
            "TCB {lower:r} is lower than the {higher:r} in at least one component",
        ),
        "a TCB is below another one in a component",
        "TCB versions are compared by component, never as one number",
        cause="the firmware or microcode of the host is older than the policy's minimum; or the"
        " minimum is of another product",
        remedy="update the host, and let it commit and report the new TCB; snpwire decode report"
        " shows all four",
        side="user space",
    ),
    Statement(
        "go_length",
        "tool-kernel",
        ("error querying certificate length: {reason:r}",),
        "the extended request failed, {reason}",
        "the driver refused it, or the host gives no certificates",
        cause="a kernel whose sev-guest driver has no extended request, or another device than"
        " /dev/sev-guest",
        remedy="ask for the plain report, and fetch the VCEK by it; look at the guest's dmesg",
        side="guest",
    ),
    Statement(
        "measure_entry",
        "tool-image",
        ("Can't find SEV_{entry:o} entry in OVMF table",),
        "the image has no SEV_{entry}",
        "no OVMF that can start an SEV-ES or SNP guest, or not all of one",
        cause="OVMF_CODE or OVMF_VARS of a split image, a stock OVMF, or another file",
        remedy="one file of the AmdSev package; snpwire identify shows what an image has",
        side="user space",
    ),
)
_DETAILED = (
    form(
        "kds_answer",
        "tool-certificates",
        "Unable to fetch VCEK from URL: {code:d}",
        _answer,
        "Unable to fetch certificate: {code:d}",
    ),
    form(
        "go_product",
        "verifier-product",
        "expected product name SEV_PRODUCT_{wanted:c}, got SEV_PRODUCT_{found:c}",
        _product,
    ),
)
FORMATS = (*_DETAILED, *map(statement, ROWS))
