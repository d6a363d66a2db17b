"""Buffers of the commands of SEV and SEV-ES, without SNP.

A guest is named by a handle, a number that the firmware gives out. Layouts are those of Linux,
which packs them. AMD-ASPFW does not, so that where a buffer's size is no multiple of 8 it may read
up to seven bytes more, to which it never looks. The buffer of SEND_UPDATE_VMSA lacks the four
reserved bytes at 0x4 in Linux, which never sends it; here it is AMD-ASPFW's.
"""

from __future__ import annotations

from construct import Bytes, Int8ul, Int32ul, Int64ul

from ..bits import OpenEnum, Word, bit, bits
from ..codec import as_enum, as_word
from ..layout import Record, at
from .operands import PscPageSize
from .page_commands import SwapPageType
from .platform import SevConfigFlags

SEV = "55766 (AMD-ASPFW sev_mcmd.h; Linux psp-sev.h)"
FIRMWARE = "55766 (AMD-ASPFW sev_mcmd.h)"
HANDLE = "Handle of the guest"
LENGTH = "Its bytes"
NEEDED = "Its bytes; where they are too few the firmware writes how many it needs"


class SevInit(Record, size=0x14, spec=f"{SEV}, INIT"):
    """How to start SEV. Linux counts four bytes for the flags."""

    flags: SevConfigFlags = at(0x00, as_word(SevConfigFlags), "What to start")
    tmr_paddr: int = at(0x08, Int64ul, "Physical address of memory that the firmware gets, for ES")
    tmr_length: int = at(0x10, Int32ul, LENGTH)


class SevInitEx(Record, size=0x24, spec=f"{SEV}, INIT_EX"):
    """How to start SEV, with the lasting data that the host keeps."""

    iex_len: int = at(0x00, Int32ul, "Bytes of this buffer: 0x24")
    flags: SevConfigFlags = at(0x04, as_word(SevConfigFlags), "What to start")
    tmr_paddr: int = at(0x08, Int64ul, "Physical address of memory that the firmware gets, for ES")
    tmr_length: int = at(0x10, Int32ul, LENGTH)
    nv_paddr: int = at(0x18, Int64ul, "Physical address of the lasting data")
    nv_length: int = at(0x20, Int32ul, LENGTH)


class PekCsr(Record, size=0xC, spec=f"{SEV}, PEK_CSR"):
    """Where a request to sign the endorsement key is to go."""

    pek_csr_paddr: int = at(0x0, Int64ul, "Physical address for the request")
    pek_csr_len: int = at(0x8, Int32ul, NEEDED)


class PekCertImport(Record, size=0x1C, spec=f"{SEV}, PEK_CERT_IMPORT"):
    """An owner's certificates."""

    pek_cert_paddr: int = at(0x00, Int64ul, "Physical address of the endorsement key's certificate")
    pek_cert_len: int = at(0x08, Int32ul, LENGTH)
    oca_cert_paddr: int = at(0x10, Int64ul, "Physical address of the owner's certificate")
    oca_cert_len: int = at(0x18, Int32ul, LENGTH)


class PdhCertExport(Record, size=0x1C, spec=f"{SEV}, PDH_CERT_EXPORT"):
    """Where the Diffie-Hellman key and its certificates are to go."""

    pdh_cert_paddr: int = at(0x00, Int64ul, "Physical address for the key's certificate")
    pdh_cert_len: int = at(0x08, Int32ul, NEEDED)
    cert_chain_paddr: int = at(0x10, Int64ul, "Physical address for the certificates above it")
    certs_len: int = at(0x18, Int32ul, NEEDED)


class SevDownload(Record, size=0xC, spec=f"{SEV}, DOWNLOAD_FIRMWARE"):
    """Where new firmware lies."""

    firmware_paddr: int = at(0x0, Int64ul, "Physical address of the image")
    firmware_len: int = at(0x8, Int32ul, LENGTH)


class SevGetId(Record, size=0xC, spec=f"{SEV}, GET_ID"):
    """Where the ids of the chips are to go."""

    id_paddr: int = at(0x0, Int64ul, "Physical address for the ids, 64 bytes for a socket")
    id_len: int = at(0x8, Int32ul, NEEDED)


