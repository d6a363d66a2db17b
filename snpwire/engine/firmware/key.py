"""MSG_KEY_REQ: derive a key for a guest from the chip's keys or from its VM root key.

Checks in order: reserved bytes, MASK_CHIP_KEY and the key asked for (both for the chip's keys
alone), VMPL, reserved bits of the selection, TCB version, security version, the last two where they
are selected (AMD-ASPFW sev_mcmd.c:5428). MASK_CHIP_KEY refuses the VLEK as well.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ...crypto.kdf import GUEST_KEY_LABEL, kdf
from ...wire.key import GuestFieldSelect, KeyReq, KeySel, RootKeySelect
from ...wire.status import Status
from .processor import CommandRefusal

if TYPE_CHECKING:
    from .context import FirmwareGuest, Sender
    from .processor import Processor

KEY_SIZE = 32
_REQUEST = KeyReq.ENGINE
_MIX = Struct("<LLQLLQQ16s16s32s32s32s")
"""What is mixed into a key. Of the digests, 48 bytes long, the first 32 count."""
_SELECT_RESERVED = ~7
_FIELDS = 0x3F
_POLICY, _IMAGE, _FAMILY, _LD, _SVN, _TCB = (
    GuestFieldSelect.BITS[name].mask
    for name in (
        "guest_policy",
        "image_id",
        "family_id",
        "measurement",
        "guest_svn",
        "tcb_version",
    )
)
_NONE, _ZEROS = b"", bytes(4)


def response(fw: Processor, sender: Sender, payload: bytes) -> bytes:
    """Return the answer with the key."""
    select, reserved, fields, vmpl, svn, tcb = _REQUEST.unpack(payload)
    if select & _SELECT_RESERVED or reserved != _ZEROS:
        raise CommandRefusal(Status.INVALID_PARAM)
    guest, root = sender.guest, select & 1
    vlek = root == RootKeySelect.VCEK_OR_VLEK and _chip_key(fw, guest, select >> 1)
    if vmpl < sender.vmpck or fields & ~_FIELDS:
        raise CommandRefusal(Status.INVALID_PARAM)
    tcb = tcb if fields & _TCB else 0
    if fields & _TCB and not fw.chip.within(tcb, fw.chip.committed_tcb):
        raise CommandRefusal(Status.INVALID_PARAM)
    svn = svn if fields & _SVN else 0
    if svn > guest.id_block.guest_svn:
        raise CommandRefusal(Status.INVALID_PARAM)
    if root:
        secret = guest.vmrk
    elif vlek and fw.chip.vlek:
        secret = fw.chip.vlek
    else:
        secret = fw.chip.vcek_hash(tcb if fields & _TCB else fw.chip.vcek_tcb)
    mixed = _kdf_context(guest, root, fields, vmpl, svn, tcb)
    return bytes(32) + kdf(secret, GUEST_KEY_LABEL, mixed, KEY_SIZE)


def _chip_key(fw: Processor, guest: FirmwareGuest, key_sel: int) -> bool:
    """Tell whether the VLEK is meant. Refuses where the chip's keys are masked."""
    if fw.chip.mask_chip_key:
        raise CommandRefusal(Status.INVALID_KEY)
    return wants_vlek(fw, guest, key_sel)


def _kdf_context(
    guest: FirmwareGuest, root: int, fields: int, vmpl: int, svn: int, tcb: int
) -> bytes:
    """Return what is mixed into a key; what was not selected is zero. ``key_sel`` is not in it."""
    author, block = guest.author_key_en, guest.id_block
    signer = 2 if author else int(guest.id_block_en)
    digest = guest.author_key_digest if author else guest.id_key_digest
    return _MIX.pack(
        root | signer << 1,
        0,
        fields,
        vmpl,
        svn,
        tcb,
        guest.policy if fields & _POLICY else 0,
        block.image_id if fields & _IMAGE else _NONE,
        block.family_id if fields & _FAMILY else _NONE,
        guest.ld[:32] if fields & _LD else _NONE,
        guest.host_data,
        digest[:32] if signer else _NONE,
    )


_EITHER, _VCEK, _VLEK = map(int, (KeySel.VLEK_ELSE_VCEK, KeySel.VCEK, KeySel.VLEK))


def wants_vlek(fw: Processor, guest: FirmwareGuest, key_sel: int) -> bool:
    """Tell whether the VLEK is meant, not the VCEK. Refuses one that cannot be had."""
    loaded = fw.chip.vlek is not None
    if key_sel == _EITHER:
        if guest.vcek_dis and not loaded:
            raise CommandRefusal(Status.INVALID_KEY)
        return loaded
    refused = guest.vcek_dis if key_sel == _VCEK else not loaded
    if refused or key_sel > _VLEK:
        raise CommandRefusal(Status.INVALID_KEY)
    return key_sel == _VLEK
