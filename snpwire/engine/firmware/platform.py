"""Commands that start SNP and tell its state.

Checks that ask the cores and their registers cannot fail here: the emulated host is set up as SNP
needs it, and has no IOMMU. Those that the host's own bytes can fail are here, in AMD-ASPFW's order.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ...rmp.entry import FIRMWARE_LO, HV_FIXED_LO, ONE_MORE
from ...wire.address import PAGE, REGION, RESERVED
from ...wire.platform import (
    InitEx,
    PlatformFlags,
    PlatformState,
    PlatformStatus,
    RmpFlags,
    ShutdownEx,
)
from ...wire.rmp import RmpState
from ...wire.status import Status
from ..entries import fill
from .processor import Refusal, fits_page
from .ranges import page_ranges

if TYPE_CHECKING:
    from .processor import Processor

MEGABYTE = 1 << 20
_INIT_RMP, _LIST_EN = 1, 2
_IOMMU, _X86 = 1, 2
_KNOWN_FLAGS = _INIT_RMP | _LIST_EN


def init(fw: Processor, _raw: bytes) -> None:
    """Start SNP with the table written anew. Raises Refusal."""
    _begin(fw, rebuild=True, listed=False)
    _build(fw, [])
    _started(fw)


def init_ex(fw: Processor, raw: bytes) -> None:
    """Start SNP as the buffer says. Raises Refusal.

    A list that is wrong is taken up to its first wrong element, without a word.
    """
    command = InitEx.parse(raw)
    flags = int(command.flags)
    if flags & ~_KNOWN_FLAGS or any(raw[0x4:0x8]) or any(raw[0x10:]):
        raise Refusal(Status.INVALID_PARAM)
    rebuild, listed = bool(flags & _INIT_RMP), bool(flags & _LIST_EN)
    _begin(fw, rebuild=rebuild, listed=listed)
    if rebuild:
        fixed: list[range] = []
        with suppress(Refusal):
            if listed:
                fixed.extend(page_ranges(fw, command.list_paddr, PAGE))
        _build(fw, fixed)
    _started(fw)


def _started(fw: Processor) -> None:
    fw.chip.state = PlatformState.INIT
    fw.chip.guest_count = 0
    fw.chip.derive()
    fw.asids.restart(fw.profile.highest_asid)


def _begin(fw: Processor, *, rebuild: bool, listed: bool) -> None:
    """Make the checks of a start."""
    if fw.chip.state != PlatformState.UNINIT:
        raise Refusal(Status.INVALID_PLATFORM_STATE)
    if not rebuild and fw.chip.rmp_tcb != fw.chip.committed_tcb:
        raise Refusal(Status.RMP_INIT_REQUIRED)
    if listed and not rebuild:
        raise Refusal(Status.INVALID_PARAM)
    where, table = fw.memory.map, fw.memory.map.rmp
    if not table:
        raise Refusal(Status.INVALID_CONFIG)
    status = where.check(table.start, len(table), rmp=False)
    if status:
        raise Refusal(status)
    if table.start % MEGABYTE or len(table) % MEGABYTE:
        raise Refusal(Status.INVALID_CONFIG)


def _build(fw: Processor, fixed: list[range]) -> None:
    """Write the table anew: memory the hypervisor's, the table the firmware's, the rest fixed."""
    own = _pages(fw.memory.map.rmp)
    if own.stop > fw.table.pages or any(_overlap(own, pages) for pages in fixed):
        raise Refusal(Status.RMP_INITIALIZATION_FAILED)
    fill(fw.table, range(fw.table.pages), HV_FIXED_LO, 0)
    for region in fw.memory.map.dram:
        fill(fw.table, _pages(region), 0, 0)
    for pages in (*fixed, *map(_pages, fw.memory.map.tmrs), _pages(fw.memory.map.aseg)):
        fill(fw.table, pages, HV_FIXED_LO, 0)
    fill(fw.table, _pages(RESERVED), HV_FIXED_LO, 0)
    fill(fw.table, own, FIRMWARE_LO, 0)
    for first in range(own.start & -REGION, own.stop, REGION):
        others = range(max(own.start, first + 1), min(own.stop, first + REGION))
        lo, hi = fw.table.entry(first)
        fw.table.set(first, lo | len(others) * ONE_MORE, hi)
    counters = fw.table.counters
    if counters is not None:
        counters[:] = [0] * len(counters)
    fw.chip.rmp_tcb = fw.chip.committed_tcb


def _pages(area: range) -> range:
    return range(area.start >> 12, -(-area.stop // PAGE))


def _overlap(first: range, second: range) -> bool:
    return first.start < second.stop and second.start < first.stop


def shutdown(fw: Processor, _raw: bytes) -> None:
    """SNP_SHUTDOWN: stop SNP. Raises Refusal."""
    if fw.chip.state == PlatformState.INIT:
        _stop(fw)


def shutdown_ex(fw: Processor, raw: bytes) -> None:
    """SNP_SHUTDOWN_EX: stop SNP, and what the buffer names with it. Raises Refusal.

    Without a platform that was started nothing is looked at, the buffer included. ASIDs that are
    not clean come before what is wrong with the buffer.
    """
    command = ShutdownEx.parse(raw)
    if fw.chip.state == PlatformState.UNINIT:
        return
    if not fw.asids.all_clean():
        raise Refusal(Status.DF_FLUSH_REQUIRED)
    flags = int(command.flags)
    alone = flags & _X86 and not flags & _IOMMU
    if command.length != ShutdownEx.SIZE or flags & ~(_IOMMU | _X86) or alone:
        raise Refusal(Status.INVALID_PARAM)
    _stop(fw)
    if flags & _IOMMU:
        fw.chip.rmp_tcb = None


def _stop(fw: Processor) -> None:
    """Forget guests and the VLEK; the table stays as it is."""
    if not fw.asids.all_clean():
        raise Refusal(Status.DF_FLUSH_REQUIRED)
    fw.chip.state = PlatformState.UNINIT
    fw.chip.vlek = None
    fw.contexts.clear()


def status(fw: Processor, raw: bytes) -> None:
    """Tell the platform's state. Raises Refusal."""
    address = int.from_bytes(raw, "little")
    if not fits_page(address, PlatformStatus.SIZE):
        raise Refusal(Status.INVALID_PARAM)
    if fw.chip.state == PlatformState.INIT:
        status_page(fw, address)
    chip = fw.chip
    major, minor, build = chip.running_version
    answer = PlatformStatus(
        api_major=major,
        api_minor=minor,
        state=chip.state,
        rmp_flags=RmpFlags.of(is_rmp_init=chip.rmp_tcb is not None),
        build_id=build,
        flags=PlatformFlags.of(
            mask_chip_id=chip.mask_chip_id,
            mask_chip_key=chip.mask_chip_key,
            vlek_en=chip.vlek is not None,
            feature_info=1,
        ),
        guest_count=chip.guest_count,
        current_tcb=chip.current_tcb,
        reported_tcb=chip.reported_tcb,
    )
    fw.store(address, answer.build())


def status_page(fw: Processor, address: int) -> None:
    """Refuse a page for an answer that is neither the firmware's nor outside the table."""
    if fw.look_up(address)[0] not in (RmpState.FIRMWARE, RmpState.DEFAULT):
        raise Refusal(Status.INVALID_PAGE_STATE)
