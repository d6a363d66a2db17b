"""Messages of migration agents: a guest's context is exported from one processor to another.

The checks of each message and their order are those observed of AMD-ASPFW, surprises included:
ABSORB checks neither that the guest is bound to the agent that sends it nor the incoming root
entry, and the size last; ABSORB_NOMA takes the incoming counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.address import IN_PAGE
from ...wire.message import PAYLOAD_MAX
from ...wire.migration import (
    CONTEXT_SIZE,
    CONTEXT_VERSION,
    AbsorbNomaReq,
    AbsorbReq,
    ContextFlags,
    ExportReq,
    ExportRsp,
    GuestContext,
    GuestState,
    ImportReq,
    MetadataEntry,
    StatusRsp,
    VmrkReq,
)
from ...wire.status import Status
from .activation import decommission_guest
from .context import NO_AGENT, FirmwareGuest
from .processor import CommandRefusal, refuse_if, reserved_set

if TYPE_CHECKING:
    from .context import Sender
    from .processor import Processor

_DONE = bytes(StatusRsp.SIZE)


def export_failed(status: Status) -> bytes:
    """Return the response without a context; it has size and version nevertheless."""
    response = ExportRsp(status=status, gctx_size=CONTEXT_SIZE, gctx_version=CONTEXT_VERSION)
    return response.build().ljust(PAYLOAD_MAX, b"\0")


def export(fw: Processor, sender: Sender, payload: bytes) -> bytes:
    """MSG_EXPORT_REQ: export a guest's context to its migration agent, or to itself."""
    request = ExportReq.parse(payload)
    refuse_if(request.select.unknown or reserved_set(request), Status.INVALID_PARAM)
    target = _target(fw, request.gctx_paddr)
    refuse_if(target.state != GuestState.RUNNING, Status.INVALID_GUEST_STATE)
    itself = request.gctx_paddr == sender.address and target.agent == NO_AGENT
    if not (itself and not sender.vmpck) and not _bound(target, sender):
        raise CommandRefusal(Status.INVALID_GUEST)
    image = bool(request.select)
    response = ExportRsp(
        status=Status.SUCCESS,
        gctx_size=CONTEXT_SIZE,
        gctx_version=CONTEXT_VERSION,
        gctx=context_record(target, image=image),
    )
    if not image:
        decommission_guest(fw, request.gctx_paddr, target)
    return response.build().ljust(PAYLOAD_MAX, b"\0")


def import_(fw: Processor, sender: Sender, payload: bytes) -> bytes:
    """MSG_IMPORT_REQ: import a context into a guest that was only created."""
    request = ImportReq.parse(payload)
    refuse_if(request.gctx_paddr & IN_PAGE or reserved_set(request), Status.INVALID_PARAM)
    _check_size(request)
    target = _target(fw, request.gctx_paddr)
    refuse_if(target.state != GuestState.INIT, Status.INVALID_GUEST_STATE)
    incoming = request.incoming_gctx
    refuse_if(not incoming.root_md_entry.mdata.valid, Status.INVALID_MDATA_ENTRY)
    _take(target, incoming)
    _take_identity(target, incoming)
    target.imd = incoming.imd
    target.report_id = fw.random(32)
    target.imi_en = False
    _bind(target, sender)
    return _DONE


def absorb(fw: Processor, sender: Sender, payload: bytes) -> bytes:
    """MSG_ABSORB_REQ: import a context into a guest launched as a migration image."""
    request = AbsorbReq.parse(payload)
    refuse_if(request.gctx_paddr & IN_PAGE or reserved_set(request), Status.INVALID_PARAM)
    target = _target(fw, request.gctx_paddr)
    refuse_if(target.state != GuestState.LAUNCH or not target.imi_en, Status.INVALID_GUEST_STATE)
    refuse_if(target.root_md_entry.mdata.valid, Status.INVALID_MDATA_ENTRY)
    incoming = request.incoming_gctx
    refuse_if(incoming.imd != target.ld, Status.BAD_MEASUREMENT)
    _check_size(request)
    _take(target, incoming)
    _take_identity(target, incoming)
    target.imd = incoming.imd
    _bind(target, sender)
    return _DONE


def absorb_noma(_fw: Processor, sender: Sender, payload: bytes) -> bytes:
    """MSG_ABSORB_NOMA_REQ: import a context into the sender; identity, flags and IMD stay."""
    request = AbsorbNomaReq.parse(payload)
    refuse_if(reserved_set(request), Status.INVALID_PARAM)
    guest, incoming = sender.guest, request.incoming_gctx
    refuse_if(guest.agent != NO_AGENT, Status.INVALID_GUEST)
    refuse_if(incoming.imd != guest.ld or incoming.imd != guest.imd, Status.BAD_MEASUREMENT)
    _check_size(request)
    _take(guest, incoming)
    return _DONE


