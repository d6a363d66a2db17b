"""Commands for one guest: context, launch, ASID and requests.

The physical address of its context page, aligned to 4 KiB, names a guest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from construct import Bytes, Int8ul, Int16ul, Int32ul, Int64ul

from ..bits import Flags, OpenEnum, Word, bit, bits
from ..codec import as_enum, as_word
from ..layout import Record, at
from .migration import GuestState
from .operands import PscPageSize
from .report import GuestPolicy
from .rmp_words import VmplMask

if TYPE_CHECKING:
    from collections.abc import Mapping

MCMD = "56860 (AMD-ASPFW sev_mcmd.h)"
CONTEXT = "Physical address of the guest context page"


class GctxCreate(Record, size=0x8, spec=f"{MCMD}, SNP_GCTX_CREATE"):
    """Command buffer of SNP_GCTX_CREATE: create a guest context."""

    gctx_paddr: int = at(0x0, Int64ul, "Physical address of a firmware page for the guest context")


class Decommission(Record, size=0x8, spec=f"{MCMD}, SNP_DECOMMISSION"):
    """Command buffer of SNP_DECOMMISSION: destroy a guest."""

    gctx_paddr: int = at(0x0, Int64ul, CONTEXT)


class Activate(Record, size=0xC, spec=f"{MCMD}, SNP_ACTIVATE"):
    """Command buffer of SNP_ACTIVATE: assign an ASID to a guest.

    Linux packs this into 12 bytes. AMD-ASPFW does not, and so reads four bytes more.
    """

    gctx_paddr: int = at(0x0, Int64ul, CONTEXT)
    asid: int = at(0x8, Int32ul, "ASID to assign to the guest")


class ActivatePadded(Record, size=0x10, spec=f"{MCMD}, SNP_ACTIVATE: its structure in C"):
    """Command buffer of SNP_ACTIVATE in AMD-ASPFW: four bytes more, which it ignores."""

    gctx_paddr: int = at(0x0, Int64ul, CONTEXT)
    asid: int = at(0x8, Int32ul, "ASID to assign to the guest")


class ActivateEx(Record, size=0x20, spec=f"{MCMD}, SNP_ACTIVATE_EX"):
    """Command buffer of SNP_ACTIVATE_EX: assign an ASID on some cores."""

    ex_len: int = at(0x00, Int32ul, "Length of this command buffer: 0x20")
    gctx_paddr: int = at(0x08, Int64ul, CONTEXT)
    asid: int = at(0x10, Int32ul, "ASID to assign to the guest")
    numids: int = at(0x14, Int32ul, "Number of APIC IDs, 1 to 1024")
    ids_paddr: int = at(0x18, Int64ul, "Physical address of the APIC ID list, 4 bytes each")


class GuestStatusCommand(Record, size=0x10, spec=f"{MCMD}, SNP_GUEST_STATUS"):
    """Command buffer of SNP_GUEST_STATUS: a guest, and the destination of its status."""

    gctx_paddr: int = at(0x0, Int64ul, CONTEXT)
    status_paddr: int = at(0x8, Int64ul, "Physical address for 0x20 bytes of status in one page")


class GuestFlags(Flags, width=32, spec=f"{MCMD}, SNP_GUEST_STATUS"):
    """Guest flags set at the launch."""

    vcek_dis = bit(0, "VCEK disabled for the guest")


class GuestStatus(Record, size=0x20, spec=f"{MCMD}, SNP_GUEST_STATUS"):
    """Guest status written by SNP_GUEST_STATUS."""

    policy: GuestPolicy = at(0x00, as_word(GuestPolicy), "Guest policy")
    asid: int = at(0x08, Int32ul, "ASID of the guest; 0 if it is not activated")
    state: GuestState = at(0x0C, as_enum(GuestState, Int8ul), "State: init, launch or running")
    flags: GuestFlags = at(0x10, as_word(GuestFlags), "Guest flags set at the launch")


class LaunchStartFlags(Flags, width=32, spec=f"{MCMD}, SNP_LAUNCH_START"):
    """Launch flags: migration agent, initial migration image."""

    ma_en = bit(0, "The guest has a migration agent, at ma_gctx_paddr")
    imi_en = bit(1, "The launch is of an initial migration image (IMI)")


class LaunchStart(Record, size=0x30, spec=f"{MCMD}, SNP_LAUNCH_START"):
    """Command buffer of SNP_LAUNCH_START: begin a launch.

    The frequency is in kHz by AMD-ASPFW's arithmetic and Linux's name for it; a comment in
    AMD-ASPFW says MHz.
    """

    gctx_paddr: int = at(0x00, Int64ul, CONTEXT)
    policy: GuestPolicy = at(0x08, as_word(GuestPolicy), "Guest policy")
    ma_gctx_paddr: int = at(
        0x10, Int64ul, "Physical address of the migration agent's context, aligned even if unused"
    )
    flags: LaunchStartFlags = at(0x18, as_word(LaunchStartFlags), "Flags of the launch")
    desired_tsc_freq: int = at(0x1C, Int32ul, "Desired guest TSC frequency in kHz")
    gosvw: bytes = at(0x20, Bytes(16), "Guest OS visible workarounds (GOSVW)")


class LaunchPageType(OpenEnum):
    """Page type of a launch page. 0 is reserved."""

    RESERVED = 0, "reserved, refused"
    NORMAL = 1, "normal data page, measured"
    VMSA = 2, "VMSA, measured"
    ZERO = 3, "zero page, measured as such"
    UNMEASURED = 4, "data page of which only the address is measured"
    SECRETS = 5, "secrets page, filled by the firmware"
    CPUID = 6, "CPUID page, checked by the firmware"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of Linux and QEMU."""
        return {"SECRET": "SECRETS"}


