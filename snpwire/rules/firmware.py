"""What the firmware checks before commands about itself, and what can be wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import firmware as wire
from ..wire.command import CommandId as Id
from ..wire.status import Status
from . import command_check as check
from .command_check import invalid, reachable, row, rule, unreached

if TYPE_CHECKING:
    from ..finding import Findings
    from .command_check import BufferRules, CommandCheck

IGNORED_LENGTH = check.length(
    text="length is {found:#x}, callers give {size:#x}; AMD-ASPFW does not look", report=check.note
)
VLEK_VERSION = check.within(
    "vlek_wrapped_version",
    range(1),
    "command-version",
    "vlek_wrapped_version is {}, it has to be 0",
)
PART = check.within("ecx_in", range(2), "command-part", "ecx_in is {:#x}, there are parts 0 and 1")


def no_image(value: wire.DownloadFirmwareEx) -> Findings:
    """Warn of an image without bytes."""
    if not value.fw_len:
        yield check.warning(value, "command-empty", "fw_len", "fw_len is 0: there is no image")


CHECKS: dict[Id, tuple[CommandCheck, ...]] = {
    Id.SNP_DOWNLOAD_FIRMWARE_EX: (
        row(Status.INVALID_PLATFORM_STATE, "SEV without SNP is started"),
        invalid("something reserved is set", check.reserved),
        row(Status.INVALID_ADDRESS, "fw_paddr is no multiple of 32", check.aligned(32, "fw_paddr")),
        row(None, "the boot loader refuses the image"),
        row(Status.UPDATE_FAILED, "the new firmware refuses the state; the old one runs on"),
        row(Status.HARDWARE_UNSAFE, "the old one cannot be brought back"),
    ),
    Id.SNP_VLEK_LOAD: (
        invalid(
            "length, version or something reserved is wrong",
            check.length(),
            VLEK_VERSION,
            check.reserved,
        ),
        unreached("the wrapped VLEK cannot be read"),
        row(Status.BAD_SVN, "its TCB version is not the reported one"),
        row(Status.BAD_MEASUREMENT, "it does not open"),
    ),
    Id.SNP_FEATURE_INFO: (
        invalid("length is not 0x10", check.length()),
        row(
            Status.INVALID_ADDRESS,
            "feature_info_paddr is no multiple of 4, or would cross a page",
            check.aligned(4, "feature_info_paddr"),
            check.within_page("feature_info_paddr", wire.FeatureInfo.SIZE),
        ),
        invalid("feature_info_paddr lies in the RMP; once SNP is started, as the next"),
        row(Status.INVALID_PAGE_STATE, "the page is neither FIRMWARE nor beyond the RMP"),
        invalid("ecx_in is above 1", PART),
    ),
}
RESERVED = invalid("something reserved is set", check.reserved)
HV_REPORT = (
    RESERVED,
    invalid("gctx_paddr has one of bits 11:0 set", check.pages("gctx_paddr")),
)
"""Guessed: AMD-ASPFW has no such command."""
RULES: dict[type, tuple[BufferRules]] = {
    wire.DownloadFirmwareEx: rule(
        CHECKS[Id.SNP_DOWNLOAD_FIRMWARE_EX], IGNORED_LENGTH, no_image, reachable("fw_paddr")
    ),
    wire.VlekLoad: rule(CHECKS[Id.SNP_VLEK_LOAD], reachable("vlek_wrapped_paddr")),
    wire.FeatureInfoCommand: rule(CHECKS[Id.SNP_FEATURE_INFO], reachable("feature_info_paddr")),
    wire.VerifyMitigation: rule((RESERVED,), check.PATCHED_LENGTH),
    wire.HvReportReq: rule(HV_REPORT, check.PATCHED_LENGTH),
}
