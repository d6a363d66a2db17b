"""Commands for the whole platform: initialisation, shutdown, status and settings.

Bits that AMD-ASPFW 1.55.25 refuses, or leaves zero in a status, are those of newer firmware, named
as Linux or virtee/sev name them; their texts say "newer".
"""

from __future__ import annotations

from construct import Int8ul, Int16ul, Int32ul, Int64ul

from ..bits import Flags, OpenEnum, bit
from ..block import Block
from ..codec import as_enum, as_word
from ..layout import Record, at, nested

MCMD = "56860 (AMD-ASPFW sev_mcmd.h)"
NEWER = "56860 (AMD-ASPFW sev_mcmd.h, newer Linux psp-sev.h)"
MAX_RANGES = 255
"""Ranges that fit a page after the list's header."""


class InitFlags(Flags, width=32, spec=NEWER):
    """Initialisation flags of SNP_INIT_EX."""

    init_rmp = bit(0, "Initialise the RMP")
    list_paddr_en = bit(1, "list_paddr names pages for HV_FIXED; needs init_rmp")
    rapl_dis = bit(2, "Disable the RAPL energy counters (newer firmware)")
    ciphertext_hiding_en = bit(3, "Enable ciphertext hiding (newer firmware)")
    tio_en = bit(4, "Initialise SEV-TIO (newer firmware)")


class InitEx(Record, size=0x40, spec=f"{NEWER}, SNP_INIT_EX"):
    """Command buffer of SNP_INIT_EX: initialise SNP."""

    flags: InitFlags = at(0x00, as_word(InitFlags), "Initialisation flags")
    list_paddr: int = at(0x08, Int64ul, "Physical address of a range list, within one page")
    max_snp_asid: int = at(
        0x10, Int16ul, "Highest SNP ASID with ciphertext hiding (newer firmware)"
    )


class ShutdownFlags(Flags, width=32, spec=f"{MCMD}, SNP_SHUTDOWN_EX"):
    """Parts to shut down besides the firmware's SNP state."""

    iommu_snp_shutdown = bit(0, "Disable SNP enforcement in the IOMMU")
    x86_snp_shutdown = bit(1, "Disable SNP on the x86 cores; needs bit 0")


class ShutdownEx(Record, size=0x8, spec=f"{MCMD}, SNP_SHUTDOWN_EX"):
    """Command buffer of SNP_SHUTDOWN_EX: shut down SNP."""

    length: int = at(0x0, Int32ul, "Length of this command buffer: 8")
    flags: ShutdownFlags = at(0x4, as_word(ShutdownFlags), "Additional parts to shut down")


class PlatformStatusCommand(Record, size=0x8, spec=f"{MCMD}, SNP_PLATFORM_STATUS"):
    """Command buffer of SNP_PLATFORM_STATUS: the destination of the status."""

    status_paddr: int = at(0x0, Int64ul, "Physical address for 0x20 bytes of status in one page")


class PlatformState(OpenEnum):
    """SNP state of the platform."""

    UNINIT = 0, "uninitialised"
    INIT = 1, "initialised"


class RmpFlags(Flags, width=8, spec=NEWER):
    """State of the RMP."""

    is_rmp_init = bit(0, "The RMP is initialised")
    alias_check_complete = bit(1, "Memory alias check complete (Milan 1.55.22, Genoa 1.55.38)")
    is_tio_en = bit(3, "SEV-TIO is enabled (newer firmware)")


class PlatformFlags(Flags, width=32, spec=f"{NEWER}; virtee/sev"):
    """Settings and capabilities of the platform.

    ``tio_en`` is virtee/sev's name for bit 7; no other source has one.
    """

    mask_chip_id = bit(0, "Chip ID masked in reports")
    mask_chip_key = bit(1, "Chip keys masked: not used to sign or derive")
    vlek_en = bit(2, "A VLEK is loaded")
    feature_info = bit(3, "SNP_FEATURE_INFO is supported")
    rapl_dis = bit(4, "RAPL energy counters disabled (newer firmware)")
    ciphertext_hiding_cap = bit(5, "Ciphertext hiding supported (newer firmware)")
    ciphertext_hiding_en = bit(6, "Ciphertext hiding enabled (newer firmware)")
    tio_en = bit(7, "SEV-TIO enabled (only virtee/sev)")


