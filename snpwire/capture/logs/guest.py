"""What a guest's kernel says: its guest driver first, whose one bad day costs every report.

The driver wipes the key of its VMPCK after every failed exchange but one, because the next message
under the same number would reveal how two plaintexts differ. Two lines say so: the failure, then
the key. Wordings differ from release to release; all that were released are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...wire.message import MsgType
from ...wire.operands import GuestRequestResult, VmmError
from ...wire.status import Status
from .errnos import errno_name, errno_text
from .operands import status_words
from .record import Fact
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_NEVER_CALLED = 0xFFFF_FFFF_FFFF_FFFF
_PRESET = 0xFF
_LOST = "no reports and no derived keys with VMPCK{} until the guest reboots; all else runs on"
OTHER_KEY = (
    "reboot the guest, or load sev-guest anew with vmpck_id of a key that is not wiped;"
    " watch for this line: nothing else fails"
)
_WIPED_NEXT = "the driver wipes the key of its VMPCK: see the line after this"
_FEWER = "let one process ask for reports, and keep them; ask the host's operator about its limit"

STATUS_REMEDIES: dict[Status, str] = {
    Status.BAD_MEASUREMENT: "look for a second user of the key, and for a restored snapshot",
    Status.AEAD_OFLOW: "look for a second user of the key: the numbers went on without this guest",
    Status.INVALID_PARAM: "compare VMPL and message version of the request with the guest's own",
    Status.INVALID_KEY: "ask for another signing key, or have a VLEK loaded on the host",
    Status.INVALID_PAGE_STATE: "look on the host for what KVM says of the response page",
}
"""What to do where the firmware's status tells."""


def result_words(info: int) -> str:
    """Return both halves of ``exitinfo2`` by name."""
    if info == _NEVER_CALLED:
        return "no exit was made"
    result = GuestRequestResult(info)
    vmm, status = VmmError(result.vmm_error), Status(result.fw_error)
    high = f"vmm {int(vmm):#x} {vmm.name if vmm.known else 'unknown'}"
    return f"{high}, firmware {int(status):#x} {status.name if status.known else 'unknown'}"


def failure_words(rc: int, info: int) -> tuple[str, str]:
    """Return why a request failed, and what to do about it."""
    result = GuestRequestResult(info)
    status = Status(result.fw_error)
    if info in (_NEVER_CALLED, _PRESET):
        return "the request never left the guest: the value is the one set before it", ""
    if result.vmm_error == VmmError.BUSY:
        waited = (
            "until the driver gave up after 60 s"
            if abs(rc) == 110
            else "and it was not tried again"
        )
        return f"the hypervisor throttled the request {waited}; the firmware was not asked", _FEWER
    if result.vmm_error == VmmError.INVALID_LEN:
        return "the certificates did not fit the pages given; the firmware was not asked", ""
    if result.vmm_error:
        return f"the hypervisor refused: {VmmError(result.vmm_error).doc or 'unknown error'}", ""
    if status:
        why = f"the firmware refused: {status_words(int(status), request=True)}"
        return why, STATUS_REMEDIES.get(status, "")
    return f"neither hypervisor nor firmware refused: {errno_text(rc)}", ""


