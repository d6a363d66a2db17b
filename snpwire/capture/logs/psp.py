"""What the ccp driver says of the firmware when it starts: versions, updates, INIT of both kinds.

SEV and SNP have an INIT each. The driver prints ``SEV API`` whether or not the SEV firmware has
been initialised, and ``SEV-SNP API`` behind a successful SNP_INIT alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errnos import errno_text
from .phrase import answer_status, answer_words, phrase
from .record import Fact
from .template import form

if TYPE_CHECKING:
    from .record import LogState
    from .template import Interpreter

SNP_ABI = (1, 51)
"""The oldest version that Linux takes for SNP."""
NO_SNP = "no SNP guest can be launched on this host"
NO_SEV = "no SEV or SEV-ES guest can be launched; SNP has an INIT of its own"
_UPDATE = "update the BIOS, or put AMD's newest SEV firmware below /lib/firmware/amd"
_NEWER = "update the BIOS and the firmware"
_SMEE = "in the BIOS, set SMEE to Enabled, not to Auto, and update the BIOS"
_BOOTLOADER = 0x8000
"""From here on a status is one of the secure processor's boot loader, not of SEV's firmware."""

REMEDIES: dict[tuple[bool, int], str] = {
    (True, 0x3): "in the BIOS, boot by UEFI, turn on SNP memory coverage and the IOMMU's SNP"
    " support; update the BIOS",
    (True, 0x1): "something initialised the firmware before: unload kvm_amd and ccp, load ccp anew",
    (False, 0x1): "SNP_INIT failed first, or the firmware is initialised already: see the lines"
    " before",
    (True, 0x13): _SMEE,
    (False, 0x13): _SMEE,
    (False, 0xE): "update the kernel, which has to flush the caches first, and the firmware",
}
"""What helps against a status of the INIT of SNP, or of SEV."""


def _version(snp: bool) -> Interpreter:
    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        version = (fields["major"], fields["minor"])
        what = "SNP" if snp else "SEV"
        meaning = (
            "the driver prints this after a successful SNP_INIT: the firmware of SNP is up"
            if snp
            else "a version; the driver prints it whether or not INIT succeeded"
        )
        if version < SNP_ABI:
            meaning = f"older than Linux takes for SNP, which is {_dotted(SNP_ABI)}"
        return Fact(
            f"{what} firmware ABI {_dotted(version)}  build {fields['build']}",
            meaning,
            remedy=_UPDATE if version < SNP_ABI else "",
        )

    return interpret


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _failed(snp: bool, default: str) -> Interpreter:
    """Return what interprets a command of the INIT of SNP, or of SEV, that failed."""

    def interpret(fields: dict[str, Any], log: LogState) -> Fact:
        error, rc, what = fields["error"], fields.get("rc"), fields.get("what", default)
        kind = "SNP" if snp else "SEV"
        named = what if what.startswith(kind) else f"{kind} {what}"
        shown = "" if rc is None else f"  rc {rc}"
        errno = "" if rc is None else f"; {errno_text(rc)}"
        return Fact(
            f"{named} failed{shown}  error {error:#x}",
            answer_words(error, rc or 0) + errno,
            consequence=NO_SNP if snp else NO_SEV,
            remedy=REMEDIES.get((snp, int(error)), _NEWER if _early(error) else ""),
            fields={"status": answer_status(error)},
        )

    return interpret


def _early(error: int) -> bool:
    """Return whether a status comes from before SEV's firmware."""
    return _BOOTLOADER <= error < 1 << 16


def _updated(fields: dict[str, Any], log: LogState) -> Fact:
    old, new = (".".join(str(fields[f"{way}_{n}"]) for n in _PARTS) for way in ("from", "to"))
    return Fact(f"SEV firmware {old} replaced by {new}", "DOWNLOAD_FIRMWARE took another version")


_PARTS = ("major", "minor", "build")


def _old(fields: dict[str, Any], log: LogState) -> Fact:
    return Fact(
        f"SNP needs firmware ABI {_dotted((fields['major'], fields['minor']))} or newer",
        "the firmware is older, so the driver does not ask for SNP_INIT",
        consequence=NO_SNP,
        remedy=_UPDATE,
    )


def _status(fields: dict[str, Any], log: LogState) -> Fact:
    error = fields["error"]
    return Fact(
        f"PLATFORM_STATUS failed  error {error:#x}",
        answer_words(error),
        consequence="the driver gives up: no /dev/sev, neither SEV nor SNP",
        remedy=_NEWER,
        fields={"status": answer_status(error)},
    )


