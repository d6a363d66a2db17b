"""What can be wrong with the buffers that a guest and its SVSM exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Finding, Findings, Severity
from ..wire import svsm as wire
from ..wire.address import PAGE, REGION
from ..wire.guid import TextGuid
from . import record

if TYPE_CHECKING:
    from ..context import Context

MAX_ENTRIES = 510
"""How many entries a PVALIDATE request may have."""
NONCE_SIZE = 64
SEND_COMMAND = 8
ENTRY = 24
"""Size of a manifest's head, and of each of its rows."""
KNOWN = frozenset(wire.ServiceGuid.NAMES.values())


def calling_area(caa: wire.Caa, context: Context) -> Findings:
    """Expect flags of 0 and 1 (Linux, edk2; coconut-svsm has a third)."""
    for name, offset in (("call_pending", 0), ("mem_available", 1)):
        value = getattr(caa, name)
        if value > 1:
            text = f"{name} is {value}, it is 0 or 1"
            yield Finding("caa-flag", Severity.WARNING, name, offset, text, wire.SPEC)
    if caa.no_eoi_required:
        text = f"no_eoi_required is {caa.no_eoi_required}: coconut-svsm alone has it, else reserved"
        yield Finding("caa-eoi", Severity.NOTE, "no_eoi_required", 2, text, wire.COCONUT)


def pvalidate_head(request: wire.PvalidateRequest, context: Context) -> Findings:
    """Expect at most 510 entries, and a next one among them or behind the last."""
    entries, following = request.head.entries, request.head.next
    if entries > MAX_ENTRIES:
        text = f"entries is {entries}, there are at most {MAX_ENTRIES}"
        yield Finding("pvalidate-count", Severity.ERROR, "entries", 0, text, wire.SPEC)
    elif entries > len(request.elements):
        text = f"entries is {entries}, the bytes hold {len(request.elements)} of them"
        yield Finding("cut-short", Severity.WARNING, "entries", 0, text, wire.SPEC)
    elif entries == 0:
        text = "entries is 0: there is nothing to do"
        yield Finding("pvalidate-count", Severity.WARNING, "entries", 0, text, wire.SPEC)
    if following > entries:
        text = f"next is {following}, behind the {entries} entries"
        yield Finding("pvalidate-next", Severity.ERROR, "next", 2, text, wire.SPEC)


def pvalidate_place(request: wire.PvalidateRequest, context: Context) -> Findings:
    """Expect a request that starts on 8 bytes and stays in its page, where its address is known."""
    if context.gpa is None:
        return
    start, size = context.gpa % PAGE, request.SIZE + 8 * request.head.entries
    if start % 8:
        text = f"the request is at {context.gpa:#x}, it starts on 8 bytes"
        yield Finding("pvalidate-place", Severity.ERROR, "entries", 0, text, wire.SPEC)
    if start + size > PAGE:
        text = f"the request is at {context.gpa:#x} and has {size} bytes: it leaves its page"
        yield Finding("pvalidate-place", Severity.ERROR, "entries", 0, text, wire.SPEC)


def pvalidate_entries(request: wire.PvalidateRequest, context: Context) -> Findings:
    """Expect pages of 4 KiB or of 2 MiB, the latter in line."""
    for index, entry in enumerate(request.elements):
        path, offset = f"list[{index}]", request.SIZE + 8 * index
        if entry.page_size > 1:
            text = f"page_size is {int(entry.page_size)}, there are 0 (4 KiB) and 1 (2 MiB)"
            yield Finding("pvalidate-size", Severity.ERROR, path, offset, text, wire.SPEC)
        elif entry.page_size and entry.pfn % REGION:
            text = f"pfn is {entry.pfn:#x}, a 2 MiB page starts at a multiple of 512"
            yield Finding("pvalidate-unaligned", Severity.ERROR, path, offset, text, wire.SPEC)
        yield from record.unknown_bits(entry, path, offset, wire.SPEC)


def _nonce(size: int, prefix: str) -> Findings:
    if size != NONCE_SIZE:
        text = f"nonce_size is {size}, it has to be {NONCE_SIZE}"
        yield Finding("attest-nonce", Severity.ERROR, f"{prefix}nonce_size", 0x18, text, wire.SPEC)


def attest(request: wire.AttestServices, context: Context) -> Findings:
    """Expect a nonce of 64 bytes (Linux reads four bytes of its length, coconut-svsm two)."""
    yield from _nonce(request.nonce_size, "")


