"""Messages of migration agents: export, import and absorb of a guest context.

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
    """State of a guest."""

    INIT = 0, "context created, launch not begun"
    LAUNCH = 1, "launch in progress"
    RUNNING = 2, "launch finished"


class MetadataMdata(Word, width=64, spec="AMD-ASPFW sev_rmp.h:136"):
    """Frame number and former state of a swapped page."""

    valid = bit(0, "The metadata entry is in use")
    page_validated = bit(1, "The page was validated by the guest")
    vmsa = bit(2, "The page was a VMSA")
    metadata = bit(3, "The page held metadata entries")
    page_size = bit(4, "Page size: 0 for 4 KiB, 1 for 2 MiB")
    gpa = bits(12, 52, "Guest frame number; all ones for a metadata page")


class MetadataEntry(Record, size=0x40, spec="AMD-ASPFW sev_rmp.h:136"):
    """Metadata entry of a page that was swapped out."""

    software_data: int = at(0x00, Int64ul, "Data available to software")
    iv: int = at(0x08, Int64ul, "Nonce (IV) that the page was sealed with")
    auth_tag: bytes = at(0x10, Bytes(16), "Authentication tag of the sealed page")
    mdata: MetadataMdata = at(0x20, as_word(MetadataMdata), "Frame number and former state")
    vmpl_perms: int = at(0x28, Int64ul, "VMPL permissions of the page, a byte for each VMPL")


class ContextFlags(Flags, width=64, spec="AMD-ASPFW sev_rmp.h:469"):
    """Guest flags set at the launch."""

    author_key_en = bit(0, "The ID key was signed by an author key")
    id_block_en = bit(1, "The launch had an ID block")
    vcek_dis = bit(2, "VCEK disabled for the guest")


class GuestContext(Record, size=CONTEXT_SIZE, spec="AMD-ASPFW sev_rmp.h:469-504, version 3"):
    """Guest context as it is exported."""

    ld: bytes = at(0x000, Bytes(48), "Launch digest of the guest")
    oek: bytes = at(0x030, Bytes(32), "Offline encryption key (OEK), which seals swapped pages")
    vmpck0: bytes = at(0x050, Bytes(32), "VM platform communication key 0 (VMPCK0)")
    vmpck1: bytes = at(0x070, Bytes(32), "VM platform communication key 1 (VMPCK1)")
    vmpck2: bytes = at(0x090, Bytes(32), "VM platform communication key 2 (VMPCK2)")
    vmpck3: bytes = at(0x0B0, Bytes(32), "VM platform communication key 3 (VMPCK3)")
    vmrk: bytes = at(0x0D0, Bytes(32), "VM root key (VMRK)")
    host_data: bytes = at(0x0F0, Bytes(32), "Host data from SNP_LAUNCH_FINISH")
    id_key_digest: bytes = at(0x110, Bytes(48), "SHA-384 of the ID key")
    author_key_digest: bytes = at(0x140, Bytes(48), "SHA-384 of the author key")
    report_id: bytes = at(0x170, Bytes(32), "Report ID of the guest")
    imd: bytes = at(0x190, Bytes(48), "Digest of the initial migration image")
    msg_count0: int = at(0x1C0, Int64ul, "Last sequence number used with VMPCK0, even")
    msg_count1: int = at(0x1C8, Int64ul, "Last sequence number used with VMPCK1, even")
    msg_count2: int = at(0x1D0, Int64ul, "Last sequence number used with VMPCK2, even")
    msg_count3: int = at(0x1D8, Int64ul, "Last sequence number used with VMPCK3, even")
    root_md_entry: MetadataEntry = at(0x1E0, nested(MetadataEntry), "Root of the swapped pages")
    flags: ContextFlags = at(0x220, as_word(ContextFlags), "Flags set at the launch")
    policy: GuestPolicy = at(0x228, as_word(GuestPolicy), "Guest policy")
    state: GuestState = at(0x230, as_enum(GuestState, Int8ul), "State: init, launch or running")
    oek_iv_count: int = at(0x238, Int64ul, "Number of nonces used with the OEK")
    id_block: IdBlock = at(0x240, nested(IdBlock), "ID block of the launch")
    gosvw: bytes = at(0x2A0, Bytes(16), "Guest OS visible workarounds (GOSVW)")
    desired_tsc_freq: int = at(0x2B0, Int32ul, "Desired guest TSC frequency in kHz")
    psp_tsc_offset: int = at(0x2B8, Int64ul, "TSC offset of the guest")
    launch_tcb: int = at(0x2C0, Int64ul, "TCB version when the guest was launched or imported")


class MigrationFlags(Flags, width=32, spec=SPEC):
    """Purpose of an export."""

    imi_en = bit(0, "Export an initial migration image: the guest stays, its root entry is zeroed")


class ExportReq(Record, size=0x10, spec=SPEC):
    """Export request."""

    gctx_paddr: int = at(0x00, Int64ul, "Physical address of the guest context page")
    select: MigrationFlags = at(0x08, as_word(MigrationFlags), "Purpose of the export")


class ExportRsp(Record, size=0x320, spec=SPEC):
    """Export response. AMD-ASPFW pads its page with zeros."""

    status: Status = at(0x00, as_enum(Status, Int32ul), "Status of the export")
    gctx_size: int = at(0x04, Int32ul, "Size of the context in bytes; set even after an error")
    gctx_version: int = at(0x08, Int32ul, "Version of the context; set even after an error")
    gctx: GuestContext = at(0x20, nested(GuestContext), "Exported guest context")


class ImportReq(Record, size=0x320, spec=SPEC):
    """Import request: a context for a guest that has none."""

    gctx_paddr: int = at(0x00, Int64ul, "Physical address of the guest context page")
    in_gctx_size: int = at(0x08, Int32ul, "Size of the incoming guest context in bytes: 0x300")
    in_gctx_version: int = at(0x0C, Int32ul, "Version of the incoming guest context: 3")
    incoming_gctx: GuestContext = at(0x20, nested(GuestContext), "Incoming guest context")


class AbsorbReq(Record, size=0x320, spec=SPEC):
    """Absorb request: a context for a guest launched as an initial migration image."""

    gctx_paddr: int = at(0x00, Int64ul, "Physical address of the guest context page")
    in_gctx_size: int = at(0x08, Int32ul, "Size of the incoming guest context in bytes: 0x300")
    in_gctx_version: int = at(0x0C, Int32ul, "Version of the incoming guest context: 3")
    incoming_gctx: GuestContext = at(0x20, nested(GuestContext), "Incoming guest context")


class AbsorbNomaReq(Record, size=0x320, spec=SPEC):
    """Absorb request without a migration agent. It has no address: the sender is the guest."""

    in_gctx_size: int = at(0x08, Int32ul, "Size of the incoming guest context in bytes: 0x300")
    in_gctx_version: int = at(0x0C, Int32ul, "Version of the incoming guest context: 3")
    incoming_gctx: GuestContext = at(0x20, nested(GuestContext), "Incoming guest context")


class VmrkReq(Record, size=0x40, spec=SPEC):
    """VMRK request: the VM root key of a guest."""

    gctx_paddr: int = at(0x00, Int64ul, "Physical address of the guest context page")
    vmrk: bytes = at(0x20, Bytes(32), "VM root key (VMRK)")


class StatusRsp(Record, size=0x10, spec=SPEC):
    """Response with a status only, to an import, absorb or VMRK request."""

    status: Status = at(0x00, as_enum(Status, Int32ul), "Status of import, absorb or VMRK request")


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
