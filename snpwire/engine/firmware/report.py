"""MSG_REPORT_REQ: state what a guest is and where it runs, and sign it.

Checks in order: reserved bytes, the selected key, the VMPL. MASK_CHIP_KEY refuses nothing: without
a VLEK the report is left unsigned (AMD-ASPFW sev_mcmd.c:5618).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ...crypto.signing import sign
from ...wire.report import (
    REPORT_SIZE,
    SIGNED,
    KeyInfo,
    Report,
    ReportReq,
    ReportRsp,
    ReportSelect,
    Signature,
    SignatureAlgo,
    SigningKey,
)
from ...wire.status import Status
from .key import wants_vlek
from .processor import CommandRefusal

if TYPE_CHECKING:
    from ...crypto.kdf import PrivateKey
    from .context import FirmwareGuest, Sender
    from .processor import Processor

_REQUEST = ReportReq.ENGINE
_HEAD = ReportRsp.struct("status", "report_size")
_FIELDS = Report.struct(*(tile.path for tile in Report.FIELDS if tile.offset < SIGNED))
_BODY = Struct(f"{_FIELDS.format}{SIGNED - _FIELDS.size}x")
"""The signed part, of all its fields; in the order of the declaration, which a test holds them to:
a table by names takes a twelfth of the time of a whole unsigned report."""
_ALGO = int(SignatureAlgo.ECDSA_P384_SHA384)
_AUTHOR_KEY, _MASK_KEY = KeyInfo.author_key_en.low, KeyInfo.mask_chip_key.low
_VCEK, _VLEK, _NONE = (
    int(key) << KeyInfo.signing_key.low
    for key in (SigningKey.VCEK, SigningKey.VLEK, SigningKey.NONE)
)
"""The signing key as part of the word that names it."""
_SELECT_RESERVED = ~ReportSelect.KNOWN
_ZEROS, _MASKED = bytes(24), bytes(64)
_UNSIGNED = bytes(Signature.SIZE)
_CPUID_SINCE = 3
"""From this version on a report has the CPUID bytes."""
_MITIGATIONS_SINCE = 5
"""From this version on a report has the mitigation vectors."""


def failed(status: Status) -> bytes:
    """Return the response without a report; it has the size of one nevertheless."""
    return _HEAD.pack(status, REPORT_SIZE).ljust(ReportRsp.SIZE, b"\0")


def response(fw: Processor, sender: Sender, payload: bytes) -> bytes:
    """Return the response with the report."""
    report_data, vmpl, select, reserved = _REQUEST.unpack(payload)
    if select & _SELECT_RESERVED or reserved != _ZEROS:
        raise CommandRefusal(Status.INVALID_PARAM)
    vlek = wants_vlek(fw, sender.guest, select & 3)
    if vmpl < sender.vmpck:
        raise CommandRefusal(Status.INVALID_PARAM)
    key, signing_key = _signer(fw, vlek)
    body = _body(fw, sender.guest, vmpl, report_data, signing_key)
    signature = _UNSIGNED if key is None else sign(body, key).build()
    return _DONE + body + signature


_DONE = failed(Status.SUCCESS)[: ReportRsp.place("report")]


def _signer(fw: Processor, vlek: bool) -> tuple[PrivateKey | None, int]:
    if vlek:
        return fw.chip.vlek_key(), _VLEK
    if fw.chip.mask_chip_key:
        return None, _NONE
    return fw.chip.vcek(), _VCEK


def _body(
    fw: Processor, guest: FirmwareGuest, vmpl: int, report_data: bytes, signing_key: int
) -> bytes:
    """Return the signed part of a report."""
    chip, profile, block = fw.chip, fw.profile, guest.id_block
    info = guest.author_key_en << _AUTHOR_KEY | chip.mask_chip_key << _MASK_KEY | signing_key
    major, minor, build = chip.running_version
    committed_major, committed_minor, committed_build = chip.committed_version
    version = profile.report_version
    family, model, stepping = profile.cpuid_bytes if version >= _CPUID_SINCE else (0, 0, 0)
    mitigations = version >= _MITIGATIONS_SINCE
    return _BODY.pack(
        version,
        block.guest_svn,
        guest.policy,
        block.family_id,
        block.image_id,
        vmpl,
        _ALGO,
        chip.current_tcb,
        chip.platform_info,
        info,
        report_data,
        guest.ld,
        guest.host_data,
        guest.id_key_digest,
        guest.author_key_digest,
        guest.report_id,
        guest.report_id_ma,
        chip.reported_tcb,
        family,
        model,
        stepping,
        _MASKED if chip.mask_chip_id else chip.id,
        chip.committed_tcb,
        build,
        minor,
        major,
        committed_build,
        committed_minor,
        committed_major,
        guest.launch_tcb,
        guest.launch_mit_vector if mitigations else 0,
        profile.mitigations if mitigations else 0,
    )