def _asp_error(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret a failed request; older kernels call all 64 bits ``fw_err``."""
    rc, info = fields["rc"], int(fields["exitinfo2"]) & _NEVER_CALLED
    cause, remedy = failure_words(rc, info)
    log.failure = (log.line.number, cause)
    result = GuestRequestResult(info)
    return Fact(
        f"guest request failed  rc {rc} {errno_name(rc)}  exitinfo2 {info:#x}:"
        f" {result_words(info)}",
        cause,
        cause=cause,
        consequence=_WIPED_NEXT,
        remedy="; ".join(filter(None, (remedy, "then as for the wiped key"))),
        fields={
            "errno": errno_name(rc),
            "vmm_error": VmmError(result.vmm_error),
            "fw_error": Status(result.fw_error),
        },
    )


def _decode_failure(fields: dict[str, Any], log: LogState) -> Fact:
    rc = fields["rc"]
    cause = "the response does not match this request: number, type, version, size or tag is wrong"
    log.failure = (log.line.number, cause)
    return Fact(
        f"guest request, wrong response  rc {rc} {errno_name(rc)}",
        f"{cause}; {errno_text(rc)}",
        cause=f"{cause}: the hypervisor changed it, or mixed two up",
        consequence=_WIPED_NEXT,
        remedy="treat it as an attack until the host's operator has found the mistake",
        fields={"errno": errno_name(rc)},
    )


def _decode_wiped(fields: dict[str, Any], log: LogState) -> Fact:
    """Interpret the one line of kernels 5.19 to 6.1 for both: what failed, and the key."""
    log.failure = None
    fact = _disabled(fields, log)
    return fact._replace(cause="the request failed, or the response does not match it")


def _disabled(fields: dict[str, Any], log: LogState) -> Fact:
    """Report that a key was wiped, and after which failure."""
    key = fields["vmpck"]
    before, log.failure = log.failure, None
    line, cause = before or (0, "the failed request is not in this log")
    return Fact(
        f"VMPCK{key} wiped",
        "after a failed exchange the key may not meet the same number again",
        cause=f"line {line}: {cause}" if before else cause,
        consequence=_LOST.format(key),
        remedy=OTHER_KEY,
        fields={"after_line": line},
    )


def _off(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        "VMPCK is disabled",
        "the driver refuses requests with ENOTTY: the key is all zeros, wiped or never given",
        consequence="no reports and no derived keys with this key",
        remedy=OTHER_KEY,
    )


def _spent(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        "sequence numbers used up",
        "the driver counts to 0xfffffffd and never begins anew: requests fail with EIO",
        consequence="no reports and no derived keys with this key until the guest reboots",
        remedy=OTHER_KEY,
    )


def _ready(fields: dict[str, Any], log: LogState) -> Fact:
    log.failure = None
    return Fact(f"guest driver ready, with VMPCK{fields['vmpck']}", "reports can be had")


def _empty_key(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"VMPCK{fields['vmpck']} cannot be used",
        "all zeros in the secrets page: wiped before, perhaps by an earlier kernel or an SVSM",
        remedy="give the driver another vmpck_id, or reboot the guest",
    )


def _bad_key(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(f"there is no VMPCK{fields['vmpck']}", "vmpck_id has to be 0 to 3")


def _slots(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        "certificates without a size",
        "the hypervisor filled certificate pages and did not say how much: rbx is 0",
    )


def _truncated(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        "certificates cut off",
        "the hypervisor's certificates are larger than the buffer of the driver, 16 KiB",
    )


def _message(fields: dict[str, Any], log: LogState) -> Fact:
    kind = MsgType(fields["type"])
    version, size = fields["version"], fields["size"]
    name = kind.name if kind.known else "unknown"
    return Fact(
        f"message {name}  number {int(fields['seqno'])}  version {version}  {size} bytes",
        kind.doc,
        fields={"name": name},
    )


def _response(fields: dict[str, Any], log: LogState) -> Fact:
    fact = _message(fields, log)
    return fact._replace(
        meaning=f"{fact.meaning}; Linux 6.12 prints the response before this one here".lstrip("; ")
    )


_KEY = "Disabling VMPCK{vmpck:d} communication key to prevent IV reuse."
_ASP = "Detected error from ASP request. rc: {rc:d}, "
FORMATS = (
    form(
        "guest_driver_init",
        "guest-driver",
        "Initialized SEV guest driver (using VMPCK{vmpck:d} communication key)",
        _ready,
        "Initialized SEV guest driver (using vmpck_id {vmpck:d})",
    ),
    form(
        "guest_asp_error",
        "guest-request-failed",
        f"{_ASP}exitinfo2: 0x{{exitinfo2:x}}",
        _asp_error,
        f"{_ASP}exitinfo2: {{exitinfo2:n}}",
        f"{_ASP}fw_err: {{exitinfo2:n}}",
    ),
    form(
        "guest_asp_decode",
        "guest-answer-wrong",
        "Detected unexpected decode failure from ASP. rc: {rc:d}",
        _decode_failure,
    ),
    form(
        "guest_decode_disable",
        "guest-key-wiped",
        "Detected unexpected decode failure, disabling the vmpck_id {vmpck:d}",
        _decode_wiped,
    ),
    form(
        "guest_vmpck_disable",
        "guest-key-wiped",
        _KEY,
        _disabled,
        "Disabling vmpck_id: {vmpck:d} to prevent IV reuse.",
        "Disabling vmpck_id {vmpck:d} to prevent IV reuse.",
    ),
    form("guest_vmpck_off", "guest-key-off", "VMPCK is disabled", _off),
    form(
        "guest_vmpck_empty",
        "guest-key-empty",
        "Empty VMPCK{vmpck:d} communication key",
        _empty_key,
        "vmpck id {vmpck:d} is null",
    ),
    form(
        "guest_vmpck_invalid",
        "guest-key-invalid",
        "Invalid VMPCK{vmpck:d} communication key",
        _bad_key,
        "invalid vmpck id {vmpck:d}",
    ),
    form(
        "guest_seqno_overflow",
        "guest-seqno-spent",
        "request message sequence counter overflow",
        _spent,
    ),
    form("guest_cert_nosize", "guest-certs", "certificate slots conveyed without size", _slots),
    form("guest_cert_trunc", "guest-certs", "certificate data truncated", _truncated),
    form(
        "guest_dbg_request",
        "guest-message",
        "request [seqno {seqno:n} type {type:d} version {version:d} sz {size:d}]",
        _message,
    ),
    form(
        "guest_dbg_response",
        "guest-message",
        "response [seqno {seqno:n} type {type:d} version {version:d} sz {size:d}]",
        _response,
    ),
)
