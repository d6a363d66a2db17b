"""Commands that create a guest's context, bind it to an ASID, report on it and end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...rmp import scalar
from ...wire.address import IN_PAGE, PAGE, page_of
from ...wire.launch_commands import GuestFlags, GuestStatus
from ...wire.migration import GuestState
from ...wire.rmp import COUNTERS, RmpState
from ...wire.status import Status
from .context import FirmwareGuest
from .pages import rollback
from .platform import status_page
from .processor import CommandRefusal, fits_page, refuse_if, require, reserved_set

if TYPE_CHECKING:
    from ...wire.launch_commands import (
        Activate,
        ActivateEx,
        Decommission,
        GctxCreate,
        GuestStatusCommand,
    )
    from .processor import Processor

MAX_IDS = 1024


def create(fw: Processor, command: GctxCreate) -> None:
    """SNP_GCTX_CREATE: make a firmware page the context of a new guest."""
    address = command.gctx_paddr
    refuse_if(address & IN_PAGE, Status.INVALID_PARAM)
    fw.require_started()
    fw.look_up(address)
    with rollback(fw, page_of(address)):
        require(scalar.gctx_create(fw.table, page_of(address)))
        fw.reach(address, PAGE)
    guest = FirmwareGuest()
    guest.vek_seed = fw.random(32)
    guest.launch_tcb = fw.chip.committed_tcb
    guest.launch_mit_vector = fw.profile.mitigations
    fw.contexts[page_of(address)] = guest
    fw.scramble(address)


def activate(fw: Processor, command: Activate) -> None:
    """SNP_ACTIVATE: give a guest an ASID."""
    guest = _guest_to_activate(fw, command.gctx_paddr)
    _activate(fw, command.gctx_paddr, guest, command.asid)


def activate_ex(fw: Processor, command: ActivateEx) -> None:
    """SNP_ACTIVATE_EX: the same on some cores; all cores are one complex here."""
    wrong_length = command.ex_len != command.SIZE
    if wrong_length or reserved_set(command) or command.gctx_paddr & IN_PAGE:
        raise CommandRefusal(Status.INVALID_PARAM)
    guest = _guest_to_activate(fw, command.gctx_paddr)
    bound = guest.active or guest.pending
    if not bound:
        _check_counter(fw, command.asid)
    refuse_if(not 0 < command.asid <= fw.profile.highest_asid, Status.INVALID_ASID)
    refuse_if(not 0 < command.numids <= MAX_IDS, Status.INVALID_PARAM)
    fw.load(command.ids_paddr, 4 * command.numids)
    if bound:
        refuse_if(guest.asid != command.asid, Status.ACTIVE)
        return
    _activate(fw, command.gctx_paddr, guest, command.asid)


def _guest_to_activate(fw: Processor, address: int) -> FirmwareGuest:
    """Return the guest to activate. Refuses one whose launch has not begun."""
    refuse_if(address & IN_PAGE, Status.INVALID_PARAM)
    fw.require_started()
    guest = fw.guest(address)
    refuse_if(guest.state == GuestState.INIT, Status.INVALID_GUEST_STATE)
    return guest


def _check_counter(fw: Processor, asid: int) -> None:
    """Refuse an ASID that has no counter, or whose counter shows pages still assigned."""
    refuse_if(asid >= COUNTERS, Status.INVALID_ASID)
    counters = fw.table.counters
    refuse_if(counters is not None and counters[asid], Status.INVALID_CONFIG)


def _activate(fw: Processor, address: int, guest: FirmwareGuest, asid: int) -> None:
    _check_counter(fw, asid)
    refuse_if(not 0 < asid <= fw.profile.highest_asid, Status.INVALID_ASID)
    refuse_if(asid in fw.asids.owners, Status.ASID_OWNED)
    refuse_if(guest.active or guest.pending, Status.ACTIVE)
    refuse_if(asid not in fw.asids.clean, Status.DF_FLUSH_REQUIRED)
    refuse_if(asid > fw.profile.snp_asids, Status.INVALID_ASID)
    fw.asids.bind(asid, page_of(address))
    fw.memory.install(asid, guest.vek_seed)
    guest.asid = asid
    guest.active = guest.state == GuestState.RUNNING
    guest.pending = not guest.active


def decommission(fw: Processor, command: Decommission) -> None:
    """SNP_DECOMMISSION: end a guest and free its ASID."""
    address = command.gctx_paddr
    refuse_if(address & IN_PAGE, Status.INVALID_PARAM)
    fw.require_started()
    decommission_guest(fw, address, fw.guest(address))


def decommission_guest(fw: Processor, address: int, guest: FirmwareGuest) -> None:
    """Free a guest's ASID, wipe its context and make the context page a firmware page again."""
    if guest.agreed_asid:
        fw.asids.free(guest.asid, used=guest.active)
    if guest.state != GuestState.INIT:
        fw.chip.guest_count = (fw.chip.guest_count - 1) & 0xFFFF_FFFF
    guest.wipe()
    scalar.decommission(fw.table, page_of(address))


def df_flush(fw: Processor, _command: None) -> None:
    """SNP_DF_FLUSH: make ASIDs usable again once caches are written back."""
    require(fw.asids.flush())


def guest_status(fw: Processor, command: GuestStatusCommand) -> None:
    """SNP_GUEST_STATUS: report policy, ASID and state of a guest."""
    address, place = command.gctx_paddr, command.status_paddr
    refuse_if(address & IN_PAGE or not fits_page(place, GuestStatus.SIZE), Status.INVALID_PARAM)
    fw.require_started()
    refuse_if(fw.look_up(address)[0] != RmpState.CONTEXT, Status.INVALID_GUEST)
    status_page(fw, place)
    guest = fw.guest(address)
    response = GuestStatus(
        policy=guest.policy,
        asid=guest.agreed_asid,
        state=guest.state,
        flags=GuestFlags.of(vcek_dis=guest.vcek_dis),
    )
    fw.store(place, response.build())
