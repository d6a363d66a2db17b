"""What can be wrong with an attestation report. Its signature is not looked at here.

Reserved bytes and bits without a name are warnings and notes, never refusals: genuine reports
have them (a Turin report has bit 6 of ``platform_info``), and a version to come will have more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import advisory
from ..finding import Finding, Findings, Severity, as_far, bit_list
from ..product import decide
from ..wire.report import (
    REPORT_SIZE,
    Report,
    ReportReq,
    ReportRsp,
    SignatureAlgo,
    SigningKey,
)
from . import record
from .payload import key_sel, place_of, remark, request_reserved, status, vmpl
from .policy import policy_findings
from .signature import signature_findings
from .tcb import order, unused_bits

if TYPE_CHECKING:
    from ..context import Context
    from ..product import ProductDecision


GO = "go-sev-guest abi.go"
VIRTEE = "virtee/sev, which refuses such a report"
PEERS = f"{GO}, virtee/sev"
FIRMWARE = "AMD-ASPFW sev_mcmd.c, MSG_REPORT_REQ"
LAST_VERSION = 5
"""The highest version that is known."""
NO_AGENT = b"\xff" * 32
HOST_ASKED = 0xFFFF_FFFF
CPUID_FIELDS = ("cpuid_fam_id", "cpuid_mod_id", "cpuid_step")
VECTORS = ("launch_mit_vector", "current_mit_vector")


def _finding(code: str, severity: Severity, field: str, text: str, source: str) -> Finding:
    return Finding(code, severity, field, Report.place(field), text, source)


def _error(code: str, field: str, text: str, source: str = PEERS) -> Finding:
    return _finding(code, Severity.ERROR, field, text, source)


def _warning(code: str, field: str, text: str, source: str = Report.SPEC) -> Finding:
    return _finding(code, Severity.WARNING, field, text, source)


def _note(code: str, field: str, text: str, source: str = Report.SPEC) -> Finding:
    return _finding(code, Severity.NOTE, field, text, source)


def version(report: Report, context: Context) -> Findings:
    """Expect version 2 to 5."""
    number = report.version
    if number < 2:
        text = f"version is {number}: no report has it, go-sev-guest and virtee/sev refuse it"
        yield _error("report-version", "version", text)
    elif number > LAST_VERSION:
        text = (
            f"version {number} is not known: it is read as version {LAST_VERSION},"
            " and what it added is among the reserved bytes"
        )
        yield _warning("report-version-new", "version", text)
    elif number == 4:
        text = "version 4 was never published: it is read as the versions beside it are"
        yield _note("report-version-unpublished", "version", text)


def policy(report: Report, context: Context) -> Findings:
    """Expect a policy that a launch would take."""
    yield from policy_findings(report.policy, "policy", 0x008)


def platform(report: Report, context: Context) -> Findings:
    """Find bits of the platform without a name."""
    if report.platform_info.unknown:
        which = bit_list(report.platform_info.unknown)
        text = f"platform_info has {which} set, which no document names; genuine reports have such"
        if report.platform_info.unknown >> 6 & 1:
            text += "; other readers call bit 6 IOMMU write safe"
        yield _note("platform-unknown-bits", "platform_info", text)


def keys(report: Report, context: Context) -> Findings:
    """Expect one of three signing keys, and a signature where there is a key."""
    info = report.key_info
    yield from record.unknown_bits(info, "key_info", 0x48, GO)
    key = SigningKey(info.signing_key)
    if not key.known:
        text = f"key_info.signing_key is {key:d}, which is reserved; go-sev-guest refuses it"
        yield _warning("report-signing-key", "key_info", text, GO)
    if info.mask_chip_key and key is SigningKey.VCEK:
        text = "key_info says that the chip's key is masked, and that it signed"
        yield _warning("report-masked-key", "key_info", text, FIRMWARE)
    there = any(report.signature.build())
    if key is SigningKey.NONE and there:
        text = "key_info.signing_key is NONE, and the signature is not zero"
        yield _warning("report-signature-unexpected", "key_info", text, FIRMWARE)
    elif key is SigningKey.NONE:
        text = "key_info.signing_key is NONE: nothing vouches for this report"
        yield _note("report-not-signed", "key_info", text, FIRMWARE)
    elif not there:
        text = f"the signature is zero, and key_info.signing_key is {key.name}"
        yield _error("report-signature-missing", "signature", text, FIRMWARE)


def signature(report: Report, context: Context) -> Findings:
    """Expect ECDSA over P-384, and two numbers that fit the curve."""
    if report.signature_algo != SignatureAlgo.ECDSA_P384_SHA384:
        text = f"signature_algo is {report.signature_algo:d}, it has to be 1"
        yield _error("report-algorithm", "signature_algo", text)
    yield from signature_findings(report.signature, "signature", 0x2A0)


def reserved(report: Report, context: Context) -> Findings:
    """Find bytes that are reserved in the report's version and not zero (go-sev-guest)."""
    for leaf in report.leaves():
        if leaf.gap and any(leaf.value) and not leaf.path.startswith("signature"):
            found = record.reserved_run(leaf, GO)
            later = "; what a later version added?" if report.version > LAST_VERSION else ""
            yield found._replace(text=found.text + later)
    if report.version == 2:
        for name in CPUID_FIELDS:
            if getattr(report, name):
                text = f"{name} is {getattr(report, name):#x}, reserved in version 2"
                yield _warning("reserved-not-zero", name, text, GO)
    if report.version < LAST_VERSION:
        for name in VECTORS:
            if getattr(report, name):
                text = (
                    f"{name} is {getattr(report, name):#x}, reserved before version 5:"
                    " virtee/sev zeroes it, go-sev-guest reads it"
                )
                yield _note("report-early-vector", name, text)