class SevHandle(Record, size=0x4, spec=f"{SEV}, commands that name a guest and no more"):
    """A guest."""

    handle: int = at(0x0, Int32ul, HANDLE)


class SevActivate(Record, size=0x8, spec=f"{SEV}, ACTIVATE"):
    """Give a guest an ASID."""

    handle: int = at(0x0, Int32ul, HANDLE)
    asid: int = at(0x4, Int32ul, "ASID it gets")


class SevActivateEx(Record, size=0x18, spec=f"{FIRMWARE}, ACTIVATE_EX"):
    """Give a guest an ASID on some cores. Linux does not know it."""

    ex_len: int = at(0x00, Int32ul, "Bytes of this buffer: 0x18")
    handle: int = at(0x04, Int32ul, HANDLE)
    asid: int = at(0x08, Int32ul, "ASID it gets")
    numids: int = at(0x0C, Int32ul, "How many APIC ids")
    ids_paddr: int = at(0x10, Int64ul, "Physical address of the APIC ids, 4 bytes each")


class SevPolicy(Word, width=32, spec="55766 (AMD-ASPFW sev_guest.h; Linux psp-sev.h)"):
    """What an SEV guest's owner allows."""

    nodbg = bit(0, "The guest may not be debugged")
    noks = bit(1, "It may not share its key with other guests")
    es = bit(2, "It has to be one of SEV-ES")
    nosend = bit(3, "It may not be sent to another platform")
    domain = bit(4, "It may be sent within its owner's domain alone")
    sev = bit(5, "It may be sent to platforms that have SEV alone")
    api_major = bits(16, 8, "Least major version of the firmware's API")
    api_minor = bits(24, 8, "Least minor version of the firmware's API")


class SevGuestState(OpenEnum):
    """How far an SEV guest has come."""

    INVALID = 0, "there is no such guest"
    LUPDATE = 1, "it is being launched"
    LSECRET = 2, "it is launched and may get a secret"
    RUNNING = 3, "its launch is finished"
    SUPDATE = 4, "it is being sent"
    RUPDATE = 5, "it is being received"
    SENT = 6, "it was sent away"


class SevGuestStatus(Record, size=0xD, spec=f"{SEV}, GUEST_STATUS"):
    """A guest, and what the firmware writes of it."""

    handle: int = at(0x0, Int32ul, HANDLE)
    policy: SevPolicy = at(0x4, as_word(SevPolicy), "What its owner allows")
    asid: int = at(0x8, Int32ul, "Its ASID")
    state: SevGuestState = at(0xC, as_enum(SevGuestState, Int8ul), "How far it has come")


class SevCopy(Record, size=0x18, spec=f"{FIRMWARE}, COPY"):
    """Copy memory of a guest. Linux does not know it."""

    handle: int = at(0x00, Int32ul, HANDLE)
    length: int = at(0x04, Int32ul, "Bytes to copy")
    src_paddr: int = at(0x08, Int64ul, "Physical address of the memory")
    dst_paddr: int = at(0x10, Int64ul, "Physical address it is copied to")


class SevLaunchStart(Record, size=0x24, spec=f"{SEV}, LAUNCH_START"):
    """Begin a launch; the firmware writes the guest's handle."""

    handle: int = at(0x00, Int32ul, "Handle of a guest whose key is shared; 0: none")
    policy: SevPolicy = at(0x04, as_word(SevPolicy), "What the guest's owner allows")
    dh_cert_paddr: int = at(0x08, Int64ul, "Physical address of the owner's Diffie-Hellman key")
    dh_cert_len: int = at(0x10, Int32ul, LENGTH)
    session_paddr: int = at(0x18, Int64ul, "Physical address of the owner's session keys, sealed")
    session_len: int = at(0x20, Int32ul, LENGTH)


class SevLaunchUpdate(Record, size=0x14, spec=f"{SEV}, LAUNCH_UPDATE_DATA and _VMSA"):
    """Add memory to a guest that is launched."""

    handle: int = at(0x00, Int32ul, HANDLE)
    paddr: int = at(0x08, Int64ul, "Physical address of the memory, changed where it lies")
    length: int = at(0x10, Int32ul, LENGTH)


