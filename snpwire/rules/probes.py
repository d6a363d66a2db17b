"""Probes for the structures of the GHCB and of the SVSM: evidence that bytes are of a kind.

A probe looks at the size first, so what it takes always decodes as its kind. It yields nothing
without evidence for the kind itself: zeros where zeros belong count only in addition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import svsm as wire
from ..wire.address import PAGE
from ..wire.apic import ApicIdList
from ..wire.boot import CC_BLOB_MAGIC, CcBlob
from ..wire.certs import CertGuid, CertTable
from ..wire.doorbell import DoorbellPage
from ..wire.exits import ExitCode, events_of
from ..wire.ghcb import HypervPage, Page, Usage
from ..wire.guid import MixedGuid
from ..wire.msr import MsrInfo, word_of
from ..wire.operands import PscOperation
from ..wire.psc import PscBuffer
from .certs import misplaced_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..block import Block
    from ..layout import Record

KVM_RESPONSE = sum(1 << bit for bit in (63, 97, 98, 99, 115, 116))
"""The valid bitmap as KVM leaves it."""
TPM_TAGS = (0x8001, 0x8002)
"""Tags a TPM command or response starts with: without and with sessions."""
MAX_IDS = 0x1_0000
"""More processors than any guest has."""

Evidence = tuple[float, str]
"""A weight, and the evidence in words."""


def empty(data: bytes) -> bool:
    """Return whether all of *data* is zero, at the speed that images need."""
    return data.count(0) == len(data)


def zero_gaps(value: Record | Block, weight: float) -> Iterator[Evidence]:
    """Look for zeros where nothing is defined."""
    if not any(any(leaf.value) for leaf in value.leaves() if leaf.gap and leaf.path != "rest"):
        yield weight, "all reserved bytes are zero"


def ghcb(data: bytes) -> Iterator[Evidence]:
    """Look for an exit code, a bitmap that marks fields, a protocol version."""
    if len(data) != PAGE:
        return
    page = Page.parse(data)
    evidence = [*_exit(page), *_bitmap(page)]
    if not evidence or page.ghcb_usage != Usage.STANDARD:
        return
    yield from evidence
    if page.protocol_version in (1, 2):
        yield 0.2, f"protocol_version {page.protocol_version}"
    yield from zero_gaps(page, 0.15)


def _exit(page: Page) -> Iterator[Evidence]:
    code = int(page.sw_exit_code)
    if not events_of(code):
        return
    marked = page.valid_bitmap.has("sw_exit_code")
    how = "marked valid" if marked else "not marked valid, as in an answer"
    name = ExitCode(code).name
    yield (0.4 if marked else 0.15), f"sw_exit_code {code:#x} is {name} and {how}"


def _bitmap(page: Page) -> Iterator[Evidence]:
    valid = page.valid_bitmap
    if valid == KVM_RESPONSE:
        yield 0.35, "valid_bitmap is what KVM leaves in an answer"
    elif valid and not valid.unknown & ~(0b11 << 126):
        yield 0.2, f"valid_bitmap marks fields alone: {' '.join(valid.names())}"


def ghcb_hyperv(data: bytes) -> Iterator[Evidence]:
    """Look for the usage of a hypercall page."""
    if len(data) != PAGE:
        return
    page = HypervPage.parse(data)
    if page.ghcb_usage == Usage.HYPERV_HYPERCALL and page.protocol_version in (1, 2):
        yield 0.5, "ghcb_usage 1 is a Hyper-V hypercall page"
        yield 0.25, f"protocol_version {page.protocol_version}"
        yield from zero_gaps(page, 0.1)


def msr(data: bytes) -> Iterator[Evidence]:
    """Look for a message that is known."""
    if len(data) != 8:
        return
    value = int.from_bytes(data, "little")
    info, word = MsrInfo(value & 0xFFF), word_of(value)
    if not info.known:
        return
    weight = 0.25 if info is MsrInfo.GHCB_GPA else 0.5
    yield weight, f"low twelve bits {int(info):#05x} are {info.name}"
    if not word.unknown:
        yield 0.25, "all reserved bits are zero"


def psc(data: bytes) -> Iterator[Evidence]:
    """Look for a header that counts, and for entries with an operation."""
    if len(data) < PscBuffer.SIZE + 8:
        return
    buffer = PscBuffer.parse(data)
    head, entries = buffer.head, buffer.elements
    count = head.end_entry + 1
    if count > len(entries) or head.cur_entry > count or any(data[4:8]):
        return
    if any(e.unknown or not PscOperation(e.operation).known or e.cur_page > 512 for e in entries):
        return
    yield 0.3, f"cur_entry {head.cur_entry} and end_entry {head.end_entry} fit {count} entries"
    yield 0.4, "each entry has an operation that is known, and reserved bits of zero"
    if empty(buffer.rest):
        yield 0.15, "nothing follows the entries"


def certs(data: bytes) -> Iterator[Evidence]:
    """Look for the GUIDs of certificates, and for the entry that ends the table."""
    if len(data) < 24:
        return
    table = CertTable.parse(data)
    known = {guid for name, guid in CertGuid.NAMES.items() if name != "EMPTY"}
    for index, entry in enumerate(table.elements[:16]):
        place = 24 * index
        swapped = MixedGuid(entry.guid).text
        if entry.guid.text in known:
            yield 0.45, f"{entry.guid.to_plain()}'s GUID at {place:#x}"
        elif swapped in known:
            name = CertGuid.from_text(swapped).to_plain()
            yield 0.25, f"{name}'s GUID at {place:#x}, in mixed byte order"
    ended = table.rest[:24] == bytes(24)
    inside = ended and bool(table.elements) and not any(misplaced_entries(table))
    if inside:
        yield 0.35, f"{len(table.elements)} entries point at bytes behind the zero entry"


def hv(data: bytes) -> Iterator[Evidence]:
    """Look for a pending event in an otherwise empty head."""
    if len(data) != PAGE:
        return
    page = DoorbellPage.parse(data)
    gaps = list(zero_gaps(page, 0.1))
    lawful = not page.flags.unknown and (page.vector == 0 or page.vector >= 32)
    if not gaps or not lawful or not (page.vector or page.flags) or page.no_eoi_required > 1:
        return
    yield 0.15, f"vector {page.vector} and flags {int(page.flags):#x} announce an event"
    yield from gaps
    if empty(data[4:]):
        yield 0.2, "all behind byte 3 is zero"


def apic_ids(data: bytes) -> Iterator[Evidence]:
    """Look for a count that fits, and for ids that differ."""
    if len(data) < 8:
        return
    if int.from_bytes(data[:4], "little") > MAX_IDS:
        return
    ids = ApicIdList.parse(data)
    count = ids.head.num_entries
    if count == 0 or count != len(ids.elements) or not empty(ids.rest):
        return
    if len(set(ids.elements)) == count:
        yield 0.3, f"num_entries {count} is the number of ids that follow, each another"
        if list(ids.elements) == sorted(ids.elements):
            yield 0.2, "the ids ascend"
        if not ids.rest or len(data) % PAGE == 0:
            yield 0.15, f"{len(data)} bytes hold them all"


def ap_jump_table(data: bytes) -> Iterator[Evidence]:
    """Look at the size: there is nothing else."""
    if len(data) == 4:
        yield 0.2, "four bytes, as a jump table has"


def cc_blob(data: bytes) -> Iterator[Evidence]:
    """Look for the magic."""
    if len(data) == CcBlob.SIZE and CcBlob.parse(data).magic == CC_BLOB_MAGIC:
        yield 0.8, "magic 0x45444d41 (AMDE) at 0x0"
        yield from zero_gaps(CcBlob.parse(data), 0.15)


def svsm_caa(data: bytes) -> Iterator[Evidence]:
    """Look for the pending flag."""
    if len(data) != PAGE:
        return
    caa = wire.Caa.parse(data)
    gaps = list(zero_gaps(caa, 0.1))
    if caa.call_pending == 1 and caa.mem_available <= 1 and caa.no_eoi_required <= 1 and gaps:
        yield 0.15, "call_pending 1"
        yield from gaps


def svsm_pvalidate(data: bytes) -> Iterator[Evidence]:
    """Look for a header that counts, and for entries of a lawful size."""
    if len(data) < wire.PvalidateRequest.SIZE + 8:
        return
    request = wire.PvalidateRequest.parse(data)
    head, entries = request.head, request.elements
    if not 0 < head.entries == len(entries) or head.next > head.entries or any(data[4:8]):
        return
    if any(entry.unknown or entry.page_size > 1 or not entry.pfn for entry in entries):
        return
    yield 0.3, f"entries {head.entries} and next {head.next} fit the bytes"
    yield 0.3, "each entry has a page size that is known, and reserved bits of zero"
    if empty(request.rest):
        yield 0.1, "nothing follows the entries"


def svsm_attest(data: bytes) -> Iterator[Evidence]:
    """Look for the length of the nonce."""
    if len(data) == wire.AttestServices.SIZE:
        yield from _attest(wire.AttestServices.parse(data))


def _attest(request: wire.AttestServices) -> Iterator[Evidence]:
    gaps = list(zero_gaps(request, 0.2))
    if request.nonce_size == 64 and gaps:
        yield 0.5, "nonce_size 64 at 0x18"
        yield from gaps


def svsm_attest_single(data: bytes) -> Iterator[Evidence]:
    """Look for the length of the nonce and the GUID of a service."""
    if len(data) != wire.AttestSingleService.SIZE:
        return
    request = wire.AttestSingleService.parse(data)
    yield from _attest(request.services)
    if request.service_guid.text in wire.ServiceGuid.NAMES.values():
        yield 0.4, f"GUID of service {request.service_guid.to_plain()} at 0x40"


def svsm_manifest(data: bytes) -> Iterator[Evidence]:
    """Look for the manifest's GUID."""
    if len(data) < wire.ServicesManifest.SIZE:
        return
    head = wire.ServicesManifestHeader.parse(data[: wire.ServicesManifest.SIZE])
    if head.guid.text == wire.ServiceGuid.NAMES["MANIFEST"]:
        yield 0.8, "GUID of a services manifest at 0x0"
        if head.total_size == len(data):
            yield 0.15, f"total_size {len(data):#x} is the number of bytes"


