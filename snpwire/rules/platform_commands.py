"""Checks of the buffers of commands about the platform and the firmware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire.address import LARGE_PAGE, PAGE
from ..wire.status import Status
from .verdict import (
    REFUSES,
    Verdict,
    aligned,
    clear,
    length,
    newer,
    note,
    pages,
    reachable,
    refuse,
    warning,
    within_page,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire.firmware import DownloadFirmwareEx, FeatureInfoCommand, VlekLoad
    from ..wire.mailbox import RingBuffer
    from ..wire.platform import InitEx, RangeList, ShutdownEx
    from .verdict import Check

LIST_HEADER = 8
NEWER = ("rapl_dis", "ciphertext_hiding_en", "tio_en")
LAST_PART = 1


def init(value: InitEx) -> Iterator[Verdict]:
    """Expect a list of ranges only where the RMP is set up anew (INIT_EX, checks 6 and 8)."""
    flags, place = value.flags, value.list_paddr
    if value.max_snp_asid:
        text = f"max_snp_asid is {value.max_snp_asid:#x}: newer firmware has it, 1.55.25 {REFUSES}"
        yield warning(value, "command-newer", "max_snp_asid", text)
    if flags.has("list_paddr_en") and not flags.has("init_rmp"):
        text = "list_paddr_en is set in flags without init_rmp"
        yield refuse(value, "command-list", "flags", text)
    if flags.has("list_paddr_en") and place % PAGE + LIST_HEADER > PAGE:
        text = f"list_paddr is {place:#x}: the list crosses a page, and the firmware drops it"
        yield warning(value, "command-list", "list_paddr", text)
    if place and not flags.has("list_paddr_en"):
        text = f"list_paddr is {place:#x}, and list_paddr_en is clear: nobody reads the list"
        yield note(value, "command-list", "list_paddr", text)


def shutdown(value: ShutdownEx) -> Iterator[Verdict]:
    """Expect the cores to be turned off with the IOMMU alone (SHUTDOWN_EX, check 6)."""
    if value.flags.has("x86_snp_shutdown") and not value.flags.has("iommu_snp_shutdown"):
        text = "x86_snp_shutdown is set in flags without iommu_snp_shutdown"
        yield refuse(value, "command-shutdown", "flags", text)


def ranges(value: RangeList) -> Iterator[Verdict]:
    """Expect whole pages; a bad list is refused by SET_STATE and cut short by INIT_EX."""
    yield from clear(value)
    if value.head.n > len(value.elements):
        text = f"n announces {value.head.n} ranges, the bytes hold {len(value.elements)} of them"
        yield refuse(value, "command-ranges", "n", text)
    for index, one in enumerate(value.elements):
        path, place = f"ranges[{index}]", value.SIZE + 0x10 * index
        for verdict in _range(value, one, path):
            offset = place + (8 if verdict.finding.path.endswith("page_count") else 0)
            yield verdict._replace(finding=verdict.finding._replace(offset=offset))


def _range(value: RangeList, one: Any, path: str) -> Iterator[Verdict]:
    base, count = one.base, one.page_count
    if not count:
        text = f"{path}.page_count is 0: passed over"
        yield note(value, "command-range-empty", f"{path}.page_count", text)
    if base % PAGE:
        text = f"{path}.base is {base:#x}, no multiple of 0x1000"
        yield refuse(value, "command-alignment", f"{path}.base", text)
    elif base % LARGE_PAGE:
        text = f"{path}.base is {base:#x}, no multiple of 2 MiB: SNP_PAGE_SET_STATE refuses it"
        yield warning(value, "command-alignment", f"{path}.base", text)
    if base + count * PAGE > 1 << 52:
        text = f"{path} ends at {base + count * PAGE:#x}, beyond all addresses"
        yield warning(value, "command-address", f"{path}.page_count", text)


def update(value: DownloadFirmwareEx) -> Iterator[Verdict]:
    """Expect the length that callers give, which the firmware does not look at, and an image."""
    if value.length != value.SIZE:
        text = f"length is {value.length:#x}, callers give 0x18; AMD-ASPFW does not look"
        yield note(value, "command-length", "length", text)
    if not value.fw_len:
        yield warning(value, "command-empty", "fw_len", "fw_len is 0: there is no image")


def vlek(value: VlekLoad) -> Iterator[Verdict]:
    """Expect version 0 (VLEK_LOAD, check 1)."""
    if value.vlek_wrapped_version:
        text = f"vlek_wrapped_version is {value.vlek_wrapped_version}, it has to be 0"
        yield refuse(value, "command-version", "vlek_wrapped_version", text)


def part(value: FeatureInfoCommand) -> Iterator[Verdict]:
    """Expect a part that there is (FEATURE_INFO, check 5)."""
    if value.ecx_in > LAST_PART:
        text = f"ecx_in is {value.ecx_in:#x}, there are parts 0 and 1"
        yield refuse(value, "command-part", "ecx_in", text)


def rings(value: RingBuffer) -> Iterator[Verdict]:
    """Expect a low queue of one page, and at most one of the high one."""
    if value.low_priority_queue_size != 1:
        text = f"low_priority_queue_size is {value.low_priority_queue_size}, it has to be 1"
        yield refuse(value, "command-queue", "low_priority_queue_size", text)
    if value.high_priority_queue_size > 1:
        text = f"high_priority_queue_size is {value.high_priority_queue_size}, it is 0 or 1"
        yield refuse(value, "command-queue", "high_priority_queue_size", text)
    yield from aligned(PAGE, *POINTERS, status=Status.INVALID_ADDRESS)(value)
    if value.int_on_empty > 1:
        text = f"int_on_empty is {value.int_on_empty:#x}: bit 0 alone counts"
        yield note(value, "command-bits", "int_on_empty", text)


POINTERS = tuple(
    f"{queue}_priority_{what}_ptr" for queue in ("low", "high") for what in ("cmd", "status")
)


def guessed(value: Any) -> Iterator[Verdict]:
    """Expect the length that the patches give; no firmware is known that checks it."""
    if value.length != value.SIZE:
        text = f"length is {value.length:#x}, the patches give {value.SIZE:#x}"
        yield warning(value, "command-length", "length", text)


CHECKS: dict[str, tuple[Check, ...]] = {
    "InitEx": (clear, newer("flags", *NEWER), init, reachable("list_paddr")),
    "ShutdownEx": (length("length", 8), clear, shutdown),
    "PlatformStatusCommand": (within_page("status_paddr", 0x20), reachable("status_paddr")),
    "Config": (clear,),
    "Commit": (length("length", 4),),
    "RangeList": (ranges,),
    "DownloadFirmwareEx": (
        clear,
        aligned(32, "fw_paddr", status=Status.INVALID_ADDRESS),
        update,
        reachable("fw_paddr"),
    ),
    "VlekLoad": (length("length", 0x10), vlek, clear, reachable("vlek_wrapped_paddr")),
    "FeatureInfoCommand": (
        length("length", 0x10),
        aligned(4, "feature_info_paddr", status=Status.INVALID_ADDRESS),
        within_page("feature_info_paddr", 0x10, Status.INVALID_ADDRESS),
        part,
        reachable("feature_info_paddr"),
    ),
    "RingBuffer": (rings, reachable(*POINTERS)),
    "VerifyMitigation": (guessed, clear),
    "HvReportReq": (guessed, clear, pages("gctx_paddr")),
}