class SevLaunchMeasure(Record, size=0x14, spec=f"{SEV}, LAUNCH_MEASURE"):
    """Where the measurement of a launch is to go."""

    handle: int = at(0x00, Int32ul, HANDLE)
    measure_paddr: int = at(0x08, Int64ul, "Physical address for the measurement and its nonce")
    measure_len: int = at(0x10, Int32ul, NEEDED)


class SevTransport(Record, size=0x34, spec=f"{SEV}, LAUNCH_SECRET and *_UPDATE_* of migration"):
    """Carry sealed memory into a guest or out of it."""

    handle: int = at(0x00, Int32ul, HANDLE)
    hdr_paddr: int = at(0x08, Int64ul, "Physical address of the packet's header")
    hdr_size: int = at(0x10, Int32ul, "Its bytes; SEND_UPDATE_* write how many they need")
    guest_paddr: int = at(0x18, Int64ul, "Physical address of the guest's memory")
    guest_len: int = at(0x20, Int32ul, LENGTH)
    trans_paddr: int = at(0x28, Int64ul, "Physical address of the sealed memory")
    trans_len: int = at(0x30, Int32ul, "Its bytes; SEND_UPDATE_* write how many they need")


class SevAttestation(Record, size=0x24, spec=f"{SEV}, ATTESTATION"):
    """Ask for a report of a guest."""

    handle: int = at(0x00, Int32ul, HANDLE)
    paddr: int = at(0x08, Int64ul, "Physical address for the report")
    mnonce: bytes = at(0x10, Bytes(16), "Nonce that the report repeats")
    length: int = at(0x20, Int32ul, NEEDED)


class SevReport(Record, size=0xD0, spec=f"{FIRMWARE}, ATTESTATION"):
    """What ATTESTATION answers."""

    mnonce: bytes = at(0x00, Bytes(16), "Nonce of the request")
    launch_digest: bytes = at(0x10, Bytes(32), "Digest of what was launched")
    policy: SevPolicy = at(0x30, as_word(SevPolicy), "What the guest's owner allows")
    sig_usage: int = at(0x34, Int32ul, "What the key that signs is for")
    sig_algo: int = at(0x38, Int32ul, "How it is signed")
    sig1: bytes = at(0x40, Bytes(144), "Signature over what is before it")


class SevSendStart(Record, size=0x44, spec=f"{SEV}, SEND_START"):
    """Begin to send a guest; the firmware writes its policy."""

    handle: int = at(0x00, Int32ul, HANDLE)
    policy: SevPolicy = at(0x04, as_word(SevPolicy), "What its owner allows")
    pdh_cert_paddr: int = at(0x08, Int64ul, "Physical address of the other platform's key")
    pdh_cert_len: int = at(0x10, Int32ul, LENGTH)
    plat_certs_paddr: int = at(0x18, Int64ul, "Physical address of its certificates")
    plat_certs_len: int = at(0x20, Int32ul, LENGTH)
    amd_certs_paddr: int = at(0x28, Int64ul, "Physical address of AMD's certificates")
    amd_certs_len: int = at(0x30, Int32ul, LENGTH)
    session_paddr: int = at(0x38, Int64ul, "Physical address for the session keys, sealed")
    session_len: int = at(0x40, Int32ul, NEEDED)


class SevReceiveStart(Record, size=0x24, spec=f"{SEV}, RECEIVE_START"):
    """Begin to receive a guest; the firmware writes its handle."""

    handle: int = at(0x00, Int32ul, "Handle of a guest whose key is shared; 0: none")
    policy: SevPolicy = at(0x04, as_word(SevPolicy), "What the guest's owner allows")
    pdh_cert_paddr: int = at(0x08, Int64ul, "Physical address of the other platform's key")
    pdh_cert_len: int = at(0x10, Int32ul, LENGTH)
    session_paddr: int = at(0x18, Int64ul, "Physical address of the session keys, sealed")
    session_len: int = at(0x20, Int32ul, LENGTH)


