"""SNP_LAUNCH_UPDATE: measure a page as the firmware does, fill it, and give it to the guest.

Every page extends the launch digest by the SHA-384 of a PAGE_INFO; contents count for NORMAL and
VMSA pages alone. A save area is measured before the firmware changes it, and as if the TSC's scale
and offset were zero. The guest's address is that of the reverse map table (AMD-ASPFW sev_mcmd.c).
"""

from __future__ import annotations

from hashlib import sha384
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from ...rmp import single
from ...rmp.entry import GPA, GPA_LOW, LARGE
from ...wire.address import C_BIT, IN_PAGE, PAGE, REGION, page_of
from ...wire.cpuid import MAX_FUNCTIONS, CpuidFunction
from ...wire.launch_commands import LaunchPageType, LaunchUpdate, PageInfo
from ...wire.migration import GuestState
from ...wire.rmp import RmpState
from ...wire.secrets import SecretsFlags, SecretsPage
from ...wire.status import Status
from .pages import done, undone
from .processor import Refusal
from .savearea import TWEAKED, measured, prepared

if TYPE_CHECKING:
    from .context import Context
    from .processor import Processor

SECRETS_VERSION = 3
_PAGE_INFO = Struct("<48s48sHBBBBBBQ")
_NO_CONTENTS = bytes(48)
_MEASURED = (LaunchPageType.NORMAL, LaunchPageType.VMSA)
_LAUNCH_PAGE_RESERVED, _PERMS_RESERVED = ~0x1F, 0xFF
_CPUID_HEAD = Struct("<LLQ")
_CPUID_ROOM = MAX_FUNCTIONS * CpuidFunction.SIZE


class _Kind(NamedTuple):
    """What every page of one command has in common."""

    type: int
    imi: int
    perms: tuple[int, int, int]


def update(fw: Processor, raw: bytes) -> None:
    """Add a page to a guest that is launched. Raises Refusal."""
    command = LaunchUpdate.parse(raw)
    page, perms = command.page, command.perms
    low = (command.gctx_paddr | command.page_paddr) & IN_PAGE
    reserved = int(page) & _LAUNCH_PAGE_RESERVED or int(perms) & _PERMS_RESERVED
    if low or reserved or any(raw[0xC:0x10]) or any(raw[0x1C:]):
        raise Refusal(Status.INVALID_PARAM)
    fw.started()
    if fw.look_up(command.gctx_paddr)[0] != RmpState.CONTEXT:
        raise Refusal(Status.INVALID_GUEST)
    _, lo = fw.look_up(command.page_paddr)
    with undone(fw, page_of(command.page_paddr)):
        guest = _given(fw, command)
        allowed = perms.vmpl1_perms, perms.vmpl2_perms, perms.vmpl3_perms
        kind = _Kind(int(page.page_type), page.imi_page, allowed)
        gpa = (lo & GPA) >> GPA_LOW << 12
        for index in range(REGION if lo & LARGE else 1):
            at = index * PAGE
            _add(fw, guest, command.page_paddr + at, kind, gpa + at)


def _given(fw: Processor, command: LaunchUpdate) -> Context:
    """Give a page to the guest that is launched, and return the guest. Raises Refusal."""
    guest = fw.context(command.gctx_paddr)
    status = fw.memory.reach(command.gctx_paddr, PAGE)
    if not status and guest.state != GuestState.LAUNCH:
        status = Status.INVALID_GUEST_STATE
    if not status and not guest.agreed_asid:
        status = Status.INACTIVE
    page = command.page
    strange = guest.imi_en and not page.imi_page
    given = single.launch_update(
        fw.table,
        page_of(command.page_paddr),
        int(command.perms),
        single.Guest(page_of(command.gctx_paddr), guest.asid, status),
        page_type=int(page.page_type),
        size=page.page_size,
        content=Status.INVALID_PARAM if strange else Status.SUCCESS,
    )
    done(given)
    return guest


def _add(fw: Processor, guest: Context, address: int, kind: _Kind, gpa: int) -> None:
    """Measure 4 KiB, change them as their type has it, and encrypt them where they lie."""
    data = fw.load(address, PAGE)
    contents = _NO_CONTENTS
    if kind.type in _MEASURED:
        contents = sha384(measured(data) if kind.type == LaunchPageType.VMSA else data).digest()
    data = _filled(fw, guest, address, kind.type, data)
    guest.ld = extended(guest.ld, contents, kind.type, kind.imi, kind.perms, gpa)
    if kind.imi:
        guest.imd = extended(guest.imd, contents, kind.type, kind.imi, kind.perms, gpa)
    fw.memory.write(address & ~C_BIT, data, guest.asid)


def extended(
    digest: bytes,
    contents: bytes,
    page_type: int,
    imi_page: int,
    perms: tuple[int, int, int],
    gpa: int,
) -> bytes:
    """Return the digest after one more page of 4 KiB."""
    info = _PAGE_INFO.pack(digest, contents, PageInfo.SIZE, page_type, imi_page, 0, *perms, gpa)
    return sha384(info).digest()


def _filled(fw: Processor, guest: Context, address: int, page_type: int, data: bytes) -> bytes:
    """Return what a page of this type holds for the guest. Refuses CPUID values that are wrong."""
    if page_type == LaunchPageType.VMSA:
        return prepared(fw, guest, data)
    if page_type == LaunchPageType.ZERO:
        return bytes(PAGE)
    if page_type == LaunchPageType.SECRETS:
        return _secrets(fw, guest)
    if page_type == LaunchPageType.CPUID:
        _check_cpuid(fw, address, data)
    return data


def _secrets(fw: Processor, guest: Context) -> bytes:
    keys = {f"vmpck{number}": key for number, key in enumerate(guest.vmpcks)}
    return SecretsPage(
        version=SECRETS_VERSION,
        flags=SecretsFlags.of(imi_en=guest.imi_en),
        fms=fw.profile.fms,
        gosvw=guest.gosvw,
        vmsa_tweak_bitmap=TWEAKED,
        tsc_factor=fw.profile.tsc_factor,
        **keys,
    ).build()


def _check_cpuid(fw: Processor, address: int, data: bytes) -> None:
    """Refuse a page of CPUID values; where values will not do, write back those that would."""
    count, low, high = _CPUID_HEAD.unpack_from(data)
    if low or high or count > MAX_FUNCTIONS:
        raise Refusal(Status.INVALID_PARAM)
    start = _CPUID_HEAD.size
    better, _, held = fw.cpuid.check(data[start : start + _CPUID_ROOM], count)
    if not held:
        fw.store(address, data[:start] + better + data[start + _CPUID_ROOM :])
        raise Refusal(Status.INVALID_PARAM)
