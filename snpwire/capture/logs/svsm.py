"""What an SVSM says on the guest's console: COCONUT-SVSM, and AMD's linux-svsm.

It runs at VMPL 0, under the guest's firmware and kernel. When it panics it first wipes all four
VMPCKs of the secrets page, then asks to be terminated.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.operands import GuestRequestResult, HvFeatures, VmmError
from ...wire.svsm import CALLS, SvsmProtocol
from .operands import exit_name, status_words
from .record import Fact, Hex, LogLine
from .svsm_errors import error_words
from .svsm_statements import HOST
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_TRACE = re.compile(r"---(?:BACKTRACE|END)|\[0x[0-9a-f]+\]")
"""Lines of the stack behind a panic."""
_NEEDED = {
    "snp": "the hypervisor handles no SNP guest",
    "snp_ap_creation": "further processors and VMPLs cannot be started (AP creation)",
    "snp_restricted_injection": "no doorbell page: interrupts cannot be restricted",
    "apic_id_list": "the list of APIC ids cannot be had",
    "snp_multi_vmpl": "the hypervisor cannot run a guest at several VMPLs (run VMPL): whatever is"
    " under the SVSM never starts",
    "sev_es_page_state_change": "page state changes of SEV-ES guests",
}


def _missing(fields: dict[str, Any], log: LogState) -> Fact:
    gone = HvFeatures(fields["missing"])
    names = " ".join(gone.names()) or "none"
    lacks = "; ".join(text for name, text in _NEEDED.items() if gone.has(name))
    return Fact(
        f"hypervisor features missing {int(gone):#x}: {names}  present {fields['present']:#x}",
        f"the hypervisor does not offer what the SVSM needs: {lacks or names}",
        cause="KVM or another hypervisor of the host, and not the guest, lacks them; KVM upstream"
        " offers 0x3",
        consequence="the SVSM goes on for a while, and stops where it first needs one of them",
        remedy=HOST,
        fields={"missing_names": gone.names(), "side": "hypervisor"},
    )


def _missing_names(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"hypervisor features missing: {fields['names']}",
        "the hypervisor does not offer what the SVSM needs",
        cause="KVM or another hypervisor of the host, and not the guest, lacks them",
        remedy=HOST,
        fields={"side": "hypervisor"},
    )


class _Panic:
    """A panic, with the place and the message that the lines behind it give."""

    watches = True
    patience = 2
    pending = False

    def __init__(self, fields: dict[str, Any]) -> None:
        self._version = fields.get("version", "")
        self._place = self._message = ""
        self.done = False

    def take(self, line: LogLine) -> bool:
        text = line.text.removeprefix("[SVSM] ").removeprefix("[Stage2] ").removeprefix("ERROR: ")
        if text.startswith("Info: "):
            self._place = text.removeprefix("Info: ").removeprefix("panicked at ").rstrip(":")
            return True
        if self._place and _TRACE.match(text):
            return True
        mine = bool(self._place and text and not self._message)
        self._message = text if mine else self._message
        self.done = not mine
        return mine

    def fact(self) -> Fact:
        message = self._message or self._place
        words = error_words(message)
        return Fact(
            f"SVSM panic  {message or 'no reason in this log'}",
            words or "the SVSM met something that it cannot go on with",
            cause=f"at {self._place}" if self._message else "",
            consequence="the four VMPCKs are wiped, then the guest is terminated; KVM logs 0x0:0x0",
            remedy="the lines before this one have what failed first",
            fields={"message": message, "place": self._place, "version": self._version,
                    "side": "guest"},
        )  # fmt: skip


def _panic(fields: dict[str, Any], log: LogState) -> _Panic:
    return _Panic(fields)


def _older_panic(fields: dict[str, Any], log: LogState) -> Fact:
    block = _Panic({})
    block.take(log.line._replace(text=f"Info: {fields['info']}"))
    return block.fact()


def _vc_error(fields: dict[str, Any], log: LogState) -> Fact:
    words = error_words(fields["error"])
    return Fact(f"#VC not handled  {fields['error']}", words, fields={"side": "guest"})


def _vc_place(fields: dict[str, Any], log: LogState) -> Fact:
    code = fields["code"]
    mode = fields.get("mode", "kernel")
    user = mode == "user"
    return Fact(
        f"#VC for {exit_name(code)} ({code:#x}) not handled  {mode} mode, at {fields['rip']:#x}",
        "the SVSM has no answer for this exit",
        consequence="the task ends" if user else "the SVSM panics, and with it the guest",
        fields={"name": exit_name(code), "side": "guest"},
    )


def _error(fields: dict[str, Any], log: LogState) -> Fact:
    """Report any other error that an SVSM prints, with what its numbers say."""
    text = log.line.text.partition("ERROR: ")[2]
    return Fact(f"SVSM error  {text}", error_words(text), fields={"side": "guest"})


def _versions(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"GHCB versions {fields['least']} to {fields['most']} are offered, the SVSM needs 2",
        "an SNP guest needs version 2 of the protocol",
        cause="the hypervisor of the host offers no more, being old or told so (ghcb_version)",
        consequence="the guest is terminated",
        remedy=HOST,
        fields={"side": "hypervisor"},
    )


def _request(fields: dict[str, Any], log: LogState) -> Fact:
    protocol = SvsmProtocol(fields.get("protocol", 0))
    calls = CALLS.get(protocol)
    call = calls(fields["request"]) if calls else None
    name = call.name if call is not None and call.known else fields["request"]
    error = fields["error"]
    return Fact(
        f"SVSM call {protocol.name} {name} failed  {error}",
        error_words(error) or (call.doc if call is not None else ""),
        consequence="the caller gets the result" if "protocol" in fields else "the SVSM panics",
        fields={"side": "guest"},
    )


def _unsupported(fields: dict[str, Any], log: LogState) -> Fact:
    code = int(fields["code"])
    return Fact(
        f"#VC for {exit_name(code)} ({code:#x}) not handled",
        "linux-svsm has no answer for this exit",
        consequence="the guest is terminated with 0xf:0x2, which KVM logs",
        fields={"name": exit_name(code), "side": "guest"},
    )


def _guest_request(fields: dict[str, Any], log: LogState) -> Fact:
    result = GuestRequestResult(fields["info"] & (1 << 64) - 1)
    if result.vmm_error:
        meaning = f"the hypervisor refused: {VmmError(result.vmm_error).doc or 'unknown error'}"
    else:
        meaning = f"the firmware refused: {status_words(int(result.fw_error), request=True)}"
    return Fact(
        f"SVSM guest request failed  {int(result):#x}",
        meaning,
        consequence="VMPCK0 is wiped: the SVSM gets no further report",
        fields={"result": Hex(result), "side": "guest"},
    )


def _features(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"SEV features that may not be on: {fields['names']}"
        if "unsupported" in log.line.text.lower()
        else f"SEV features that have to be on: {fields['names']}",
        "SEV_STATUS is not as the SVSM needs it",
        cause="SEV_FEATURES of the launch, which host and measurement agree on",
        consequence="the SVSM panics",
        remedy="compare init flags or vmsa_features of the launch with the SVSM's version",
        fields={"side": "hypervisor"},
    )


FORMATS = (
    form(
        "svsm_missing",
        "svsm-features",
        "Required hypervisor GHCB features not available: present={present:p},"
        " required={required:p}, missing={missing:p}",
        _missing,
    ),
    form(
        "svsm_missing_names",
        "svsm-features",
        "Required hypervisor GHCB features not available: {names:r}",
        _missing_names,
    ),
    form(
        "svsm_sev_features",
        "svsm-features",
        "Required features not available: {names:r}",
        _features,
        "Unsupported features enabled: {names:r}",
    ),
    form(
        "svsm_panic",
        "svsm-panic",
        "Panic on CPU[{cpu:s}]! COCONUT-SVSM Version: {version:o}",
        _panic,
        "Panic! COCONUT-SVSM Version: {version:o}",
    ),
    form(
        "svsm_panic_older",
        "svsm-panic",
        "[SVSM] ERROR: Panic: CPU[{cpu:s}] {info:r}",
        _older_panic,
    ),
    form("svsm_vc_error", "svsm-vc", "#VC handling error: {error:r}", _vc_error),
    form(
        "svsm_vc_older",
        "svsm-vc",
        "#VC exception RIP 0x{rip:x} error code: 0x{code:x}",
        _vc_place,
        "#VC exception RIP 0x{rip:x}: error code: 0x{code:x}",
    ),
    form(
        "svsm_ghcb_version",
        "svsm-features",
        "the hypervisor doesn't support GHCB version 2 (min: {least:d}, max: {most:d})",
        _versions,
    ),
    form(
        "svsm_vc_place",
        "svsm-vc",
        "Failed to handle #VC from {mode:o}-mode at RIP 0x{rip:x} code: 0x{code:x}",
        _vc_place,
    ),
    form("svsm_vc_unknown", "svsm-vc", "Unhandled #VC exception: 0x{code:x}", _unsupported),
    form(
        "svsm_fatal_request",
        "svsm-request",
        "Fatal error handling core protocol request {request:d}: {error:r}",
        _request,
    ),
    form(
        "svsm_soft_request",
        "svsm-request",
        "Soft error handling protocol {protocol:d} request {request:d}: {error:r}",
        _request,
    ),
    form(
        "svsm_guest_request",
        "svsm-request",
        "SNP_GUEST_REQUEST failed, unknown error code={info:n}",
        _guest_request,
    ),
)
OTHERS = (form("svsm_error", "svsm-error", "[SVSM] ERROR: {what:o}", _error),)
"""What no other format has; it is looked for last."""