class SevDbg(Record, size=0x1C, spec=f"{SEV}, DBG_DECRYPT and DBG_ENCRYPT"):
    """Copy memory of a guest that may be debugged, out of or into its encryption."""

    handle: int = at(0x00, Int32ul, HANDLE)
    src_paddr: int = at(0x08, Int64ul, "Physical address of the memory to read")
    dst_paddr: int = at(0x10, Int64ul, "Physical address of the memory to write")
    length: int = at(0x18, Int32ul, "Bytes to copy")


class SevSwapOutFlags(Word, width=32, spec=f"{FIRMWARE}, SWAP_OUT"):
    """What page goes out."""

    page_size = bits(0, 1, "Its size", PscPageSize)
    page_type = bits(1, 2, "What it holds", SwapPageType)


class SevSwapOut(Record, size=0x28, spec=f"{FIRMWARE}, SWAP_OUT"):
    """Seal a guest's page and put it elsewhere. Linux does not know it."""

    handle: int = at(0x00, Int32ul, HANDLE)
    flags: SevSwapOutFlags = at(0x04, as_word(SevSwapOutFlags), "What page it is")
    src_paddr: int = at(0x08, Int64ul, "Physical address of the page")
    dst_paddr: int = at(0x10, Int64ul, "Physical address for the sealed page")
    mdata_paddr: int = at(0x18, Int64ul, "Physical address of its metadata entry")
    software_data: int = at(0x20, Int64ul, "Left to software, kept in the entry")


class SevSwapInFlags(Word, width=32, spec=f"{FIRMWARE}, SWAP_IN"):
    """What page comes back."""

    page_size = bits(0, 1, "Its size", PscPageSize)
    page_type = bits(1, 2, "What it holds", SwapPageType)
    swap_in_place = bit(3, "It is opened where it lies")


class SevSwapIn(Record, size=0x20, spec=f"{FIRMWARE}, SWAP_IN"):
    """Open a sealed page and give it back to the guest. Linux does not know it."""

    handle: int = at(0x00, Int32ul, HANDLE)
    flags: SevSwapInFlags = at(0x04, as_word(SevSwapInFlags), "What page it is")
    src_paddr: int = at(0x08, Int64ul, "Physical address of the sealed page")
    dst_paddr: int = at(0x10, Int64ul, "Physical address for the page")
    mdata_paddr: int = at(0x18, Int64ul, "Physical address of its metadata entry")


class SevSwapMdata(Record, size=0x40, spec=f"{FIRMWARE}, SWAP_OUT"):
    """What is kept of a page of an SEV guest that is swapped out."""

    software_data: int = at(0x00, Int64ul, "What software left")
    iv: int = at(0x08, Int64ul, "Number that the page was sealed under")
    auth_tag: bytes = at(0x10, Bytes(16), "Authentication tag")
    flags: SevSwapOutFlags = at(0x3C, as_word(SevSwapOutFlags), "What page it was")


KINDS = {
    "cmd-sev-init": SevInit,
    "cmd-sev-init-ex": SevInitEx,
    "cmd-sev-pek-csr": PekCsr,
    "cmd-sev-pek-cert-import": PekCertImport,
    "cmd-sev-pdh-cert-export": PdhCertExport,
    "cmd-sev-download": SevDownload,
    "cmd-sev-get-id": SevGetId,
    "cmd-sev-handle": SevHandle,
    "cmd-sev-activate": SevActivate,
    "cmd-sev-activate-ex": SevActivateEx,
    "cmd-sev-guest-status": SevGuestStatus,
    "cmd-sev-copy": SevCopy,
    "cmd-sev-launch-start": SevLaunchStart,
    "cmd-sev-launch-update": SevLaunchUpdate,
    "cmd-sev-launch-measure": SevLaunchMeasure,
    "cmd-sev-transport": SevTransport,
    "cmd-sev-attestation": SevAttestation,
    "sev-report": SevReport,
    "cmd-sev-send-start": SevSendStart,
    "cmd-sev-receive-start": SevReceiveStart,
    "cmd-sev-dbg": SevDbg,
    "cmd-sev-swap-out": SevSwapOut,
    "cmd-sev-swap-in": SevSwapIn,
    "sev-swap-mdata": SevSwapMdata,
}
"""The structures of this chapter that a person can name."""
