"""Page state changes: private pages become guest-owned, shared ones hypervisor-owned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.address import IN_PAGE
from ...wire.ghcb import SHARED_END, SHARED_START
from ...wire.operands import PscOperation, PscReturn
from ...wire.psc import PscEntry, PscHeader

if TYPE_CHECKING:
    from .host import Host
    from .vm import Vm

PRIVATE, SHARED = int(PscOperation.PRIVATE), int(PscOperation.SHARED)
DONE = int(PscReturn.INTERRUPTED_OR_DONE)
HEADER, ENTRY = PscHeader.SIZE, PscEntry.WIDTH // 8


def change(host: Host, vm: Vm, gfn: int, operation: int) -> bool:
    """Make one page of 4 KiB private or shared; return whether that succeeded.

    A page that has the state already is left alone, so that a guest does not lose what it holds.
    """
    page = vm.map.get(gfn)
    if page is None or operation not in (PRIVATE, SHARED):
        return False
    ours = host.is_ours(page)
    if operation == SHARED:
        return ours or not host.unassign(page)
    owner = {"asid": vm.asid, "gpa": gfn << 12}
    return not ours or not host.assign(page, vm.name, fixed=False, **owner)


def change_all(host: Host, vm: Vm, ghcb: bytearray, scratch: int) -> int:
    """Process the buffer in the shared part of a page; return the result that KVM returns.

    Entries that are done are marked, and ``cur_entry`` moves on, so a guest sees how far it went.
    """
    start = scratch & IN_PAGE
    room = (SHARED_END - max(start, SHARED_START) - HEADER) // ENTRY
    head = PscHeader.parse(ghcb[start : start + HEADER])
    current, last = head.cur_entry, head.end_entry
    if last >= room:
        return int(PscReturn.INVALID_HEADER)
    result = DONE
    while current <= last and result == DONE:
        at = start + HEADER + current * ENTRY
        entry = PscEntry(int.from_bytes(ghcb[at : at + ENTRY], "little"))
        result = _entry(host, vm, entry)
        if result == DONE:
            ghcb[at : at + ENTRY] = entry.replace(cur_page=entry.pages).to_bytes(ENTRY, "little")
            current += 1
    ghcb[start : start + HEADER] = head.replace(cur_entry=current).build()
    return result


def _entry(host: Host, vm: Vm, entry: PscEntry) -> int:
    if entry.cur_page > entry.pages or entry.gfn % entry.pages:
        return int(PscReturn.INVALID_ENTRY)
    operation = int(entry.operation)
    if operation not in (PRIVATE, SHARED):
        return DONE  # KVM marks it done and does nothing
    gfns = range(entry.gfn + entry.cur_page, entry.gfn + entry.pages)
    done = all(change(host, vm, gfn, operation) for gfn in gfns)
    return DONE if done else int(PscReturn.KVM_GENERIC)
