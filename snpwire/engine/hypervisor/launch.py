"""The launch of a guest as the host does it: a context, measured pages, and then it runs.

The sequence is that of Linux: GCTX_CREATE, LAUNCH_START, ACTIVATE, LAUNCH_UPDATE for each page,
LAUNCH_FINISH. Each page is pre-guest, so immutable, before the firmware measures it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...errors import EngineError
from ...wire.address import PAGE
from ...wire.command_table import CommandId
from ...wire.launch_commands import (
    Activate,
    Decommission,
    GctxCreate,
    LaunchFinish,
    LaunchFinishFlags,
    LaunchPage,
    LaunchPageType,
    LaunchStart,
    LaunchStartFlags,
    LaunchUpdate,
)
from ...wire.message import VMPCKS
from ...wire.operands import PscPageSize
from ...wire.vmsa import Vmsa
from ..guest_layout import EACH, LAYOUT, memory_of
from .vm import Vcpu

if TYPE_CHECKING:
    from .host import Host
    from .vm import Vm

DEFAULT_POLICY = 0x3_0000
"""SMT is allowed, and the bit that has to be set is."""
KERNEL = b"snpwire test guest".ljust(PAGE, b"\0")
"""A guest's software: one page, measured."""
TSC_KHZ = 2_000_000


class Image(NamedTuple):
    """The launch image of a guest, and the settings of its owner."""

    kernel: bytes = KERNEL
    """Pages that are measured."""
    cpuid: bytes = bytes(PAGE)
    policy: int = DEFAULT_POLICY
    host_data: bytes = bytes(32)
    id_block: bytes = b""
    id_auth: bytes = b""
    author: bool = False
    """The ID key is signed by an author key."""
    vcek_dis: bool = False


def launch(host: Host, vm: Vm, image: Image, vcpus: int) -> None:
    """Launch *vm*. Raises EngineError, which names the command that failed and its status."""
    begin(host, vm, image)
    activate = Activate(gctx_paddr=vm.context << 12, asid=vm.asid)
    _run(host, vm, CommandId.SNP_ACTIVATE, activate.build())
    for start in range(0, len(image.kernel), PAGE):
        data = image.kernel[start : start + PAGE].ljust(PAGE, b"\0")
        add_page(host, vm, LAYOUT.kernel + start, data, LaunchPageType.NORMAL)
    add_page(host, vm, LAYOUT.secrets, bytes(PAGE), LaunchPageType.SECRETS)
    add_page(host, vm, LAYOUT.cpuid, image.cpuid, LaunchPageType.CPUID)
    area = Vmsa(rip=0xFFF0, sev_features=1).build()
    add_page(host, vm, LAYOUT.first_save_area, area, LaunchPageType.VMSA)
    _finish(host, vm, image)
    _populate(host, vm, vcpus)


def begin(host: Host, vm: Vm, image: Image, agent: Vm | None = None) -> None:
    """Make a context and begin a launch, of a guest whose migration agent is *agent*.

    Raises EngineError.
    """
    vm.context = host.allocate()
    _check(vm, "RMPUPDATE", host.assign(vm.context, f"context of {vm.name}", fixed=True))
    gctx = vm.context << 12
    _run(host, vm, CommandId.SNP_GCTX_CREATE, GctxCreate(gctx_paddr=gctx).build())
    start = LaunchStart(
        gctx_paddr=gctx,
        policy=image.policy,
        ma_gctx_paddr=agent.context << 12 if agent else 0,
        flags=LaunchStartFlags.of(ma_en=int(agent is not None)),
        desired_tsc_freq=TSC_KHZ,
    )
    _run(host, vm, CommandId.SNP_LAUNCH_START, start.build())


def add_page(host: Host, vm: Vm, gpa: int, data: bytes, kind: LaunchPageType) -> None:
    """Put a page into a guest that is launched. Raises EngineError."""
    page = host.allocate()
    host.page(page)[:] = data
    result = host.assign(page, vm.name, asid=vm.asid, gpa=gpa, fixed=True)
    _check(vm, "RMPUPDATE", result)
    vm.map[gpa >> 12] = page
    update = LaunchUpdate(
        gctx_paddr=vm.context << 12,
        page=LaunchPage.of(page_size=int(PscPageSize.SIZE_4K), page_type=int(kind)),
        page_paddr=page << 12,
    )
    _run(host, vm, CommandId.SNP_LAUNCH_UPDATE, update.build(), watch=(page,))


def _finish(host: Host, vm: Vm, image: Image) -> None:
    block = auth = 0
    if image.id_block:
        block, auth = host.allocate(), host.allocate()
        host.page(block)[: len(image.id_block)] = image.id_block
        host.page(auth)[: len(image.id_auth)] = image.id_auth
    flags = LaunchFinishFlags.of(
        id_block_en=int(bool(image.id_block)),
        auth_key_en=int(image.author),
        vcek_dis=int(image.vcek_dis),
    )
    finish = LaunchFinish(
        gctx_paddr=vm.context << 12,
        id_block_paddr=block << 12,
        id_auth_paddr=auth << 12,
        flags=flags,
        host_data=image.host_data,
    )
    _run(host, vm, CommandId.SNP_LAUNCH_FINISH, finish.build())
    for page in (block, auth):
        if page:
            host.free(page)


def _populate(host: Host, vm: Vm, vcpus: int) -> None:
    """Allocate the rest of a guest's memory, its processors, and the host's bounce pages."""
    for gpa in memory_of(vcpus):
        vm.map[gpa >> 12] = host.allocate()
    vm.stray_gpa = LAYOUT.buffers + (VMPCKS * EACH - 1) * PAGE
    vm.vcpus = [Vcpu(vm, number) for number in range(vcpus)]
    vm.vcpus[0].vmsa_gpa, vm.vcpus[0].running = LAYOUT.first_save_area, True
    vm.bounce = host.allocate(), host.allocate()
    for page in (*vm.map.values(), *vm.bounce):
        host.table.set(page, *host.table.entry(page))  # faster to look up than in a run of pages
    _check(vm, "RMPUPDATE", host.assign(vm.bounce[1], f"firmware, for {vm.name}", fixed=True))


def dismantle(host: Host, vm: Vm) -> None:
    """Take a guest down, however far its launch came, and reclaim its pages or leak them."""
    if vm.context:
        gctx = Decommission(gctx_paddr=vm.context << 12)
        host.command(CommandId.SNP_DECOMMISSION, gctx.build(), watch=(vm.context,))
    pages = [page for page in (vm.context, *vm.bounce, *vm.map.values()) if page]
    for page in pages:
        if not host.is_ours(page) and host.unassign(page):
            host.reclaim_or_leak(page)
        host.free(page)
    vm.map.clear()
    vm.views.clear()
    vm.stopped = "it was taken down"


def _run(
    host: Host, vm: Vm, command: CommandId, buffer: bytes, *, watch: tuple[int, ...] = ()
) -> None:
    status = host.command(command, buffer, watch=watch or (vm.context,))
    if status:
        raise EngineError(f"VM {vm.name}: {command.name} ends with {status.name}")


def _check(vm: Vm, what: str, result: int) -> None:
    if result:
        raise EngineError(f"VM {vm.name}: {what} ends with {int(result)}")