def _tpm(body: bytes, size: int) -> Iterator[Evidence]:
    """Look for a TPM header: a tag, and the size again, big-endian."""
    tag, inner = int.from_bytes(body[:2], "big"), int.from_bytes(body[2:6], "big")
    if tag in TPM_TAGS:
        yield 0.3, f"TPM tag {tag:#x}"
        if inner == size:
            yield 0.3, f"the TPM header repeats the size {size}"


def svsm_vtpm_req(data: bytes) -> Iterator[Evidence]:
    """Look for TPM_SEND_COMMAND and a TPM command."""
    if len(data) != PAGE:
        return
    request = wire.VtpmRequest.parse(data)
    if request.command == 8 and request.locality == 0 and 0 < request.inbuf_size <= 0xFF7:
        yield 0.3, f"command 8 is TPM_SEND_COMMAND, inbuf_size {request.inbuf_size} fits"
        yield from _tpm(request.inbuf, request.inbuf_size)


def svsm_vtpm_rsp(data: bytes) -> Iterator[Evidence]:
    """Look for a TPM response."""
    if len(data) != PAGE:
        return
    response = wire.VtpmResponse.parse(data)
    if 0 < response.outbuf_size <= 0xFFC:
        yield from _tpm(response.outbuf, response.outbuf_size)


_PROBES = (
    *(ghcb, ghcb_hyperv, msr, psc, certs, hv, apic_ids, ap_jump_table, cc_blob),
    *(svsm_caa, svsm_pvalidate, svsm_attest, svsm_attest_single, svsm_manifest),
    *(svsm_vtpm_req, svsm_vtpm_rsp),
)
PROBES: dict[str, Callable[[bytes], Iterator[Evidence]]] = {
    probe.__name__.replace("_", "-"): probe for probe in _PROBES
}
"""The probe of each kind."""
