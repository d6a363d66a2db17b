"""The blob of Hyper-V's host compatibility layer (HCL): a report and the claims it vouches for.

Azure's guests read it from NV index 0x01400001 of their vTPM, where zeros follow it. The hash of
the runtime claims, of the type that the request names, is the beginning of ``report_data``; what is
left of the 64 bytes is zero. So whether claims and report belong together shows without any key.

A request of version 2 may have a bitmap of four bytes before the claims: an element of the block.
The claims are in its rest. Where ``report_type`` is TDX, the bytes of the report are a TD report.
"""

from __future__ import annotations

from typing import NamedTuple

from construct import Bytes, Int32ul

from ..bits import Flags, OpenEnum, bit
from ..block import Block
from ..codec import as_enum, as_word
from ..layout import Record, at, nested
from .report import REPORT_SIZE, Report

SPEC = "openvmm igvm_attest/get.rs, azure-cvm-tooling hcl/mod.rs, snpguest hyperv/mod.rs"
SIGNATURE = b"HCLA"
REPORT_OFFSET = 0x20
REQUEST_OFFSET = REPORT_OFFSET + REPORT_SIZE
REQUEST_SIZE = 20
BITMAP_SIZE = 4


class HclRequestType(OpenEnum):
    """What the host is asked for with a blob."""

    KEY_RELEASE = 1, "release of a key"
    AK_CERT = 2, "certificate of the attestation key: the blob of the NV index"
    WRAPPED_KEY = 3, "a wrapped key"


class HclReportType(OpenEnum):
    """Whose report a blob has."""

    NONE = 0, "no report"
    VBS = 1, "virtualization-based security"
    SNP = 2, "SEV-SNP"
    TRUSTED_VM = 3, "a trusted VM, which has no report"
    TDX = 4, "Intel TDX"
    CCA = 5, "Arm CCA"


class HclHashType(OpenEnum):
    """Hash of the runtime claims."""

    SHA256 = 1, "SHA-256"
    SHA384 = 2, "SHA-384"
    SHA512 = 3, "SHA-512"


class HclCapabilities(Flags, width=32, spec=SPEC):
    """What a guest can do with the response."""

    error_code = bit(0, "Reads an error code")
    retry = bit(1, "Tries again if asked to")
    skip_hw_unsealing = bit(2, "Can be told not to unseal by the processor's key")
    use_rsa_aes_key_wrap_384 = bit(3, "Unwraps keys by RSA and AES with SHA-384")
    corim_endorsement = bit(4, "Takes endorsements as CoRIM")


class HclHead(Record, size=REQUEST_OFFSET + REQUEST_SIZE, spec=SPEC):
    """Header, report and header of the claims."""

    signature: bytes = at(0x000, Bytes(4), "The letters HCLA")
    version: int = at(0x004, Int32ul, "Version of the blob: 1 or 2")
    report_size: int = at(0x008, Int32ul, "Bytes up to the end of the claims")
    request_type: HclRequestType = at(
        0x00C, as_enum(HclRequestType, Int32ul), "Request to the host"
    )
    status: int = at(0x010, Int32ul, "Status of the request: 0")
    report: Report = at(REPORT_OFFSET, nested(Report), "Attestation report")
    data_size: int = at(0x4C0, Int32ul, "Bytes of the request: this header, a bitmap, the claims")
    request_version: int = at(0x4C4, Int32ul, "Version of the request: 1 or 2")
    report_type: HclReportType = at(
        0x4C8, as_enum(HclReportType, Int32ul), "Type of the report in the blob"
    )
    report_data_hash_type: HclHashType = at(
        0x4CC, as_enum(HclHashType, Int32ul), "Hash of the runtime claims"
    )
    variable_data_size: int = at(0x4D0, Int32ul, "Bytes of the runtime claims")


HASHES = {
    HclHashType.SHA256: "sha256",
    HclHashType.SHA384: "sha384",
    HclHashType.SHA512: "sha512",
}
"""Names of the hashes in ``hashlib``."""


class RuntimeClaims(NamedTuple):
    """The claims of a blob, as far as their bytes are there."""

    offset: int
    size: int
    """Bytes that the request announces."""
    data: bytes
    hash: str
    """Name of the hash in ``hashlib``; empty if it is not known."""
    fits: bool | None
    """Whether ``report_data`` is their hash; None where claims or hash are not there."""


class HclBlob(
    Block,
    head=HclHead,
    element=(
        "capabilities",
        as_word(HclCapabilities),
        "Capabilities of the guest",
    ),
    count="data_size",  # one, where the request has room for it
    limit=1,
    spec=SPEC,
):
    """Report and runtime claims of a guest on Hyper-V; the claims are the rest."""

    @classmethod
    def announced(cls, head: HclHead, data: bytes) -> int:
        """Return whether the request has a bitmap."""
        room = head.data_size - head.variable_data_size - REQUEST_SIZE
        return int(head.request_version >= 2 and room >= BITMAP_SIZE)

    @classmethod
    def counting(cls, head: HclHead, number: int) -> HclHead:
        """Return *head*, of version 2 if there is a bitmap."""
        if not number:
            return head
        size = REQUEST_SIZE + BITMAP_SIZE + head.variable_data_size
        return head.replace(request_version=2, data_size=size)

    @property
    def claims(self) -> RuntimeClaims:
        """Return the claims, and whether the report vouches for them."""
        return runtime_claims(self.head, self.build())


def runtime_claims(head: HclHead, image: bytes) -> RuntimeClaims:
    """Return the claims of the blob *image*, and whether the report vouches for them."""
    from hashlib import new

    size = head.variable_data_size
    start = REQUEST_OFFSET + max(head.data_size - size, REQUEST_SIZE)
    data = image[start : start + size]
    name = HASHES.get(head.report_data_hash_type, "")
    if not name or not size or len(data) < size:
        return RuntimeClaims(start, size, data, name, None)
    digest = new(name, data).digest()
    report_data: bytes = head.report.report_data
    fits = report_data == digest.ljust(len(report_data), b"\0")
    return RuntimeClaims(start, size, data, name, fits)


KINDS = {"hcl": HclBlob}
