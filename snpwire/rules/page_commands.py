"""What the firmware checks before commands that change pages, and what can be wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import page_commands as wire
from ..wire.address import LARGE_PAGE, PAGE
from ..wire.command import CommandId as Id
from ..wire.migration import MetadataEntry
from ..wire.status import Status
from . import command_check as check
from .command_check import invalid, reachable, row, rule, unreached

if TYPE_CHECKING:
    from ..finding import Findings
    from .command_check import BufferRules, CommandCheck


PAGE_TYPE_OUT = check.within(
    "flags.page_type", range(3), "command-page-type", "flags.page_type is {}, there are 0 to 2"
)
PAGE_TYPE_IN = check.within(
    "flags.page_type", range(3), "command-page-type", "flags.page_type is {}, no entry has that"
)


def entry_alignment(value: wire.SwapOut | wire.SwapIn) -> Findings:
    """Expect the metadata entry to be aligned, unless the context holds it."""
    if not value.flags.root_mdata_en:
        yield from check.aligned(MetadataEntry.SIZE, "mdata_paddr")(value)


def entry_overlap(value: wire.SwapOut | wire.SwapIn) -> Findings:
    """Expect the metadata entry apart from both pages, unless the context holds it."""
    place, size = value.mdata_paddr, LARGE_PAGE if value.flags.page_size else PAGE
    for field in () if value.flags.root_mdata_en else ("src_paddr", "dst_paddr"):
        page = getattr(value, field)
        if page < place + MetadataEntry.SIZE and place < page + size:
            text = f"mdata_paddr is {place:#x}, within the page at {field}"
            yield check.problem(value, "command-metadata", "mdata_paddr", text)


def unused_entry(value: wire.SwapOut | wire.SwapIn) -> Findings:
    """Note an address of a metadata entry that the context holds."""
    if value.flags.root_mdata_en and value.mdata_paddr:
        text = (
            f"mdata_paddr is {value.mdata_paddr:#x}, and root_mdata_en is set: the context has the"
            " entry"
        )
        yield check.note(value, "command-metadata", "mdata_paddr", text)


def in_place_address(value: wire.SwapIn) -> Findings:
    """Expect one address for data that is opened in place."""
    flags = value.flags
    is_data = wire.SwapPageType(flags.page_type) is wire.SwapPageType.DATA
    if flags.swap_in_place and is_data and value.src_paddr != value.dst_paddr:
        text = f"dst_paddr is {value.dst_paddr:#x}, not src_paddr, and swap_in_place is set"
        yield check.problem(value, "command-in-place", "dst_paddr", text)


def in_place_type(value: wire.SwapIn) -> Findings:
    """Expect only data to be opened in place."""
    kind = wire.SwapPageType(value.flags.page_type)
    if value.flags.swap_in_place and kind.known and kind is not wire.SwapPageType.DATA:
        text = f"flags have swap_in_place, and page_type is {kind.name}: data alone can be"
        yield check.problem(value, "command-in-place", "flags", text)


def vmsa_size(value: wire.SwapIn) -> Findings:
    """Expect a VMSA of 4 KiB."""
    is_vmsa = wire.SwapPageType(value.flags.page_type) is wire.SwapPageType.VMSA
    if is_vmsa and value.flags.page_size:
        text = "flags.page_type is VMSA, which has 4 KiB, and page_size is 2 MiB"
        yield check.problem(value, "command-page-size", "flags", text)


def large_page(value: wire.Reclaim) -> Findings:
    """Expect a 2 MiB page to be aligned."""
    address = value.page.page_paddr << 12
    if value.page.page_size and address % LARGE_PAGE:
        text = f"page is {address:#x}, no multiple of 2 MiB, and page_size is 2 MiB"
        yield check.problem(value, "command-alignment", "page", text)


def first_page(value: wire.Unsmash) -> Findings:
    """Expect only an address: bit 0 is no page size, whatever a comment in Linux says."""
    if value.page_paddr % LARGE_PAGE == 1:
        text = f"page_paddr is {value.page_paddr:#x}: bit 0 is no page size to AMD-ASPFW"
        yield check.problem(value, "command-alignment", "page_paddr", text)
    else:
        yield from check.aligned(LARGE_PAGE, "page_paddr")(value)


SWAP = (
    invalid(
        "mdata_paddr is not 64-byte aligned, or its entry is in either page; without root_mdata_en,"
        " as in the next two",
        entry_alignment,
        entry_overlap,
    ),
    row(Status.INVALID_PAGE_STATE, "the page of mdata_paddr is no METADATA"),
    row(Status.INVALID_PAGE_OWNER, "that page is another context's"),
)
CHECKS: dict[Id, tuple[CommandCheck, ...]] = {
    Id.SNP_PAGE_RECLAIM: (
        invalid("one of bits 11:1 is set", check.reserved),
        check.OFF,
        unreached("the page cannot be reached"),
        row(Status.INVALID_ADDRESS, "the page lies in the RMP"),
        row(Status.INVALID_PAGE_SIZE, "the RMP has the page at another size"),
        row(Status.INVALID_ADDRESS, "a 2 MiB page is not aligned", large_page),
        row(Status.SUCCESS, "immutable is 0 already; nothing is changed"),
        row(Status.INVALID_PAGE_STATE, "the page is CONTEXT, HV_FIXED, FIRMWARE_IOMMU or INVALID"),
    ),
    Id.SNP_PAGE_UNSMASH: (
        invalid("one of bits 20:0 is set", first_page),
        check.OFF,
        invalid("the first page lies in the RMP"),
        row(Status.INVALID_PAGE_STATE, "the first page is beyond the RMP"),
        row(Status.INVALID_ADDRESS, "the 2 MiB reach into the RMP"),
        row(
            Status.INVALID_PAGE_STATE,
            "one of 512 has 2 MiB, is not immutable, is a VMSA, or no guest's",
        ),
        row(Status.INVALID_PAGE_STATE, "the first guest address is not aligned to 2 MiB"),
        row(
            Status.INVALID_PAGE_STATE,
            "they differ in state, ASID or permissions, or are not consecutive",
        ),
    ),
    Id.SNP_PAGE_SET_STATE: (
        row(Status.INVALID_LENGTH, "length is not 0x10", check.length()),
        invalid(
            "something reserved, or one of bits 11:0 of list_paddr, is set",
            check.reserved,
            check.pages("list_paddr"),
        ),
        check.OFF,
        row(Status.INVALID_ADDRESS, "list_paddr cannot be reached"),
        invalid("the list: reserved, above 255, across its page, a base not of 2 MiB"),
        row(Status.SUCCESS, "a part in the RMP is skipped"),
        row(Status.INVALID_PAGE_STATE, "a page is not FIRMWARE"),
        row(Status.INVALID_ADDRESS, "the RMP cannot be written"),
    ),
    Id.SNP_PAGE_MD_INIT: (
        invalid(
            "one of bits 11:0 of either address is set", check.pages("gctx_paddr", "page_paddr")
        ),
        check.OFF,
        invalid("either address lies in the RMP"),
        check.NO_GUEST,
        row(Status.INVALID_PAGE_STATE, "the page is not FIRMWARE"),
        check.NOT_BEGUN,
    ),
    Id.SNP_PAGE_MOVE: (
        invalid(
            "one of bits 11:0 of an address, or something reserved, is set",
            check.pages(*check.THREE),
            check.reserved,
        ),
        *check.THREE_PAGES,
        row(Status.INVALID_PAGE_SIZE, "the RMP has either page at another size"),
        check.NOT_BEGUN,
        check.NO_ASID,
        row(
            Status.INVALID_PAGE_STATE,
            "not PRE_GUEST or PRE_SWAP to PRE_GUEST, nor METADATA to FIRMWARE",
        ),
        row(Status.INVALID_PAGE_OWNER, "a guest's page: either is another ASID's"),
        row(Status.INVALID_PAGE_OWNER, "metadata: the page is another context's"),
    ),
    Id.SNP_PAGE_SWAP_OUT: (
        invalid(
            "one of bits 11:0 of an address, or bit 3 or 63:5 of flags, is set",
            check.pages(*check.THREE),
            check.reserved,
        ),
        *check.THREE_PAGES,
        *SWAP,
        row(Status.INVALID_PAGE_SIZE, "the RMP has a page at another size"),
        check.NOT_BEGUN,
        check.NO_ASID,
        row(Status.INVALID_PAGE_STATE, "data or VMSA: source or destination is in no state for it"),
        row(Status.INVALID_PAGE_OWNER, "data or VMSA: the page is another ASID's"),
        row(Status.INVALID_PAGE_STATE, "metadata: source or destination is in no state for it"),
        row(Status.INVALID_PAGE_OWNER, "metadata: the page is another context's"),
        row(Status.INVALID_PAGE_STATE, "page_type is 3", PAGE_TYPE_OUT),
        row(Status.AEAD_OFLOW, "the IVs are exhausted"),
    ),
    Id.SNP_PAGE_SWAP_IN: (
        invalid(
            "one of bits 11:0 of an address, 0x20, or bits 63:5 of flags, is set",
            check.pages(*check.THREE),
            check.reserved,
        ),
        *check.THREE_PAGES,
        *SWAP,
        check.NOT_BEGUN,
        check.NO_ASID,
        row(
            Status.INVALID_MDATA_ENTRY,
            "the entry is not valid, or of another type than page_type",
            PAGE_TYPE_IN,
        ),
        row(Status.INVALID_PAGE_SIZE, "a page or the entry has another size"),
        row(Status.INVALID_PAGE_STATE, "data: the destination is not PRE_GUEST"),
        row(
            Status.INVALID_ADDRESS,
            "swap_in_place, and src_paddr is not dst_paddr",
            in_place_address,
        ),
        invalid("swap_in_place, and metadata or VMSA", in_place_type),
        row(Status.INVALID_PAGE_STATE, "metadata: the destination is not FIRMWARE"),
        row(Status.INVALID_PAGE_SIZE, "VMSA, and 2 MiB", vmsa_size),
        row(Status.INVALID_PAGE_STATE, "VMSA: the destination is not PRE_GUEST"),
        row(Status.INVALID_PAGE_OWNER, "data or VMSA: the destination is another ASID's"),
        row(Status.BAD_MEASUREMENT, "the page does not match the tag of its entry"),
    ),
}
RULES: dict[type, tuple[BufferRules]] = {
    wire.SwapOut: rule(CHECKS[Id.SNP_PAGE_SWAP_OUT], unused_entry, reachable(*check.THREE)),
    wire.SwapIn: rule(CHECKS[Id.SNP_PAGE_SWAP_IN], unused_entry, reachable(*check.THREE)),
    wire.Move: rule(CHECKS[Id.SNP_PAGE_MOVE], reachable(*check.THREE)),
    wire.MdInit: rule(CHECKS[Id.SNP_PAGE_MD_INIT], reachable("gctx_paddr", "page_paddr")),
    wire.SetState: rule(CHECKS[Id.SNP_PAGE_SET_STATE], reachable("list_paddr")),
    wire.Reclaim: rule(CHECKS[Id.SNP_PAGE_RECLAIM]),
    wire.Unsmash: rule(CHECKS[Id.SNP_PAGE_UNSMASH], reachable("page_paddr")),
}