LAUNCH_PAGES = {
    LaunchPageType.VMSA: "vmsa",
    LaunchPageType.SECRETS: "secrets",
    LaunchPageType.CPUID: "cpuid",
}
"""Kinds of the pages whose type determines the layout."""


class LaunchPage(Word, width=32, spec=f"{MCMD}, SNP_LAUNCH_UPDATE"):
    """Size and type of a launch page."""

    page_size = bits(0, 1, "Page size: 4 KiB or 2 MiB", PscPageSize)
    page_type = bits(1, 3, "Type: normal, VMSA, zero, unmeasured, secrets or CPUID", LaunchPageType)
    imi_page = bit(4, "The page belongs to the initial migration image")


class LaunchPermissions(Word, width=32, spec=f"{MCMD}, SNP_LAUNCH_UPDATE"):
    """VMPL permissions of VMPL 1 to 3; VMPL 0 has all. Bits as in the RMP, read being bit 0."""

    vmpl1_perms = bits(8, 8, "VMPL permissions of VMPL 1")
    vmpl2_perms = bits(16, 8, "VMPL permissions of VMPL 2")
    vmpl3_perms = bits(24, 8, "VMPL permissions of VMPL 3")


class LaunchUpdate(Record, size=0x20, spec=f"{MCMD}, SNP_LAUNCH_UPDATE"):
    """Command buffer of SNP_LAUNCH_UPDATE: add a page to a launch."""

    gctx_paddr: int = at(0x00, Int64ul, CONTEXT)
    page: LaunchPage = at(0x08, as_word(LaunchPage), "Size and type of the page")
    page_paddr: int = at(0x10, Int64ul, "Physical address of the page, updated in place")
    perms: LaunchPermissions = at(0x18, as_word(LaunchPermissions), "Permissions of VMPL 1 to 3")


class LaunchFinishFlags(Flags, width=64, spec=f"{MCMD}, SNP_LAUNCH_FINISH"):
    """Optional inputs at the end of a launch."""

    id_block_en = bit(0, "The launch has an ID block")
    auth_key_en = bit(1, "The ID key is signed by an author key")
    vcek_dis = bit(2, "VCEK disabled for the guest")


