"""Numbers of the firmware's commands, those of AMD-ASPFW and Linux (``psp-sev.h``).

0x54 to 0x5F, 0xC4, 0xC5 and 0xCF belong to nobody.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ..bits import OpenEnum


class Way(StrEnum):
    """Which way bytes go."""

    IN = "in"
    OUT = "out"
    BOTH = "both"


IN, OUT, BOTH = Way
MCMD = "AMD-ASPFW sev_mcmd.c"


class Pointer(NamedTuple):
    """A field of a buffer that holds a physical address, and what lies there."""

    field: str
    kind: str
    """Kind of what lies there, of the first of several; empty if it is a page of no known kind."""
    direction: Way


class Command(NamedTuple):
    """What a command takes and gives."""

    id: CommandId
    buffer: str
    """Kind of the buffer; empty if there is none."""
    pointers: tuple[Pointer, ...]
    direction: Way
    """Of the buffer itself: no command of SNP writes back its own."""
    source: str
    on_length: bool = False
    """The buffer is written back after INVALID_LENGTH as well, to say how long is enough."""

    @property
    def answers(self) -> tuple[str, ...]:
        """Return the kinds that the firmware writes, the buffer's own first."""
        own = (self.buffer,) if self.buffer and self.direction is not Way.IN else ()
        return own + tuple(p.kind for p in self.pointers if p.kind and p.direction is not IN)


