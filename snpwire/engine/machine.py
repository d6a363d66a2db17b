"""One machine: memory, the reverse map table, a secure processor, a hypervisor, and guests.

    machine = Machine(profile_named("milan"), seed=1)
    guest = machine.add("a guest")
    report = guest.report(bytes(64))

Randomness comes from the seed and time is virtual, so on one thread the same calls make the same
bytes. Several threads may use one machine: a lock stands where Linux has mutexes.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from ..bits import nearest
from ..errors import EngineError, UsageError
from ..rmp.sparse_table import SparseEntries
from ..wire.command_table import CommandId
from ..wire.firmware import VlekLoad
from ..wire.platform import Config, ConfigFlags
from ..wire.report import GuestPolicy
from .faults.injection import Injections
from .firmware import Firmware
from .guest.guest import Guest
from .guest.memory import GuestMemory
from .hypervisor import launch
from .hypervisor.host import Host
from .hypervisor.policy import HypervisorPolicy, Pages
from .hypervisor.vm import Vm
from .hypervisor.vmgexit import Hypervisor
from .memory import AddressMap, Memory
from .simulation import Simulation
from .trace import HYPERVISOR

if TYPE_CHECKING:
    from ..rmp.sparse_table import PlacedEntries
    from .cpuid_policy import CpuidPolicy
    from .faults.fault import AnyFault
    from .faults.injection import Injection
    from .profile import Profile
    from .simulation import Clock
    from .trace import Trace

MEGABYTE = 1 << 20
RMP = range(8 * MEGABYTE, 9 * MEGABYTE)
SIZE = 252 * MEGABYTE
"""As much memory as a table of 1 MiB has entries for."""
PAGES = SIZE >> 12
MOST_VCPUS = 16


class Machine:
    """A host with everything on it.

    *table* may be any table of ``SIZE`` bytes of memory with its place at ``RMP``, such as
    ``Table.blank(PAGES, base=RMP.start)`` of ``snpwire.rmp.table``; left out, it is one that needs
    no numpy.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        seed: int = 0,
        trace: Trace | None = None,
        cpuid: CpuidPolicy | None = None,
        table: PlacedEntries | None = None,
    ) -> None:
        """Start SNP. Raises UsageError for a table of another size or place."""
        self.simulation = Simulation(seed, trace)
        self.profile = profile
        memory = Memory(AddressMap(dram=(range(SIZE),), rmp=RMP))
        if table is None:
            table = SparseEntries(RMP)
        elif table.pages != PAGES or not (table.holds(RMP.start) and table.holds(RMP[-1])):
            where = f"{PAGES} pages that lies at {RMP.start:#x}"
            raise UsageError(f"the machine's table has {where}, got one of {table.pages} pages")
        chance = self.simulation.random.randbytes
        self.firmware = Firmware(memory, table, profile, random=chance, cpuid=cpuid)
        self.host = Host(self.simulation, memory, table, self.firmware, PAGES)
        self.hypervisor = Hypervisor(self.host)
        self.guests: dict[str, Guest] = {}
        self._asids = list(range(profile.snp_asids, 0, -1))
        self.run(CommandId.SNP_INIT)
        self._flush()

    @property
    def clock(self) -> Clock:
        """Return the machine's clock."""
        return self.simulation.clock

    def table_image(self) -> bytes:
        """Return the image of the reverse map table, as ``snpwire rmp`` reads it.

        Raises UsageError where the caller supplied the table: it has the image.
        """
        table = self.host.table
        if not isinstance(table, SparseEntries):
            raise UsageError("the table was given to the machine: its image is at hand")
        return table.image()

    def run(self, command: CommandId, buffer: bytes = b"") -> None:
        """Issue a command to the firmware. Raises EngineError unless it succeeds."""
        status = self.host.command(command, buffer)
        if status:
            raise EngineError(f"{command.name} ends with {status.name}")

    def _flush(self) -> None:
        """Write the caches back and flush the data fabric, so that ASIDs can be used."""
        self.firmware.wbinvd()
        self.run(CommandId.SNP_DF_FLUSH)

    def add(
        self,
        name: str = "vm",
        *,
        vcpus: int = 1,
        policy: HypervisorPolicy | None = None,
        image: launch.Image | None = None,
    ) -> Guest:
        """Launch a VM and start its guest. Raises UsageError and EngineError."""
        if not 1 <= vcpus <= MOST_VCPUS:
            raise UsageError(f"a VM has 1 to {MOST_VCPUS} processors, got {vcpus}")
        with self.simulation.lock:
            if name in self.guests:
                raise UsageError(f"there is a VM {name!r} already")
            if not self._asids:
                raise EngineError(f"all {self.profile.snp_asids} ASIDs are taken")
            vm = Vm(name, self._asids.pop(), policy or HypervisorPolicy())
            try:
                launch.launch(self.host, vm, image or launch.Image(), vcpus)
                if self.simulation.trace:
                    self.simulation.note(HYPERVISOR, name, 0, "launched", asid=vm.asid, vcpus=vcpus)
                guest = Guest(self.simulation, self.hypervisor, vm, GuestMemory(self.host, vm))
            except EngineError:
                self._take_down(vm)
                raise
            self.guests[name] = guest
        return guest

    def incoming(self, name: str, agent: Guest) -> int:
        """Begin the launch of a VM that *agent* is to import; return its context's address.

        Raises EngineError.
        """
        with self.simulation.lock:
            vm = Vm(name, 0, HypervisorPolicy())
            image = launch.Image(policy=launch.DEFAULT_POLICY | 1 << GuestPolicy.migrate_ma.low)
            launch.begin(self.host, vm, image, agent.vm)
        return vm.context << 12

    def inject(self, *injections: Injection) -> Injections:
        """Inject faults from now on, and no others; return them with their counts.

        Raises UsageError for a fault that cannot happen on this machine.
        """
        for injection in injections:
            self._prepare(injection.fault)
        faults = Injections(self.simulation, injections)
        self.simulation.faults = faults if injections else None
        return faults

    def _prepare(self, fault: AnyFault) -> None:
        last = self.hypervisor.requests.last
        if fault.needs == "neighbour" and min(len(self.guests), len(last)) < 2:
            self.simulation.faults = Injections(self.simulation, ())  # records requests
            name = next(f"neighbour{n or ''}" for n in count() if f"neighbour{n or ''}" not in last)
            self.add(name).key()
        if fault.needs == "own-pages":
            policies = [guest.vm.policy for guest in self.guests.values()]
            if not any(policy.pages is Pages.GUEST for policy in policies):
                hint = 'a policy with pages = "guest"'
                raise UsageError(f"{fault.name} needs the guest's own pages", help=hint)

    def remove(self, name: str) -> None:
        """Take a VM down and reclaim its pages. Raises UsageError and EngineError."""
        with self.simulation.lock:
            if name not in self.guests:
                raise UsageError(f"there is no VM {name!r}", help=nearest(name, self.guests))
            self._take_down(self.guests.pop(name).vm)

    def _take_down(self, vm: Vm) -> None:
        launch.dismantle(self.host, vm)
        self.hypervisor.requests.last.pop(vm.name, None)
        self._flush()
        self._asids.append(vm.asid)


def configure(
    machine: Machine,
    *,
    vlek: bool = False,
    mask_id: bool = False,
    mask_key: bool = False,
    reported_tcb: int = 0,
) -> None:
    """Set what the platform reports, 0 for the committed TCB version; then load a VLEK.

    Raises EngineError.
    """
    flags = ConfigFlags.of(mask_chip_id=mask_id, mask_chip_key=mask_key)
    if flags or reported_tcb:
        config = Config(reported_tcb=reported_tcb, flags=flags)
        machine.run(CommandId.SNP_CONFIG, config.build())
    if vlek:
        load_vlek(machine)


def load_vlek(machine: Machine) -> None:
    """Load a VLEK of the TEST provider. Raises EngineError."""
    page = machine.host.allocate()
    offered = machine.firmware.chip.wrapped_vlek()
    machine.host.page(page)[: len(offered)] = offered
    command = VlekLoad(length=VlekLoad.SIZE, vlek_wrapped_paddr=page << 12)
    machine.run(CommandId.SNP_VLEK_LOAD, command.build())
    machine.host.free(page)
