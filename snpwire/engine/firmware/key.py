"""MSG_KEY_REQ: derive a key for a guest from the chip's keys or from its VM root key.

Checks in order: reserved bytes, MASK_CHIP_KEY and the selected key (both for the chip's keys only),
VMPL, reserved bits of the selection, TCB version, security version, the last two where they are
selected (AMD-ASPFW sev_mcmd.c:5428). MASK_CHIP_KEY refuses the VLEK as well.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ...crypto.kdf import GUEST_KEY_LABEL, kdf
from ...wire.key import GuestFieldSelect, KeyReq, KeyRsp, KeySel, KeySelect, RootKeySelect
from ...wire.status import Status
from .processor import CommandRefusal

if TYPE_CHECKING:
    from typing import Protocol

    from .chip import Chip
    from .context import FirmwareGuest, Sender

    class Platform(Protocol):
        """What has a chip: the processor, or a chip alone."""

        @property
        def chip(self) -> Chip:
            """Return the chip."""


KEY_SIZE = 32
_REQUEST = KeyReq.ENGINE
_DONE = bytes(KeyRsp.place("derived_key"))
"""A response up to the key: status 0."""
_MIX = Struct("<LLQLLQQ16s16s32s32s32s")
"""The data mixed into a key, from ``root_key_select`` on. Of the 48-byte digests 32 count."""
_SELECT_RESERVED = ~KeySelect.KNOWN
_POLICY, _IMAGE, _FAMILY, _LD, _SVN, _TCB = _BITS = tuple(
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
_FIELDS = sum(_BITS)
_NONE, _ZEROS = b"", bytes(4)


def response(fw: Platform, sender: Sender, payload: bytes) -> bytes:
    """Return the response with the key."""
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
    return _DONE + kdf(secret, GUEST_KEY_LABEL, mixed, KEY_SIZE)


def _chip_key(fw: Platform, guest: FirmwareGuest, key_sel: int) -> bool:
    """Return whether the VLEK is selected. Refuses where the chip's keys are masked."""
    if fw.chip.mask_chip_key:
        raise CommandRefusal(Status.INVALID_KEY)
    return wants_vlek(fw, guest, key_sel)


def _kdf_context(
    guest: FirmwareGuest, root: int, fields: int, vmpl: int, svn: int, tcb: int
) -> bytes:
    """Return the data mixed into a key; what is not selected is zero, ``key_sel`` is not in it."""
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


def wants_vlek(fw: Platform, guest: FirmwareGuest, key_sel: int) -> bool:
    """Return whether the VLEK is selected, not the VCEK. Refuses a key that is not available."""
    loaded = fw.chip.vlek is not None
    if key_sel == _EITHER:
        if guest.vcek_dis and not loaded:
            raise CommandRefusal(Status.INVALID_KEY)
        return loaded
    refused = guest.vcek_dis if key_sel == _VCEK else not loaded
    if refused or key_sel > _VLEK:
        raise CommandRefusal(Status.INVALID_KEY)
    return key_sel == _VLEK
