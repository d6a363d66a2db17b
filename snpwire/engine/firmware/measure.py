"""SNP_LAUNCH_UPDATE: measure a page as the firmware does, fill it, and give it to the guest.

Every page extends the launch digest by the SHA-384 of a PAGE_INFO; contents count for NORMAL and
VMSA pages alone. A save area is measured before the firmware changes it, and as if the TSC's scale
and offset were zero. The guest's address is that of the reverse map table (AMD-ASPFW sev_mcmd.c).
"""

from __future__ import annotations

from hashlib import sha384
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from ...rmp.entry import GPA, GPA_LOW, IMMUTABLE, LARGE, LOCK, VALIDATED, VMSA
from ...rmp.single.firmware import asid_of
from ...wire.address import C_BIT, PAGE, REGION, page_of
from ...wire.cpuid import MAX_FUNCTIONS, CpuidFunction
from ...wire.launch_commands import LaunchPageType, LaunchUpdate, PageInfo
from ...wire.migration import GuestState
from ...wire.rmp import RmpState
from ...wire.secrets import SecretsFlags, SecretsPage
from ...wire.status import Status
from .processor import IN_PAGE, Refusal
from .savearea import TWEAKED, measured, prepared

if TYPE_CHECKING:
    from .context import Context
    from .processor import Processor

IN_2M = 0x1F_FFFF
SECRETS_VERSION = 3
_PAGE_INFO = Struct("<48s48sHBBBBBBQ")
_NO_CONTENTS = bytes(48)
_SMALL_ONLY = (LaunchPageType.VMSA, LaunchPageType.SECRETS, LaunchPageType.CPUID)
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
    state, lo = fw.look_up(command.page_paddr)
    if state != RmpState.PRE_GUEST:
        raise Refusal(Status.INVALID_PAGE_STATE)
    _sized(command, lo)
    guest = fw.guest(command.gctx_paddr)
    _ready(guest, lo, imi_page=bool(page.imi_page))
    allowed = perms.vmpl1_perms, perms.vmpl2_perms, perms.vmpl3_perms
    kind = _Kind(int(page.page_type), page.imi_page, allowed)
    gpa = (lo & GPA) >> GPA_LOW << 12
    for index in range(REGION if lo & LARGE else 1):
        at = index * PAGE
        _add(fw, guest, command.page_paddr + at, kind, gpa + at)
    _give(fw, command.page_paddr, kind)


def _sized(command: LaunchUpdate, lo: int) -> None:
    """Refuse a page of another size than the command's, and sizes and types that do not go."""
    large, kind = bool(lo & LARGE), command.page.page_type
    if large != bool(command.page.page_size):
        raise Refusal(Status.INVALID_PAGE_SIZE)
    if large and command.page_paddr & IN_2M:
        raise Refusal(Status.INVALID_ADDRESS)
    if large and kind in _SMALL_ONLY:
        raise Refusal(Status.INVALID_PAGE_SIZE)
    if not LaunchPageType.NORMAL <= kind <= LaunchPageType.CPUID:
        raise Refusal(Status.INVALID_PARAM)


def _ready(guest: Context, lo: int, *, imi_page: bool) -> None:
    """Refuse a guest that is not being launched, or that the page is not of."""
    if guest.state != GuestState.LAUNCH:
        raise Refusal(Status.INVALID_GUEST_STATE)
    if not (guest.active or guest.pending):
        raise Refusal(Status.INACTIVE)
    if asid_of(lo) != guest.asid:
        raise Refusal(Status.INVALID_PAGE_OWNER)
    if guest.imi_en and not imi_page:
        raise Refusal(Status.INVALID_PARAM)


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


def _give(fw: Processor, address: int, kind: _Kind) -> None:
    """Make a page the guest's, accepted, with the permissions given; VMPL 0 keeps its own."""
    number = page_of(address)
    lo, hi = fw.table.entry(number)
    lo = lo & ~(IMMUTABLE | LOCK) | VALIDATED | (VMSA if kind.type == LaunchPageType.VMSA else 0)
    first, second, third = kind.perms
    fw.table.set(number, lo, hi & ~0xFFFF_FF00 | first << 8 | second << 16 | third << 24)
