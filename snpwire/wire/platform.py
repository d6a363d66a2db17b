"""Commands about the platform as a whole: start, stop, state and settings.

Bits that AMD-ASPFW 1.55.25 refuses, or leaves zero in an answer, are those of newer firmware, named
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
"""What fits one page behind the header of a list."""


class InitFlags(Flags, width=32, spec=NEWER):
    """How SNP is to be started."""

    init_rmp = bit(0, "Write the RMP anew")
    list_paddr_en = bit(1, "list_paddr names pages for HV_FIXED; needs init_rmp")
    rapl_dis = bit(2, "Hide the energy counters (newer firmware)")
    ciphertext_hiding_en = bit(3, "Hide ciphertext from the host (newer firmware)")
    tio_en = bit(4, "Start SEV-TIO (newer firmware)")


class InitEx(Record, size=0x40, spec=f"{NEWER}, SNP_INIT_EX"):
    """How to start SNP."""

    flags: InitFlags = at(0x00, as_word(InitFlags), "How it is to be started")
    list_paddr: int = at(0x08, Int64ul, "Physical address of a range list, within one page")
    max_snp_asid: int = at(
        0x10, Int16ul, "Highest ASID for SNP where ciphertext is hidden (newer firmware)"
    )


class ShutdownFlags(Flags, width=32, spec=f"{MCMD}, SNP_SHUTDOWN_EX"):
    """What is to be stopped besides the firmware's part."""

    iommu_snp_shutdown = bit(0, "Let the IOMMU go back to what it did without SNP")
    x86_snp_shutdown = bit(1, "Turn SNP off on the cores; needs bit 0")


class ShutdownEx(Record, size=0x8, spec=f"{MCMD}, SNP_SHUTDOWN_EX"):
    """How to stop SNP."""

    length: int = at(0x0, Int32ul, "Bytes of this buffer: 8")
    flags: ShutdownFlags = at(0x4, as_word(ShutdownFlags), "What else is to be stopped")


class PlatformStatusCommand(Record, size=0x8, spec=f"{MCMD}, SNP_PLATFORM_STATUS"):
    """Where the platform's status is to go."""

    status_paddr: int = at(0x0, Int64ul, "Physical address of 0x20 bytes in one page")


class PlatformState(OpenEnum):
    """Whether SNP is on."""

    UNINIT = 0, "not started"
    INIT = 1, "started"


class RmpFlags(Flags, width=8, spec=NEWER):
    """What has been done to the RMP."""

    is_rmp_init = bit(0, "The RMP is set up")
    alias_check_complete = bit(1, "Memory was checked for aliases (Milan 1.55.22, Genoa 1.55.38)")
    is_tio_en = bit(3, "SEV-TIO is on (newer firmware)")


class PlatformFlags(Flags, width=32, spec=f"{NEWER}; virtee/sev"):
    """Settings and abilities of the platform.

    ``tio_en`` is virtee/sev's name for bit 7; no other source has one.
    """

    mask_chip_id = bit(0, "Reports hide the chip id")
    mask_chip_key = bit(1, "The chip's keys are not used")
    vlek_en = bit(2, "A VLEK is loaded")
    feature_info = bit(3, "The firmware has SNP_FEATURE_INFO")
    rapl_dis = bit(4, "The energy counters are hidden (newer firmware)")
    ciphertext_hiding_cap = bit(5, "Ciphertext can be hidden (newer firmware)")
    ciphertext_hiding_en = bit(6, "Ciphertext is hidden (newer firmware)")
    tio_en = bit(7, "SEV-TIO is on (virtee/sev alone)")


