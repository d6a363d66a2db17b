"""What the firmware checks before commands about itself, and what can be wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import firmware as wire
from ..wire.command import CommandId as Id
from ..wire.status import Status
from .command_check import (
    aligned,
    length,
    length_of_patches,
    note,
    pages,
    problem,
    reachable,
    reserved,
    row,
    rule,
    unreached,
    warning,
    within_page,
)

if TYPE_CHECKING:
    from ..finding import Findings
    from .command_check import BufferRules, CommandCheck

LAST_PART = 1


def image(value: wire.DownloadFirmwareEx) -> Findings:
    """Remark on another length than callers give, which the firmware ignores, and on no image."""
    if value.length != value.SIZE:
        text = f"length is {value.length:#x}, callers give 0x18; AMD-ASPFW does not look"
        yield note(value, "command-length", "length", text)
    if not value.fw_len:
        yield warning(value, "command-empty", "fw_len", "fw_len is 0: there is no image")


def version(value: wire.VlekLoad) -> Findings:
    """Expect version 0."""
    if value.vlek_wrapped_version:
        text = f"vlek_wrapped_version is {value.vlek_wrapped_version}, it has to be 0"
        yield problem(value, "command-version", "vlek_wrapped_version", text)


def part(value: wire.FeatureInfoCommand) -> Findings:
    """Expect a part that exists."""
    if value.ecx_in > LAST_PART:
        text = f"ecx_in is {value.ecx_in:#x}, there are parts 0 and 1"
        yield problem(value, "command-part", "ecx_in", text)


CHECKS: dict[Id, tuple[CommandCheck, ...]] = {
    Id.SNP_DOWNLOAD_FIRMWARE_EX: (
        row(Status.INVALID_PLATFORM_STATE, "SEV without SNP is started"),
        row(Status.INVALID_PARAM, "something reserved is set", reserved),
        row(Status.INVALID_ADDRESS, "fw_paddr is no multiple of 32", aligned(32, "fw_paddr")),
        row(None, "the boot loader refuses the image"),
        row(Status.UPDATE_FAILED, "the new firmware refuses the state; the old one runs on"),
        row(Status.HARDWARE_UNSAFE, "the old one cannot be brought back"),
    ),
    Id.SNP_VLEK_LOAD: (
        row(
            Status.INVALID_PARAM,
            "length, version or something reserved is wrong",
            length("length"),
            version,
            reserved,
        ),
        unreached("the wrapped VLEK cannot be read"),
        row(Status.BAD_SVN, "its TCB version is not the reported one"),
        row(Status.BAD_MEASUREMENT, "it does not open"),
    ),
    Id.SNP_FEATURE_INFO: (
        row(Status.INVALID_PARAM, "length is not 0x10", length("length")),
        row(
            Status.INVALID_ADDRESS,
            "feature_info_paddr is no multiple of 4, or would cross a page",
            aligned(4, "feature_info_paddr"),
            within_page("feature_info_paddr", wire.FeatureInfo.SIZE),
        ),
        row(
            Status.INVALID_PARAM,
            "feature_info_paddr lies in the RMP; once SNP is started, as the next",
        ),
        row(Status.INVALID_PAGE_STATE, "the page is neither FIRMWARE nor beyond the RMP"),
        row(Status.INVALID_PARAM, "ecx_in is above 1", part),
    ),
}
RESERVED = row(Status.INVALID_PARAM, "something reserved is set", reserved)
HV_REPORT = (
    RESERVED,
    row(Status.INVALID_PARAM, "gctx_paddr has one of bits 11:0 set", pages("gctx_paddr")),
)
"""Guessed: AMD-ASPFW has no such command."""
RULES: dict[type, tuple[BufferRules]] = {
    wire.DownloadFirmwareEx: rule(
        CHECKS[Id.SNP_DOWNLOAD_FIRMWARE_EX], image, reachable("fw_paddr")
    ),
    wire.VlekLoad: rule(CHECKS[Id.SNP_VLEK_LOAD], reachable("vlek_wrapped_paddr")),
    wire.FeatureInfoCommand: rule(CHECKS[Id.SNP_FEATURE_INFO], reachable("feature_info_paddr")),
    wire.VerifyMitigation: rule((RESERVED,), length_of_patches),
    wire.HvReportReq: rule(HV_REPORT, length_of_patches),
}
