"""Buffers of the commands of SEV and SEV-ES, without SNP.

A handle, a number that the firmware assigns, names a guest. Layouts are those of Linux, which packs
them. AMD-ASPFW does not: where a buffer's size is no multiple of 8 it may read up to seven bytes
more, which it ignores. The buffer of SEND_UPDATE_VMSA lacks the four
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
NEEDED = "; if too small, the firmware writes back the length needed"


class SevInit(Record, size=0x14, spec=f"{SEV}, INIT"):
    """Command buffer of INIT: start SEV. Linux counts four bytes for the flags."""

    flags: SevConfigFlags = at(0x00, as_word(SevConfigFlags), "Configuration flags: SEV-ES")
    tmr_paddr: int = at(0x08, Int64ul, "Physical address of the trusted memory region, for SEV-ES")
    tmr_length: int = at(0x10, Int32ul, "Length of the trusted memory region in bytes")


class SevInitEx(Record, size=0x24, spec=f"{SEV}, INIT_EX"):
    """Command buffer of INIT_EX: start SEV with non-volatile data kept by the host."""

    iex_len: int = at(0x00, Int32ul, "Length of this command buffer: 0x24")
    flags: SevConfigFlags = at(0x04, as_word(SevConfigFlags), "Configuration flags: SEV-ES")
    tmr_paddr: int = at(0x08, Int64ul, "Physical address of the trusted memory region, for SEV-ES")
    tmr_length: int = at(0x10, Int32ul, "Length of the trusted memory region in bytes")
    nv_paddr: int = at(0x18, Int64ul, "Physical address of the non-volatile data")
    nv_length: int = at(0x20, Int32ul, "Length of the non-volatile data in bytes")


class PekCsr(Record, size=0xC, spec=f"{SEV}, PEK_CSR"):
    """Command buffer of PEK_CSR: the destination of a certificate signing request."""

    pek_csr_paddr: int = at(0x0, Int64ul, "Physical address for the PEK's signing request (CSR)")
    pek_csr_len: int = at(0x8, Int32ul, "Length of the CSR buffer" + NEEDED)


class PekCertImport(Record, size=0x1C, spec=f"{SEV}, PEK_CERT_IMPORT"):
    """Command buffer of PEK_CERT_IMPORT: an owner's certificates."""

    pek_cert_paddr: int = at(0x00, Int64ul, "Physical address of the PEK certificate")
    pek_cert_len: int = at(0x08, Int32ul, "Length of the PEK certificate in bytes")
    oca_cert_paddr: int = at(0x10, Int64ul, "Physical address of the owner (OCA) certificate")
    oca_cert_len: int = at(0x18, Int32ul, "Length of the OCA certificate in bytes")


class PdhCertExport(Record, size=0x1C, spec=f"{SEV}, PDH_CERT_EXPORT"):
    """Command buffer of PDH_CERT_EXPORT: destinations of the PDH and its certificate chain."""

    pdh_cert_paddr: int = at(0x00, Int64ul, "Physical address for the PDH certificate")
    pdh_cert_len: int = at(0x08, Int32ul, "Length of the PDH certificate buffer" + NEEDED)
    cert_chain_paddr: int = at(0x10, Int64ul, "Physical address for the PDH's certificate chain")
    certs_len: int = at(0x18, Int32ul, "Length of the certificate chain buffer" + NEEDED)


class SevDownload(Record, size=0xC, spec=f"{SEV}, DOWNLOAD_FIRMWARE"):
    """Command buffer of DOWNLOAD_FIRMWARE: a firmware image."""

    firmware_paddr: int = at(0x0, Int64ul, "Physical address of the firmware image")
    firmware_len: int = at(0x8, Int32ul, "Length of the firmware image in bytes")


class SevGetId(Record, size=0xC, spec=f"{SEV}, GET_ID"):
    """Command buffer of GET_ID: the destination of the chip IDs."""

    id_paddr: int = at(0x0, Int64ul, "Physical address for the chip IDs, 64 bytes for each socket")
    id_len: int = at(0x8, Int32ul, "Length of the chip ID buffer" + NEEDED)