class PlatformStatus(Record, size=0x20, spec=f"{NEWER}, SNP_PLATFORM_STATUS"):
    """What SNP_PLATFORM_STATUS answers.

    Afterwards AMD-ASPFW leaves the page in the state FIRMWARE; a comment in Linux says RECLAIM.
    """

    api_major: int = at(0x00, Int8ul, "Major version of the firmware's ABI")
    api_minor: int = at(0x01, Int8ul, "Minor version of the firmware's ABI")
    state: PlatformState = at(0x02, as_enum(PlatformState, Int8ul), "Whether SNP is on")
    rmp_flags: RmpFlags = at(0x03, as_word(RmpFlags), "What has been done to the RMP")
    build_id: int = at(0x04, Int32ul, "Build of the firmware")
    flags: PlatformFlags = at(0x08, as_word(PlatformFlags), "Settings and abilities")
    guest_count: int = at(0x0C, Int32ul, "Guests whose launch has begun and that are not gone")
    current_tcb: int = at(0x10, Int64ul, "TCB version that runs now")
    reported_tcb: int = at(0x18, Int64ul, "TCB version that reports state")


class ConfigFlags(Flags, width=32, spec=f"{MCMD}, SNP_CONFIG"):
    """What reports and keys are not to show."""

    mask_chip_id = bit(0, "Hide the chip id in reports")
    mask_chip_key = bit(1, "Do not use the chip's keys")


class Config(Record, size=0x40, spec=f"{MCMD}, SNP_CONFIG"):
    """Settings of the platform."""

    reported_tcb: int = at(0x00, Int64ul, "TCB version to report; 0: the committed one")
    flags: ConfigFlags = at(0x08, as_word(ConfigFlags), "What is not to be shown")


class Commit(Record, size=0x4, spec=f"{MCMD}, SNP_COMMIT"):
    """Ask that the running firmware is the oldest to be taken from now on."""

    length: int = at(0x0, Int32ul, "Bytes of this buffer: 4")


class Range(Record, size=0x10, spec=f"{MCMD}, RANGE; Linux sev_data_range"):
    """A run of pages."""

    base: int = at(0x0, Int64ul, "Physical address of the first page")
    page_count: int = at(0x8, Int32ul, "Pages of 4 KiB; none is passed over")


class RangeListHeader(Record, size=0x8, spec=f"{MCMD}, RANGE_LIST"):
    """The number of ranges that follow."""

    n: int = at(0x0, Int32ul, "How many ranges follow")


class RangeList(
    Block,
    head=RangeListHeader,
    element=("ranges", nested(Range), "A run of pages"),
    count="n",
    limit=MAX_RANGES,
    spec=f"{MCMD}, RANGE_LIST",
):
    """Pages that are to be HV_FIXED, for SNP_INIT_EX and SNP_PAGE_SET_STATE.

    AMD-ASPFW wants bases of 4 KiB at SNP_INIT_EX, where it drops what is wrong without a word, and
    of 2 MiB at SNP_PAGE_SET_STATE.
    """


class SevPlatformState(OpenEnum):
    """How far SEV, without SNP, has come."""

    UNINIT = 0, "not started"
    INIT = 1, "started, no guest"
    WORKING = 2, "started, with guests"


class SevPlatformFlags(Flags, width=8, spec=f"{MCMD}, PLATFORM_STATUS"):
    """Who owns the platform."""

    owner = bit(0, "It has an owner besides itself")


class SevConfigFlags(Flags, width=16, spec=f"{MCMD}, PLATFORM_STATUS"):
    """What SEV was started with."""

    es = bit(0, "SEV-ES is on")


class SevPlatformStatus(Record, size=0xC, spec=f"{MCMD}, PLATFORM_STATUS"):
    """What PLATFORM_STATUS, of SEV without SNP, writes over its own buffer.

    Linux reads bytes 3 to 6 as one number of flags.
    """

    api_major: int = at(0x0, Int8ul, "Major version of the firmware's API")
    api_minor: int = at(0x1, Int8ul, "Minor version of the firmware's API")
    state: SevPlatformState = at(0x2, as_enum(SevPlatformState, Int8ul), "How far SEV has come")
    platform_flags: SevPlatformFlags = at(0x3, as_word(SevPlatformFlags), "Who owns the platform")
    config_flags: SevConfigFlags = at(0x4, as_word(SevConfigFlags), "What SEV was started with")
    build_id: int = at(0x7, Int8ul, "Build of the firmware")
    guest_count: int = at(0x8, Int32ul, "Guests that the firmware knows")


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
"""The structures of this chapter that a person can name."""
