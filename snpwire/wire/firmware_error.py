"""Errors of AMD's firmware beside the status codes of its specifications.

The mailbox has sixteen bits for a status, of which the specifications use eight. What some firmware
answers beyond them has names in the kernel trees of AMD alone (include/uapi/linux/psp-sev.h of
AMDESE/linux); 0x8003, 0x8004, 0x9000 and 0x9003 have been seen on machines.
"""

from __future__ import annotations

FIRMWARE_ERRORS: dict[int, str] = {
    0x8000: "UNKNOWN",
    0x8001: "INVAL",
    0x8003: "INVALID_PARAMS",
    0x8004: "SECURE_DATA_VALIDATION",
    0x8005: "SECURE_DATA_NON_EXIST",
    0x8006: "OUT_OF_RESOURCES",
    0x8007: "UNIMPLEMENTED",
    0x8008: "SEV_DLFW_CONTINUING",
    0x8009: "STATUS_ISB_ERROR",
    0x800A: "BUSY",
    0x9000: "HAL_SLAVE_DIE",
    0x9001: "HAL_PERSISTENT_WRITE",
    0x9002: "HAL_PERSISTENT_READ",
    0x9003: "HAL_PERSISTENT_ERASE",
    0x9004: "HAL_KEY_DERIVE",
    0x9005: "HAL_AES",
    0x9006: "HAL_SHA256",
    0x9007: "HAL_CACHE",
    0x9008: "HAL_MEMORY_MAP",
    0x9009: "HAL_TRNG",
    0x900A: "HAL_ECC_PRIMITIVE",
    0x900B: "HAL_RSA_PSS_VALIDATE",
    0x900E: "HAL_MAP_SMN",
    0x900F: "HAL_MCM_INFO",
    0x9010: "HAL_SEV_MODE",
    0xA000: "TIO_DATABUFFER_EXPAND",
}
"""Name of each error, without the prefix that all of them have in the source."""
