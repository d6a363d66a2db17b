"""The host's memory and its use of the secure processor: pages assigned, commands issued.

Each page that is not hypervisor-owned has a named owner here. A page that cannot be reclaimed is
leaked, as Linux does: never used again, and known to be lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import EngineError
from ...rmp.entry import ASID_LOW, ASSIGNED, IMMUTABLE
from ...rmp.scalar.host import SHARED, rmpupdate
from ...wire.address import PAGE
from ...wire.command_table import COMMANDS, CommandId
from ...wire.event import Gpa
from ...wire.page_commands import Reclaim, ReclaimPage
from ..trace import FIRMWARE, HYPERVISOR, StateChange, TraceBytes

if TYPE_CHECKING:
    from ...rmp.sparse_table import PlacedEntries
    from ...wire.rmp import RmpState
    from ...wire.rmp_words import RmpUpdateResult
    from ...wire.status import Status
    from ..firmware import Firmware
    from ..memory import Memory
    from ..simulation import Simulation

LEAKED = "leaked"
PAGE_RECLAIM, RECLAIM_PFN = CommandId.SNP_PAGE_RECLAIM, ReclaimPage.page_paddr.low
FIRST_PAGE = 0x1000
"""Pages below 16 MiB stay unused: the table is there, and what the firmware of PCs uses."""


class Host:
    """Pages and commands."""

    def __init__(
        self,
        simulation: Simulation,
        memory: Memory,
        table: PlacedEntries,
        firmware: Firmware,
        pages: int,
    ) -> None:
        self.simulation = simulation
        self.memory = memory
        self.table = table
        self.firmware = firmware
        self.dead = False
        """The secure processor does not answer any more."""
        self.owners: dict[int, str] = {}
        """Owner of each page that is not hypervisor-owned; ``leaked`` for one that is lost."""
        self._free: list[int] = []
        self._next, self._end = FIRST_PAGE, pages
        self._buffer = self.allocate()
        self._view = self.page(self._buffer)

    @property
    def used(self) -> int:
        """Return the number of the first page that was never allocated."""
        return self._next

    def allocate(self) -> int:
        """Return the number of a free page. Raises EngineError if there is none."""
        if self._free:
            return self._free.pop()
        if self._next >= self._end:
            raise EngineError(f"the machine's {self._end} pages of memory are used up")
        self._next += 1
        return self._next - 1

    def free(self, page: int) -> None:
        """Free a page; one that is not hypervisor-owned stays lost."""
        if page not in self.owners:
            self.memory.drop(page)
            self._free.append(page)

    def page(self, page: int) -> bytearray:
        """Return the bytes of a page as the host sees them, to be changed in place."""
        found = self.memory.pages.get(page)
        if found is None:
            found = self.memory.pages[page] = bytearray(PAGE)
        return found

    def is_ours(self, page: int) -> bool:
        """Return whether the processor lets the host write to a page."""
        return page >= self.table.pages or not self.table.entry(page)[0] & ASSIGNED

    def assign(
        self, page: int, owner: str, *, asid: int = 0, gpa: int = 0, fixed: bool
    ) -> RmpUpdateResult:
        """Assign a page: to the firmware, or with an ASID to a guest that sees it at *gpa*."""
        fix = IMMUTABLE if fixed else 0
        result = self._update(page, ASSIGNED | asid << ASID_LOW | gpa | fix)
        if not result:
            self.owners[page] = owner
        return result

    def unassign(self, page: int) -> RmpUpdateResult:
        """Make a page hypervisor-owned."""
        result = self._update(page, SHARED)
        if not result:
            self.owners.pop(page, None)
        return result

    def reclaim_or_leak(self, page: int) -> bool:
        """Reclaim a page from the firmware, or leak it; return whether it was reclaimed."""
        if not self.dead and not self.reclaim(page) and not self.unassign(page):
            return True
        self.leak(page)
        return False

    def leak(self, page: int) -> None:
        """Give a page up for good."""
        self.owners[page] = LEAKED
        if self.simulation.trace:
            self.simulation.note(HYPERVISOR, "", 0, "leak", page=Gpa(page << 12))

    def reclaim(self, page: int) -> Status:
        """Have the firmware reclaim a page."""
        return self.command(PAGE_RECLAIM, Reclaim.ENGINE.pack(page << RECLAIM_PFN))

    def _update(self, page: int, new: int) -> RmpUpdateResult:
        if self.simulation.trace is None:
            return rmpupdate(self.table, page, new)
        before = self.table.state(page)
        result = rmpupdate(self.table, page, new)
        facts = {"page": Gpa(page << 12), "result": result}
        self.simulation.note(HYPERVISOR, "", 0, "rmpupdate", (), self.moved(page, before), **facts)
        return result

    def moved(self, page: int, before: RmpState) -> tuple[StateChange, ...]:
        """Return the change of a page's state, if there was one."""
        after = self.table.state(page)
        return () if after is before else (StateChange(page, before.name, after.name),)

    def command(
        self,
        command: CommandId,
        buffer: bytes,
        vm: str = "",
        takes: int = 0,
        *,
        watch: tuple[int, ...] = (),
    ) -> Status:
        """Put *buffer* into memory and have the firmware carry out a command.

        It *takes* so many nanoseconds. The trace names *vm*, and the pages of *watch* whose state
        changes. Raises EngineError if the secure processor does not answer any more.
        """
        if self.dead:
            raise EngineError(f"{command.name}: the secure processor does not answer any more")
        address, simulation = self._buffer << 12 if buffer else 0, self.simulation
        if simulation.trace is None:
            self._view[: len(buffer)] = buffer
            status = self.firmware.mailbox(command, address)
            simulation.clock.now += takes
            return status
        was = bytes(self._view[: len(buffer)])
        self._view[: len(buffer)] = buffer
        kind = COMMANDS[command].buffer if command in COMMANDS else ""
        written = (TraceBytes(kind, address, buffer, was),) if buffer else ()
        simulation.note(HYPERVISOR, vm, 0, "command", written, command=command)
        states = [(page, self.table.state(page)) for page in watch]
        status = self.firmware.mailbox(command, address)
        simulation.clock.now += takes
        moved = tuple(item for page, before in states for item in self.moved(page, before))
        simulation.note(FIRMWARE, vm, 0, "done", (), moved, command=command, status=status)
        return status