class LaunchFinish(Record, size=0x40, spec=f"{MCMD}, SNP_LAUNCH_FINISH"):
    """Command buffer of SNP_LAUNCH_FINISH. The ID addresses need no alignment."""

    gctx_paddr: int = at(0x00, Int64ul, CONTEXT)
    id_block_paddr: int = at(0x08, Int64ul, "Physical address of the ID block")
    id_auth_paddr: int = at(0x10, Int64ul, "Physical address of the ID authentication page")
    flags: LaunchFinishFlags = at(0x18, as_word(LaunchFinishFlags), "ID block, author key, no VCEK")
    host_data: bytes = at(0x20, Bytes(32), "Host data for attestation reports")


class GuestRequest(Record, size=0x18, spec=f"{MCMD}, SNP_GUEST_REQUEST"):
    """Command buffer of SNP_GUEST_REQUEST. No alignment needed, but no message crosses a page."""

    gctx_paddr: int = at(0x00, Int64ul, CONTEXT)
    request_paddr: int = at(0x08, Int64ul, "Physical address of the request message")
    response_paddr: int = at(0x10, Int64ul, "Physical address for the response message")


class Dbg(Record, size=0x18, spec=f"{MCMD}, SNP_DBG_DECRYPT and SNP_DBG_ENCRYPT"):
    """Command buffer of SNP_DBG_DECRYPT and SNP_DBG_ENCRYPT: copy a page of a debuggable guest."""

    gctx_paddr: int = at(0x00, Int64ul, CONTEXT)
    src_paddr: int = at(0x08, Int64ul, "Physical address of the page to read")
    dst_paddr: int = at(0x10, Int64ul, "Physical address of the page to write")


class PageInfoFlags(Flags, width=8, spec=f"{MCMD}, PAGE_INFO"):
    """Flags of a measured page."""

    imi_page = bit(0, "The page belongs to the initial migration image")


class PageInfo(Record, size=0x70, spec=f"{MCMD}, PAGE_INFO"):
    """Measured page information: the SHA-384 of this structure is the next launch digest.

    The order of the permissions is AMD-ASPFW's. virtee/sev and sev-snp-measure have those of VMPL 3
    first, at 0x64; with all zero, as in their digests, the hash is the same.
    """

    digest_cur: bytes = at(0x00, Bytes(48), "Launch digest before this page")
    contents: bytes = at(0x30, Bytes(48), "SHA-384 of a NORMAL or VMSA page, else zero")
    length: int = at(0x60, Int16ul, "Length of this structure: 0x70")
    page_type: LaunchPageType = at(0x62, as_enum(LaunchPageType, Int8ul), "Type of measured page")
    flags: PageInfoFlags = at(0x63, as_word(PageInfoFlags), "Flags of the measured page")
    vmpl1_perms: VmplMask = at(0x65, as_word(VmplMask), "VMPL permissions of VMPL 1")
    vmpl2_perms: VmplMask = at(0x66, as_word(VmplMask), "VMPL permissions of VMPL 2")
    vmpl3_perms: VmplMask = at(0x67, as_word(VmplMask), "VMPL permissions of VMPL 3")
    gpa: int = at(0x68, Int64ul, "Guest-physical address of the page")


KINDS = {
    "cmd-gctx-create": GctxCreate,
    "cmd-decommission": Decommission,
    "cmd-activate": Activate,
    "cmd-activate-padded": ActivatePadded,
    "cmd-activate-ex": ActivateEx,
    "cmd-guest-status": GuestStatusCommand,
    "guest-status": GuestStatus,
    "cmd-launch-start": LaunchStart,
    "cmd-launch-update": LaunchUpdate,
    "cmd-launch-finish": LaunchFinish,
    "cmd-guest-request": GuestRequest,
    "cmd-dbg": Dbg,
    "page-info": PageInfo,
}