def _decision(report: Report, context: Context) -> ProductDecision:
    """Return the caller's decision, or one from the report alone."""
    return context.product or decide(report)


def chip(report: Report, context: Context) -> Findings:
    """Find a masked chip id."""
    decision = _decision(report, context)
    used = decision.product.chip_id_size if decision.product else None
    if not any(report.chip_id):
        text = (
            "chip_id is zero: masked by the host, or the report of a VLEK; no VCEK can be fetched"
        )
        yield _note("report-chip-masked", "chip_id", text, FIRMWARE)
    elif decision.product and used and any(report.chip_id[used:]):
        text = f"chip_id has more than the {used} bytes that {decision.product.name} uses"
        yield _warning("report-chip-id", "chip_id", text, "virtee/sev, certificates of AMD")


def owner(report: Report, context: Context) -> Findings:
    """Expect the author key's digest if, and only if, there is an author key."""
    there = any(report.author_key_digest)
    field = "author_key_digest"
    if there and not report.key_info.author_key_en:
        text = f"{field} is not zero, and key_info.author_key_en is 0"
        yield _warning("report-author-key", field, text, FIRMWARE)
    if report.key_info.author_key_en and not there:
        text = f"{field} is zero, and key_info.author_key_en is 1"
        yield _warning("report-author-key", field, text, FIRMWARE)
    if report.key_info.author_key_en and not any(report.id_key_digest):
        text = "id_key_digest is zero, and key_info.author_key_en is 1"
        yield _warning("report-id-key", "id_key_digest", text, FIRMWARE)


def guest(report: Report, context: Context) -> Findings:
    """Expect a VMPL, an id, a measurement, and an agent where the policy allows one."""
    if report.vmpl == HOST_ASKED:
        text = "vmpl is all ones: the host asked for this report, as far as is known"
        yield _note("report-vmpl-host", "vmpl", text, "not verified")
    elif report.vmpl > 3:
        text = f"vmpl is {report.vmpl:#x}, there are 0 to 3; AMD-ASPFW states what the guest asked"
        yield _warning("report-vmpl", "vmpl", text, FIRMWARE)
    for name in ("measurement", "report_id"):
        if not any(getattr(report, name)):
            yield _warning("report-nothing", name, f"{name} is zero, no guest's is", FIRMWARE)
    if report.report_id_ma != NO_AGENT and not report.policy.migrate_ma:
        text = "report_id_ma names a migration agent, and the policy allows none"
        yield _warning("report-agent", "report_id_ma", text, FIRMWARE)


def tcb(report: Report, context: Context) -> Findings:
    """Expect TCB versions that fit their layout, and that are in order."""
    decision = _decision(report, context)
    if decision.assumed:
        text = f"the layout of the TCB versions is assumed: {decision.reason}"
        yield _warning("tcb-layout-assumed", "current_tcb", text, VIRTEE)
    yield from unused_bits(report, decision)
    yield from order(report, decision)


def advisories(report: Report, context: Context) -> Findings:
    """Find what a report shows to be open of the table of advisories."""
    known = advisory.table()
    told = advisory.Told.by(report, _decision(report, context))
    for row, missing in advisory.open_signs(told):
        reasons = "; ".join(found.reason for found in missing)
        text = f"{row.label}: {reasons}; by the table of {known.date}, {advisory.SILENCE}"
        yield _note("advisory", missing[0].field, text, row.url or row.id)


def empty(report: Report, context: Context) -> Findings:
    """Find a report that was never written, and then nothing else."""
    if record.empty(report):
        text = "all of the report is zero: none was written"
        yield _error("report-empty", "version", text, FIRMWARE)
        return
    for rule in STANDING_ALONE:
        yield from as_far(rule, report, context)


def report_request(request: ReportReq, context: Context) -> Findings:
    """Expect a key that there is, and a VMPL."""
    yield from vmpl(request)
    yield from key_sel(request, "payload-key-sel")


def report_response(response: ReportRsp, context: Context) -> Findings:
    """Expect a report after success, checked like one by itself, and none after an error."""
    if response.report_size != REPORT_SIZE:
        text = f"report_size is {response.report_size:#x}, a report has {REPORT_SIZE:#x} bytes"
        yield remark(response, "payload-size", Severity.WARNING, "report_size", text)
    place = place_of(response, "report")
    if not response.status:
        for found in empty(response.report, context):
            yield found._replace(path=f"report.{found.path}", offset=place + found.offset)
    elif not record.empty(response.report):
        text = f"report is not zero, and status is {response.status.name}"
        yield remark(response, "payload-report", Severity.WARNING, "report", text)


def response_reserved(response: ReportRsp, context: Context) -> Findings:
    """Find reserved bytes outside of the report, which has a rule for its own."""
    return (found for found in record.reserved(response) if not found.path.startswith("report."))


STANDING_ALONE = (
    version,
    policy,
    platform,
    keys,
    signature,
    reserved,
    chip,
    owner,
    guest,
    tcb,
    advisories,
)
RULES = {
    Report: (empty,),
    ReportReq: (request_reserved, report_request),
    ReportRsp: (status, report_response, response_reserved),
}
