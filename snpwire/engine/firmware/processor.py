"""The state of the secure processor that its commands share: memory, RMP, guests, ASIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...rmp.sparse_table import state_of_entry
from ...wire.address import C_BIT, IN_PAGE, PAGE, page_of
from ...wire.platform import PlatformState
from ...wire.rmp import RmpState
from ...wire.status import Status
from ..cpuid_policy import CpuidPolicy, published_policy
from ..memory import FIRMWARE
from .chip import TEST_CHIP, Chip
from .context import FirmwareGuest

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...layout import Record
    from ...rmp.sparse_table import PlacedEntries
    from ..memory import Memory
    from ..profile import Profile

_INIT, _DEFAULT = PlatformState.INIT, RmpState.DEFAULT
PLACE = ~C_BIT
"""The bits of an address without the C-bit."""


class CommandRefusal(Exception):  # noqa: N818 - no error of the program: a firmware status
    """A check failed; the command, or the message, ends with this status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class Processor:
    """The secure processor's state, without its commands."""

    def __init__(
        self,
        memory: Memory,
        table: PlacedEntries,
        profile: Profile,
        *,
        random: Callable[[int], bytes],
        secret: bytes = TEST_CHIP,
        cpuid: CpuidPolicy | None = None,
    ) -> None:
        self.memory = memory
        self._plain = memory.plain
        self.table = table
        self.profile = profile
        self.random = random
        self.chip = Chip(profile, secret)
        self.cpuid = cpuid or published_policy(profile.fms)
        self.asids = Asids()
        self.contexts: dict[int, FirmwareGuest] = {}
        memory.install(FIRMWARE, self.chip.id)

    def require_started(self) -> None:
        """Refuse unless SNP is initialised."""
        if self.chip.state != _INIT:
            raise CommandRefusal(Status.INVALID_PLATFORM_STATE)

    def look_up(self, address: int) -> tuple[RmpState, int]:
        """Return the state of a page and the first quadword of its entry, 0 where it has none.

        Refuses an address inside the table. The C-bit is not looked at.
        """
        place = address & PLACE
        table = self.table
        if table.holds(place):
            raise CommandRefusal(Status.INVALID_PARAM)
        page = place >> 12
        if page >= table.pages:
            return _DEFAULT, 0
        lo = table.entry(page)[0]
        return state_of_entry(lo), lo

    def reach(self, address: int, size: int) -> None:
        """Refuse an access that the memory map does not allow."""
        require(self.memory.reach(address, size))

    def load(self, address: int, size: int) -> bytes:
        """Return *size* bytes of plain memory. Refuses what the memory map does not allow."""
        place = address & PLACE
        at = place & IN_PAGE
        stop, page = at + size, self._plain.get(place >> 12)
        if page is not None and stop <= PAGE:
            return bytes(page[at:stop])
        self.reach(address, size)
        return self.memory.read(place, size)

    def store(self, address: int, data: bytes) -> None:
        """Write to plain memory. Refuses what the memory map does not allow."""
        place = address & PLACE
        at = place & IN_PAGE
        stop, page = at + len(data), self._plain.get(place >> 12)
        if page is not None and stop <= PAGE:
            page[at:stop] = data
            return
        self.reach(address, len(data))
        self.memory.write(place, data)

    def context(self, address: int) -> FirmwareGuest:
        """Return the guest whose context is at *address*, which is in state CONTEXT."""
        page = page_of(address)
        guest = self.contexts.get(page)
        if guest is None:  # a table that was set up by hand: the page was never written
            guest = self.contexts[page] = FirmwareGuest()
        return guest

    def guest(self, address: int) -> FirmwareGuest:
        """Return the guest whose context is at *address*. Refuses a page without one."""
        refuse_if(self.look_up(address)[0] != RmpState.CONTEXT, Status.INVALID_GUEST)
        self.reach(address, PAGE)
        return self.context(address)

    def scramble(self, address: int) -> None:
        """Make a context page read as noise to all but the firmware."""
        self.memory.write(address & ~C_BIT, bytes(PAGE), FIRMWARE)


def refuse_if(failed: object, status: Status) -> None:
    """Refuse with *status* if a check *failed*."""
    if failed:
        raise CommandRefusal(status)


def require(status: Status) -> None:
    """Refuse unless *status* is success."""
    if status:
        raise CommandRefusal(status)


def reserved_set(record: Record) -> bool:
    """Return whether a byte is set that no field of *record* claims."""
    return any(any(raw) for tile, raw in zip(record.TILES, record, strict=True) if tile.gap)


def fits_page(address: int, size: int) -> bool:
    """Return whether *size* bytes at *address* do not cross a page."""
    return (address & IN_PAGE) + size <= PAGE


class Asids:
    """Every ASID by number: dirty, clean, or owned by a guest."""

    def __init__(self) -> None:
        self.owners: dict[int, int] = {}
        """Page of the guest's context by ASID, from its activation on."""
        self.clean: set[int] = set()
        self.written_back = False
        self.highest = 0

    def restart(self, highest: int) -> None:
        """Make all ASIDs up to *highest* dirty, as the start of SNP does."""
        self.owners.clear()
        self.clean.clear()
        self.written_back = False
        self.highest = highest

    def flush(self) -> Status:
        """Make dirty ASIDs clean, unless a core's cache is not written back yet."""
        if not self.written_back:
            return Status.WBINVD_REQUIRED
        self.clean.update(asid for asid in range(1, self.highest + 1) if asid not in self.owners)
        return Status.SUCCESS

    def bind(self, asid: int, page: int) -> None:
        """Bind an ASID to the guest whose context is in *page*."""
        self.clean.discard(asid)
        self.owners[asid] = page

    def free(self, asid: int, *, used: bool) -> None:
        """Unbind an ASID: dirty if the guest could have run, clean if it could not."""
        self.owners.pop(asid, None)
        if used:
            self.written_back = False
        else:
            self.clean.add(asid)

    def all_clean(self) -> bool:
        """Return whether no ASID is dirty or bound."""
        return len(self.clean) == self.highest