class SevHandle(Record, size=0x4, spec=f"{SEV}, commands that name a guest and no more"):
    """Command buffer of a handle only."""

    handle: int = at(0x0, Int32ul, HANDLE)


class SevActivate(Record, size=0x8, spec=f"{SEV}, ACTIVATE"):
    """Command buffer of ACTIVATE: assign an ASID to a guest."""

    handle: int = at(0x0, Int32ul, HANDLE)
    asid: int = at(0x4, Int32ul, "ASID to assign to the guest")


class SevActivateEx(Record, size=0x18, spec=f"{FIRMWARE}, ACTIVATE_EX"):
    """Command buffer of ACTIVATE_EX: assign an ASID on some cores. Linux lacks it."""

    ex_len: int = at(0x00, Int32ul, "Length of this command buffer: 0x18")
    handle: int = at(0x04, Int32ul, HANDLE)
    asid: int = at(0x08, Int32ul, "ASID to assign to the guest")
    numids: int = at(0x0C, Int32ul, "Number of APIC IDs")
    ids_paddr: int = at(0x10, Int64ul, "Physical address of the APIC ID list, 4 bytes each")


class SevPolicy(Word, width=32, spec="55766 (AMD-ASPFW sev_guest.h; Linux psp-sev.h)"):
    """Guest policy of SEV."""

    nodbg = bit(0, "Debugging of the guest is disallowed")
    noks = bit(1, "Key sharing with other guests is disallowed")
    es = bit(2, "SEV-ES is required")
    nosend = bit(3, "Sending the guest to another platform is disallowed")
    domain = bit(4, "The guest must not be sent to a platform outside its domain")
    sev = bit(5, "The guest must not be sent to a platform that is not SEV capable")
    api_major = bits(16, 8, "Minimum API major version of the firmware")
    api_minor = bits(24, 8, "Minimum API minor version of the firmware")


class SevGuestState(OpenEnum):
    """State of an SEV guest."""

    INVALID = 0, "no such guest"
    LUPDATE = 1, "launch in progress"
    LSECRET = 2, "launched, may receive a secret"
    RUNNING = 3, "launch finished"
    SUPDATE = 4, "being sent"
    RUPDATE = 5, "being received"
    SENT = 6, "sent to another platform"


class SevGuestStatus(Record, size=0xD, spec=f"{SEV}, GUEST_STATUS"):
    """Command buffer of GUEST_STATUS: a guest, and the status that the firmware writes."""

    handle: int = at(0x0, Int32ul, HANDLE)
    policy: SevPolicy = at(0x4, as_word(SevPolicy), "SEV guest policy")
    asid: int = at(0x8, Int32ul, "ASID of the SEV guest")
    state: SevGuestState = at(0xC, as_enum(SevGuestState, Int8ul), "State of the SEV guest")


class SevCopy(Record, size=0x18, spec=f"{FIRMWARE}, COPY"):
    """Command buffer of COPY: copy memory of a guest. Linux lacks it."""

    handle: int = at(0x00, Int32ul, HANDLE)
    length: int = at(0x04, Int32ul, "Number of bytes to copy")
    src_paddr: int = at(0x08, Int64ul, "Physical address of the source memory")
    dst_paddr: int = at(0x10, Int64ul, "Physical address of the destination memory")


class SevLaunchStart(Record, size=0x24, spec=f"{SEV}, LAUNCH_START"):
    """Command buffer of LAUNCH_START; the firmware writes the guest's handle."""

    handle: int = at(0x00, Int32ul, "Handle of a guest to share the key with; 0 for none")
    policy: SevPolicy = at(0x04, as_word(SevPolicy), "SEV guest policy")
    dh_cert_paddr: int = at(0x08, Int64ul, "Physical address of the owner's Diffie-Hellman key")
    dh_cert_len: int = at(0x10, Int32ul, "Length of the Diffie-Hellman key in bytes")
    session_paddr: int = at(0x18, Int64ul, "Physical address of the guest owner's session data")
    session_len: int = at(0x20, Int32ul, "Length of the session data in bytes")


