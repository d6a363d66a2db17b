"""Numbers of the firmware's commands, those of AMD-ASPFW and Linux (``psp-sev.h``).

0x54 to 0x5F, 0xC4, 0xC5 and 0xCF are not assigned.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from ..bits import OpenEnum

if TYPE_CHECKING:
    from collections.abc import Mapping


class Transfer(StrEnum):
    """Whether the firmware reads bytes, writes them, or both."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


IN, OUT, BOTH = Transfer
MCMD = "AMD-ASPFW sev_mcmd.c"


class Pointer(NamedTuple):
    """A field of a buffer that holds a physical address, and the structure at that address."""

    field: str
    kind: str
    """Kind of the structure, or of the first of several; empty for a page of no known kind."""
    direction: Transfer


class Command(NamedTuple):
    """A command, its buffer, and what the buffer points to."""

    id: CommandId
    buffer: str
    """Kind of the buffer; empty if there is none."""
    pointers: tuple[Pointer, ...]
    direction: Transfer
    """Of the buffer itself: no command of SNP writes its own back."""
    source: str
    on_length: bool = False
    """The buffer is written back after INVALID_LENGTH as well, with the length required."""

    @property
    def responses(self) -> tuple[str, ...]:
        """Return the kinds that the firmware writes, that of the buffer first."""
        own = (self.buffer,) if self.buffer and self.direction is not Transfer.IN else ()
        return own + tuple(p.kind for p in self.pointers if p.kind and p.direction is not IN)


def command(
    number: CommandId,
    buffer: str = "",
    *pointers: Pointer,
    direction: Transfer = IN,
    source: str = MCMD,
    on_length: bool = False,
) -> Command:
    """Declare a command; most buffers are only read."""
    return Command(number, buffer, pointers, direction, source, on_length)


def reads(field: str, kind: str = "") -> Pointer:
    """Declare a field whose address the firmware reads from."""
    return Pointer(field, kind, IN)


def writes(field: str, kind: str = "") -> Pointer:
    """Declare a field whose address the firmware writes to."""
    return Pointer(field, kind, OUT)


def changes(field: str, kind: str = "") -> Pointer:
    """Declare a field whose address the firmware reads from and writes to."""
    return Pointer(field, kind, BOTH)


