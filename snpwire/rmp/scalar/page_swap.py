"""What moving and swapping pages of a guest do to their entries.

Checks, order and the statuses that are arguments are as in ``firmware``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...wire.migration import MetadataMdata
from ...wire.page_commands import SwapInFlags, SwapOutFlags, SwapPageType
from ...wire.rmp import STILL, RmpState
from ...wire.status import Status
from ..entry import GPA, IMMUTABLE, LARGE, LOCK, VALIDATED, VMSA
from .firmware import OK, asid_of, context_of, entry_or_zero, first_of, metadata_lo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..entry import Entries
    from .firmware import PageOwner

SEALED = frozenset({RmpState.FIRMWARE, RmpState.DEFAULT})
"""States of a page that an encrypted page may be written to."""
_ROOT = SwapOutFlags.root_mdata_en.mask


def page_move(
    table: Entries, source: int, target: int, guest: PageOwner, *, size: int = 0
) -> Status:
    """Move a guest's page, or one of its metadata, to another page (SNP_PAGE_MOVE)."""
    old, rights = entry_or_zero(table, source)
    new, new_rights = entry_or_zero(table, target)
    was, to_be = table.state(source), table.state(target)
    private = was in STILL and to_be is RmpState.PRE_GUEST
    metadata = was is RmpState.METADATA and to_be is RmpState.FIRMWARE
    wrong_size = bool(old & LARGE) != bool(size) or bool(new & LARGE) != bool(size)
    foreign = {asid_of(old), asid_of(new)} != {guest.asid}
    status = first_of(
        (table.state(guest.context) is not RmpState.CONTEXT, Status.INVALID_GUEST),
        (wrong_size, Status.INVALID_PAGE_SIZE),
        (guest.status is not OK, guest.status),
        (not private and not metadata, Status.INVALID_PAGE_STATE),
        (private and foreign, Status.INVALID_PAGE_OWNER),
        (metadata and context_of(old) != guest.context, Status.INVALID_PAGE_OWNER),
    )
    if status is OK and private:
        moved = new & ~(GPA | VMSA | VALIDATED | IMMUTABLE | LOCK)
        table.set(target, moved | old & (GPA | VMSA | VALIDATED), rights)
        table.set(source, old & ~(VALIDATED | IMMUTABLE | LOCK), rights)
    elif status is OK:
        table.set(target, new & ~GPA | old & GPA, new_rights)
        table.set(source, old & ~(GPA | VMSA), rights)
    return status


def swap_out(
    table: Entries, source: int, target: int, flags: int, guest: PageOwner, mdata: int = -1
) -> Status:
    """Encrypt a page into *target* (SNP_PAGE_SWAP_OUT); *flags* is ``SwapOutFlags``.

    *mdata* is the page of the metadata entry, not checked where the entry goes to the context.
    """
    lo, hi = entry_or_zero(table, source)
    size, kind = bool(flags & 1), SwapPageType(flags >> 1 & 3)
    sealed = table.state(target) in SEALED
    metadata = kind is SwapPageType.METADATA
    known = {RmpState.METADATA} if metadata else STILL
    foreign = context_of(lo) != guest.context if metadata else asid_of(lo) != guest.asid
    status = first_of(
        *_metadata_checks(table, guest, flags, mdata),
        (bool(lo & LARGE) != size or _other_size(table, target, size), Status.INVALID_PAGE_SIZE),
        (guest.status is not OK, guest.status),
        (not kind.known or table.state(source) not in known, Status.INVALID_PAGE_STATE),
        (not sealed, Status.INVALID_PAGE_STATE),
        (foreign, Status.INVALID_PAGE_OWNER),
    )
    if status is OK:
        table.set(source, lo & ~(GPA | VMSA if metadata else VALIDATED), hi)
    return status


def swap_in(
    table: Entries,
    source: int,
    target: int,
    flags: int,
    guest: PageOwner,
    *,
    entry: tuple[int, int],
    mdata: int = -1,
    content: Status = OK,
) -> Status:
    """Decrypt a page into *target* (SNP_PAGE_SWAP_IN); *flags* is ``SwapInFlags``.

    *entry* is ``mdata`` and ``vmpl_perms`` of the metadata entry, *content* the status of the
    decrypted content, checked last.
    """
    word, rights = entry
    lo, hi = entry_or_zero(table, target)
    size, kind = bool(flags & 1), SwapPageType(flags >> 1 & 3)
    placed, metadata = bool(flags & SwapInFlags.swap_in_place.mask), kind is SwapPageType.METADATA
    wrong_size = _other_size(table, source, size) or bool(lo & LARGE) != size
    wrong_size = wrong_size or bool(word & MetadataMdata.page_size.mask) != size
    wanted = RmpState.FIRMWARE if metadata else RmpState.PRE_GUEST
    status = first_of(
        *_metadata_checks(table, guest, flags, mdata),
        (guest.status is not OK, guest.status),
        (not _is_of_kind(word, kind), Status.INVALID_MDATA_ENTRY),
        (wrong_size, Status.INVALID_PAGE_SIZE),
        (kind is not SwapPageType.DATA and placed, Status.INVALID_PARAM),
        (kind is SwapPageType.VMSA and size, Status.INVALID_PAGE_SIZE),
        (table.state(target) is not wanted, Status.INVALID_PAGE_STATE),
        (placed and source != target, Status.INVALID_ADDRESS),
        (not metadata and asid_of(lo) != guest.asid, Status.INVALID_PAGE_OWNER),
        (content is not OK, content),
    )
    if status is OK and metadata:
        table.set(target, metadata_lo(lo, guest.context), hi)
    elif status is OK:
        was = VALIDATED if word & MetadataMdata.page_validated.mask else 0
        was |= VMSA if kind is SwapPageType.VMSA else 0
        table.set(target, lo & ~(GPA | VMSA | VALIDATED) | word & GPA | was, rights)
    return status


def _metadata_checks(
    table: Entries, guest: PageOwner, flags: int, mdata: int
) -> Iterator[tuple[bool, Status]]:
    """Yield the checks of the guest context and of the page of the metadata entry."""
    yield table.state(guest.context) is not RmpState.CONTEXT, Status.INVALID_GUEST
    if not flags & _ROOT:
        lo, _ = entry_or_zero(table, mdata)
        yield table.state(mdata) is not RmpState.METADATA, Status.INVALID_PAGE_STATE
        yield context_of(lo) != guest.context, Status.INVALID_PAGE_OWNER


def _is_of_kind(word: int, kind: SwapPageType) -> bool:
    """Return whether a metadata entry is in use and of this kind."""
    types = word & (MetadataMdata.metadata.mask | MetadataMdata.vmsa.mask)
    of = {0: SwapPageType.DATA, MetadataMdata.metadata.mask: SwapPageType.METADATA}
    of[MetadataMdata.vmsa.mask] = SwapPageType.VMSA
    return bool(word & MetadataMdata.valid.mask) and of.get(types) is kind


def _other_size(table: Entries, page: int, size: bool) -> bool:
    """Return whether a page has an entry, of another size."""
    return 0 <= page < table.pages and bool(table.entry(page)[0] & LARGE) != size