class SevLaunchUpdate(Record, size=0x14, spec=f"{SEV}, LAUNCH_UPDATE_DATA and _VMSA"):
    """Command buffer of LAUNCH_UPDATE_*: add memory to a launch."""

    handle: int = at(0x00, Int32ul, HANDLE)
    paddr: int = at(0x08, Int64ul, "Physical address of the memory, encrypted in place")
    length: int = at(0x10, Int32ul, "Length of the memory in bytes")


class SevLaunchMeasure(Record, size=0x14, spec=f"{SEV}, LAUNCH_MEASURE"):
    """Command buffer of LAUNCH_MEASURE: the destination of the measurement."""

    handle: int = at(0x00, Int32ul, HANDLE)
    measure_paddr: int = at(0x08, Int64ul, "Physical address for the measurement and its nonce")
    measure_len: int = at(0x10, Int32ul, "Length of the measurement buffer" + NEEDED)


class SevTransport(Record, size=0x34, spec=f"{SEV}, LAUNCH_SECRET and *_UPDATE_* of migration"):
    """Command buffer that carries encrypted memory into a guest or out of it."""

    handle: int = at(0x00, Int32ul, HANDLE)
    hdr_paddr: int = at(0x08, Int64ul, "Physical address of the packet header")
    hdr_size: int = at(0x10, Int32ul, "Bytes of the packet header; written by SEND_UPDATE_*")
    guest_paddr: int = at(0x18, Int64ul, "Physical address of the guest memory")
    guest_len: int = at(0x20, Int32ul, "Length of the guest memory in bytes")
    trans_paddr: int = at(0x28, Int64ul, "Physical address of the encrypted memory")
    trans_len: int = at(0x30, Int32ul, "Bytes of the encrypted memory; written by SEND_UPDATE_*")


class SevAttestation(Record, size=0x24, spec=f"{SEV}, ATTESTATION"):
    """Command buffer of ATTESTATION: request a report of a guest."""

    handle: int = at(0x00, Int32ul, HANDLE)
    paddr: int = at(0x08, Int64ul, "Physical address for the attestation report")
    mnonce: bytes = at(0x10, Bytes(16), "Nonce that the report repeats")
    length: int = at(0x20, Int32ul, "Length of the report buffer" + NEEDED)


class SevReport(Record, size=0xD0, spec=f"{FIRMWARE}, ATTESTATION"):
    """Attestation report of SEV, written by ATTESTATION."""

    mnonce: bytes = at(0x00, Bytes(16), "Nonce from the attestation request")
    launch_digest: bytes = at(0x10, Bytes(32), "Launch digest of the guest")
    policy: SevPolicy = at(0x30, as_word(SevPolicy), "SEV guest policy")
    sig_usage: int = at(0x34, Int32ul, "Usage of the signing key")
    sig_algo: int = at(0x38, Int32ul, "Algorithm of the signature")
    sig1: bytes = at(0x40, Bytes(144), "Signature over all bytes before it")


class SevSendStart(Record, size=0x44, spec=f"{SEV}, SEND_START"):
    """Command buffer of SEND_START; the firmware writes the guest's policy."""

    handle: int = at(0x00, Int32ul, HANDLE)
    policy: SevPolicy = at(0x04, as_word(SevPolicy), "SEV guest policy")
    pdh_cert_paddr: int = at(0x08, Int64ul, "Physical address of the target's PDH certificate")
    pdh_cert_len: int = at(0x10, Int32ul, "Length of the PDH certificate in bytes")
    plat_certs_paddr: int = at(0x18, Int64ul, "Physical address of the target's certificates")
    plat_certs_len: int = at(0x20, Int32ul, "Length of the target's certificates in bytes")
    amd_certs_paddr: int = at(0x28, Int64ul, "Physical address of AMD's certificate chain")
    amd_certs_len: int = at(0x30, Int32ul, "Length of AMD's certificate chain in bytes")
    session_paddr: int = at(0x38, Int64ul, "Physical address for the session data")
    session_len: int = at(0x40, Int32ul, "Length of the session buffer" + NEEDED)


