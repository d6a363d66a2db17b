"""Commands that move a guest's page, or seal it and open it again elsewhere.

Changes of RMP entries, and the checks that read them, are in ``snpwire.rmp.scalar``; here are the
page itself, its metadata entry and the guest's context. A page is sealed with the guest's offline
encryption key (OEK) under an IV that is used once (AMD-ASPFW sev_mcmd.c).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...crypto.wrapping import unwrap_page, wrap_page
from ...errors import AuthError
from ...rmp import scalar
from ...rmp.entry import GPA, VALIDATED
from ...rmp.scalar.firmware import asid_of, entry_or_zero
from ...wire.address import C_BIT, IN_PAGE, LARGE_PAGE, PAGE, page_of
from ...wire.migration import MetadataEntry, MetadataMdata
from ...wire.page_commands import SwapOutFlags, SwapPageType
from ...wire.rmp import RmpState
from ...wire.status import Status
from .pages import guest_of, rollback
from .processor import CommandRefusal, refuse_if, require, reserved_set
from .vmsa import with_tsc

if TYPE_CHECKING:
    from ...wire.page_commands import Move, SwapIn, SwapOut
    from .processor import Processor

LAST_IV = (1 << 64) - 2
"""An OEK whose IV count is this is exhausted."""
_ROOT = SwapOutFlags.root_mdata_en.mask
_GPA_FIELD = MetadataMdata.gpa.mask
_NO_MDATA = -1


def move(fw: Processor, command: Move) -> None:
    """SNP_PAGE_MOVE: move a guest's page, or one of its metadata."""
    flags = int(command.flags)
    _check_fields(fw, command)
    guest = guest_of(fw, command.gctx_paddr, active=True)
    source, target = page_of(command.src_paddr), page_of(command.dst_paddr)
    key = guest.asid if asid_of(entry_or_zero(fw.table, source)[0]) else 0
    with rollback(fw, source, target):
        require(scalar.page_move(fw.table, source, target, guest, size=flags))
        _store(fw, command.dst_paddr, _load(fw, command.src_paddr, flags, key), key)


def swap_out(fw: Processor, command: SwapOut) -> None:
    """SNP_PAGE_SWAP_OUT: seal a guest's page and write it elsewhere."""
    flags = int(command.flags)
    _check_fields(fw, command)
    guest, mdata = _owner_and_entry_page(fw, command, flags)
    source, target = page_of(command.src_paddr), page_of(command.dst_paddr)
    lo, rights = entry_or_zero(fw.table, source)
    kind = command.flags.page_type
    with rollback(fw, source):
        require(scalar.swap_out(fw.table, source, target, flags, guest, mdata))
        context = fw.context(command.gctx_paddr)
        refuse_if(context.oek_iv_count == LAST_IV, Status.AEAD_OFLOW)
        iv = context.oek_iv_count
        context.oek_iv_count += 1
        key = 0 if kind == SwapPageType.METADATA else guest.asid
        data, tag = wrap_page(context.oek, iv, _load(fw, command.src_paddr, flags & 1, key))
        _store(fw, command.dst_paddr, data, 0)
        mdata_word, perms = _metadata_words(SwapPageType(kind), lo, rights, flags & 1)
        entry = MetadataEntry(
            software_data=command.software_data,
            iv=iv,
            auth_tag=tag,
            mdata=mdata_word,
            vmpl_perms=perms,
        )
        _write_entry(fw, command, flags, entry)


