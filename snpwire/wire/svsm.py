"""Interface of guest and SVSM: calling area, calls, and their buffers.

The document is AMD 58019, known here through Linux, edk2 and coconut-svsm. Numbers and offsets are
theirs. The APIC protocol is a draft, only in coconut-svsm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from construct import Bytes, Int8ul, Int16ul, Int32ul, Int64ul

from ..bits import OpenEnum, Word, bit, bits
from ..block import Block
from ..codec import as_bytes, as_word
from ..layout import Record, at, nested
from .guid import MixedGuid
from .operands import PscPageSize

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC = "58019 (Linux, edk2, coconut-svsm)"
COCONUT = "58019 (coconut-svsm)"


class SvsmProtocol(OpenEnum):
    """SVSM protocol: the upper half of RAX."""

    CORE = 0x0, "core protocol: memory, vCPUs and queries"
    ATTEST = 0x1, "attestation protocol for the SVSM's services"
    VTPM = 0x2, "vTPM protocol"
    APIC = 0x3, "APIC protocol: interrupts (draft; coconut-svsm)"
    UEFI_MM = 0x4, "UEFI management mode protocol (coconut-svsm, edk2)"


class SvsmCoreCall(OpenEnum):
    """Calls of the core protocol. Linux has the first four."""

    REMAP_CA = 0x0, "move the calling area: RCX is the new address"
    PVALIDATE = 0x1, "validate or invalidate pages: RCX points to the list"
    CREATE_VCPU = 0x2, "create a vCPU: RCX VMSA, RDX calling area, R8 APIC ID"
    DELETE_VCPU = 0x3, "delete a vCPU: RCX VMSA"
    DEPOSIT_MEM = 0x4, "deposit memory with the SVSM"
    WITHDRAW_MEM = 0x5, "withdraw memory from the SVSM"
    QUERY_PROTOCOL = 0x6, "query protocol versions: RCX is protocol and version, and the result"
    CONFIGURE_VTOM = 0x7, "configure the virtual top of memory"


class SvsmAttestCall(OpenEnum):
    """Calls of the attestation protocol."""

    SERVICES = 0x0, "attest all services"
    SINGLE_SERVICE = 0x1, "attest one service"


class SvsmVtpmCall(OpenEnum):
    """Calls of the vTPM protocol."""

    QUERY = 0x0, "query the supported commands (RCX) and features (RDX)"
    CMD = 0x1, "execute a command: RCX points to the buffer"


class SvsmApicCall(OpenEnum):
    """Calls of the APIC protocol (draft; coconut-svsm)."""

    QUERY_FEATURES = 0x0, "query the supported features"
    CONFIGURE = 0x1, "enable or disable APIC emulation"
    READ_REGISTER = 0x2, "read an APIC register"
    WRITE_REGISTER = 0x3, "write an APIC register"
    CONFIGURE_VECTOR = 0x4, "configure the vectors that the host may send"


class SvsmUefiMmCall(OpenEnum):
    """Calls of the UEFI management mode protocol."""

    REQUEST = 0x1, "handle a management mode message: RCX address, RDX size"


CALLS: Mapping[SvsmProtocol, type[OpenEnum]] = {
    SvsmProtocol.CORE: SvsmCoreCall,
    SvsmProtocol.ATTEST: SvsmAttestCall,
    SvsmProtocol.VTPM: SvsmVtpmCall,
    SvsmProtocol.APIC: SvsmApicCall,
    SvsmProtocol.UEFI_MM: SvsmUefiMmCall,
}
"""The calls of each protocol."""


class SvsmResult(OpenEnum):
    """Result of an SVSM call, in RAX."""

    SUCCESS = 0x0, "success"
    INCOMPLETE = 0x8000_0000, "partially done: call again"
    UNSUPPORTED_PROTOCOL = 0x8000_0001, "the protocol is not supported"
    UNSUPPORTED_CALL = 0x8000_0002, "the call is not supported"
    INVALID_ADDRESS = 0x8000_0003, "an address is invalid for the guest"
    INVALID_FORMAT = 0x8000_0004, "a structure is malformed"
    INVALID_PARAMETER = 0x8000_0005, "a register holds an invalid value"
    INVALID_REQUEST = 0x8000_0006, "the call is not allowed"
    BUSY = 0x8000_0007, "busy: call again"
    PROTOCOL_BASE = 0x8000_1000, "first of the results that each protocol defines"
    PVALIDATE_FAIL_INPUT = 0x8000_1001, "PVALIDATE: invalid input"
    PROTOCOL_FAIL_INUSE = 0x8000_1003, "resource in use (linux-svsm)"
    PVALIDATE_FAIL_SIZE_MISMATCH = 0x8000_1006, "PVALIDATE: page size mismatch"
    PVALIDATE_FAIL_NO_CHANGE = 0x8000_1010, "PVALIDATE: no change of the validated state"

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of linux-svsm, Linux and coconut-svsm."""
        return {
            "UNSUPPORTED_CALLID": "UNSUPPORTED_CALL",
            "PVALIDATE_FAIL_SIZEMISMATCH": "PVALIDATE_FAIL_SIZE_MISMATCH",
        }


class SvsmCall(Word, width=64, spec=SPEC):
    """Protocol and call number in RAX on entry."""

    call_id = bits(0, 32, "Call number; its meaning depends on the protocol")
    protocol = bits(32, 32, "SVSM protocol number", SvsmProtocol)

    @property
    def call(self) -> int:
        """Return the call as its protocol's enumeration, or as a number if it has none."""
        kind = CALLS.get(SvsmProtocol(self.protocol), int)
        return kind(self.call_id)


