"""MSG_REPORT_REQ: state what a guest is and where it runs, and sign it.

Checks in order: reserved bytes, the selected key, the VMPL. MASK_CHIP_KEY refuses nothing: without
a VLEK the report is left unsigned (AMD-ASPFW sev_mcmd.c:5618).
"""

from __future__ import annotations

from operator import itemgetter
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
_FIELDS = tuple(tile.path for tile in Report.FIELDS if tile.offset < SIGNED)
_BODY, _in_order = Report.struct(*_FIELDS), itemgetter(*_FIELDS)
_ALGO = int(SignatureAlgo.ECDSA_P384_SHA384)
_VCEK, _VLEK, _NONE = SigningKey.VCEK, SigningKey.VLEK, SigningKey.NONE
_AUTHOR_KEY, _MASK_KEY, _SIGNING_KEY = (
    part.low for part in (KeyInfo.author_key_en, KeyInfo.mask_chip_key, KeyInfo.signing_key)
)
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


def _signer(fw: Processor, vlek: bool) -> tuple[PrivateKey | None, SigningKey]:
    if vlek:
        return fw.chip.vlek_key(), _VLEK
    if fw.chip.mask_chip_key:
        return None, _NONE
    return fw.chip.vcek(), _VCEK


def _body(
    fw: Processor, guest: FirmwareGuest, vmpl: int, report_data: bytes, signing_key: SigningKey
) -> bytes:
    """Return the signed part of a report."""
    chip, profile, block = fw.chip, fw.profile, guest.id_block
    info = guest.author_key_en << _AUTHOR_KEY | chip.mask_chip_key << _MASK_KEY
    info |= signing_key << _SIGNING_KEY
    major, minor, build = chip.running_version
    committed_major, committed_minor, committed_build = chip.committed_version
    version = profile.report_version
    family, model, stepping = profile.cpuid_bytes if version >= _CPUID_SINCE else (0, 0, 0)
    mitigations = version >= _MITIGATIONS_SINCE
    fields = {
        "version": version,
        "guest_svn": block.guest_svn,
        "policy": guest.policy,
        "family_id": block.family_id,
        "image_id": block.image_id,
        "vmpl": vmpl,
        "signature_algo": _ALGO,
        "current_tcb": chip.current_tcb,
        "platform_info": chip.platform_info,
        "key_info": info,
        "report_data": report_data,
        "measurement": guest.ld,
        "host_data": guest.host_data,
        "id_key_digest": guest.id_key_digest,
        "author_key_digest": guest.author_key_digest,
        "report_id": guest.report_id,
        "report_id_ma": guest.report_id_ma,
        "reported_tcb": chip.reported_tcb,
        "cpuid_fam_id": family,
        "cpuid_mod_id": model,
        "cpuid_step": stepping,
        "chip_id": _MASKED if chip.mask_chip_id else chip.id,
        "committed_tcb": chip.committed_tcb,
        "current_build": build,
        "current_minor": minor,
        "current_major": major,
        "committed_build": committed_build,
        "committed_minor": committed_minor,
        "committed_major": committed_major,
        "launch_tcb": guest.launch_tcb,
        "launch_mit_vector": guest.launch_mit_vector if mitigations else 0,
        "current_mit_vector": profile.mitigations if mitigations else 0,
    }
    return _BODY.pack(*_in_order(fields)).ljust(SIGNED, b"\0")