def swap_in(fw: Processor, command: SwapIn) -> None:
    """SNP_PAGE_SWAP_IN: open a sealed page and return it to its guest."""
    flags = int(command.flags)
    _check_fields(fw, command)
    guest, mdata = _owner_and_entry_page(fw, command, flags)
    source, target = page_of(command.src_paddr), page_of(command.dst_paddr)
    entry = _read_entry(fw, command, flags, guest)
    kind = command.flags.page_type
    with rollback(fw, target):
        words = int(entry.mdata), entry.vmpl_perms
        require(scalar.swap_in(fw.table, source, target, flags, guest, entry=words, mdata=mdata))
        context = fw.context(command.gctx_paddr)
        data = _load(fw, command.src_paddr, flags & 1, 0)
        try:
            plain = unwrap_page(context.oek, entry.iv, data, entry.auth_tag)
        except AuthError:
            raise CommandRefusal(Status.BAD_MEASUREMENT) from None
        if kind == SwapPageType.VMSA:
            plain = with_tsc(fw, context, plain, offset=context.psp_tsc_offset)
        key = 0 if kind == SwapPageType.METADATA else guest.asid
        _store(fw, command.dst_paddr, plain, key)
        spent = MetadataMdata(int(entry.mdata) & ~MetadataMdata.valid.mask)
        _write_entry(fw, command, flags, entry.replace(mdata=spent))


def _check_fields(fw: Processor, command: Move | SwapOut | SwapIn) -> None:
    """Make the checks that all three commands begin with."""
    addresses = command.gctx_paddr, command.src_paddr, command.dst_paddr
    reserved = command.flags.unknown or reserved_set(command)
    refuse_if(reserved or any(address & IN_PAGE for address in addresses), Status.INVALID_PARAM)
    fw.require_started()
    for address in addresses:
        fw.look_up(address)


def _owner_and_entry_page(
    fw: Processor, command: SwapOut | SwapIn, flags: int
) -> tuple[scalar.PageOwner, int]:
    """Return the guest, and the page of the metadata entry; -1 where its context has the entry."""
    guest = guest_of(fw, command.gctx_paddr, active=True)
    if flags & _ROOT:
        return guest, _NO_MDATA
    refuse_if(fw.table.state(guest.context) != RmpState.CONTEXT, Status.INVALID_GUEST)
    entry, size = command.mdata_paddr, LARGE_PAGE if flags & 1 else PAGE
    fw.look_up(entry)
    others = command.src_paddr, command.dst_paddr
    overlaps = any(entry < at + size and at < entry + MetadataEntry.SIZE for at in others)
    refuse_if(entry % MetadataEntry.SIZE or overlaps, Status.INVALID_PARAM)
    return guest, page_of(entry)


def _metadata_words(
    kind: SwapPageType, lo: int, rights: int, size: int
) -> tuple[MetadataMdata, int]:
    """Return the ``mdata`` word and the permissions of the metadata entry of a page."""
    if kind is SwapPageType.METADATA:
        return MetadataMdata(_GPA_FIELD).replace(valid=1, metadata=1, page_size=size), 0
    word = MetadataMdata(lo & GPA).replace(
        valid=1,
        vmsa=int(kind is SwapPageType.VMSA),
        page_size=size,
        page_validated=int(bool(lo & VALIDATED)),
    )
    return word, rights


def _write_entry(
    fw: Processor, command: SwapOut | SwapIn, flags: int, entry: MetadataEntry
) -> None:
    if flags & _ROOT:
        fw.context(command.gctx_paddr).root_md_entry = entry
    else:
        fw.store(command.mdata_paddr, entry.build())


def _read_entry(
    fw: Processor, command: SwapIn, flags: int, guest: scalar.PageOwner
) -> MetadataEntry:
    """Return the metadata entry; a zero one where a check before its reading will refuse."""
    if guest.status or fw.table.state(guest.context) != RmpState.CONTEXT:
        return MetadataEntry()
    if flags & _ROOT:
        return fw.context(command.gctx_paddr).root_md_entry
    if fw.look_up(command.mdata_paddr)[0] != RmpState.METADATA:
        return MetadataEntry()
    return MetadataEntry.parse(fw.load(command.mdata_paddr, MetadataEntry.SIZE))


def _load(fw: Processor, address: int, large: int, key: int) -> bytes:
    size = LARGE_PAGE if large else PAGE
    fw.reach(address, size)
    return fw.memory.read(address & ~C_BIT, size, key)


def _store(fw: Processor, address: int, data: bytes, key: int) -> None:
    fw.reach(address, len(data))
    fw.memory.write(address & ~C_BIT, data, key)
