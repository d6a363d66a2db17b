"""What can be wrong with the form of a P-384 signature, or of a public key on that curve."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity

if TYPE_CHECKING:
    from ..wire.report import Signature

USED = 48
"""How many bytes of each number the curve has."""
SPEC = "56860, ECDSA P-384 signature; go-sev-guest, virtee/sev"


def signature_findings(signature: Signature, path: str, offset: int) -> Findings:
    """Expect two numbers of 48 bytes, and zeros behind them; all zero is the caller's to report."""
    if not any(signature.build()):
        return
    for name, start, data in (("r", 0x00, signature.r), ("s", 0x48, signature.s)):
        place = f"{path}.{name}"
        if any(data[USED:]):
            at = offset + start + USED
            text = f"{place} has bytes behind its {USED}th that are not zero: no number of P-384"
            yield Finding("signature-wide", Severity.ERROR, place, at, text, SPEC)
        elif not any(data):
            text = f"{place} is zero: no signature of ECDSA has that"
            yield Finding("signature-zero", Severity.ERROR, place, offset + start, text, SPEC)
    if any(signature.build()[0x90:]):
        text = f"{path} has bytes behind its two numbers that are not zero; go-sev-guest refuses it"
        at = offset + 0x90
        yield Finding("signature-tail", Severity.WARNING, path, at, text, SPEC)
