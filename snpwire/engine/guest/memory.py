"""A guest's memory as the guest sees it: private pages under its key, shared ones as they are.

The processor checks every access against the reverse map table. Private memory has to be the
guest's, at that address, and validated; a shared page can be written only while it is the
hypervisor's, and read at any time. For a VM that does not run any more, StoppedError is raised in
place of AccessError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import AccessError, EngineError, StoppedError
from ...rmp.entry import ASID, ASID_LOW, ASSIGNED, GPA, IMMUTABLE, VALIDATED
from ...rmp.scalar.guest import pvalidate, rmpadjust
from ...wire.address import IN_PAGE
from ...wire.event import Gpa
from ..trace import GUEST, StateChange

if TYPE_CHECKING:
    from ..hypervisor.host import Host
    from ..hypervisor.vm import Vm

NEEDED = ASSIGNED | ASID | GPA | IMMUTABLE | VALIDATED


class PrivateWord:
    """An integer in a guest's private memory that is written often, as a sequence number is.

    What the guest's key mixes into a place is always the same, so it is determined once.
    """

    __slots__ = ("_at", "_data", "_entry", "_mask", "_memory", "_mine", "_page", "_size", "gpa")

    def __init__(self, memory: GuestMemory, gpa: int, page: int, size: int, mask: int) -> None:
        self._memory, self._page, self._size, self._mask = memory, page, size, mask
        self._at, self.gpa = slice(gpa & IN_PAGE, (gpa & IN_PAGE) + size), gpa
        self._entry, self._mine = memory.entry, memory.owned(gpa)
        self._data = memory.bytes_of(page)

    def write(self, value: int) -> None:
        """Write the integer. Raises AccessError."""
        if self._entry(self._page)[0] & NEEDED != self._mine:
            self._memory.write(
                self.gpa, value.to_bytes(self._size, "little")
            )  # raises, with the reason
        self._data[self._at] = (value ^ self._mask).to_bytes(self._size, "little")


class GuestMemory:
    """The memory of one guest."""

    def __init__(self, host: Host, vm: Vm) -> None:
        self._host = host
        self._vm = vm
        self._memory, self._table = host.memory, host.table
        self.entry = host.table.entry
        self._shared: dict[int, tuple[int, bytearray]] = {}

    def page(self, gpa: int) -> int:
        """Return the physical page at an address. Raises AccessError if there is none."""
        page = self._vm.map.get(gpa >> 12)
        if page is None:
            raise self._crash("#VMEXIT(NPF): the guest has no memory", gpa)
        return page

    def _crash(self, reason: str, gpa: int) -> EngineError:
        """Return the error of an access that the processor does not allow."""
        vm = self._vm
        return StoppedError(vm.name, vm.stopped) if vm.stopped else AccessError(reason, gpa)

    def read(self, gpa: int, size: int) -> bytes:
        """Return *size* bytes of private memory. Raises AccessError."""
        place = self._private(gpa) << 12 | gpa & IN_PAGE
        return self._memory.read(place, size, self._vm.asid)

    def write(self, gpa: int, data: bytes) -> None:
        """Write to private memory, within a page. Raises AccessError."""
        place = self._private(gpa) << 12 | gpa & IN_PAGE
        self._memory.write(place, data, self._vm.asid)

    def private_word(self, gpa: int, size: int) -> PrivateWord:
        """Return an integer of private memory that is written often. Raises AccessError."""
        page = self._private(gpa)
        key = self._memory.read(page << 12 | gpa & IN_PAGE, size, self._vm.asid)
        raw = self._memory.read(page << 12 | gpa & IN_PAGE, size)
        mask = int.from_bytes(key, "little") ^ int.from_bytes(raw, "little")
        return PrivateWord(self, gpa, page, size, mask)

    def owned(self, gpa: int) -> int:
        """Return the entry of a page that is the guest's at *gpa*, and validated."""
        return ASSIGNED | VALIDATED | self._vm.asid << ASID_LOW | gpa & GPA

    def bytes_of(self, page: int) -> bytearray:
        """Return the bytes of a physical page as they are in memory."""
        return self._host.page(page)

    def _private(self, gpa: int) -> int:
        page = self.page(gpa)
        lo = self.entry(page)[0]
        mine = self.owned(gpa)
        if lo & NEEDED != mine:
            known = lo & NEEDED | VALIDATED == mine
            reason = "#VC: a page that is not validated" if known else "#VMEXIT(NPF), RMP: a page"
            raise self._crash(f"{reason}, in state {self._table.state(page).name}", gpa)
        return page

    def shared(self, gpa: int) -> bytearray:
        """Return the bytes of a shared page, to be changed in place. Raises AccessError."""
        page, data = self._shared.get(gpa) or self._resolve(gpa)
        if self.entry(page)[0] & ASSIGNED:
            state = self._table.state(page).name
            raise self._crash(f"#VMEXIT(NPF), RMP: a write to a page in state {state}", gpa)
        return data

    def _resolve(self, gpa: int) -> tuple[int, bytearray]:
        page = self.page(gpa)
        known = self._shared[gpa] = page, self._host.page(page)
        return known

    def readable(self, gpa: int) -> bytearray:
        """Return the bytes of a shared page, to be read only. Raises AccessError."""
        return (self._shared.get(gpa) or self._resolve(gpa))[1]

    def accept(self, gpa: int, *, validate: bool = True) -> None:
        """Execute PVALIDATE. Raises AccessError unless that changes the page.

        A page that was validated before has been swapped under the guest: it must not go on.
        """
        page = self.page(gpa)
        before = self._table.state(page)
        asid = self._vm.asid
        done = pvalidate(self._table, page, gpa >> 12, asid=asid, validate=int(validate))
        if done.fault is not None or done.status or done.carry:
            reason = done.fault or ("no change" if done.carry else f"EAX {int(done.status)}")
            raise AccessError(f"PVALIDATE: {reason}, page in state {before.name}", gpa)
        self._note_change("pvalidate", gpa, page, before.name)

    def adjust(self, gpa: int, rdx: int) -> None:
        """Execute RMPADJUST at VMPL 0. Raises AccessError if it fails."""
        page = self.page(gpa)
        before = self._table.state(page)
        done = rmpadjust(self._table, page, gpa >> 12, rdx, asid=self._vm.asid)
        if done.fault is not None or done.status:
            raise AccessError(f"RMPADJUST: {done.fault or int(done.status)}", gpa)
        self._note_change("rmpadjust", gpa, page, before.name)

    def _note_change(self, action: str, gpa: int, page: int, before: str) -> None:
        simulation = self._host.simulation
        if simulation.trace:
            after = self._table.state(page).name
            moved = (StateChange(page, before, after),) if after != before else ()
            simulation.note(GUEST, self._vm.name, 0, action, (), moved, page=Gpa(gpa))
