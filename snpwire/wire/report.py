"""The attestation report, versions 2 to 5.

One record serves all versions, which differ only in bytes that were reserved before:
the three CPUID bytes came with version 3, the two mitigation vectors with version 5 (virtee/sev;
go-sev-guest reads them in every version). What version 4 changed was never published. A reader of
an older report finds zeros there.

A TCB version is kept as a number: two layouts exist, and the report does not always determine which
applies. ``snpwire.product`` decides it, with a reason.

The signature covers the bytes before it *as received*. virtee/sev verifies its own encoding,
with reserved bytes zeroed, and so refuses a genuine report with a reserved bit set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from construct import Bytes, Int8ul, Int32ul, Int64ul

from ..bits import Flags, OpenEnum, Word, bit, bits
from ..codec import as_enum, as_word
from ..errors import EncodeError
from ..layout import Record, at, nested
from .key import KeySel
from .status import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC = "56860, ATTESTATION_REPORT (AMD-ASPFW sev_rmp.h:410, go-sev-guest, virtee/sev)"
REPORT_SIZE = 0x4A0
SIGNED = 0x2A0
"""Bytes that the signature covers: all before it."""


class SignatureAlgo(OpenEnum):
    """Signature algorithm of a report, an ID block or a key."""

    INVALID = 0, "invalid: not signed"
    ECDSA_P384_SHA384 = 1, "ECDSA over P-384 with SHA-384"


class SigningKey(OpenEnum):
    """Key that signed a report."""

    VCEK = 0, "key of the chip at its TCB version"
    VLEK = 1, "key of a provider, which it had loaded"
    NONE = 7, "no key: the signature is zero"


class GuestPolicy(Word, width=64, spec="56860, GUEST_POLICY (AMD-ASPFW sev_guest.h, virtee/sev)"):
    """Guest policy. AMD-ASPFW (Genoa) refuses any bit from 21 up."""

    abi_minor = bits(0, 8, "Minimum ABI minor version of the firmware")
    abi_major = bits(8, 8, "Minimum ABI major version of the firmware")
    smt = bit(16, "Simultaneous multithreading is allowed")
    reserved_must_be_one = bit(17, "Reserved, must be 1; AMD-ASPFW calls it the VMPL bit")
    migrate_ma = bit(18, "A migration agent is allowed")
    debug = bit(19, "Debugging is allowed")
    single_socket = bit(20, "The guest may run on one socket only")
    cxl_allow = bit(21, "CXL memory and devices are allowed")
    mem_aes_256_xts = bit(22, "Memory encryption must be AES-256-XTS")
    rapl_dis = bit(23, "Power reporting (RAPL) must be disabled")
    ciphertext_hiding_dram = bit(24, "Ciphertext hiding of memory must be enabled")
    page_swap_disable = bit(25, "The page move and swap commands are refused (ABI 1.58)")

    @classmethod
    def spellings(cls) -> Mapping[str, str]:
        """Return the names of Linux, virtee/sev and go-sev-guest."""
        return {
            "RSVD_MBO": "reserved_must_be_one",
            "RESERVED_1BIT": "reserved_must_be_one",
            "SMT_ALLOWED": "smt",
            "MIGRATE_MA_ALLOWED": "migrate_ma",
            "DEBUG_ALLOWED": "debug",
            "SINGLE_SOCKET_REQUIRED": "single_socket",
            "CXL_ALLOWED": "cxl_allow",
            "CIPHERTEXT_HIDING": "ciphertext_hiding_dram",
            "CIPHER_TEXT_HIDING_DRAM": "ciphertext_hiding_dram",
            "PAGE_SWAP_DISABLED": "page_swap_disable",
        }


class PlatformInfo(Flags, width=64, spec="56860, PLATFORM_INFO (virtee/sev, go-sev-guest)"):
    """Platform info flags of a report.

    Bit 6 has no name in any document; it is set in a genuine Turin report. Other readers call it
    IOMMU write safe (AMD-SB-3016).
    """

    smt_en = bit(0, "Simultaneous multithreading is enabled")
    tsme_en = bit(1, "Transparent SME (TSME): all memory is encrypted")
    ecc_en = bit(2, "Memory uses error-correcting code (ECC)")
    rapl_dis = bit(3, "Power reporting (RAPL) is disabled")
    ciphertext_hiding_dram_en = bit(4, "Ciphertext hiding of memory is enabled")
    alias_check_complete = bit(5, "Memory alias check complete (from Milan 1.55.22, Genoa 1.55.38)")
    tio_en = bit(7, "Trusted I/O is enabled (ABI 1.58)")


class KeyInfo(Word, width=32, spec="56860, ATTESTATION_REPORT byte 0x48"):
    """Signing key, author key and masking flags of a report."""

    author_key_en = bit(0, "The ID key is signed by the author key of author_key_digest")
    mask_chip_key = bit(1, "Chip key masked by the host: MASK_CHIP_KEY is set")
    signing_key = bits(2, 3, "Key that signed the report", SigningKey)


class Signature(Record, size=0x200, spec="56860, ECDSA P-384 signature (AMD-ASPFW, virtee/sev)"):
    """ECDSA signature: two little-endian numbers; 48 of each 72 bytes are used."""

    r: bytes = at(0x00, Bytes(72), "R component of the signature, little-endian")
    s: bytes = at(0x48, Bytes(72), "S component of the signature, little-endian")

    @property
    def r_number(self) -> int:
        """Return R as a number."""
        return int.from_bytes(self.r, "little")

    @property
    def s_number(self) -> int:
        """Return S as a number."""
        return int.from_bytes(self.s, "little")

    @classmethod
    def of(cls, r: int, s: int) -> Self:
        """Make a signature of two numbers. Raises EncodeError if one does not fit."""
        return cls(r=little_endian(cls, "r", r), s=little_endian(cls, "s", s))


def little_endian(record: type[Record], field: str, number: int) -> bytes:
    """Return *number* as the bytes of *field*, least byte first. Raises EncodeError."""
    tile = record.tile(field)
    size, offset = (tile.size, tile.offset) if tile else (0, None)
    try:
        return number.to_bytes(size, "little")
    except OverflowError:
        reason = f"the number does not fit {size} bytes"
        raise EncodeError(record.__name__, field, offset, reason) from None


class Report(Record, size=REPORT_SIZE, spec=SPEC):
    """Attestation report."""

    version: int = at(0x000, Int32ul, "Report version: 2 to 5 are known")
    guest_svn: int = at(0x004, Int32ul, "Guest SVN, from the ID block")
    policy: GuestPolicy = at(0x008, as_word(GuestPolicy), "Guest policy")
    family_id: bytes = at(0x010, Bytes(16), "Family ID of the guest, from the ID block")
    image_id: bytes = at(0x020, Bytes(16), "Image ID of the guest, from the ID block")
    vmpl: int = at(0x030, Int32ul, "VMPL from the report request")
    signature_algo: SignatureAlgo = at(
        0x034, as_enum(SignatureAlgo, Int32ul), "Algorithm of the report signature"
    )
    current_tcb: int = at(0x038, Int64ul, "Current TCB version")
    platform_info: PlatformInfo = at(0x040, as_word(PlatformInfo), "Platform info flags")
    key_info: KeyInfo = at(0x048, as_word(KeyInfo), "Signing key, author key and masking flags")
    report_data: bytes = at(0x050, Bytes(64), "Report data supplied by the guest")
    measurement: bytes = at(0x090, Bytes(48), "Launch digest of the guest")
    host_data: bytes = at(0x0C0, Bytes(32), "Host data from SNP_LAUNCH_FINISH")
    id_key_digest: bytes = at(0x0E0, Bytes(48), "SHA-384 of the ID key; zero without an ID block")
    author_key_digest: bytes = at(
        0x110, Bytes(48), "SHA-384 of the author key; zero unless author_key_en"
    )
    report_id: bytes = at(0x140, Bytes(32), "Report ID of the guest")
    report_id_ma: bytes = at(0x160, Bytes(32), "Migration agent's report ID; all ones without one")
    reported_tcb: int = at(0x180, Int64ul, "Reported TCB version, which the VCEK or VLEK certifies")
    cpuid_fam_id: int = at(0x188, Int8ul, "CPUID family, combined; reserved in version 2")
    cpuid_mod_id: int = at(0x189, Int8ul, "CPUID model, combined; reserved in version 2")
    cpuid_step: int = at(0x18A, Int8ul, "CPUID stepping; reserved in version 2")
    chip_id: bytes = at(0x1A0, Bytes(64), "Chip ID; Turin uses 8 bytes; zero if masked")
    committed_tcb: int = at(0x1E0, Int64ul, "Committed TCB version (rollback floor)")
    current_build: int = at(0x1E8, Int8ul, "Current firmware build")
    current_minor: int = at(0x1E9, Int8ul, "Current firmware minor version")
    current_major: int = at(0x1EA, Int8ul, "Current firmware major version")
    committed_build: int = at(0x1EC, Int8ul, "Committed firmware build")
    committed_minor: int = at(0x1ED, Int8ul, "Committed firmware minor version")
    committed_major: int = at(0x1EE, Int8ul, "Committed firmware major version")
    launch_tcb: int = at(0x1F0, Int64ul, "TCB version when the guest was launched or imported")
    launch_mit_vector: int = at(
        0x1F8, Int64ul, "Mitigation vector at the launch; reserved before version 5"
    )
    current_mit_vector: int = at(
        0x200, Int64ul, "Current mitigation vector; reserved before version 5"
    )
    signature: Signature = at(SIGNED, nested(Signature), "Signature over all bytes before it")


MESSAGE_SPEC = "56860, MSG_REPORT_REQ and MSG_REPORT_RSP (AMD-ASPFW sev_rmp.h:392, 451)"


class ReportSelect(Word, width=32, spec=MESSAGE_SPEC):
    """Key selection of a report request."""

    key_sel = bits(0, 2, "Key that signs the report", KeySel)


class ReportReq(Record, size=0x60, spec=MESSAGE_SPEC):
    """Report request. Linux's structure for it names only the first two fields."""

    report_data: bytes = at(0x00, Bytes(64), "Report data supplied by the guest")
    vmpl: int = at(0x40, Int32ul, "VMPL for the report; not below the VMPCK number of the message")
    select: ReportSelect = at(0x44, as_word(ReportSelect), "Selection of the signing key")


class ReportRsp(Record, size=0x4C0, spec=MESSAGE_SPEC):
    """Report response."""

    status: Status = at(0x00, as_enum(Status, Int32ul), "Status of the report request")
    report_size: int = at(0x04, Int32ul, "Bytes of the report, 0x4A0; set even after an error")
    report: Report = at(0x20, nested(Report), "Attestation report")


KINDS = {
    "report": Report,
    "report-req": ReportReq,
    "report-rsp": ReportRsp,
}
