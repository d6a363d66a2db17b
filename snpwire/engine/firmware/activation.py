"""Commands that give a guest an ASID, take it back, and tell what a guest is."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING

from ...rmp import scalar as single
from ...wire.address import IN_PAGE, PAGE, page_of
from ...wire.launch_commands import Activate, ActivateEx, GuestFlags, GuestStatus
from ...wire.migration import GuestState
from ...wire.rmp import COUNTERS, RmpState
from ...wire.status import Status
from .context import Context
from .pages import done, undone
from .platform import status_page
from .processor import Refusal, fits_page

if TYPE_CHECKING:
    from .processor import Processor

MAX_IDS = 1024
_TWO = Struct("<QQ")


def create(fw: Processor, raw: bytes) -> None:
    """SNP_GCTX_CREATE: make a page of the firmware the context of a new guest."""
    address = int.from_bytes(raw, "little")
    if address & IN_PAGE:
        raise Refusal(Status.INVALID_PARAM)
    fw.started()
    fw.look_up(address)
    with undone(fw, page_of(address)):
        done(single.gctx_create(fw.table, page_of(address)))
        fw.reach(address, PAGE)
    guest = Context()
    guest.vek_seed = fw.random(32)
    guest.launch_tcb = fw.chip.committed_tcb
    guest.launch_mit_vector = fw.profile.mitigations
    fw.contexts[page_of(address)] = guest
    fw.scramble(address)


def activate(fw: Processor, raw: bytes) -> None:
    """SNP_ACTIVATE: give a guest an ASID. Raises Refusal."""
    command = Activate.parse(raw[: Activate.SIZE])
    guest = _begun(fw, command.gctx_paddr)
    _activate(fw, command.gctx_paddr, guest, command.asid)


def activate_ex(fw: Processor, raw: bytes) -> None:
    """SNP_ACTIVATE_EX: the same on some cores; all cores are one complex here. Raises Refusal."""
    command = ActivateEx.parse(raw)
    if command.ex_len != ActivateEx.SIZE or any(raw[0x4:0x8]) or command.gctx_paddr & IN_PAGE:
        raise Refusal(Status.INVALID_PARAM)
    guest = _begun(fw, command.gctx_paddr)
    bound = guest.active or guest.pending
    if not bound:
        _counted(fw, command.asid)
    if not 0 < command.asid <= fw.profile.highest_asid:
        raise Refusal(Status.INVALID_ASID)
    if not 0 < command.numids <= MAX_IDS:
        raise Refusal(Status.INVALID_PARAM)
    fw.load(command.ids_paddr, 4 * command.numids)
    if bound:
        if guest.asid != command.asid:
            raise Refusal(Status.ACTIVE)
        return
    _activate(fw, command.gctx_paddr, guest, command.asid)


def _begun(fw: Processor, address: int) -> Context:
    """Return the guest that is to be activated, whose launch has begun at least."""
    if address & IN_PAGE:
        raise Refusal(Status.INVALID_PARAM)
    fw.started()
    guest = fw.guest(address)
    if guest.state == GuestState.INIT:
        raise Refusal(Status.INVALID_GUEST_STATE)
    return guest


def _counted(fw: Processor, asid: int) -> None:
    """Refuse an ASID that has no counter, or whose counter says that pages are still assigned."""
    if asid >= COUNTERS:
        raise Refusal(Status.INVALID_ASID)
    counters = fw.table.counters
    if counters is not None and counters[asid]:
        raise Refusal(Status.INVALID_CONFIG)


def _activate(fw: Processor, address: int, guest: Context, asid: int) -> None:
    _counted(fw, asid)
    if not 0 < asid <= fw.profile.highest_asid:
        raise Refusal(Status.INVALID_ASID)
    if asid in fw.asids.owners:
        raise Refusal(Status.ASID_OWNED)
    if guest.active or guest.pending:
        raise Refusal(Status.ACTIVE)
    if asid not in fw.asids.clean:
        raise Refusal(Status.DF_FLUSH_REQUIRED)
    if asid > fw.profile.snp_asids:
        raise Refusal(Status.INVALID_ASID)
    fw.asids.take(asid, page_of(address))
    fw.memory.install(asid, guest.vek_seed)
    guest.asid = asid
    guest.active = guest.state == GuestState.RUNNING
    guest.pending = not guest.active


def decommission(fw: Processor, raw: bytes) -> None:
    """SNP_DECOMMISSION: give a guest up. Raises Refusal."""
    address = int.from_bytes(raw, "little")
    if address & IN_PAGE:
        raise Refusal(Status.INVALID_PARAM)
    fw.started()
    decommission_guest(fw, address, fw.guest(address))


def decommission_guest(fw: Processor, address: int, guest: Context) -> None:
    """Free a guest's ASID, forget what the firmware forgets of it, and turn its page back."""
    if guest.agreed_asid:
        fw.asids.free(guest.asid, used=guest.active)
    if guest.state != GuestState.INIT:
        fw.chip.guest_count = (fw.chip.guest_count - 1) & 0xFFFF_FFFF
    guest.wipe()
    single.decommission(fw.table, page_of(address))


def df_flush(fw: Processor, _raw: bytes) -> None:
    """SNP_DF_FLUSH: make ASIDs usable again once caches are written back. Raises Refusal."""
    status = fw.asids.flush()
    if status:
        raise Refusal(status)


def guest_status(fw: Processor, raw: bytes) -> None:
    """SNP_GUEST_STATUS: tell policy, ASID and state of a guest. Raises Refusal."""
    address, place = _TWO.unpack(raw)
    if address & IN_PAGE or not fits_page(place, GuestStatus.SIZE):
        raise Refusal(Status.INVALID_PARAM)
    fw.started()
    if fw.look_up(address)[0] != RmpState.CONTEXT:
        raise Refusal(Status.INVALID_GUEST)
    status_page(fw, place)
    guest = fw.guest(address)
    response = GuestStatus(
        policy=guest.policy,
        asid=guest.agreed_asid,
        state=guest.state,
        flags=GuestFlags.of(vcek_dis=guest.vcek_dis),
    )
    fw.store(place, response.build())
