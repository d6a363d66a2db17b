"""Messages of migration agents: a guest's context is exported, imported, absorbed.

The context has the layout of version 3, which is that of AMD's published firmware (Genoa); no other
source has it, and no source has another version.
"""

from __future__ import annotations

from construct import Bytes, Int8ul, Int32ul, Int64ul

from ..bits import Flags, OpenEnum, Word, bit, bits
from ..codec import as_enum, as_word
from ..layout import Record, at, nested
from .launch import IdBlock
from .report import GuestPolicy
from .status import Status

SPEC = "56860, messages of migration (AMD-ASPFW sev_rmp.h:461-575)"
CONTEXT_VERSION = 3
CONTEXT_SIZE = 0x300


class GuestState(OpenEnum):
    """How far a guest has come."""

    INIT = 0, "its context exists, no launch has begun"
    LAUNCH = 1, "it is being launched"
    RUNNING = 2, "its launch is finished"


class MetadataMdata(Word, width=64, spec="AMD-ASPFW sev_rmp.h:136"):
    """Which page a metadata entry stands for, and what it was."""

    valid = bit(0, "The entry is in use")
    page_validated = bit(1, "The guest had validated the page")
    vmsa = bit(2, "The page was a VMSA")
    metadata = bit(3, "The page held metadata itself")
    page_size = bit(4, "0: 4 KiB, 1: 2 MiB")
    gpa = bits(12, 52, "Guest frame number; all ones for a page of metadata")


class MetadataEntry(Record, size=0x40, spec="AMD-ASPFW sev_rmp.h:136"):
    """What the firmware keeps about a page that was swapped out."""

    software_data: int = at(0x00, Int64ul, "Left to software")
    iv: int = at(0x08, Int64ul, "Nonce that the page was sealed with")
    auth_tag: bytes = at(0x10, Bytes(16), "Authentication tag of the page")
    mdata: MetadataMdata = at(0x20, as_word(MetadataMdata), "Which page it is")
    vmpl_perms: int = at(0x28, Int64ul, "Permissions, a byte for each VMPL")


class ContextFlags(Flags, width=64, spec="AMD-ASPFW sev_rmp.h:469"):
    """What the launch of a guest had."""

    author_key_en = bit(0, "The ID key was signed by an author key")
    id_block_en = bit(1, "There was an ID block")
    vcek_dis = bit(2, "The guest may not use the VCEK")


class GuestContext(Record, size=CONTEXT_SIZE, spec="AMD-ASPFW sev_rmp.h:469-504, version 3"):
    """Everything the firmware knows of a guest, as it is exported."""

    ld: bytes = at(0x000, Bytes(48), "Launch digest")
    oek: bytes = at(0x030, Bytes(32), "Key that swapped pages are sealed with")
    vmpck0: bytes = at(0x050, Bytes(32), "Message key 0")
    vmpck1: bytes = at(0x070, Bytes(32), "Message key 1")
    vmpck2: bytes = at(0x090, Bytes(32), "Message key 2")
    vmpck3: bytes = at(0x0B0, Bytes(32), "Message key 3")
    vmrk: bytes = at(0x0D0, Bytes(32), "VM root key")
    host_data: bytes = at(0x0F0, Bytes(32), "What the host gave at the end of the launch")
    id_key_digest: bytes = at(0x110, Bytes(48), "SHA-384 of the ID key")
    author_key_digest: bytes = at(0x140, Bytes(48), "SHA-384 of the author key")
    report_id: bytes = at(0x170, Bytes(32), "Report id of the guest")
    imd: bytes = at(0x190, Bytes(48), "Digest of its initial migration image")
    msg_count0: int = at(0x1C0, Int64ul, "Sequence number last used with key 0, even")
    msg_count1: int = at(0x1C8, Int64ul, "Sequence number last used with key 1, even")
    msg_count2: int = at(0x1D0, Int64ul, "Sequence number last used with key 2, even")
    msg_count3: int = at(0x1D8, Int64ul, "Sequence number last used with key 3, even")
    root_md_entry: MetadataEntry = at(0x1E0, nested(MetadataEntry), "Root of the swapped pages")
    flags: ContextFlags = at(0x220, as_word(ContextFlags), "What its launch had")
    policy: GuestPolicy = at(0x228, as_word(GuestPolicy), "What the guest's owner allows")
    state: GuestState = at(0x230, as_enum(GuestState, Int8ul), "How far the guest has come")
    oek_iv_count: int = at(0x238, Int64ul, "Nonces used with oek")
    id_block: IdBlock = at(0x240, nested(IdBlock), "Its ID block")
    gosvw: bytes = at(0x2A0, Bytes(16), "Workarounds that the guest's OS may see")
    desired_tsc_freq: int = at(0x2B0, Int32ul, "TSC frequency asked for, in kHz")
    psp_tsc_offset: int = at(0x2B8, Int64ul, "TSC offset")
    launch_tcb: int = at(0x2C0, Int64ul, "TCB version when it was launched or imported")


