"""The key request and its response.

Version 2 came with ABI 1.58 and adds the mitigation vector; AMD-ASPFW refuses it. Its length is
disputed: virtee/sev has 0x28 bytes, tamago 0x200. A firmware that wants a multiple of 16, as
AMD-ASPFW does, takes 0x28 bytes as 0x30, padded with zeros.
"""

from __future__ import annotations

from construct import Bytes, Int32ul, Int64ul

from ..bits import Flags, OpenEnum, Word, bit, bits
from ..codec import as_enum, as_word
from ..layout import Record, at
from .status import Status

SPEC = "56860, MSG_KEY_REQ and MSG_KEY_RSP (AMD-ASPFW sev_rmp.h:341)"


class RootKeySelect(OpenEnum):
    """Root key of a derived key."""

    VCEK_OR_VLEK = 0, "VCEK or VLEK, as key_sel says"
    VMRK = 1, "VM root key (VMRK) from the migration agent"


class KeySel(OpenEnum):
    """Selection between VCEK and VLEK. 3 is reserved and refused."""

    VLEK_ELSE_VCEK = 0, "the VLEK if one is loaded, else the VCEK"
    VCEK = 1, "the VCEK"
    VLEK = 2, "the VLEK"


class KeySelect(Word, width=32, spec=SPEC):
    """Root key selection of a key request."""

    root_key_select = bits(0, 1, "Root key: VCEK or VLEK, or the VM root key", RootKeySelect)
    key_sel = bits(1, 2, "VCEK or VLEK selection; ignored for the VM root key", KeySel)


class GuestFieldSelect(Flags, width=64, spec=SPEC):
    """Fields mixed into the key besides VMPL, host data and key digest."""

    guest_policy = bit(0, "Mix the guest policy into the key")
    image_id = bit(1, "Mix the image ID into the key")
    family_id = bit(2, "Mix the family ID into the key")
    measurement = bit(3, "Mix the launch digest into the key")
    guest_svn = bit(4, "Mix the guest SVN of the request into the key")
    tcb_version = bit(5, "Mix the TCB version of the request into the key")
    launch_mit_vector = bit(6, "Mix the mitigation vector of the request into the key (version 2)")


class KeyReq(Record, size=0x20, spec=SPEC):
    """Key request, version 1."""

    select: KeySelect = at(0x00, as_word(KeySelect), "Root key that the key is derived from")
    guest_field_select: GuestFieldSelect = at(
        0x08, as_word(GuestFieldSelect), "Guest fields mixed into the key"
    )
    vmpl: int = at(0x10, Int32ul, "VMPL mixed into the key; not below the message's VMPCK number")
    guest_svn: int = at(0x14, Int32ul, "Guest SVN mixed into the key; at most that of the ID block")
    tcb_version: int = at(0x18, Int64ul, "TCB version mixed into the key; at most the committed")


class KeyReqV2(Record, size=0x28, spec="56860, MSG_KEY_REQ version 2 (virtee/sev, tamago)"):
    """Key request, version 2."""

    select: KeySelect = at(0x00, as_word(KeySelect), "Root key that the key is derived from")
    guest_field_select: GuestFieldSelect = at(
        0x08, as_word(GuestFieldSelect), "Guest fields mixed into the key"
    )
    vmpl: int = at(0x10, Int32ul, "VMPL mixed into the key; not below the message's VMPCK number")
    guest_svn: int = at(0x14, Int32ul, "Guest SVN mixed into the key; at most that of the ID block")
    tcb_version: int = at(0x18, Int64ul, "TCB version mixed into the key; at most the committed")
    launch_mit_vector: int = at(0x20, Int64ul, "Launch mitigation vector mixed into the key")


class KeyRsp(Record, size=0x40, spec=SPEC):
    """Key response."""

    status: Status = at(0x00, as_enum(Status, Int32ul), "Status of the key request")
    derived_key: bytes = at(0x20, Bytes(32), "Derived key; zero after an error")


KINDS = {
    "key-req": KeyReq,
    "key-req-v2": KeyReqV2,
    "key-rsp": KeyRsp,
}
