"""Commands that start, stop, configure and report on SNP.

Checks of cores and their registers cannot fail here: the emulated host is set up as SNP needs it,
and has no IOMMU. Those that the host's own bytes can fail are here, in AMD-ASPFW's order.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ...crypto.wrapping import unwrap_vlek
from ...errors import AuthError
from ...rmp.snp_init import build, pages_of
from ...wire.address import C_BIT, PAGE
from ...wire.firmware import FeatureInfo, VlekWrapped
from ...wire.platform import (
    MAX_RANGES,
    InitFlags,
    PlatformFlags,
    PlatformState,
    PlatformStatus,
    Range,
    RangeListHeader,
    RmpFlags,
)
from ...wire.rmp import RmpState
from ...wire.status import Status
from .processor import CommandRefusal, fits_page, refuse_if, require, reserved_set

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...wire.firmware import FeatureInfoCommand, VlekLoad
    from ...wire.platform import Commit, Config, InitEx, PlatformStatusCommand, ShutdownEx
    from .chip import Chip
    from .processor import Processor

MEGABYTE = 1 << 20
_KNOWN_FLAGS = InitFlags.init_rmp.mask | InitFlags.list_paddr_en.mask
"""Newer firmware knows more."""


def init(fw: Processor, _command: None) -> None:
    """SNP_INIT: start SNP with a new RMP."""
    _check_start(fw, rebuild=True, listed=False)
    _build(fw, [])
    _enter_init(fw)


def init_ex(fw: Processor, command: InitEx) -> None:
    """SNP_INIT_EX: start SNP as the buffer says.

    A malformed range list counts up to its first malformed element, silently.
    """
    flags = command.flags
    if flags & ~_KNOWN_FLAGS or command.max_snp_asid or reserved_set(command):
        raise CommandRefusal(Status.INVALID_PARAM)
    rebuild, listed = bool(flags.init_rmp), bool(flags.list_paddr_en)
    _check_start(fw, rebuild=rebuild, listed=listed)
    if rebuild:
        fixed: list[range] = []
        with suppress(CommandRefusal):
            if listed:
                fixed.extend(page_ranges(fw, command.list_paddr, PAGE))
        _build(fw, fixed)
    _enter_init(fw)


def _enter_init(fw: Processor) -> None:
    fw.chip.state = PlatformState.INIT
    fw.chip.guest_count = 0
    fw.chip.derive()
    fw.asids.restart(fw.profile.highest_asid)


def _check_start(fw: Processor, *, rebuild: bool, listed: bool) -> None:
    """Make the checks of a start."""
    refuse_if(fw.chip.state != PlatformState.UNINIT, Status.INVALID_PLATFORM_STATE)
    refuse_if(not rebuild and fw.chip.rmp_tcb != fw.chip.committed_tcb, Status.RMP_INIT_REQUIRED)
    refuse_if(listed and not rebuild, Status.INVALID_PARAM)
    where, table = fw.memory.map, fw.memory.map.rmp
    refuse_if(not table, Status.INVALID_CONFIG)
    require(where.check(table.start, len(table), rmp=False))
    refuse_if(table.start % MEGABYTE or len(table) % MEGABYTE, Status.INVALID_CONFIG)


def _build(fw: Processor, fixed: list[range]) -> None:
    """Write the RMP anew, *fixed* pages being HV_FIXED."""
    area = fw.memory.map
    closed = (*fixed, *map(pages_of, area.tmrs), pages_of(area.aseg))
    require(build(fw.table, pages_of(area.rmp), map(pages_of, area.dram), closed))
    fw.chip.rmp_tcb = fw.chip.committed_tcb


def shutdown(fw: Processor, _command: None) -> None:
    """SNP_SHUTDOWN: stop SNP."""
    if fw.chip.state == PlatformState.INIT:
        _stop(fw)


def shutdown_ex(fw: Processor, command: ShutdownEx) -> None:
    """SNP_SHUTDOWN_EX: stop SNP, and what the buffer names besides.

    Before SNP is started nothing is checked, not even the buffer. ASIDs that are not clean are
    checked before the buffer.
    """
    if fw.chip.state == PlatformState.UNINIT:
        return
    refuse_if(not fw.asids.all_clean(), Status.DF_FLUSH_REQUIRED)
    flags = command.flags
    cores_alone = flags.x86_snp_shutdown and not flags.iommu_snp_shutdown
    refuse_if(command.length != command.SIZE or flags.unknown or cores_alone, Status.INVALID_PARAM)
    _stop(fw)
    if flags.iommu_snp_shutdown:
        fw.chip.rmp_tcb = None


def _stop(fw: Processor) -> None:
    """Forget guests and the VLEK; the RMP stays as it is."""
    refuse_if(not fw.asids.all_clean(), Status.DF_FLUSH_REQUIRED)
    fw.chip.state = PlatformState.UNINIT
    fw.chip.vlek = None
    fw.contexts.clear()


def status(fw: Processor, command: PlatformStatusCommand) -> None:
    """SNP_PLATFORM_STATUS: report state, version and TCB of the platform."""
    address = command.status_paddr
    refuse_if(not fits_page(address, PlatformStatus.SIZE), Status.INVALID_PARAM)
    if fw.chip.state == PlatformState.INIT:
        status_page(fw, address)
    chip = fw.chip
    major, minor, build = chip.running_version
    response = PlatformStatus(
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
    fw.store(address, response.build())


def status_page(fw: Processor, address: int) -> None:
    """Refuse a page to write to that is neither firmware-owned nor beyond the RMP."""
    if fw.look_up(address)[0] not in (RmpState.FIRMWARE, RmpState.DEFAULT):
        raise CommandRefusal(Status.INVALID_PAGE_STATE)


def page_ranges(fw: Processor, address: int, unit: int) -> Iterator[range]:
    """Yield the pages of each element of the list at *address*; bases are multiples of *unit*.

    Refuses the list, or the first element that is wrong, with INVALID_PARAM.
    """
    head = fw.load(address, RangeListHeader.SIZE)
    header = RangeListHeader.parse(head)
    count = header.n
    size = RangeListHeader.SIZE + count * Range.SIZE
    if reserved_set(header) or count > MAX_RANGES or not fits_page(address, size):
        raise CommandRefusal(Status.INVALID_PARAM)
    for index in range(count):
        place = address + RangeListHeader.SIZE + index * Range.SIZE
        element = Range.parse(fw.load(place, Range.SIZE))
        base = element.base & ~C_BIT
        refuse_if(reserved_set(element) or base % unit, Status.INVALID_PARAM)
        if element.page_count:
            yield range(base >> 12, (base >> 12) + element.page_count)


HASH_SIZE = 48


def config(fw: Processor, command: Config) -> None:
    """SNP_CONFIG: set the reported TCB version, and what reports and keys mask.

    Versions are compared component by component, and the first that differs decides, so that a
    later component may be above the committed one.
    """
    flags, chip = command.flags, fw.chip
    refuse_if(flags.unknown or reserved_set(command), Status.INVALID_PARAM)
    tcb = command.reported_tcb or chip.committed_tcb
    refuse_if(_components(chip, tcb) > _components(chip, chip.committed_tcb), Status.INVALID_PARAM)
    chip.derive(tcb)
    chip.config_tcb = tcb
    chip.mask_chip_id, chip.mask_chip_key = bool(flags.mask_chip_id), bool(flags.mask_chip_key)


def _components(chip: Chip, tcb: int) -> list[int]:
    word = chip.tcb(tcb)
    return [part.value(word) for part in type(word).BITS.values()]


def commit(fw: Processor, command: Commit) -> None:
    """SNP_COMMIT: make the running firmware the rollback floor."""
    refuse_if(command.length != command.SIZE, Status.INVALID_PARAM)
    fw.chip.commit()


def load_vlek(fw: Processor, command: VlekLoad) -> None:
    """SNP_VLEK_LOAD: load a wrapped VLEK."""
    malformed = command.length != command.SIZE or command.vlek_wrapped_version
    refuse_if(malformed or reserved_set(command), Status.INVALID_PARAM)
    wrapped = fw.load(command.vlek_wrapped_paddr, VlekWrapped.SIZE)
    chip = fw.chip
    refuse_if(VlekWrapped.parse(wrapped).tcb_version != chip.reported_tcb, Status.BAD_SVN)
    try:
        hashes = unwrap_vlek(chip.vcek_hash(chip.vcek_tcb), wrapped)
    except AuthError:
        raise CommandRefusal(Status.BAD_MEASUREMENT) from None
    chip.vlek, chip.vlek_tcb = hashes[-HASH_SIZE:], chip.reported_tcb


def feature_info(fw: Processor, command: FeatureInfoCommand) -> None:
    """SNP_FEATURE_INFO: report the features of the firmware."""
    address = command.feature_info_paddr
    refuse_if(command.length != command.SIZE, Status.INVALID_PARAM)
    refuse_if(address % 4 or not fits_page(address, FeatureInfo.SIZE), Status.INVALID_ADDRESS)
    if fw.chip.state != PlatformState.UNINIT:
        status_page(fw, address)
    profile = fw.profile
    parts = (
        FeatureInfo(eax=1, ebx=profile.features_ebx, ecx=profile.features_ecx),
        FeatureInfo(eax=profile.messages),
    )
    refuse_if(command.ecx_in >= len(parts), Status.INVALID_PARAM)
    fw.store(address, parts[command.ecx_in].build())
