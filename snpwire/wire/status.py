"""Status codes of the secure processor's firmware.

Numbers are those of Linux (``psp-sev.h``) and virtee/sev; AMD-ASPFW uses the same names but does
not publish its table. 0x1E is not assigned. The causes given for guest requests are those of AMD's
published firmware (Genoa, ABI 1.55.25), in the order of its checks.

A failure reaches a guest in one of two ways: as the status of the command, in the low half of
``sw_exit_info_2``, with no response and no sequence number used; or inside a response, sealed and
numbered as any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ..bits import OpenEnum

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_FW_CALL = 0xFFFF_FFFF
"""Value that Linux shows for a command that never reached the firmware: -1, not a status."""

WRITE_BACK_MARK = 0x40
"""Bit that AMD-ASPFW sets where the page state of a legacy command's buffer forbids write-back.

0x5A, INVALID_PAGE_STATE with this bit, is the only such value known.
"""


class Status(OpenEnum):
    """Status of a firmware command, and of a guest request."""

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of other sources: Linux, virtee/sev, go-sev-guest, QEMU."""
        return {
            "INAVLID_CONFIG": "INVALID_CONFIG",
            "INVALID_LEN": "INVALID_LENGTH",
            "INVALID_COMMAND_LENGTH": "INVALID_LENGTH",
            "HWSEV_RET_PLATFORM": "HARDWARE_PLATFORM",
            "HWSEV_RET_UNSAFE": "HARDWARE_UNSAFE",
            "HWERROR_PLATFORM": "HARDWARE_PLATFORM",
            "HWERROR_UNSAFE": "HARDWARE_UNSAFE",
            "HW_PLATFORM": "HARDWARE_PLATFORM",
            "HW_PLATFORM_ERROR": "HARDWARE_PLATFORM",
            "HW_UNSAFE": "HARDWARE_UNSAFE",
            "INVALID_METADATA_ENTRY": "INVALID_MDATA_ENTRY",
            "INVALID_PAGE_AEAD_OFLOW": "AEAD_OFLOW",
            "AEAD_OVERFLOW": "AEAD_OFLOW",
            "RB_MODE_EXITED": "EXIT_RING_BUFFER",
            "RMP_INITIALIZATION_REQUIRED": "RMP_INIT_REQUIRED",
            "RMP_INIT_FAILED": "RMP_INITIALIZATION_FAILED",
            "SNP_UPDATE_FAILED": "UPDATE_FAILED",
        }

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        member = super()._missing_(value)
        if member is not None and member == NO_FW_CALL:
            member.doc = "NO_FW_CALL of Linux: the firmware was not called"
        return member

    @property
    def of_command(self) -> str:
        """Return what the status says of a command that is no guest request."""
        return self.doc.partition(" For a guest request:")[0].partition(" With a hypervisor")[0]

    @property
    def of_request(self) -> str:
        """Return what it says of a guest request besides, or nothing."""
        return self.doc[len(self.of_command) :].removeprefix(" For a guest request:").strip()

    SUCCESS = (
        0x00,
        "No error. With a hypervisor error it means that the firmware was not called.",
    )
    INVALID_PLATFORM_STATE = (
        0x01,
        "The platform is not in the state the command needs. For a guest request: SNP is not"
        " initialised on the host.",
    )
    INVALID_GUEST_STATE = (
        0x02,
        "The guest is not in the state the command needs. For a guest request: its launch is not"
        " finished.",
    )
    INVALID_CONFIG = (
        0x03,
        "The platform's configuration does not allow it, or an address is outside all memory.",
    )
    INVALID_LENGTH = 0x04, "A length does not fit; the length needed is often written back."
    ALREADY_OWNED = 0x05, "The platform has an owner already."
    INVALID_CERTIFICATE = 0x06, "A certificate is invalid."
    POLICY_FAILURE = 0x07, "The guest's policy forbids it, or does not match the ID block."
    INACTIVE = 0x08, "The guest has no ASID: it is not activated."
    INVALID_ADDRESS = (
        0x09,
        "A page cannot be accessed. If the response could not be written, its sequence number"
        " is used up nevertheless.",
    )
    BAD_SIGNATURE = 0x0A, "A signature is invalid, or is on another curve than requested."
    BAD_MEASUREMENT = (
        0x0B,
        "A digest or an authentication tag does not match. For a guest request: sealed with"
        " another VMPCK or sequence number, or modified in transit.",
    )
    ASID_OWNED = 0x0C, "Another guest has the ASID."
    INVALID_ASID = 0x0D, "The ASID is outside the range for this kind of guest."
    WBINVD_REQUIRED = 0x0E, "Caches must be written back on every core first (WBINVD)."
    DF_FLUSH_REQUIRED = 0x0F, "The data fabric must be flushed first (DF_FLUSH)."
    INVALID_GUEST = 0x10, "The page is not a guest context, or that of another guest."
    INVALID_COMMAND = 0x11, "The firmware does not support the command, or not in its current mode."
    ACTIVE = 0x12, "The guest still has an ASID."
    HARDWARE_PLATFORM = 0x13, "The hardware failed; the firmware may continue."
    HARDWARE_UNSAFE = 0x14, "The hardware failed in a way that makes it unsafe to continue."
    UNSUPPORTED = 0x15, "Not supported by this processor or firmware."
    INVALID_PARAM = (
        0x16,
        "An argument is wrong. For a guest request: header fields, message version or type, size,"
        " VMPCK number, a message that crosses its page; inside a response: a reserved byte that is"
        " not zero, or a VMPL more privileged than the VMPCK.",
    )
    RESOURCE_LIMIT = 0x17, "The firmware has run out of a resource; a retry may succeed."
    SECURE_DATA_INVALID = 0x18, "Persistent data of the firmware failed verification."
    INVALID_PAGE_SIZE = (
        0x19,
        "The RMP entry has another page size. For a guest request: request or response page is"
        " part of a 2 MiB entry.",
    )
    INVALID_PAGE_STATE = (
        0x1A,
        "The RMP entry has another page state. For a guest request: the response page is not"
        " firmware-owned.",
    )
    INVALID_MDATA_ENTRY = 0x1B, "The metadata entry does not match the swapped page."
    INVALID_PAGE_OWNER = 0x1C, "The page is assigned to another guest in the RMP."
    AEAD_OFLOW = (
        0x1D,
        "A sequence number is exhausted or out of order. For a guest request: not the expected"
        " number, as when a genuine message is replayed.",
    )
    EXIT_RING_BUFFER = 0x1F, "The firmware has left ring-buffer mode."
    RMP_INIT_REQUIRED = 0x20, "The RMP must be initialised first."
    BAD_SVN = 0x21, "The security version is below the committed one."
    BAD_VERSION = 0x22, "The firmware version is below the committed one."
    SHUTDOWN_REQUIRED = 0x23, "The platform must be shut down first."
    UPDATE_FAILED = 0x24, "The firmware update failed; the old firmware keeps running."
    RESTORE_REQUIRED = (
        0x25,
        "The firmware update failed half-way: the old firmware must be restored.",
    )
    RMP_INITIALIZATION_FAILED = 0x26, "The RMP could not be initialised."
    INVALID_KEY = (
        0x27,
        "The requested key is not available: no VLEK is loaded, the launch disabled the VCEK,"
        " or MASK_CHIP_KEY is set, which refuses derived keys but leaves reports unsigned.",
    )
    SHUTDOWN_INCOMPLETE = (
        0x28,
        "The shutdown is incomplete. AMD-ASPFW names it; the number is from newer Linux.",
    )
    # Trusted I/O, from newer Linux; 0x34 has no name in any source.
    INCORRECT_BUFFER_LENGTH = 0x30, "A buffer length is not the required one."
    EXPAND_BUFFER_LENGTH_REQUEST = 0x31, "A buffer is too small for its contents."
    SPDM_REQUEST = (
        0x32,
        "The firmware has an SPDM message for the device, to be delivered by the host.",
    )
    SPDM_ERROR = 0x33, "The SPDM exchange with the device failed."
    ERR_IN_DEV_CONN = 0x35, "The connection to the device could not be established."
    INVALID_DEV_CTX = 0x36, "The page is not a device context."
    INVALID_TDI_CTX = 0x37, "The page is not a device interface context."
    INVALID_TDI = 0x38, "The device interface cannot be used."
    RECLAIM_REQUIRED = 0x39, "Pages must be reclaimed first."
    IN_USE = 0x3A, "The resource is still in use."
    INVALID_DEV_STATE = 0x3B, "The command is not allowed in the current state of the device."
    INVALID_TDI_STATE = (
        0x3C,
        "The command is not allowed in the current state of the device interface.",
    )
    DEV_CERT_CHANGED = 0x3D, "The certificates of the device have changed."
    RESYNC_REQ = 0x3E, "Firmware and device must resynchronise their state."
    RESPONSE_TOO_LARGE = 0x3F, "The device's response does not fit the buffer."