def command(
    number: CommandId,
    buffer: str = "",
    *pointers: Pointer,
    direction: Way = IN,
    source: str = MCMD,
    on_length: bool = False,
) -> Command:
    """Declare a command; most buffers go in alone."""
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

    INIT = 0x01, "start SEV"
    SHUTDOWN = 0x02, "stop SEV"
    PLATFORM_RESET = 0x03, "forget owner and keys"
    PLATFORM_STATUS = 0x04, "tell the state of SEV"
    PEK_GEN = 0x05, "make a new endorsement key"
    PEK_CSR = 0x06, "give out a request to sign the endorsement key"
    PEK_CERT_IMPORT = 0x07, "take an owner's certificate"
    PDH_CERT_EXPORT = 0x08, "give out the Diffie-Hellman key and its certificates"
    PDH_GEN = 0x09, "make a new Diffie-Hellman key"
    DF_FLUSH = 0x0A, "flush the data fabric, for SEV"
    DOWNLOAD_FIRMWARE = 0x0B, "put new firmware in place, while SEV is stopped"
    GET_ID = 0x0C, "tell the id of the chip"
    INIT_EX = 0x0D, "start SEV, its lasting data kept by the host"
    NOP = 0x0E, "do nothing"
    RING_BUFFER = 0x0F, "take commands from rings in memory from now on"
    DECOMMISSION = 0x20, "give an SEV guest up"
    ACTIVATE = 0x21, "give an SEV guest an ASID"
    DEACTIVATE = 0x22, "take an SEV guest's ASID away"
    GUEST_STATUS = 0x23, "tell the state of an SEV guest"
    COPY = 0x24, "copy pages of an SEV guest"
    ACTIVATE_EX = 0x25, "give an SEV guest an ASID on some cores"
    LAUNCH_START = 0x30, "begin the launch of an SEV guest"
    LAUNCH_UPDATE_DATA = 0x31, "add data to an SEV guest"
    LAUNCH_UPDATE_VMSA = 0x32, "add a save area to an SEV-ES guest"
    LAUNCH_MEASURE = 0x33, "tell the measurement of an SEV guest"
    LAUNCH_SECRET = 0x34, "give an SEV guest its owner's secret"
    LAUNCH_FINISH = 0x35, "end the launch of an SEV guest"
    ATTESTATION = 0x36, "give out a report of an SEV guest"
    SEND_START = 0x40, "begin to send an SEV guest away"
    SEND_UPDATE_DATA = 0x41, "seal data of an SEV guest that is sent"
    SEND_UPDATE_VMSA = 0x42, "seal a save area of an SEV-ES guest that is sent"
    SEND_FINISH = 0x43, "end the sending"
    SEND_CANCEL = 0x44, "break the sending off"
    RECEIVE_START = 0x50, "begin to receive an SEV guest"
    RECEIVE_UPDATE_DATA = 0x51, "open data of an SEV guest that is received"
    RECEIVE_UPDATE_VMSA = 0x52, "open a save area of an SEV-ES guest that is received"
    RECEIVE_FINISH = 0x53, "end the receiving"
    DBG_DECRYPT = 0x60, "read memory of an SEV guest that may be debugged"
    DBG_ENCRYPT = 0x61, "write memory of an SEV guest that may be debugged"
    SWAP_OUT = 0x70, "seal pages of an SEV guest"
    SWAP_IN = 0x71, "open pages of an SEV guest"
    SNP_INIT = 0x81, "start SNP with the RMP set up anew"
    SNP_SHUTDOWN = 0x82, "stop SNP; Linux uses SNP_SHUTDOWN_EX alone"
    SNP_PLATFORM_STATUS = 0x83, "tell state, version and TCB of the platform"
    SNP_DF_FLUSH = 0x84, "flush the data fabric, so that ASIDs can be used again"
    SNP_INIT_EX = 0x85, "start SNP in a way that the buffer describes"
    SNP_SHUTDOWN_EX = 0x86, "stop SNP, and what the buffer names with it"
    SNP_DECOMMISSION = 0x90, "give a guest up"
    SNP_ACTIVATE = 0x91, "give a guest an ASID"
    SNP_GUEST_STATUS = 0x92, "tell policy, ASID and state of a guest"
    SNP_GCTX_CREATE = 0x93, "make a page the context of a new guest"
    SNP_GUEST_REQUEST = 0x94, "answer a message that a guest sealed"
    SNP_ACTIVATE_EX = 0x95, "give a guest an ASID on some cores"
    SNP_HV_REPORT_REQ = 0x96, "give the host a report of a guest; newer than AMD-ASPFW 1.55.25"
    SNP_LAUNCH_START = 0xA0, "begin the launch of a guest"
    SNP_LAUNCH_UPDATE = 0xA1, "add a page to a guest"
    SNP_LAUNCH_FINISH = 0xA2, "end the launch of a guest"
    SNP_DBG_DECRYPT = 0xB0, "read a page of a guest that may be debugged"
    SNP_DBG_ENCRYPT = 0xB1, "write a page of a guest that may be debugged"
    SNP_VERIFY_MITIGATION = 0xB2, "check that mitigations hold; from ABI 1.58"
    SNP_PAGE_SWAP_OUT = 0xC0, "seal a page of a guest and put it elsewhere"
    SNP_PAGE_SWAP_IN = 0xC1, "open a sealed page and give it back"
    SNP_PAGE_MOVE = 0xC2, "move a page of a guest"
    SNP_PAGE_MD_INIT = 0xC3, "make a page hold metadata entries"
    SNP_PAGE_SET_STATE = 0xC6, "make pages HV_FIXED"
    SNP_PAGE_RECLAIM = 0xC7, "take a page back from the firmware"
    SNP_PAGE_UNSMASH = 0xC8, "join 512 small pages into a large one"
    SNP_CONFIG = 0xC9, "set the TCB version that is reported, and what is hidden"
    SNP_DOWNLOAD_FIRMWARE_EX = 0xCA, "put new firmware in place, while SNP runs"
    SNP_COMMIT = 0xCB, "refuse older firmware from now on"
    SNP_DLFW_CONTINUE = 0xCC, "go on with an update; the firmware's own, refused from outside"
    SNP_VLEK_LOAD = 0xCD, "take a wrapped VLEK"
    SNP_FEATURE_INFO = 0xCE, "tell the features of the firmware"
    TIO_STATUS = 0xD0, "tell the state of SEV-TIO"
    TIO_INIT = 0xD1, "start SEV-TIO"
    TIO_DEV_CREATE = 0xD2, "make a page the context of a device"
    TIO_DEV_RECLAIM = 0xD3, "give a device up"
    TIO_DEV_CONNECT = 0xD4, "set up a sealed connection to a device"
    TIO_DEV_DISCONNECT = 0xD5, "end the connection to a device"
