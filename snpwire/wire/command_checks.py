"""What the firmware checks before it carries out a command, in its order, and what it answers.

Of AMD-ASPFW (Genoa, ABI 1.55.25, sev_mcmd.c), whose code was read; newer firmware has more. Where a
document says otherwise, this is what the code does. A step that hands on what another part of the
firmware answered has no status of its own.
"""

from __future__ import annotations

from typing import NamedTuple, Self

from .command_id import CommandId as Id
from .guest_checks import ROWS, UNREACHED
from .status import Status

SOURCE = "AMD-ASPFW sev_mcmd.c"


class Step(NamedTuple):
    """One check, and the statuses that the firmware may answer where it fails."""

    text: str
    statuses: tuple[Status, ...]

    @classmethod
    def of(cls, row: str) -> Self:
        """Read ``STATUS or STATUS: what is refused``; a dash stands for no status."""
        names, _, text = row.partition(": ")
        return cls(text, tuple(Status[n] for n in names.split(" or ") if n != "-"))


START = (
    "HARDWARE_PLATFORM: the diagnostic mode is on",
    "INVALID_PLATFORM_STATE: SNP, or SEV without it, is started",
    "UNSUPPORTED: Bergamo, and its boot loader is too old",
    "HARDWARE_UNSAFE: the part is unlocked for debugging",
)
CORES = (
    "INVALID_CONFIG: encryption, MemEncMod, SNPEn or VMPLEn is off on a core, or SMKE is on",
    "INVALID_CONFIG: registers differ between cores",
    "INVALID_CONFIG: MtrrFixDramModEn is not the same on all",
    "INVALID_CONFIG: SmmLock is not the same on all",
    UNREACHED + "RMP_BASE to RMP_END is no memory that can be reached",
    "INVALID_CONFIG: RMP_BASE or the table's size is no multiple of 1 MiB",
    "UNSUPPORTED: RMP_BASE or RMP_END has the C-bit",
    "INVALID_CONFIG: the memory of system management is not where it was",
    "INVALID_CONFIG: the table is not within one region of memory",
    "INVALID_CONFIG: the RMP is to be set up, and VM_HSAVE_PA is set on a core",
    "RMP_INITIALIZATION_FAILED: the RMP cannot be set up",
    "-: the IOMMU cannot be made to heed it",
)
STOP = (
    "INVALID_PLATFORM_STATE: SEV without SNP is started",
    "SUCCESS: SNP is stopped already; nothing more is checked",
    "DF_FLUSH_REQUIRED: an ASID is not clean on all cores",
)

PLATFORM: dict[Id, tuple[str, ...]] = {
    Id.SNP_INIT: (*START, *CORES),
    Id.SNP_INIT_EX: (
        "INVALID_PARAM: a reserved bit or byte is set: flags 31:2, 0x4 to 0x7, 0x10 to 0x3f",
        *START,
        "RMP_INIT_REQUIRED: the RMP was not set up since the start, and init_rmp is clear",
        "RMP_INIT_REQUIRED: it was set up under another TCB, and init_rmp is clear",
        "INVALID_PARAM: list_paddr_en is set, and the RMP is not to be set up",
        *CORES,
    ),
    Id.SNP_SHUTDOWN: (*STOP, "HARDWARE_UNSAFE: state cannot be cleared"),
    Id.SNP_SHUTDOWN_EX: (
        *STOP,
        "INVALID_PARAM: length is not 8",
        "INVALID_PARAM: a reserved bit is set",
        "INVALID_PARAM: x86_snp_shutdown without iommu_snp_shutdown, or not to be had",
        "SHUTDOWN_INCOMPLETE: SNPEn cannot be cleared",
        "HARDWARE_UNSAFE: state cannot be cleared",
    ),
    Id.SNP_PLATFORM_STATUS: (
        "INVALID_PARAM: the status would cross a page",
        "INVALID_PARAM: status_paddr lies in the RMP; once SNP is started, as the next",
        "INVALID_PAGE_STATE: the page is neither FIRMWARE nor beyond the RMP",
        UNREACHED + "the status cannot be written",
    ),
    Id.SNP_DF_FLUSH: ("WBINVD_REQUIRED: a core has not written back its cache",),
    Id.SNP_CONFIG: (
        "INVALID_PARAM: something reserved is set",
        "INVALID_PARAM: reported_tcb is above the committed one",
    ),
    Id.SNP_COMMIT: ("INVALID_PARAM: length is not 4", "-: the image cannot be committed"),
    Id.SNP_DOWNLOAD_FIRMWARE_EX: (
        "INVALID_PLATFORM_STATE: SEV without SNP is started",
        "INVALID_PARAM: something reserved is set",
        "INVALID_ADDRESS: fw_paddr is no multiple of 32",
        "-: the boot loader refuses the image",
        "UPDATE_FAILED: the new firmware refuses the state; the old one runs on",
        "HARDWARE_UNSAFE: the old one cannot be brought back",
    ),
    Id.SNP_VLEK_LOAD: (
        "INVALID_PARAM: length, version or something reserved is wrong",
        UNREACHED + "the wrapped VLEK cannot be read",
        "BAD_SVN: its TCB version is not the reported one",
        "BAD_MEASUREMENT: it does not open",
    ),
    Id.SNP_FEATURE_INFO: (
        "INVALID_PARAM: length is not 0x10",
        "INVALID_ADDRESS: the answer is no multiple of 4, or would cross a page",
        "INVALID_PARAM: feature_info_paddr lies in the RMP; once SNP is started, as the next",
        "INVALID_PAGE_STATE: the page is neither FIRMWARE nor beyond the RMP",
        "INVALID_PARAM: ecx_in is above 1",
    ),
}
STEPS: dict[Id, tuple[Step, ...]] = {
    number: tuple(map(Step.of, rows)) for number, rows in (PLATFORM | ROWS).items()
}
"""The steps of each command of SNP whose handler was read."""