class SevReceiveStart(Record, size=0x24, spec=f"{SEV}, RECEIVE_START"):
    """Command buffer of RECEIVE_START; the firmware writes the guest's handle."""

    handle: int = at(0x00, Int32ul, "Handle of a guest to share the key with; 0 for none")
    policy: SevPolicy = at(0x04, as_word(SevPolicy), "SEV guest policy")
    pdh_cert_paddr: int = at(0x08, Int64ul, "Physical address of the sender's PDH certificate")
    pdh_cert_len: int = at(0x10, Int32ul, "Length of the PDH certificate in bytes")
    session_paddr: int = at(0x18, Int64ul, "Physical address of the session data")
    session_len: int = at(0x20, Int32ul, "Length of the session data in bytes")


class SevDbg(Record, size=0x1C, spec=f"{SEV}, DBG_DECRYPT and DBG_ENCRYPT"):
    """Command buffer of DBG_DECRYPT and DBG_ENCRYPT: copy memory of a debuggable guest."""

    handle: int = at(0x00, Int32ul, HANDLE)
    src_paddr: int = at(0x08, Int64ul, "Physical address of the memory to read")
    dst_paddr: int = at(0x10, Int64ul, "Physical address of the memory to write")
    length: int = at(0x18, Int32ul, "Number of bytes to copy")


class SevSwapOutFlags(Word, width=32, spec=f"{FIRMWARE}, SWAP_OUT"):
    """Size and type of the page to swap out."""

    page_size = bits(0, 1, "Page size: 4 KiB or 2 MiB", PscPageSize)
    page_type = bits(1, 2, "Page type: data, metadata or VMSA", SwapPageType)


class SevSwapOut(Record, size=0x28, spec=f"{FIRMWARE}, SWAP_OUT"):
    """Command buffer of SWAP_OUT: encrypt a guest page and move it out. Linux lacks it."""

    handle: int = at(0x00, Int32ul, HANDLE)
    flags: SevSwapOutFlags = at(0x04, as_word(SevSwapOutFlags), "Size and type of the page")
    src_paddr: int = at(0x08, Int64ul, "Physical address of the page to swap out")
    dst_paddr: int = at(0x10, Int64ul, "Physical address for the sealed page")
    mdata_paddr: int = at(0x18, Int64ul, "Physical address of the metadata entry")
    software_data: int = at(0x20, Int64ul, "Software data, stored in the metadata entry")


class SevSwapInFlags(Word, width=32, spec=f"{FIRMWARE}, SWAP_IN"):
    """Size and type of the page to swap in."""

    page_size = bits(0, 1, "Page size: 4 KiB or 2 MiB", PscPageSize)
    page_type = bits(1, 2, "Page type: data, metadata or VMSA", SwapPageType)
    swap_in_place = bit(3, "Decrypt the page in place")


class SevSwapIn(Record, size=0x20, spec=f"{FIRMWARE}, SWAP_IN"):
    """Command buffer of SWAP_IN: decrypt a page and return it to the guest. Linux lacks it."""

    handle: int = at(0x00, Int32ul, HANDLE)
    flags: SevSwapInFlags = at(0x04, as_word(SevSwapInFlags), "Size and type of the page")
    src_paddr: int = at(0x08, Int64ul, "Physical address of the sealed page")
    dst_paddr: int = at(0x10, Int64ul, "Physical address for the decrypted page")
    mdata_paddr: int = at(0x18, Int64ul, "Physical address of the metadata entry")


class SevSwapMdata(Record, size=0x40, spec=f"{FIRMWARE}, SWAP_OUT"):
    """Metadata of a swapped page of an SEV guest."""

    software_data: int = at(0x00, Int64ul, "Data available to software")
    iv: int = at(0x08, Int64ul, "Nonce (IV) that the page was sealed with")
    auth_tag: bytes = at(0x10, Bytes(16), "Authentication tag of the sealed page")
    flags: SevSwapOutFlags = at(0x3C, as_word(SevSwapOutFlags), "Size and type of the swapped page")


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
