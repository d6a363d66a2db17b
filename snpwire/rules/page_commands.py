"""Checks of the buffers of commands that change pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import page_commands
from ..wire.address import LARGE_PAGE, PAGE
from ..wire.page_commands import SwapPageType
from ..wire.status import Status
from .verdict import Verdict, aligned, clear, length, note, pages, reachable, refuse, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire.page_commands import Reclaim, SwapIn, SwapOut, Unsmash
    from .verdict import Check

ENTRY = 0x40
"""Bytes of a metadata entry."""


def entry(value: SwapOut | SwapIn) -> Iterator[Verdict]:
    """Expect the metadata entry apart from both pages, unless the context holds it (check 5)."""
    place, flags = value.mdata_paddr, value.flags
    if flags.root_mdata_en:
        if place:
            text = f"mdata_paddr is {place:#x}, and root_mdata_en is set: the context has the entry"
            yield note(value, "command-metadata", "mdata_paddr", text)
        return
    yield from aligned(ENTRY, "mdata_paddr")(value)
    size = LARGE_PAGE if flags.page_size else PAGE
    for field in ("src_paddr", "dst_paddr"):
        page = getattr(value, field)
        if page < place + ENTRY and place < page + size:
            text = f"mdata_paddr is {place:#x}, within the page at {field}"
            yield refuse(value, "command-metadata", "mdata_paddr", text)


def goes_out(value: SwapOut) -> Iterator[Verdict]:
    """Expect a type of page that is known (SWAP_OUT, check 15)."""
    kind = SwapPageType(value.flags.page_type)
    if not kind.known:
        text = f"flags.page_type is {int(kind)}, there are 0 to 2"
        yield refuse(value, "command-page-type", "flags", text, Status.INVALID_PAGE_STATE)


def comes_in(value: SwapIn) -> Iterator[Verdict]:
    """Expect a type that is known, and data alone where it lies (SWAP_IN, checks 10 to 16)."""
    flags, kind = value.flags, SwapPageType(value.flags.page_type)
    if not kind.known:
        text = f"flags.page_type is {int(kind)}, no entry has that"
        yield refuse(value, "command-page-type", "flags", text, Status.INVALID_MDATA_ENTRY)
    elif flags.swap_in_place and kind is not SwapPageType.DATA:
        text = f"flags have swap_in_place, and page_type is {kind.name}: data alone can be"
        yield refuse(value, "command-in-place", "flags", text)
    elif flags.swap_in_place and value.src_paddr != value.dst_paddr:
        text = f"dst_paddr is {value.dst_paddr:#x}, not src_paddr, and swap_in_place is set"
        yield refuse(value, "command-in-place", "dst_paddr", text, Status.INVALID_ADDRESS)
    if kind is SwapPageType.VMSA and flags.page_size:
        text = "flags.page_type is VMSA, which has 4 KiB, and page_size is 2 MiB"
        yield refuse(value, "command-page-size", "flags", text, Status.INVALID_PAGE_SIZE)


def reclaimed(value: Reclaim) -> Iterator[Verdict]:
    """Expect a large page where one begins (PAGE_RECLAIM, check 6)."""
    address = value.page.page_paddr << 12
    if value.page.page_size and address % LARGE_PAGE:
        text = f"page is {address:#x}, no multiple of 2 MiB, and page_size is 2 MiB"
        yield refuse(value, "command-alignment", "page", text, Status.INVALID_ADDRESS)


def joined(value: Unsmash) -> Iterator[Verdict]:
    """Expect an address alone: bit 0 is no size, whatever a comment in Linux says."""
    if value.page_paddr % LARGE_PAGE == 1:
        text = f"page_paddr is {value.page_paddr:#x}: bit 0 is no page size to AMD-ASPFW"
        yield refuse(value, "command-alignment", "page_paddr", text)
    else:
        yield from aligned(LARGE_PAGE, "page_paddr")(value)


THREE = ("gctx_paddr", "src_paddr", "dst_paddr")
CHECKS: dict[str, tuple[Check, ...]] = {
    "SwapOut": (pages(*THREE), clear, entry, goes_out, reachable(*THREE)),
    "SwapIn": (pages(*THREE), clear, entry, comes_in, reachable(*THREE)),
    "Move": (pages(*THREE), clear, reachable(*THREE)),
    "MdInit": (pages("gctx_paddr", "page_paddr"), reachable("gctx_paddr", "page_paddr")),
    "SetState": (
        length("length", 0x10, Status.INVALID_LENGTH),
        clear,
        pages("list_paddr"),
        reachable("list_paddr"),
    ),
    "Reclaim": (clear, reclaimed),
    "Unsmash": (joined, reachable("page_paddr")),
}
RULES = rules_of(page_commands, CHECKS)
