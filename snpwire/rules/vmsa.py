"""What can be wrong with a save area, as far as it stands alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity, as_far
from ..wire.vmsa import Vmsa
from . import record

if TYPE_CHECKING:
    from ..context import Context

EFER_SVME = 1 << 12
RFLAGS_ONE = 1 << 1
CR0_PG, CR0_PE = 1 << 31, 1 << 0
EFER_LME, EFER_LMA = 1 << 8, 1 << 10
APM = "APM volume 2, consistency checks of VMRUN"


def _finding(code: str, severity: Severity, field: str, text: str, source: str = APM) -> Finding:
    return Finding(code, severity, field, Vmsa.place(field), text, source)


def state(vmsa: Vmsa, context: Context) -> Findings:
    """Expect what a processor needs to run the guest at all."""
    if not vmsa.efer & EFER_SVME:
        text = f"efer is {vmsa.efer:#x}: VMRUN fails without SVME, bit 12"
        yield _finding("vmsa-svme", Severity.ERROR, "efer", text)
    if vmsa.cr0 & CR0_PG and not vmsa.cr0 & CR0_PE:
        text = f"cr0 is {vmsa.cr0:#x}: paging without protected mode"
        yield _finding("vmsa-cr0", Severity.ERROR, "cr0", text)
    if vmsa.cr0 >> 32:
        text = f"cr0 is {vmsa.cr0:#x}: its upper half has to be zero"
        yield _finding("vmsa-cr0", Severity.ERROR, "cr0", text)
    if bool(vmsa.efer & EFER_LMA) != bool(vmsa.efer & EFER_LME and vmsa.cr0 & CR0_PG):
        text = f"efer is {vmsa.efer:#x}: LMA has to be LME where paging is on, else 0"
        yield _finding("vmsa-long-mode", Severity.WARNING, "efer", text)
    if not vmsa.rflags & RFLAGS_ONE:
        text = f"rflags is {vmsa.rflags:#x}: bit 1 is always set"
        yield _finding("vmsa-rflags", Severity.WARNING, "rflags", text)
    if vmsa.cpl > 3:
        yield _finding("vmsa-cpl", Severity.WARNING, "cpl", f"cpl is {vmsa.cpl}, there are 0 to 3")


def snp(vmsa: Vmsa, context: Context) -> Findings:
    """Expect a VMPL, and features that go with SNP."""
    features = vmsa.sev_features
    if vmsa.vmpl > 3:
        text = f"vmpl is {vmsa.vmpl}, there are 0 to 3"
        yield _finding("vmsa-vmpl", Severity.ERROR, "vmpl", text, Vmsa.SPEC)
    if not features.has("snp_active"):
        text = "sev_features has no snp_active: a save area of SEV-ES, not of SNP"
        yield _finding("vmsa-not-snp", Severity.NOTE, "sev_features", text, Vmsa.SPEC)
        if vmsa.vmpl:
            text = f"vmpl is {vmsa.vmpl}, and sev_features has no snp_active"
            yield _finding("vmsa-vmpl", Severity.WARNING, "vmpl", text, Vmsa.SPEC)
    if features.has("restricted_injection") and features.has("alternate_injection"):
        text = "sev_features has restricted_injection and alternate_injection; one goes alone"
        yield _finding("vmsa-injection", Severity.WARNING, "sev_features", text)
    if vmsa.virtual_tom and not features.has("vtom"):
        text = f"virtual_tom is {vmsa.virtual_tom:#x}, and sev_features has no vtom: no effect"
        yield _finding("vmsa-vtom", Severity.NOTE, "virtual_tom", text, Vmsa.SPEC)
    if vmsa.reg_prot_nonce and not features.has("vmsa_reg_prot"):
        text = "reg_prot_nonce is not zero, and sev_features has no vmsa_reg_prot"
        yield _finding("vmsa-nonce", Severity.NOTE, "reg_prot_nonce", text, Vmsa.SPEC)
    if vmsa.reg_prot_nonce and features.has("vmsa_reg_prot"):
        text = "registers are XORed with reg_prot_nonce, where the secrets page's bitmap says so"
        yield _finding("vmsa-protected", Severity.NOTE, "reg_prot_nonce", text, Vmsa.SPEC)


def empty(vmsa: Vmsa, context: Context) -> Findings:
    """Find a page that was never written, and then nothing else."""
    if record.empty(vmsa):
        text = "all of the page is zero: no save area"
        yield _finding("vmsa-empty", Severity.ERROR, "efer", text)
        return
    for rule in (state, snp, *record.RULES):
        yield from as_far(rule, vmsa, context)


RULES = {
    Vmsa: (empty,),
}
