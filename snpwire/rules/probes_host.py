"""Probes for command buffers, their responses and the reverse map table.

None finds much: most buffers are a handful of addresses. A length field that is right is evidence;
the rest is that reserved bytes are zero, and that addresses are those of pages. See ``probes`` for
how evidence is weighed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..context import BARE
from ..wire import kind
from ..wire.address import PAGE
from ..wire.launch_commands import GuestStatus, LaunchPageType, LaunchStart, LaunchUpdate, PageInfo
from ..wire.platform import PlatformStatus, RangeList
from ..wire.rmp import RmpEntry, RmpReadEntry, RmpState, SegmentTable, state_of, states_of
from ..wire.rmp_words import LAST_ASID, VmplMask
from . import rmp as rmp_rules
from .probes import Evidence, empty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..layout import Record

GUESTS = 1 << 11
"""More guests than there are ASIDs."""


def is_clean(value: Record) -> bool:
    """Return whether all reserved bytes and bits are zero."""
    leaves = list(value.leaves())
    gaps = any(any(leaf.value) for leaf in leaves if leaf.gap)
    return not gaps and not any(getattr(leaf.value, "unknown", 0) for leaf in leaves)


def is_page(address: int) -> bool:
    """Return whether *address* can be that of a page."""
    return 0 < address < 1 << 52 and address % PAGE == 0


class LengthField(NamedTuple):
    """The length field of a buffer, the pages that it names, and what else has to hold."""

    field: str
    pages: tuple[str, ...]
    holds: Callable[[Any], bool]


LENGTHS: dict[str, LengthField] = {
    "cmd-shutdown-ex": LengthField("length", (), lambda v: True),
    "cmd-commit": LengthField("length", (), lambda v: True),
    "cmd-page-set-state": LengthField("length", ("list_paddr",), lambda v: True),
    "cmd-vlek-load": LengthField(
        "length", (), lambda v: not v.vlek_wrapped_version and v.vlek_wrapped_paddr > 0
    ),
    "cmd-feature-info": LengthField(
        "length", (), lambda v: v.ecx_in <= 1 and v.feature_info_paddr % 4 == 0
    ),
    "cmd-activate-ex": LengthField(
        "ex_len", ("gctx_paddr",), lambda v: 0 < v.numids <= 1024 and 0 < v.asid <= LAST_ASID
    ),
    "cmd-download-ex": LengthField("length", (), lambda v: v.fw_paddr % 32 == 0 and v.fw_len > 0),
    "cmd-hv-report": LengthField("length", ("gctx_paddr", "hv_report_paddr"), lambda v: True),
    "cmd-mitigation": LengthField("length", (), lambda v: bool(v.subcommand.known)),
}


def length_field(name: str, data: bytes) -> Iterator[Evidence]:
    """Look for the length of the buffer called *name*."""
    record, length = kind(name).type, LENGTHS[name]
    if len(data) != record.SIZE:
        return
    value: Any = record.parse(data)
    if (
        getattr(value, length.field) != record.SIZE
        or not is_clean(value)
        or not length.holds(value)
    ):
        return
    if not all(is_page(getattr(value, field)) for field in length.pages):
        return
    text = f"{length.field} {record.SIZE:#x} at 0x0 is the number of bytes"
    yield 0.3, f"{text}, and what is reserved is zero"
    if length.pages:
        yield 0.1, f"{' and '.join(length.pages)}: where a page begins"


def launch_start(data: bytes) -> Iterator[Evidence]:
    """Look for a context, and for a policy."""
    if len(data) != LaunchStart.SIZE:
        return
    value = LaunchStart.parse(data)
    lawful = value.policy.reserved_must_be_one and value.ma_gctx_paddr % PAGE == 0
    if is_page(value.gctx_paddr) and is_clean(value) and lawful:
        yield 0.4, "an address of a page at 0x0, and a policy at 0x8, its bit 17 set"


def launch_update(data: bytes) -> Iterator[Evidence]:
    """Look for a context, and for a page of a type that there is."""
    if len(data) != LaunchUpdate.SIZE:
        return
    value = LaunchUpdate.parse(data)
    page = LaunchPageType(value.page.page_type)
    lawful = page.known and page is not LaunchPageType.RESERVED
    if is_page(value.gctx_paddr) and is_page(value.page_paddr) and is_clean(value) and lawful:
        yield 0.35, f"addresses of pages at 0x0 and 0x10, and a page of type {page.name}"


def guest_status(data: bytes) -> Iterator[Evidence]:
    """Look for a policy, and for the state of a guest."""
    if len(data) != GuestStatus.SIZE:
        return
    value = GuestStatus.parse(data)
    lawful = value.policy.reserved_must_be_one and value.asid <= LAST_ASID
    if lawful and value.state.known and is_clean(value):
        yield 0.35, f"a policy at 0x0, its bit 17 set, and state {value.state.name}"


def platform_status(data: bytes) -> Iterator[Evidence]:
    """Look for a version, and for the state of the platform."""
    if len(data) != PlatformStatus.SIZE:
        return
    value = PlatformStatus.parse(data)
    lawful = value.api_major == 1 and value.guest_count < GUESTS and value.current_tcb
    if lawful and value.state.known and is_clean(value):
        yield 0.45, f"version 1.{value.api_minor} at 0x0, and state {value.state.name}"


def range_list(data: bytes) -> Iterator[Evidence]:
    """Look for a count, and for so many ranges of pages."""
    if len(data) < RangeList.SIZE + 0x10:
        return
    value = RangeList.parse(data)
    count, ranges = value.head.n, value.elements
    if not 0 < count == len(ranges) or any(data[4:8]) or not empty(value.rest):
        return
    if all(is_clean(one) and is_page(one.base) and one.page_count for one in ranges):
        yield 0.4, f"n {count} is the number of ranges that follow, each of pages"


def page_info(data: bytes) -> Iterator[Evidence]:
    """Look for its length, and for a page of a type that there is."""
    if len(data) != PageInfo.SIZE:
        return
    value = PageInfo.parse(data)
    if value.length == PageInfo.SIZE and value.page_type and value.page_type.known:
        yield 0.5, f"length 0x70 at 0x60, and a page of type {value.page_type.name}"


def rmp(data: bytes) -> Iterator[Evidence]:
    """Look for an assigned page in a state that there is, with rights that there are."""
    if len(data) != RmpEntry.SIZE:
        return
    entry = RmpEntry.parse(data)
    state = state_of(entry.lo, entry.hi)
    masks = [VmplMask(getattr(entry.hi, f"vmpl{level}")) for level in range(4)]
    unknown = entry.hi.unknown or any(mask.unknown for mask in masks)
    if entry.lo.assigned and state is not RmpState.INVALID and not unknown:
        yield 0.25, f"an assigned page, state {state.name}, as Milan and Genoa have it"
        if entry.lo.asid and masks[0]:
            yield 0.1, f"a guest's, with ASID {entry.lo.asid}, and VMPL 0 has rights"


def rmpread(data: bytes) -> Iterator[Evidence]:
    """Look for single bits in bytes, and for the address of a page."""
    if len(data) != RmpReadEntry.SIZE:
        return
    value = RmpReadEntry.parse(data)
    if value.assigned != 1 or value.immutable > 1 or not is_clean(value):
        return
    states = states_of(value)
    if value.asid <= LAST_ASID and value.gpa % PAGE == 0 and RmpState.INVALID not in states:
        yield 0.35, "bytes 8 to 10 are one bit each, and an address of a page at 0x0"


def rst(data: bytes) -> Iterator[Evidence]:
    """Look for segments with memory and entries."""
    if len(data) != PAGE:
        return
    table = SegmentTable.parse(data)
    used = [segment for segment in table.elements if segment.entry]
    if used and next(rmp_rules.segments(table, BARE), None) is None:
        yield 0.35, f"{len(used)} segments that do not overlap, and zeros behind them"


PROBES: dict[str, Callable[[bytes], Iterator[Evidence]]] = {
    **{name: partial(length_field, name) for name in LENGTHS},
    "cmd-launch-start": launch_start,
    "cmd-launch-update": launch_update,
    "guest-status": guest_status,
    "platform-status": platform_status,
    "range-list": range_list,
    "page-info": page_info,
    "rmp": rmp,
    "rmpread": rmpread,
    "rst": rst,
}
"""The probe of each kind."""