def vmrk(fw: Processor, sender: Sender, payload: bytes) -> bytes:
    """MSG_VMRK_REQ: set the VM root key of a guest that is launched."""
    request = VmrkReq.parse(payload)
    refuse_if(sender.vmpck or reserved_set(request), Status.INVALID_PARAM)
    target = _target(fw, request.gctx_paddr)
    refuse_if(target.state != GuestState.LAUNCH or target.imi_en, Status.INVALID_GUEST_STATE)
    refuse_if(not _bound(target, sender), Status.INVALID_GUEST)
    target.vmrk = request.vmrk
    return _DONE


def _target(fw: Processor, address: int) -> FirmwareGuest:
    """Return the guest that a message names. Refuses an address without a context."""
    refuse_if(address & IN_PAGE, Status.INVALID_PARAM)
    return fw.guest(address)


def _bound(target: FirmwareGuest, sender: Sender) -> bool:
    """Return whether the sender is the target's agent. Addresses count with their C-bits."""
    return target.agent == sender.address and target.report_id_ma == sender.guest.report_id


def _check_size(request: ImportReq | AbsorbReq | AbsorbNomaReq) -> None:
    if (request.in_gctx_size, request.in_gctx_version) != (CONTEXT_SIZE, CONTEXT_VERSION):
        raise CommandRefusal(Status.INVALID_PARAM)


def _bind(target: FirmwareGuest, sender: Sender) -> None:
    """Make the sender the agent of a guest, which runs from now on."""
    target.agent = sender.address
    target.report_id_ma = sender.guest.report_id
    target.es = True
    target.state = GuestState.RUNNING


def context_record(guest: FirmwareGuest, *, image: bool) -> GuestContext:
    """Return the exported context; as an initial migration image, without its root entry."""
    counts, keys = guest.counts, guest.vmpcks
    return GuestContext(
        ld=guest.ld,
        oek=guest.oek,
        **{f"vmpck{number}": key for number, key in enumerate(keys)},
        vmrk=guest.vmrk,
        host_data=guest.host_data,
        id_key_digest=guest.id_key_digest,
        author_key_digest=guest.author_key_digest,
        report_id=guest.report_id,
        imd=guest.imd,
        **{f"msg_count{number}": count for number, count in enumerate(counts)},
        root_md_entry=MetadataEntry() if image else guest.root_md_entry,
        flags=ContextFlags.of(
            author_key_en=guest.author_key_en,
            id_block_en=guest.id_block_en,
            vcek_dis=guest.vcek_dis,
        ),
        policy=guest.policy,
        state=guest.state,
        oek_iv_count=guest.oek_iv_count,
        id_block=guest.id_block,
        gosvw=guest.gosvw,
        desired_tsc_freq=guest.desired_tsc_freq,
        psp_tsc_offset=guest.psp_tsc_offset,
        launch_tcb=guest.launch_tcb,
    )


def _take(guest: FirmwareGuest, incoming: GuestContext) -> None:
    """Set keys, counts, digest and settings of a guest; counts are not checked."""
    guest.policy = int(incoming.policy)
    guest.oek, guest.oek_iv_count = incoming.oek, incoming.oek_iv_count
    guest.vmpcks = incoming.vmpck0, incoming.vmpck1, incoming.vmpck2, incoming.vmpck3
    guest.counts = [
        incoming.msg_count0,
        incoming.msg_count1,
        incoming.msg_count2,
        incoming.msg_count3,
    ]
    guest.vmrk, guest.host_data, guest.ld = incoming.vmrk, incoming.host_data, incoming.ld
    guest.root_md_entry, guest.gosvw = incoming.root_md_entry, incoming.gosvw
    guest.desired_tsc_freq = incoming.desired_tsc_freq
    guest.psp_tsc_offset = incoming.psp_tsc_offset
    guest.launch_tcb = incoming.launch_tcb


def _take_identity(guest: FirmwareGuest, incoming: GuestContext) -> None:
    """Set what the launch proved of a guest. ``vcek_dis`` is lost."""
    guest.id_block = incoming.id_block
    guest.id_key_digest = incoming.id_key_digest
    guest.author_key_digest = incoming.author_key_digest
    guest.id_block_en = incoming.flags.has("id_block_en")
    guest.author_key_en = incoming.flags.has("author_key_en")