class PlatformStatus(Record, size=0x20, spec=f"{NEWER}, SNP_PLATFORM_STATUS"):
    """Platform status written by SNP_PLATFORM_STATUS.

    Afterwards AMD-ASPFW leaves the page in the state FIRMWARE; a comment in Linux says RECLAIM.
    """

    api_major: int = at(0x00, Int8ul, "Major version of the firmware ABI")
    api_minor: int = at(0x01, Int8ul, "Minor version of the firmware ABI")
    state: PlatformState = at(0x02, as_enum(PlatformState, Int8ul), "SNP state of the platform")
    rmp_flags: RmpFlags = at(0x03, as_word(RmpFlags), "RMP flags: initialised, alias-checked")
    build_id: int = at(0x04, Int32ul, "Firmware build ID")
    flags: PlatformFlags = at(0x08, as_word(PlatformFlags), "Platform settings and capabilities")
    guest_count: int = at(0x0C, Int32ul, "Number of guests launched and not decommissioned")
    current_tcb: int = at(0x10, Int64ul, "Current TCB version")
    reported_tcb: int = at(0x18, Int64ul, "Reported TCB version")


class ConfigFlags(Flags, width=32, spec=f"{MCMD}, SNP_CONFIG"):
    """Chip ID and chip keys to mask."""

    mask_chip_id = bit(0, "Mask the chip ID in reports")
    mask_chip_key = bit(1, "Mask the chip keys: do not use them")


class Config(Record, size=0x40, spec=f"{MCMD}, SNP_CONFIG"):
    """Command buffer of SNP_CONFIG: settings of the platform."""

    reported_tcb: int = at(0x00, Int64ul, "TCB version to report; 0 for the committed TCB")
    flags: ConfigFlags = at(0x08, as_word(ConfigFlags), "Chip ID and chip keys to mask")


class Commit(Record, size=0x4, spec=f"{MCMD}, SNP_COMMIT"):
    """Command buffer of SNP_COMMIT: make the running firmware the rollback floor."""

    length: int = at(0x0, Int32ul, "Length of this command buffer: 4")


class Range(Record, size=0x10, spec=f"{MCMD}, RANGE; Linux sev_data_range"):
    """Range of pages."""

    base: int = at(0x0, Int64ul, "Physical address of the first page")
    page_count: int = at(0x8, Int32ul, "Number of 4 KiB pages, contiguous")


class RangeListHeader(Record, size=0x8, spec=f"{MCMD}, RANGE_LIST"):
    """Head of a range list."""

    n: int = at(0x0, Int32ul, "Number of ranges that follow")


class RangeList(
    Block,
    head=RangeListHeader,
    element=("ranges", nested(Range), "Range of pages"),
    count="n",
    limit=MAX_RANGES,
    spec=f"{MCMD}, RANGE_LIST",
):
    """Range list of HV_FIXED pages, for SNP_INIT_EX and SNP_PAGE_SET_STATE.

    AMD-ASPFW wants bases of 4 KiB at SNP_INIT_EX, where it silently drops invalid ranges, and
    of 2 MiB at SNP_PAGE_SET_STATE.
    """


class SevPlatformState(OpenEnum):
    """State of SEV without SNP."""

    UNINIT = 0, "uninitialised"
    INIT = 1, "initialised, no guests"
    WORKING = 2, "initialised, with guests"


class SevPlatformFlags(Flags, width=8, spec=f"{MCMD}, PLATFORM_STATUS"):
    """Ownership of the platform."""

    owner = bit(0, "The platform is externally owned")


class SevConfigFlags(Flags, width=16, spec=f"{MCMD}, PLATFORM_STATUS"):
    """Configuration of SEV."""

    es = bit(0, "SEV-ES is enabled")


class SevPlatformStatus(Record, size=0xC, spec=f"{MCMD}, PLATFORM_STATUS"):
    """Platform status that PLATFORM_STATUS, of SEV without SNP, writes over its own buffer.

    Linux reads bytes 3 to 6 as one number of flags.
    """

    api_major: int = at(0x0, Int8ul, "Major version of the SEV API")
    api_minor: int = at(0x1, Int8ul, "Minor version of the SEV API")
    state: SevPlatformState = at(0x2, as_enum(SevPlatformState, Int8ul), "State of SEV without SNP")
    platform_flags: SevPlatformFlags = at(0x3, as_word(SevPlatformFlags), "Owner of the platform")
    config_flags: SevConfigFlags = at(0x4, as_word(SevConfigFlags), "Configuration: SEV-ES")
    build_id: int = at(0x7, Int8ul, "Firmware build ID")
    guest_count: int = at(0x8, Int32ul, "Number of guests known to the firmware")


KINDS = {
    "cmd-init-ex": InitEx,
    "cmd-shutdown-ex": ShutdownEx,
    "cmd-platform-status": PlatformStatusCommand,
    "platform-status": PlatformStatus,
    "cmd-config": Config,
    "cmd-commit": Commit,
    "range-list": RangeList,
    "sev-platform-status": SevPlatformStatus,
}
