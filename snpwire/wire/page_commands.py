"""Commands that change pages: swap, move, and their RMP state."""

from __future__ import annotations

from construct import Int32ul, Int64ul

from ..bits import OpenEnum, Word, bit, bits
from ..codec import as_word
from ..layout import Record, at
from .launch_commands import CONTEXT, MCMD
from .operands import PscPageSize


class SwapPageType(OpenEnum):
    """Type of a swapped page."""

    DATA = 0, "data page of the guest"
    METADATA = 1, "metadata page: entries of other pages"
    VMSA = 2, "VMSA page"


class SwapOutFlags(Word, width=64, spec=f"{MCMD}, SNP_PAGE_SWAP_OUT"):
    """Size and type of the page to swap out."""

    page_size = bits(0, 1, "Page size: 4 KiB or 2 MiB", PscPageSize)
    page_type = bits(1, 2, "Page type: data, metadata or VMSA", SwapPageType)
    root_mdata_en = bit(4, "Store the metadata entry in the guest context, not at mdata_paddr")


class SwapOut(Record, size=0x30, spec=f"{MCMD}, SNP_PAGE_SWAP_OUT"):
    """Command buffer of SNP_PAGE_SWAP_OUT: encrypt a guest page and move it out."""

    gctx_paddr: int = at(0x00, Int64ul, CONTEXT)
    src_paddr: int = at(0x08, Int64ul, "Physical address of the page to swap out")
    dst_paddr: int = at(0x10, Int64ul, "Physical address for the sealed page")
    mdata_paddr: int = at(0x18, Int64ul, "Physical address of the metadata entry, 64-byte aligned")
    software_data: int = at(0x20, Int64ul, "Software data, stored in the metadata entry")
    flags: SwapOutFlags = at(0x28, as_word(SwapOutFlags), "Size and type of the page")


class SwapInFlags(Word, width=64, spec=f"{MCMD}, SNP_PAGE_SWAP_IN"):
    """Size and type of the page to swap in."""

    page_size = bits(0, 1, "Page size: 4 KiB or 2 MiB", PscPageSize)
    page_type = bits(1, 2, "Page type: data, metadata or VMSA", SwapPageType)
    swap_in_place = bit(3, "Decrypt the page in place; only for data pages")
    root_mdata_en = bit(4, "Use the metadata entry in the guest context, not at mdata_paddr")


class SwapIn(Record, size=0x30, spec=f"{MCMD}, SNP_PAGE_SWAP_IN"):
    """Command buffer of SNP_PAGE_SWAP_IN: decrypt a page and return it to the guest."""

    gctx_paddr: int = at(0x00, Int64ul, CONTEXT)
    src_paddr: int = at(0x08, Int64ul, "Physical address of the sealed page")
    dst_paddr: int = at(0x10, Int64ul, "Physical address for the decrypted page")
    mdata_paddr: int = at(0x18, Int64ul, "Physical address of the metadata entry, 64-byte aligned")
    flags: SwapInFlags = at(0x28, as_word(SwapInFlags), "Size and type of the page")


class MoveFlags(Word, width=32, spec=f"{MCMD}, SNP_PAGE_MOVE"):
    """Size of the page to move."""

    page_size = bits(0, 1, "Page size: 4 KiB or 2 MiB", PscPageSize)


class Move(Record, size=0x20, spec=f"{MCMD}, SNP_PAGE_MOVE"):
    """Command buffer of SNP_PAGE_MOVE: move a guest page to another address."""

    gctx_paddr: int = at(0x00, Int64ul, CONTEXT)
    flags: MoveFlags = at(0x08, as_word(MoveFlags), "Size of the page")
    src_paddr: int = at(0x10, Int64ul, "Physical address of the page to move")
    dst_paddr: int = at(0x18, Int64ul, "Physical address the page moves to")


class MdInit(Record, size=0x10, spec=f"{MCMD}, SNP_PAGE_MD_INIT"):
    """Command buffer of SNP_PAGE_MD_INIT: make a metadata page."""

    gctx_paddr: int = at(0x0, Int64ul, CONTEXT)
    page_paddr: int = at(0x8, Int64ul, "Physical address of a firmware page for metadata entries")


class SetState(Record, size=0x10, spec=f"{MCMD}, SNP_PAGE_SET_STATE"):
    """Command buffer of SNP_PAGE_SET_STATE: make pages HV_FIXED."""

    length: int = at(0x0, Int32ul, "Length of this command buffer: 0x10")
    list_paddr: int = at(0x8, Int64ul, "Physical address of a range list, aligned to 4 KiB")


class ReclaimPage(Word, width=64, spec=f"{MCMD}, SNP_PAGE_RECLAIM"):
    """Address and size of a page to reclaim."""

    page_size = bits(0, 1, "Page size: 4 KiB or 2 MiB", PscPageSize)
    page_paddr = bits(12, 52, "Bits 63:12 of the page's physical address")


class Reclaim(Record, size=0x8, spec=f"{MCMD}, SNP_PAGE_RECLAIM"):
    """Command buffer of SNP_PAGE_RECLAIM: reclaim a page from the firmware."""

    page: ReclaimPage = at(0x0, as_word(ReclaimPage), "Page to reclaim: address and size")


class Unsmash(Record, size=0x8, spec=f"{MCMD}, SNP_PAGE_UNSMASH"):
    """Command buffer of SNP_PAGE_UNSMASH: join 512 pages of 4 KiB into a 2 MiB page.

    A comment in Linux has bit 0 say the size of the page; AMD-ASPFW refuses any bit below 21.
    """

    page_paddr: int = at(0x0, Int64ul, "Physical address of the 2 MiB page, a multiple of 2 MiB")


KINDS = {
    "cmd-page-swap-out": SwapOut,
    "cmd-page-swap-in": SwapIn,
    "cmd-page-move": Move,
    "cmd-page-md-init": MdInit,
    "cmd-page-set-state": SetState,
    "cmd-page-reclaim": Reclaim,
    "cmd-page-unsmash": Unsmash,
}