class MigrationFlags(Flags, width=32, spec=SPEC):
    """What an export is for."""

    imi_en = bit(0, "As an initial migration image: the guest stays, its root entry is zeroed")


class ExportReq(Record, size=0x10, spec=SPEC):
    """Export a guest's context."""

    gctx_paddr: int = at(0x00, Int64ul, "Physical address of the guest's context page")
    select: MigrationFlags = at(0x08, as_word(MigrationFlags), "What it is for")


class ExportRsp(Record, size=0x320, spec=SPEC):
    """The answer to an export. AMD-ASPFW fills its page up with zeros."""

    status: Status = at(0x00, as_enum(Status, Int32ul), "How it went")
    gctx_size: int = at(0x04, Int32ul, "Bytes of the context; set after an error too")
    gctx_version: int = at(0x08, Int32ul, "Version of the context; set after an error too")
    gctx: GuestContext = at(0x20, nested(GuestContext), "The context")


class ImportReq(Record, size=0x320, spec=SPEC):
    """Put a context into a guest that has none."""

    gctx_paddr: int = at(0x00, Int64ul, "Physical address of the guest's context page")
    in_gctx_size: int = at(0x08, Int32ul, "Bytes of the context: 0x300")
    in_gctx_version: int = at(0x0C, Int32ul, "Version of the context: 3")
    incoming_gctx: GuestContext = at(0x20, nested(GuestContext), "The context")


class AbsorbReq(Record, size=0x320, spec=SPEC):
    """Put a context into a guest that was launched as an initial migration image."""

    gctx_paddr: int = at(0x00, Int64ul, "Physical address of the guest's context page")
    in_gctx_size: int = at(0x08, Int32ul, "Bytes of the context: 0x300")
    in_gctx_version: int = at(0x0C, Int32ul, "Version of the context: 3")
    incoming_gctx: GuestContext = at(0x20, nested(GuestContext), "The context")


class AbsorbNomaReq(Record, size=0x320, spec=SPEC):
    """Take a context oneself. There is no address: the sender is the guest."""

    in_gctx_size: int = at(0x08, Int32ul, "Bytes of the context: 0x300")
    in_gctx_version: int = at(0x0C, Int32ul, "Version of the context: 3")
    incoming_gctx: GuestContext = at(0x20, nested(GuestContext), "The context")


class VmrkReq(Record, size=0x40, spec=SPEC):
    """Give a guest its VM root key."""

    gctx_paddr: int = at(0x00, Int64ul, "Physical address of the guest's context page")
    vmrk: bytes = at(0x20, Bytes(32), "The key")


class StatusRsp(Record, size=0x10, spec=SPEC):
    """The answer to an import, an absorb or a VM root key: a status and no more."""

    status: Status = at(0x00, as_enum(Status, Int32ul), "How it went")


KINDS = {
    "export-req": ExportReq,
    "export-rsp": ExportRsp,
    "import-req": ImportReq,
    "absorb-req": AbsorbReq,
    "absorb-noma-req": AbsorbNomaReq,
    "vmrk-req": VmrkReq,
    "status-rsp": StatusRsp,
    "guest-context": GuestContext,
    "metadata-entry": MetadataEntry,
}
"""The structures of this chapter that a person can name."""
