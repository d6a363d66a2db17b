"""Commands that read and write the memory of a guest whose policy allows debugging.

Both copy 4 KiB whatever the size of the page. DBG_ENCRYPT checks the platform state before anything
else, and not the state of the page it reads (AMD-ASPFW sev_mcmd.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...rmp.entry import VMSA, covering_entry
from ...rmp.scalar.firmware import asid_of
from ...rmp.sparse_table import state_of_entry
from ...wire.address import C_BIT, IN_PAGE, PAGE, page_of
from ...wire.report import GuestPolicy
from ...wire.rmp import STILL, RmpState
from ...wire.status import Status
from .processor import CommandRefusal, refuse_if
from .vmsa import without_nonce

if TYPE_CHECKING:
    from ...wire.launch_commands import Dbg
    from .context import FirmwareGuest
    from .processor import Processor

GUESTS = (*STILL, RmpState.GUEST_INVALID, RmpState.GUEST_VALID)


def decrypt(fw: Processor, command: Dbg) -> None:
    """SNP_DBG_DECRYPT: copy 4 KiB out of a guest's encryption."""
    _check_alignment(command)
    fw.require_started()
    fw.look_up(command.gctx_paddr)
    source, lo = _resolve(fw, command.src_paddr)
    target, _ = _resolve(fw, command.dst_paddr)
    _context(fw, command)
    refuse_if(source not in GUESTS or target != RmpState.FIRMWARE, Status.INVALID_PAGE_STATE)
    guest = _guest_to_debug(fw, command, lo)
    fw.reach(command.src_paddr, PAGE)
    data = fw.memory.read(command.src_paddr & ~C_BIT, PAGE, guest.asid)
    fw.store(command.dst_paddr, without_nonce(data) if lo & VMSA else data)


def encrypt(fw: Processor, command: Dbg) -> None:
    """SNP_DBG_ENCRYPT: copy 4 KiB into a guest's encryption."""
    fw.require_started()
    _check_alignment(command)
    fw.look_up(command.gctx_paddr)
    _resolve(fw, command.src_paddr)
    target, lo = _resolve(fw, command.dst_paddr)
    _context(fw, command)
    refuse_if(target not in STILL, Status.INVALID_PAGE_STATE)
    guest = _guest_to_debug(fw, command, lo)
    data = fw.load(command.src_paddr, PAGE)
    fw.reach(command.dst_paddr, PAGE)
    fw.memory.write(command.dst_paddr & ~C_BIT, data, guest.asid)


def _check_alignment(command: Dbg) -> None:
    if (command.gctx_paddr | command.src_paddr | command.dst_paddr) & IN_PAGE:
        raise CommandRefusal(Status.INVALID_PARAM)


def _context(fw: Processor, command: Dbg) -> None:
    refuse_if(fw.look_up(command.gctx_paddr)[0] != RmpState.CONTEXT, Status.INVALID_GUEST)


def _resolve(fw: Processor, address: int) -> tuple[RmpState, int]:
    """Return state and entry of a page, or of the 2 MiB page it is part of."""
    state, lo = fw.look_up(address)
    if state == RmpState.DEFAULT:
        return state, lo
    _, lo, _ = covering_entry(fw.table, page_of(address))
    return state_of_entry(lo), lo


def _guest_to_debug(fw: Processor, command: Dbg, lo: int) -> FirmwareGuest:
    """Return the guest that owns a page. Refuses one without debug policy or ASID."""
    guest = fw.guest(command.gctx_paddr)
    refuse_if(asid_of(lo) != guest.asid, Status.INVALID_PAGE_OWNER)
    refuse_if(not GuestPolicy(guest.policy).debug, Status.POLICY_FAILURE)
    refuse_if(not guest.agreed_asid, Status.INACTIVE)
    return guest