class Caa(Record, size=0x1000, spec=SPEC):
    """SVSM calling area: it signals a pending call."""

    call_pending: int = at(0x000, Int8ul, "Call pending: set by the guest, cleared by the SVSM")
    mem_available: int = at(0x001, Int8ul, "The SVSM has memory that can be withdrawn")
    no_eoi_required: int = at(0x002, Int8ul, "No EOI required (coconut-svsm); else reserved")
    buffer: bytes = at(0x008, Bytes(0xFF8), "Buffer for call arguments")


class PvalidateHeader(Record, size=8, spec=SPEC):
    """Number of entries, and progress of the SVSM."""

    entries: int = at(0x0, Int16ul, "Number of entries that follow; num_entries in Linux")
    next: int = at(
        0x2, Int16ul, "Index of the next entry, advanced by the SVSM; cur_index in Linux"
    )


class PvalidateEntry(Word, width=64, spec=SPEC):
    """Page to validate or invalidate."""

    page_size = bits(0, 2, "Page size: 4 KiB or 2 MiB", PscPageSize)
    action = bit(2, "Action: 1 validates the page, 0 invalidates it")
    ignore_cf = bit(3, "Ignore the carry flag: no failure if the state does not change")
    pfn = bits(12, 52, "Guest frame number of the page")


class PvalidateRequest(
    Block,
    head=PvalidateHeader,
    element=("list", as_word(PvalidateEntry), "Page to validate or invalidate"),
    count="entries",
    limit=510,
    spec=SPEC,
):
    """Argument of PVALIDATE: starts on 8 bytes, ends in the page it starts in."""


class ServiceGuid(MixedGuid):
    """GUID of a service, or of the manifest itself."""

    __slots__ = ()

    NAMES = {
        "MANIFEST": "63849ebb-3d92-4670-a1ff-58f9c94b87bb",
        "VTPM": "c476f1eb-0123-45a5-9641-b4e7dde5bfe3",
        "UEFI_MM": "a4453a59-9e1b-4787-a033-1986d6adbe55",
    }


class AttestServices(Record, size=0x40, spec=SPEC):
    """Argument of SERVICES: four buffers of the guest.

    Linux declares ``nonce_size`` with 4 bytes, coconut-svsm with 2 and 6 reserved, as here. For the
    one legal length, 64, there is no difference; a longer one shows in the reserved bytes.
    """

    report_gpa: int = at(0x00, Int64ul, "Guest-physical address for the report")
    report_size: int = at(0x08, Int32ul, "Size of the report buffer")
    nonce_gpa: int = at(0x10, Int64ul, "Guest-physical address of the nonce")
    nonce_size: int = at(0x18, Int16ul, "Size of the nonce, which must be 64")
    manifest_gpa: int = at(0x20, Int64ul, "Guest-physical address for the manifest")
    manifest_size: int = at(0x28, Int32ul, "Size of the manifest buffer")
    certificate_gpa: int = at(0x30, Int64ul, "Guest-physical address for the certificates")
    certificate_size: int = at(0x38, Int32ul, "Size of the certificate buffer; 0 for none")


class AttestSingleService(Record, size=0x58, spec=SPEC):
    """The argument of SINGLE_SERVICE."""

    services: AttestServices = at(0x00, nested(AttestServices), "Addresses of the buffers")
    service_guid: ServiceGuid = at(0x40, as_bytes(ServiceGuid, 16), "GUID of the service to attest")
    manifest_version: int = at(0x50, Int32ul, "Version of the service's manifest")


class ServicesManifestHeader(Record, size=24, spec=COCONUT):
    """Header of the services manifest: GUID and size."""

    guid: ServiceGuid = at(0x00, as_bytes(ServiceGuid, 16), "GUID of the services manifest")
    total_size: int = at(0x10, Int32ul, "Size of the whole manifest in bytes")
    num_services: int = at(0x14, Int32ul, "Number of services that follow")


class ServicesManifestEntry(Record, size=24, spec=COCONUT):
    """Entry of a service: its GUID and the place of its own manifest."""

    guid: ServiceGuid = at(0x00, as_bytes(ServiceGuid, 16), "GUID of the service")
    offset: int = at(0x10, Int32ul, "Offset of the service's data from the start of the manifest")
    length: int = at(0x14, Int32ul, "Length of the service's data in bytes")


class ServicesManifest(
    Block,
    head=ServicesManifestHeader,
    element=("services", nested(ServicesManifestEntry), "Entry of one service"),
    count="num_services",
    limit=0xFFFF_FFFF,
    spec=COCONUT,
):
    """Manifest of attested services; REPORT_DATA is SHA-512 over the nonce and these bytes."""


class VtpmRequest(Record, size=0x1000, spec=COCONUT):
    """Buffer of a vTPM command; its fields are not aligned, nor does it have to be."""

    command: int = at(0x000, Int32ul, "Platform command; 8 is TPM_SEND_COMMAND")
    locality: int = at(0x004, Int8ul, "TPM locality, which is 0")
    inbuf_size: int = at(0x005, Int32ul, "Length of the TPM command in bytes")
    inbuf: bytes = at(0x009, Bytes(0xFF7), "TPM command to execute")


class VtpmResponse(Record, size=0x1000, spec=COCONUT):
    """Buffer of a vTPM command when the call is complete."""

    outbuf_size: int = at(0x000, Int32ul, "Length of the TPM response in bytes")
    outbuf: bytes = at(0x004, Bytes(0xFFC), "TPM response")


KINDS = {
    "svsm-caa": Caa,
    "svsm-pvalidate": PvalidateRequest,
    "svsm-attest": AttestServices,
    "svsm-attest-single": AttestSingleService,
    "svsm-manifest": ServicesManifest,
    "svsm-vtpm-req": VtpmRequest,
    "svsm-vtpm-rsp": VtpmResponse,
}
