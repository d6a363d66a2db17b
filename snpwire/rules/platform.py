"""What the firmware checks before commands about the platform, and what can be wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import platform as wire
from ..wire.address import LARGE_PAGE, PAGE
from ..wire.command import CommandId as Id
from ..wire.status import Status
from . import command_check as check
from .command_check import REFUSES, invalid, reachable, row, rule, unreached

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..finding import Findings
    from .command_check import BufferRules, CommandCheck

NEWER = ("rapl_dis", "ciphertext_hiding_en", "tio_en")
ADDRESSES = 1 << 52


def init_remarks(value: wire.InitEx) -> Findings:
    """Remark on what newer firmware knows, and on a list that is not used or cut short."""
    place, listed = value.list_paddr, value.flags.has("list_paddr_en")
    if value.max_snp_asid:
        text = f"max_snp_asid is {value.max_snp_asid:#x}: newer firmware has it, 1.55.25 {REFUSES}"
        yield check.warning(value, "command-newer", "max_snp_asid", text)
    if listed and place % PAGE + wire.RangeListHeader.SIZE > PAGE:
        text = f"list_paddr is {place:#x}: the list crosses a page, and the firmware drops it"
        yield check.warning(value, "command-list", "list_paddr", text)
    if place and not listed:
        text = f"list_paddr is {place:#x}, and list_paddr_en is clear: nobody reads the list"
        yield check.note(value, "command-list", "list_paddr", text)


def range_count(value: wire.RangeList) -> Findings:
    """Expect all ranges that the header announces."""
    if value.head.n > len(value.elements):
        text = f"n announces {value.head.n} ranges, the bytes hold {len(value.elements)} of them"
        yield check.problem(value, "command-ranges", "n", text)


def range_bases(value: wire.RangeList) -> Findings:
    """Expect ranges of whole pages."""
    for path, place, one in _ranges(value):
        if one.base % PAGE:
            text = f"{path}.base is {one.base:#x}, no multiple of 0x1000"
            finding = check.problem(value, "command-alignment", f"{path}.base", text)
            yield finding._replace(offset=place + wire.Range.place("base"))


def range_remarks(value: wire.RangeList) -> Findings:
    """Remark on ranges that are empty, too far up, or refused by SNP_PAGE_SET_STATE."""
    for path, place, one in _ranges(value):
        base, count = one.base, one.page_count
        counted, based = place + wire.Range.place("page_count"), place + wire.Range.place("base")
        if not count:
            text = f"{path}.page_count is 0: passed over"
            finding = check.note(value, "command-range-empty", f"{path}.page_count", text)
            yield finding._replace(offset=counted)
        if base % LARGE_PAGE and not base % PAGE:
            text = f"{path}.base is {base:#x}, no multiple of 2 MiB: SNP_PAGE_SET_STATE refuses it"
            finding = check.warning(value, "command-alignment", f"{path}.base", text)
            yield finding._replace(offset=based)
        if base + count * PAGE > ADDRESSES:
            text = f"{path} ends at {base + count * PAGE:#x}, beyond all addresses"
            finding = check.warning(value, "command-address", f"{path}.page_count", text)
            yield finding._replace(offset=counted)


def _ranges(value: wire.RangeList) -> Iterator[tuple[str, int, Any]]:
    """Yield path, offset and value of each range."""
    for index, one in enumerate(value.elements):
        yield f"ranges[{index}]", value.SIZE + wire.Range.SIZE * index, one


START = (
    row(Status.HARDWARE_PLATFORM, "the diagnostic mode is on"),
    row(Status.INVALID_PLATFORM_STATE, "SNP, or SEV without it, is started"),
    row(Status.UNSUPPORTED, "Bergamo, and its boot loader is too old"),
    row(Status.HARDWARE_UNSAFE, "the part is unlocked for debugging"),
)
CORES = (
    row(
        Status.INVALID_CONFIG,
        "encryption, MemEncMod, SNPEn or VMPLEn is off on a core, or SMKE is on",
    ),
    row(Status.INVALID_CONFIG, "registers differ between cores"),
    row(Status.INVALID_CONFIG, "MtrrFixDramModEn is not the same on all"),
    row(Status.INVALID_CONFIG, "SmmLock is not the same on all"),
    unreached("RMP_BASE to RMP_END is no memory that can be reached"),
    row(Status.INVALID_CONFIG, "RMP_BASE or the table's size is no multiple of 1 MiB"),
    row(Status.UNSUPPORTED, "RMP_BASE or RMP_END has the C-bit"),
    row(Status.INVALID_CONFIG, "the memory of system management is not where it was"),
    row(Status.INVALID_CONFIG, "the table is not within one region of memory"),
    row(Status.INVALID_CONFIG, "the RMP is to be set up, and VM_HSAVE_PA is set on a core"),
    row(Status.RMP_INITIALIZATION_FAILED, "the RMP cannot be set up"),
    row(None, "the IOMMU cannot be set up for it"),
)
STOP = (
    row(Status.INVALID_PLATFORM_STATE, "SEV without SNP is started"),
    row(Status.SUCCESS, "SNP is stopped already; nothing more is checked"),
    row(Status.DF_FLUSH_REQUIRED, "an ASID is not clean on all cores"),
)
CHECKS: dict[Id, tuple[CommandCheck, ...]] = {
    Id.SNP_INIT: (
        *START,
        *CORES,
    ),
    Id.SNP_INIT_EX: (
        invalid(
            "a reserved bit or byte is set: flags 31:2, 0x4 to 0x7, 0x10 to 0x3f", check.reserved
        ),
        *START,
        row(
            Status.RMP_INIT_REQUIRED,
            "the RMP was not set up since the start, and init_rmp is clear",
        ),
        row(Status.RMP_INIT_REQUIRED, "it was set up under another TCB, and init_rmp is clear"),
        invalid(
            "list_paddr_en is set, and the RMP is not to be set up",
            check.together("list_paddr_en", "init_rmp", "command-list"),
        ),
        *CORES,
    ),
    Id.SNP_SHUTDOWN: (
        *STOP,
        row(Status.HARDWARE_UNSAFE, "state cannot be cleared"),
    ),
    Id.SNP_SHUTDOWN_EX: (
        *STOP,
        invalid("length is not 8", check.length()),
        invalid("a reserved bit is set", check.reserved),
        invalid(
            "x86_snp_shutdown without iommu_snp_shutdown, or not supported",
            check.together("x86_snp_shutdown", "iommu_snp_shutdown", "command-shutdown"),
        ),
        row(Status.SHUTDOWN_INCOMPLETE, "SNPEn cannot be cleared"),
        row(Status.HARDWARE_UNSAFE, "state cannot be cleared"),
    ),
    Id.SNP_PLATFORM_STATUS: (
        invalid(
            "the status would cross a page",
            check.within_page("status_paddr", wire.PlatformStatus.SIZE),
        ),
        invalid("status_paddr lies in the RMP; once SNP is started, as the next"),
        row(Status.INVALID_PAGE_STATE, "the page is neither FIRMWARE nor beyond the RMP"),
        unreached("the status cannot be written"),
    ),
    Id.SNP_DF_FLUSH: (row(Status.WBINVD_REQUIRED, "a core has not written back its cache"),),
    Id.SNP_CONFIG: (
        invalid("something reserved is set", check.reserved),
        invalid("reported_tcb is above the committed one"),
    ),
    Id.SNP_COMMIT: (
        invalid("length is not 4", check.length()),
        row(None, "the image cannot be committed"),
    ),
}
RANGES = (
    invalid("something reserved is set, or ranges are missing", check.reserved, range_count),
    invalid("a base is not page-aligned", range_bases),
)
"""Of a list of ranges: SNP_PAGE_SET_STATE refuses it, SNP_INIT_EX cuts it short."""
RULES: dict[type, tuple[BufferRules]] = {
    wire.InitEx: rule(
        CHECKS[Id.SNP_INIT_EX],
        check.newer("flags", *NEWER),
        init_remarks,
        reachable("list_paddr"),
    ),
    wire.ShutdownEx: rule(CHECKS[Id.SNP_SHUTDOWN_EX]),
    wire.PlatformStatusCommand: rule(CHECKS[Id.SNP_PLATFORM_STATUS], reachable("status_paddr")),
    wire.Config: rule(CHECKS[Id.SNP_CONFIG]),
    wire.Commit: rule(CHECKS[Id.SNP_COMMIT]),
    wire.RangeList: rule(RANGES, range_remarks),
}
