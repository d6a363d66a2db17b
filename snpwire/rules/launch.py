"""What can be wrong with an ID block, and with the page that authenticates it.

The firmware looks at both when a launch is finished. Whether the signatures hold is not asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity
from ..wire.launch import ID_BLOCK_VERSION, Curve, IdAuth, IdBlock, IdKey
from ..wire.report import SignatureAlgo
from ..wire.status import Status
from . import record
from .policy import policy_findings
from .signature import USED, signature_findings

if TYPE_CHECKING:
    from ..context import Context
    from ..wire.report import Signature

FIRMWARE = "AMD-ASPFW sev_mcmd.c, SNP_LAUNCH_FINISH"


def _refused(code: str, field: str, place: int, text: str, status: Status) -> Finding:
    full = f"{text}; the firmware answers {status.name}"
    return Finding(code, Severity.ERROR, field, place, full, FIRMWARE)


def id_block(block: IdBlock, context: Context) -> Findings:
    """Expect version 1, a digest, and a policy that a launch would take."""
    if block.version != ID_BLOCK_VERSION:
        text = f"version is {block.version}, there is 1; AMD-ASPFW does not look"
        yield Finding("idblock-version", Severity.WARNING, "version", 0x50, text, block.SPEC)
    if not any(block.ld):
        text = "ld is zero: no launch comes to that digest"
        status = Status.BAD_MEASUREMENT
        yield _refused("idblock-digest", "ld", 0x00, text, status)
    yield from policy_findings(block.policy, "policy", 0x58)


def id_auth(auth: IdAuth, context: Context) -> Findings:
    """Expect a signature over the ID block, and one over the ID key where there is an author."""
    if auth.id_key_algo != SignatureAlgo.ECDSA_P384_SHA384:
        text = f"id_key_algo is {auth.id_key_algo:d}, it has to be 1"
        yield _refused("idauth-algorithm", "id_key_algo", 0x000, text, Status.INVALID_PARAM)
    yield from _signature(auth.id_block_sig, "id_block_sig", 0x040, auth.id_key, "id_key", 0x240)
    if auth.auth_key_algo == SignatureAlgo.ECDSA_P384_SHA384:
        yield from _signature(
            auth.id_key_sig, "id_key_sig", 0x680, auth.author_key, "author_key", 0x880
        )
    elif auth.auth_key_algo != SignatureAlgo.INVALID:
        text = f"auth_key_algo is {auth.auth_key_algo:d}, it has to be 1, or 0 without an author"
        yield _refused("idauth-algorithm", "auth_key_algo", 0x004, text, Status.INVALID_PARAM)
    elif any(auth.id_key_sig.build()) or any(auth.author_key.build()):
        text = "auth_key_algo is 0, and there is an author's key or signature"
        place, source = 0x004, auth.SPEC
        yield Finding("idauth-author", Severity.NOTE, "auth_key_algo", place, text, source)


def _signature(
    signature: Signature, path: str, offset: int, key: IdKey, key_path: str, key_offset: int
) -> Findings:
    """Check a signature and its key."""
    bad = Status.BAD_SIGNATURE
    if not any(signature.build()):
        yield _refused("idauth-signature", path, offset, f"{path} is zero", bad)
    yield from signature_findings(signature, path, offset)
    if key.curve != Curve.P384:
        text = f"{key_path}.curve is {key.curve:d}, it has to be 2 (P-384)"
        yield _refused("idauth-curve", f"{key_path}.curve", key_offset, text, bad)
    for name, start, data in (("qx", 0x04, key.qx), ("qy", 0x4C, key.qy)):
        place, at = f"{key_path}.{name}", key_offset + start
        if not any(data):
            yield _refused("idauth-key", place, at, f"{place} is zero", bad)
        elif any(data[USED:]):
            text = f"{place} has bytes behind its {USED}th that are not zero: no number of P-384"
            yield _refused("idauth-key", place, at + USED, text, bad)


def reserved_bytes(auth: IdAuth, context: Context) -> Findings:
    """Find reserved bytes that are not zero, signatures aside, which have a rule of their own."""
    return (found for found in record.reserved(auth) if "_sig." not in found.path)


RULES = {
    IdBlock: (id_block, *record.RULES),
    IdAuth: (id_auth, reserved_bytes),
}