def attest_single(request: wire.AttestSingleService, context: Context) -> Findings:
    """Expect a nonce of 64 bytes, and a service that is known."""
    yield from _nonce(request.services.nonce_size, "services.")
    yield from _service(request.service_guid, "service_guid", 0x40)


def _service(guid: wire.ServiceGuid, path: str, offset: int) -> Findings:
    swapped = TextGuid(guid).text
    if guid.text in KNOWN:
        return
    if swapped in KNOWN:
        name = wire.ServiceGuid.from_text(swapped).to_plain()
        text = f"{guid.text} is the GUID of {name} in text order, here it is mixed byte order"
        yield Finding("service-swapped-guid", Severity.WARNING, path, offset, text, wire.SPEC)
    else:
        text = f"{guid.text} is no service that is known"
        yield Finding("service-unknown", Severity.NOTE, path, offset, text, wire.SPEC)


def _length(manifest: wire.ServicesManifest) -> int:
    return ENTRY * (1 + len(manifest.elements)) + len(manifest.rest)


def manifest_head(manifest: wire.ServicesManifest, context: Context) -> Findings:
    """Expect the manifest's own GUID, and the size that is there (coconut-svsm)."""
    size = _length(manifest)
    head = manifest.head
    if head.guid.text != wire.ServiceGuid.NAMES["MANIFEST"]:
        text = f"{head.guid.text} is not the GUID of a services manifest"
        yield Finding("manifest-guid", Severity.ERROR, "guid", 0, text, wire.COCONUT)
    if head.total_size != size:
        text = f"total_size is {head.total_size:#x}, there are {size:#x} bytes"
        severity = Severity.ERROR if head.total_size > size else Severity.NOTE
        yield Finding("manifest-size", severity, "total_size", 0x10, text, wire.COCONUT)


def manifest_rows(manifest: wire.ServicesManifest, context: Context) -> Findings:
    """Expect rows that name a service and point behind the table, at bytes that are there."""
    size, table = _length(manifest), ENTRY * (1 + len(manifest.elements))
    for index, row in enumerate(manifest.elements):
        path, place = f"services[{index}]", ENTRY * (1 + index)
        yield from _service(row.guid, f"{path}.guid", place)
        end = row.offset + row.length
        if row.offset < table or end > size:
            text = (
                f"{row.length:#x} bytes at {row.offset:#x} are not within {table:#x} to {size:#x}"
            )
            code = "manifest-range"
            yield Finding(code, Severity.ERROR, f"{path}.offset", place + 0x10, text, wire.COCONUT)


def vtpm_request(request: wire.VtpmRequest, context: Context) -> Findings:
    """Expect TPM_SEND_COMMAND at locality 0, of a length that fits (coconut-svsm)."""
    if request.command != SEND_COMMAND:
        text = f"command is {request.command}, there is 8 (TPM_SEND_COMMAND)"
        yield Finding("vtpm-command", Severity.ERROR, "command", 0, text, wire.COCONUT)
    if request.locality:
        text = f"locality is {request.locality}, it has to be 0"
        yield Finding("vtpm-locality", Severity.ERROR, "locality", 4, text, wire.COCONUT)
    if not 0 < request.inbuf_size <= len(request.inbuf):
        text = f"inbuf_size is {request.inbuf_size}, 1 to {len(request.inbuf)} fit the page"
        yield Finding("vtpm-size", Severity.ERROR, "inbuf_size", 5, text, wire.COCONUT)


def vtpm_response(response: wire.VtpmResponse, context: Context) -> Findings:
    """Expect a length that fits (coconut-svsm)."""
    if response.outbuf_size > len(response.outbuf):
        text = f"outbuf_size is {response.outbuf_size}, at most {len(response.outbuf)} fit the page"
        yield Finding("vtpm-size", Severity.ERROR, "outbuf_size", 0, text, wire.COCONUT)


RULES = {
    wire.Caa: (calling_area, *record.RULES),
    wire.PvalidateRequest: (
        pvalidate_head,
        pvalidate_place,
        pvalidate_entries,
        record.reserved,
        record.rest,
    ),
    wire.AttestServices: (attest, *record.RULES),
    wire.AttestSingleService: (attest_single, *record.RULES),
    wire.ServicesManifest: (manifest_head, manifest_rows, record.cut_short),
    wire.VtpmRequest: (vtpm_request, *record.RULES),
    wire.VtpmResponse: (vtpm_response, *record.RULES),
}