class CommandId(OpenEnum):
    """Number of a command."""

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of other sources: Linux and QEMU."""
        return {
            "ATTESTATION_REPORT": "ATTESTATION",
            "SNP_SET_CONFIG": "SNP_CONFIG",
            "FACTORY_RESET": "PLATFORM_RESET",
            "SNP_LAUNCH_UPDATE_DATA": "SNP_LAUNCH_UPDATE",
            "LAUNCH_MEASUREMENT": "LAUNCH_MEASURE",
            "LAUNCH_UPDATE_SECRET": "LAUNCH_SECRET",
        }

    INIT = 0x01, "start SEV"
    SHUTDOWN = 0x02, "stop SEV"
    PLATFORM_RESET = 0x03, "delete owner and keys"
    PLATFORM_STATUS = 0x04, "report the state of SEV"
    PEK_GEN = 0x05, "generate a platform endorsement key"
    PEK_CSR = 0x06, "export a certificate signing request for the endorsement key"
    PEK_CERT_IMPORT = 0x07, "import the owner's certificate"
    PDH_CERT_EXPORT = 0x08, "export the Diffie-Hellman key and its certificates"
    PDH_GEN = 0x09, "generate a Diffie-Hellman key"
    DF_FLUSH = 0x0A, "flush the data fabric, for SEV"
    DOWNLOAD_FIRMWARE = 0x0B, "load new firmware, while SEV is stopped"
    GET_ID = 0x0C, "report the chip id"
    INIT_EX = 0x0D, "start SEV, its persistent data kept by the host"
    NOP = 0x0E, "do nothing"
    RING_BUFFER = 0x0F, "take commands from rings in memory from now on"
    DECOMMISSION = 0x20, "decommission an SEV guest"
    ACTIVATE = 0x21, "bind an SEV guest to an ASID"
    DEACTIVATE = 0x22, "unbind an SEV guest from its ASID"
    GUEST_STATUS = 0x23, "report the state of an SEV guest"
    COPY = 0x24, "copy pages of an SEV guest"
    ACTIVATE_EX = 0x25, "bind an SEV guest to an ASID on some cores"
    LAUNCH_START = 0x30, "begin the launch of an SEV guest"
    LAUNCH_UPDATE_DATA = 0x31, "add data to an SEV guest"
    LAUNCH_UPDATE_VMSA = 0x32, "add a VMSA to an SEV-ES guest"
    LAUNCH_MEASURE = 0x33, "report the measurement of an SEV guest"
    LAUNCH_SECRET = 0x34, "inject the owner's secret into an SEV guest"
    LAUNCH_FINISH = 0x35, "end the launch of an SEV guest"
    ATTESTATION = 0x36, "report on an SEV guest"
    SEND_START = 0x40, "begin to send an SEV guest"
    SEND_UPDATE_DATA = 0x41, "seal data of an SEV guest to send"
    SEND_UPDATE_VMSA = 0x42, "seal a VMSA of an SEV-ES guest to send"
    SEND_FINISH = 0x43, "end the sending"
    SEND_CANCEL = 0x44, "cancel the sending"
    RECEIVE_START = 0x50, "begin to receive an SEV guest"
    RECEIVE_UPDATE_DATA = 0x51, "open received data of an SEV guest"
    RECEIVE_UPDATE_VMSA = 0x52, "open a received VMSA of an SEV-ES guest"
    RECEIVE_FINISH = 0x53, "end the receiving"
    DBG_DECRYPT = 0x60, "read memory of a debuggable SEV guest"
    DBG_ENCRYPT = 0x61, "write memory of a debuggable SEV guest"
    SWAP_OUT = 0x70, "seal pages of an SEV guest"
    SWAP_IN = 0x71, "open pages of an SEV guest"
    SNP_INIT = 0x81, "start SNP with a new RMP"
    SNP_SHUTDOWN = 0x82, "stop SNP; Linux uses only SNP_SHUTDOWN_EX"
    SNP_PLATFORM_STATUS = 0x83, "report state, version and TCB of the platform"
    SNP_DF_FLUSH = 0x84, "flush the data fabric, so that ASIDs can be used again"
    SNP_INIT_EX = 0x85, "start SNP as the buffer says"
    SNP_SHUTDOWN_EX = 0x86, "stop SNP, and what the buffer names besides"
    SNP_DECOMMISSION = 0x90, "decommission a guest"
    SNP_ACTIVATE = 0x91, "bind a guest to an ASID"
    SNP_GUEST_STATUS = 0x92, "report policy, ASID and state of a guest"
    SNP_GCTX_CREATE = 0x93, "make a page the context of a new guest"
    SNP_GUEST_REQUEST = 0x94, "process a guest message"
    SNP_ACTIVATE_EX = 0x95, "bind a guest to an ASID on some cores"
    SNP_HV_REPORT_REQ = 0x96, "report on a guest to the host; newer than AMD-ASPFW 1.55.25"
    SNP_LAUNCH_START = 0xA0, "begin the launch of a guest"
    SNP_LAUNCH_UPDATE = 0xA1, "add a page to a guest"
    SNP_LAUNCH_FINISH = 0xA2, "end the launch of a guest"
    SNP_DBG_DECRYPT = 0xB0, "read a page of a debuggable guest"
    SNP_DBG_ENCRYPT = 0xB1, "write a page of a debuggable guest"
    SNP_VERIFY_MITIGATION = 0xB2, "verify mitigations; from ABI 1.58"
    SNP_PAGE_SWAP_OUT = 0xC0, "seal a page of a guest and write it elsewhere"
    SNP_PAGE_SWAP_IN = 0xC1, "open a sealed page and return it to its guest"
    SNP_PAGE_MOVE = 0xC2, "move a page of a guest"
    SNP_PAGE_MD_INIT = 0xC3, "make a page hold metadata entries"
    SNP_PAGE_SET_STATE = 0xC6, "make pages HV_FIXED"
    SNP_PAGE_RECLAIM = 0xC7, "reclaim a page from the firmware"
    SNP_PAGE_UNSMASH = 0xC8, "join 512 pages of 4 KiB into a 2 MiB page"
    SNP_CONFIG = 0xC9, "set the reported TCB version, and what reports mask"
    SNP_DOWNLOAD_FIRMWARE_EX = 0xCA, "load new firmware, while SNP runs"
    SNP_COMMIT = 0xCB, "make the running firmware the rollback floor"
    SNP_DLFW_CONTINUE = 0xCC, "continue an update; internal, refused from outside"
    SNP_VLEK_LOAD = 0xCD, "load a wrapped VLEK"
    SNP_FEATURE_INFO = 0xCE, "report the features of the firmware"
    TIO_STATUS = 0xD0, "report the state of SEV-TIO"
    TIO_INIT = 0xD1, "start SEV-TIO"
    TIO_DEV_CREATE = 0xD2, "make a page the context of a device"
    TIO_DEV_RECLAIM = 0xD3, "decommission a device"
    TIO_DEV_CONNECT = 0xD4, "set up a sealed connection to a device"
    TIO_DEV_DISCONNECT = 0xD5, "end the connection to a device"