_NV = "SEV's own state, which INIT_EX reads from a file"
_LEGACY = "a command of SEV while the firmware of SNP is up"
FORMATS = (
    form(
        "snp_api",
        "firmware-version",
        "SEV-SNP API:{major:b}.{minor:d} build:{build:b}",
        _version(True),
    ),
    form(
        "sev_api",
        "firmware-version",
        "SEV API:{major:b}.{minor:d} build:{build:b}",
        _version(False),
    ),
    form(
        "snp_init_failed",
        "init-failed",
        "SEV-SNP: failed to INIT rc {rc:d}, error {error:p}",
        _failed(True, "INIT"),
        "SEV-SNP: failed to INIT error {error:p}, rc {rc:d}",
        "SEV-SNP: failed to INIT error {error:p}",
    ),
    form(
        "snp_init_skipped",
        "init-failed",
        "SEV-SNP: failed to INIT, continue SEV INIT",
        phrase("SNP INIT failed", "the line before has its error", consequence=NO_SNP),
        "SEV-SNP: failed, continue to INIT SEV firmware",
    ),
    form(
        "snp_command_failed",
        "init-failed",
        "SEV-SNP: {what:o} failed rc {rc:d}, error {error:p}",
        _failed(True, ""),
    ),
    form(
        "sev_init_failed",
        "sev-init-failed",
        "SEV: failed to INIT error {error:p}, rc {rc:d}",
        _failed(False, "INIT"),
        "SEV: failed to INIT error {error:p}",
    ),
    form(
        "sev_command_failed",
        "sev-init-failed",
        "SEV: {what:o} failed {error:p}, rc {rc:d}",
        _failed(False, ""),
    ),
    form(
        "sev_init_retry",
        "sev-init-retry",
        "SEV: retrying INIT command because of SECURE_DATA_INVALID error. Retrying once to reset"
        " PSP SEV state.",
        phrase("SEV INIT once more", "the firmware found its own state damaged, and resets it"),
    ),
    form(
        "sev_status_failed", "firmware-dead", "SEV: failed to get status. Error: {error:p}", _status
    ),
    form(
        "snp_firmware_up_tio",
        "snp-up",
        "SEV-SNP firmware initialized, SEV-TIO is {state:o}",
        phrase("SNP firmware initialised  SEV-TIO {state}", "SNP_INIT succeeded"),
    ),
    form(
        "snp_firmware_up",
        "snp-up",
        "SEV-SNP firmware initialized",
        phrase("SNP firmware initialised", "SNP_INIT succeeded"),
    ),
    form(
        "sev_firmware_up",
        "sev-up",
        "SEV firmware initialized",
        phrase("SEV firmware initialised", "INIT succeeded, which is SEV's and not SNP's"),
    ),
    form(
        "snp_old_firmware",
        "firmware-old",
        "SEV-SNP support requires firmware version >= {major:d}:{minor:d}",
        _old,
        "SEV-SNP support requires firmware version >= {major:d}.{minor:d}",
    ),
    form(
        "firmware_updated",
        "firmware-update",
        "SEV firmware updated from {from_major:d}.{from_minor:d}.{from_build:d} to"
        " {to_major:d}.{to_minor:d}.{to_build:d}",
        _updated,
    ),
    form(
        "firmware_update_done",
        "firmware-update",
        "SEV firmware update successful",
        phrase("SEV firmware updated", "DOWNLOAD_FIRMWARE succeeded; the version is printed later"),
    ),
    form(
        "firmware_update_failed",
        "firmware-update-failed",
        "Failed to update SEV firmware: {error:p}",
        phrase(
            "SEV firmware not updated  error {error:#x}",
            "{answer}",
            consequence="the firmware that the BIOS brought goes on",
        ),
    ),
    form(
        "firmware_file_missing",
        "firmware-update-failed",
        "No SEV firmware file present",
        phrase("no firmware file", "the firmware that the BIOS brought goes on"),
    ),
    form(
        "firmware_file_failed",
        "firmware-update-failed",
        "ccp {ccp:v}: Direct firmware load for {file:o} failed with error {rc:d}",
        phrase(
            "{file} not loaded",
            "{errno}; the driver tries another name, or leaves the firmware that the BIOS brought",
        ),
        "ccp {ccp:v}: firmware: failed to load {file:o} ({rc:d})",
    ),
    form(
        "sev_device",
        "psp-device",
        "ccp {ccp:v}: sev enabled",
        phrase("SEV device", "the driver found the processor's mailbox; nothing is started yet"),
    ),
    form(
        "sev_device_failed",
        "psp-device-failed",
        "ccp {ccp:v}: sev initialization failed",
        phrase("no SEV device", "the driver could not set up the processor's mailbox"),
    ),
    form(
        "psp_device",
        "psp-device",
        "ccp {ccp:v}: psp enabled",
        phrase("PSP device", "the driver found a secure processor"),
    ),
    form(
        "ccp_device_failed",
        "ccp-device",
        "ccp {ccp:v}: ccp initialization failed",
        phrase(
            "no CCP device",
            "the cryptographic engine beside the secure processor has no queue for this system: SEV"
            " and SNP do without it",
        ),
    ),
    form(
        "psp_device_failed",
        "psp-device-failed",
        "ccp {ccp:v}: psp initialization failed",
        phrase("no PSP device", "the driver could not start the secure processor's device"),
    ),
    form(
        "psp_without_sev",
        "psp-without-sev",
        "ccp {ccp:v}: psp does not support SEV",
        phrase(
            "this PSP has no SEV",
            "the device's capability register does not offer SEV; on a machine with several of"
            " them another may",
        ),
    ),
    form(
        "psp_unreadable",
        "psp-device-failed",
        "ccp {ccp:v}: psp: unable to access the device: you might be running a broken BIOS.",
        phrase("PSP not readable", "its registers read as all ones", remedy="update the BIOS"),
    ),
    form(
        "psp_tsme",
        "memory-encryption",
        "psp: TSME enabled",
        phrase("TSME on", "the BIOS encrypts all memory with one key; SEV and SNP have their own"),
    ),
    form(
        "psp_tsme_sme",
        "memory-encryption",
        "psp: Both TSME and SME are active, SME is unnecessary when TSME is active.",
        phrase("TSME and SME on", "all memory is encrypted twice"),
    ),
    form(
        "sev_bios_off",
        "sev-bios-off",
        "SEV: memory encryption not enabled by BIOS",
        phrase(
            "memory encryption off",
            "the BIOS has not set the bit in SYSCFG without which there is neither SEV nor SNP",
            consequence="no SEV and no SNP on this host",
            remedy="in the BIOS, turn on SMEE",
        ),
    ),
    form(
        "sev_tmr_failed",
        "firmware-memory",
        "SEV: TMR allocation failed, SEV-ES support unavailable",
        phrase("no TMR", "no memory for the firmware's own area", consequence="no SEV-ES guest"),
    ),
    form(
        "snp_ranges_full",
        "firmware-memory",
        "ccp {ccp:v}: Additional HV_Fixed pages cannot be accommodated, omitting",
        phrase("range list full", "SNP_INIT_EX takes one page of HV_FIXED ranges"),
    ),
    form(
        "snp_features_failed",
        "snp-query-failed",
        "SNP FEATURE_INFO command failed, ret = {rc:d}, error = {error:p}",
        phrase("SNP_FEATURE_INFO failed  rc {rc}  error {error:#x}", "{answer}; {errno}"),
    ),
    form(
        "snp_status_failed",
        "snp-query-failed",
        "SNP PLATFORM_STATUS command failed, ret = {rc:d}, error = {error:p}",
        phrase("SNP_PLATFORM_STATUS failed  rc {rc}  error {error:#x}", "{answer}; {errno}"),
    ),
    form(
        "snp_tio_probe",
        "tio-off",
        "SEV-TIO as incompatible with psp_init_on_probe=0",
        phrase("SEV-TIO off", "with psp_init_on_probe=0 a user of the device may shut SNP down"),
    ),
)
"""Messages of its start."""
OPERATIONS = (
    form(
        "sev_shutdown_failed",
        "shutdown-failed",
        "SEV: failed to SHUTDOWN error {error:p}, rc {rc:d}",
        phrase("SEV SHUTDOWN failed  rc {rc}  error {error:#x}", "{answer}; {errno}"),
    ),
    form(
        "snp_shutdown_failed",
        "shutdown-failed",
        "SEV-SNP firmware shutdown failed, rc {rc:d}, error {error:p}",
        phrase("SNP SHUTDOWN failed  rc {rc}  error {error:#x}", "{answer}; {errno}"),
    ),
    form(
        "snp_down",
        "snp-down",
        "SEV-SNP firmware shutdown",
        phrase("SNP firmware shut down", "SNP_SHUTDOWN succeeded", consequence=NO_SNP),
    ),
    form(
        "sev_down",
        "sev-down",
        "SEV firmware shutdown",
        phrase("SEV firmware shut down", "SHUTDOWN succeeded, which is SEV's and not SNP's"),
    ),
    form(
        "snp_flush_failed",
        "shutdown-failed",
        "SEV-SNP DF_FLUSH failed, ret = {rc:d}, error = {error:p}",
        phrase("SNP DF_FLUSH failed  rc {rc}  error {error:#x}", "{answer}; {errno}"),
    ),
    form(
        "sev_nv_memory",
        "firmware-memory",
        "SEV: INIT_EX NV memory allocation failed",
        phrase("no memory for INIT_EX", _NV),
    ),
    form(
        "sev_nv_state",
        "firmware-memory",
        "SEV: INIT_EX NV memory page state change failed.",
        phrase("INIT_EX memory not given to the firmware", _NV),
    ),
    form(
        "sev_nv_new",
        "firmware-file",
        "SEV: {file:o} does not exist and will be created later.",
        phrase("{file} is new", _NV),
    ),
    form(
        "sev_nv_open",
        "firmware-file",
        "SEV: could not open {file:o} for read, error {rc:d}",
        phrase("{file} not opened", f"{_NV}; {{errno}}"),
    ),
    form(
        "sev_nv_open_write",
        "firmware-file",
        "SEV: could not open file for write, error {rc:d}",
        phrase("file not opened to write", f"{_NV}; {{errno}}"),
    ),
    form(
        "sev_nv_write",
        "firmware-file",
        "SEV: failed to write {size:d} bytes to non volatile memory area, ret {rc:d}",
        phrase("{size} bytes not written", f"{_NV}; {{errno}}"),
    ),
    form(
        "sev_nv_read",
        "firmware-file",
        "SEV: could not read {size:d} bytes to non volatile memory area, ret {rc:d}",
        phrase("{size} bytes not read  ret {rc}", f"{_NV}; the file is too short"),
    ),
    form(
        "snp_ranges_memory",
        "firmware-memory",
        "SEV: SNP_INIT_EX range list memory allocation failed",
        phrase("no memory for the range list", "SNP_INIT_EX needs the list of HV_FIXED ranges"),
    ),
    form(
        "snp_ranges_walk",
        "firmware-memory",
        "SEV: SNP_INIT_EX walk_iomem_res_desc failed rc = {rc:d}",
        phrase("range list not made", "the list of HV_FIXED ranges; {errno}"),
    ),
    form(
        "sev_busy",
        "firmware-busy",
        "SEV: too many firmware commands in progress, no command buffers available.",
        phrase(
            "command refused  EBUSY",
            "the driver has two buffers for commands, and both are in use",
            cause="a command that never came back, or a fault of early trees for SNP",
        ),
        "SEV: too many firmware commands are in-progress, no command buffers available.",
    ),
    form(
        "sev_buffer_prepare",
        "firmware-buffer",
        "SEV: failed to prepare buffer for legacy command {id:p}. Error: {rc:d}",
        phrase("command {id:#x} not sent", f"{_LEGACY}: its buffer stays ours; {{errno}}"),
    ),
    form(
        "sev_buffer_reclaim",
        "firmware-buffer",
        "SEV: failed to reclaim buffer for legacy command {id:p}. Error: {rc:d}",
        phrase("command {id:#x}: buffer lost", f"{_LEGACY}: the firmware kept it; {{errno}}"),
    ),
    form(
        "sev_buffer_state",
        "firmware-buffer",
        "Error moving pages to firmware-owned state for SEV legacy command.",
        phrase("buffer not given to the firmware", _LEGACY),
    ),
    form(
        "sev_bounce_memory",
        "firmware-buffer",
        "Failed to allocate bounce buffer for SEV legacy command.",
        phrase("no memory for a copy of a buffer", _LEGACY),
    ),
    form(
        "sev_bounce_reclaim",
        "firmware-buffer",
        "Failed to reclaim firmware-owned pages while issuing SEV legacy command.",
        phrase("pages stayed with the firmware", _LEGACY),
    ),
    form(
        "sev_host_map",
        "firmware-buffer",
        "Failed to alloc host map (disabling legacy SEV)",
        phrase("no memory for buffers of SEV", "SEV is off; SNP is not concerned"),
    ),
    form(
        "snp_mitigation_failed",
        "snp-query-failed",
        "SNP_VERIFY_MITIGATION command failed, ret = {rc:d}, error = {error:p}",
        phrase("SNP_VERIFY_MITIGATION failed  rc {rc}  error {error:#x}", "{answer}; {errno}"),
    ),
    form(
        "snp_mitigation_status",
        "snp-query-failed",
        "ccp {ccp:v}: Verify Mitigation - failure status: {value:p}",
        phrase("mitigation not verified  {value:#x}", "the firmware's own status of the check"),
    ),
    form(
        "snp_iommu_down",
        "shutdown-failed",
        "SNP IOMMU shutdown failed",
        phrase("IOMMU's pages not reclaimed", "the firmware keeps pages of the IOMMU"),
    ),
)
"""Messages of its work, and of its end."""
