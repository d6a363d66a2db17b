"""What can be wrong with a message that was opened: its header against its plaintext payload.

These rules take two values at once, and the sequence number that was expected.
"""

from __future__ import annotations

from typing import Any

from ..finding import Finding, Findings, Severity
from ..wire.message import HEADER_SIZE, MESSAGES, REQUEST_OF, VMPCKS, Header

REQUEST = "AMD-ASPFW sev_mcmd.c:5184, SNP_GUEST_REQUEST"
KEY = "AMD-ASPFW sev_mcmd.c:5428, MSG_KEY_REQ"
TCB_RESERVED = bytes([0, 0, 0, 0, 1, 1, 0, 0])
"""The bytes of a TCB version that no product uses."""
TOP = 0xFF
LIMIT = (1 << 64) - 1
"""The number after the firmware's last."""


def plaintext_findings(header: Header, value: Any, seqno: int | None = None) -> list[Finding]:
    """Return the findings about an opened message; *seqno* is the number that was expected."""
    return [*_number(header, seqno), *_vmpl(header, value), *_key_inputs(value)]


def tail_findings(rest: bytes, name: str) -> list[Finding]:
    """Find bytes behind a payload of one size that are more than filling."""
    if not any(rest):
        return []
    text = f"{len(rest)} bytes behind {name} are not all zero"
    return [_of_header("payload-behind", Severity.NOTE, "msg_size", text)]


def _of_header(code: str, severity: Severity, field: str, text: str) -> Finding:
    return Finding(code, severity, f"header.{field}", Header.place(field), text, REQUEST)


def _number(header: Header, seqno: int | None) -> Findings:
    """Expect the number that was to come; one that no such message has is for the rules to say."""
    if seqno is not None and header.msg_seqno != seqno and not _is_impossible(header):
        early = header.msg_seqno < seqno
        why = "it was used before, so this may be a replay" if early else "numbers were left out"
        text = f"msg_seqno is {header.msg_seqno}, {seqno} was to come: {why}; AEAD_OFLOW"
        code = "seqno-repeated" if early else "seqno-skipped"
        yield _of_header(code, Severity.ERROR, "msg_seqno", text)


def _is_impossible(header: Header) -> bool:
    number, kind = header.msg_seqno, header.msg_type
    even = number % 2 == 0
    return number in (0, LIMIT) or (even and kind in MESSAGES) or (not even and kind in REQUEST_OF)


def _vmpl(header: Header, value: Any) -> Findings:
    """Expect no VMPL that is more privileged than the key; a key of VMRK is for VMPCK 0."""
    if header.msg_type not in MESSAGES or value is None:
        return
    vmpl = getattr(value, "vmpl", None)
    if vmpl is not None and vmpl < header.msg_vmpck < VMPCKS:
        text = f"vmpl is {vmpl}, more privileged than msg_vmpck {header.msg_vmpck}; INVALID_PARAM"
        yield _of_payload(value, "vmpl-privileged", Severity.ERROR, "vmpl", text)
    if getattr(value, "vmrk", None) is not None and header.msg_vmpck:
        text = f"msg_vmpck is {header.msg_vmpck}: a VM root key takes VMPCK 0; INVALID_PARAM"
        yield _of_header("vmrk-vmpck", Severity.ERROR, "msg_vmpck", text)


def _key_inputs(value: Any) -> Findings:
    """Expect nothing to be mixed into a key that no guest can have."""
    chosen = getattr(value, "guest_field_select", None)
    if chosen is None:
        return
    if chosen.guest_svn and value.guest_svn == 0xFFFFFFFF:
        text = "guest_svn is the highest there is: INVALID_PARAM unless the ID block has it"
        yield _of_payload(value, "key-svn", Severity.WARNING, "guest_svn", text)
    if chosen.tcb_version:
        parts = value.tcb_version.to_bytes(8, "little")
        if any(part and unused for part, unused in zip(parts, TCB_RESERVED, strict=True)):
            text = f"tcb_version {value.tcb_version:#018x} has reserved bytes set; INVALID_PARAM"
            yield _of_payload(value, "key-tcb-reserved", Severity.ERROR, "tcb_version", text)
        elif TOP in parts:
            text = f"tcb_version {value.tcb_version:#018x} has a part that nothing is committed to"
            yield _of_payload(value, "key-tcb", Severity.WARNING, "tcb_version", text)


def _of_payload(value: Any, code: str, severity: Severity, field: str, text: str) -> Finding:
    place = HEADER_SIZE + int(value.place(field))
    return Finding(code, severity, f"payload.{field}", place, text, KEY)
