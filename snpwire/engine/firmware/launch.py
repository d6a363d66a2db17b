"""SNP_LAUNCH_START, _UPDATE and _FINISH: policy and keys, measured pages, ID block."""

from __future__ import annotations

from hashlib import sha384
from typing import TYPE_CHECKING, NamedTuple

from ...crypto.signing import check_by, key_digest
from ...errors import SignatureError
from ...rmp import scalar
from ...rmp.entry import GPA, GPA_LOW, LARGE
from ...wire.address import C_BIT, IN_PAGE, PAGE, REGION, page_of
from ...wire.cpuid import MAX_FUNCTIONS, CpuidFunction, CpuidPage
from ...wire.launch import IdAuth, IdBlock
from ...wire.launch_commands import LaunchPageType, PageInfo
from ...wire.migration import GuestState
from ...wire.report import GuestPolicy, PlatformInfo, SignatureAlgo
from ...wire.rmp import RmpState
from ...wire.secrets import SecretsFlags, SecretsPage
from ...wire.status import Status
from .context import NO_AGENT, NO_AGENT_ID, FirmwareGuest
from .pages import rollback
from .processor import CommandRefusal, refuse_if, require, reserved_set
from .vmsa import TWEAKED, initial_vmsa, vmsa_to_measure

if TYPE_CHECKING:
    from ...wire.launch import IdKey
    from ...wire.launch_commands import (
        LaunchFinish,
        LaunchFinishFlags,
        LaunchStart,
        LaunchUpdate,
    )
    from ...wire.report import Signature
    from .processor import Processor

_KEY = 32


def start(fw: Processor, command: LaunchStart) -> None:
    """SNP_LAUNCH_START: bind a guest to its policy and give it keys.

    A policy that is refused leaves the guest marked as one with encrypted state.
    """
    flags = command.flags
    if (command.gctx_paddr | command.ma_gctx_paddr) & IN_PAGE or flags.unknown:
        raise CommandRefusal(Status.INVALID_PARAM)
    fw.require_started()
    guest = fw.guest(command.gctx_paddr)
    refuse_if(guest.state != GuestState.INIT, Status.INVALID_GUEST_STATE)
    agent = fw.guest(command.ma_gctx_paddr) if flags.ma_en else None
    guest.es = True
    refuse_if(not _allowed(fw, command.policy, agent), Status.POLICY_FAILURE)
    guest.policy = int(command.policy)
    guest.agent = command.ma_gctx_paddr if agent else NO_AGENT
    guest.oek = fw.random(_KEY)
    guest.vmpcks = fw.random(_KEY), fw.random(_KEY), fw.random(_KEY), fw.random(_KEY)
    guest.vmrk = fw.random(_KEY)
    guest.report_id = fw.random(_KEY)
    guest.report_id_ma = agent.report_id if agent else NO_AGENT_ID
    guest.imi_en = bool(flags.imi_en)
    guest.gosvw = command.gosvw
    guest.desired_tsc_freq = command.desired_tsc_freq
    fw.chip.guest_count += 1
    guest.state = GuestState.LAUNCH


def _allowed(fw: Processor, policy: GuestPolicy, agent: FirmwareGuest | None) -> bool:
    """Return whether a launch may have *policy*. To the firmware all of it is one check."""
    newest = fw.chip.running_version[:2]
    return not (
        (agent and (not policy.migrate_ma or agent.agent != NO_AGENT))
        or not policy.reserved_must_be_one
        or (not policy.smt and PlatformInfo(fw.chip.platform_info).smt_en)
        or (policy.abi_major, policy.abi_minor) > newest
        or policy >> fw.profile.policy_bits
        or (agent and policy.single_socket and not GuestPolicy(agent.policy).single_socket)
    )


def finish(fw: Processor, command: LaunchFinish) -> None:
    """SNP_LAUNCH_FINISH: check the ID block, if there is one, and make the guest runnable.

    An author key that does not hold leaves the ID block in the context of a guest that is still
    being launched.
    """
    flags = command.flags
    refuse_if(command.gctx_paddr & IN_PAGE or flags.unknown, Status.INVALID_PARAM)
    fw.require_started()
    guest = fw.guest(command.gctx_paddr)
    refuse_if(guest.state != GuestState.LAUNCH or guest.imi_en, Status.INVALID_GUEST_STATE)
    refuse_if(not (guest.active or guest.pending), Status.INACTIVE)
    if flags.id_block_en:
        block = fw.load(command.id_block_paddr, IdBlock.SIZE)
        auth = fw.load(command.id_auth_paddr, IdAuth.SIZE)
        _identify(guest, block, IdAuth.parse(auth), author=bool(flags.auth_key_en))
    guest.host_data = command.host_data
    _settle(guest, flags)


def _settle(guest: FirmwareGuest, flags: LaunchFinishFlags) -> None:
    guest.id_block_en = bool(flags.id_block_en)
    guest.author_key_en = bool(flags.auth_key_en)
    guest.vcek_dis = bool(flags.vcek_dis)
    if guest.pending:
        guest.pending, guest.active = False, True
    guest.state = GuestState.RUNNING


def _identify(guest: FirmwareGuest, raw: bytes, auth: IdAuth, *, author: bool) -> None:
    """Check an ID block against its guest, then its signatures; record what verifies."""
    block = IdBlock.parse(raw)
    refuse_if(block.ld != guest.ld, Status.BAD_MEASUREMENT)
    refuse_if(block.policy != guest.policy, Status.POLICY_FAILURE)
    known = SignatureAlgo.ECDSA_P384_SHA384
    if auth.id_key_algo != known or (author and auth.auth_key_algo != known):
        raise CommandRefusal(Status.INVALID_PARAM)
    _check_signature("ID key", raw, auth.id_block_sig, auth.id_key)
    guest.id_block = block
    guest.id_key_digest = key_digest(auth.id_key)
    if author:
        _check_signature("author key", auth.id_key.build(), auth.id_key_sig, auth.author_key)
        guest.author_key_digest = key_digest(auth.author_key)


def _check_signature(name: str, data: bytes, signature: Signature, key: IdKey) -> None:
    try:
        check_by(name, data, signature, key)
    except SignatureError:
        raise CommandRefusal(Status.BAD_SIGNATURE) from None


SECRETS_VERSION = 3
_NO_CONTENTS = bytes(48)
_MEASURED = (LaunchPageType.NORMAL, LaunchPageType.VMSA)
_CPUID_HEAD = CpuidPage.struct("count", "reserved_0x004")
_FUNCTIONS = slice(
    CpuidPage.place("functions"), CpuidPage.place("functions") + MAX_FUNCTIONS * CpuidFunction.SIZE
)
"""The functions in a page of CPUID values."""


class _Kind(NamedTuple):
    """What all pages of one command have in common."""

    type: int
    imi: int
    perms: tuple[int, int, int]


def update(fw: Processor, command: LaunchUpdate) -> None:
    """SNP_LAUNCH_UPDATE: add a page to a guest that is launched."""
    page, perms = command.page, command.perms
    low = (command.gctx_paddr | command.page_paddr) & IN_PAGE
    refuse_if(low or page.unknown or perms.unknown or reserved_set(command), Status.INVALID_PARAM)
    fw.require_started()
    refuse_if(fw.look_up(command.gctx_paddr)[0] != RmpState.CONTEXT, Status.INVALID_GUEST)
    _, lo = fw.look_up(command.page_paddr)
    with rollback(fw, page_of(command.page_paddr)):
        guest = _assign_page(fw, command)
        allowed = perms.vmpl1_perms, perms.vmpl2_perms, perms.vmpl3_perms
        kind = _Kind(int(page.page_type), page.imi_page, allowed)
        gpa = (lo & GPA) >> GPA_LOW << 12
        for index in range(REGION if lo & LARGE else 1):
            at = index * PAGE
            _add_page(fw, guest, command.page_paddr + at, kind, gpa + at)


def _assign_page(fw: Processor, command: LaunchUpdate) -> FirmwareGuest:
    """Assign a page to the guest that is launched, and return the guest."""
    guest = fw.context(command.gctx_paddr)
    status = fw.memory.reach(command.gctx_paddr, PAGE)
    if not status and guest.state != GuestState.LAUNCH:
        status = Status.INVALID_GUEST_STATE
    if not status and not guest.agreed_asid:
        status = Status.INACTIVE
    page = command.page
    not_imi = guest.imi_en and not page.imi_page
    assigned = scalar.launch_update(
        fw.table,
        page_of(command.page_paddr),
        int(command.perms),
        scalar.PageOwner(page_of(command.gctx_paddr), guest.asid, status),
        page_type=int(page.page_type),
        size=page.page_size,
        content=Status.INVALID_PARAM if not_imi else Status.SUCCESS,
    )
    require(assigned)
    return guest


def _add_page(fw: Processor, guest: FirmwareGuest, address: int, kind: _Kind, gpa: int) -> None:
    """Measure 4 KiB, fill them by their type, and encrypt them in place."""
    data = fw.load(address, PAGE)
    contents = _NO_CONTENTS
    if kind.type in _MEASURED:
        contents = sha384(
            vmsa_to_measure(data) if kind.type == LaunchPageType.VMSA else data
        ).digest()
    data = _initial_contents(fw, guest, address, kind.type, data)
    guest.ld = extend_digest(guest.ld, contents, kind.type, kind.imi, kind.perms, gpa)
    if kind.imi:
        guest.imd = extend_digest(guest.imd, contents, kind.type, kind.imi, kind.perms, gpa)
    fw.memory.write(address & ~C_BIT, data, guest.asid)


def extend_digest(
    digest: bytes,
    contents: bytes,
    page_type: int,
    imi_page: int,
    perms: tuple[int, int, int],
    gpa: int,
) -> bytes:
    """Return the digest after one more page of 4 KiB."""
    info = PageInfo.ENGINE.pack(
        digest, contents, PageInfo.SIZE, page_type, imi_page, b"", *perms, gpa
    )
    return sha384(info).digest()


def _initial_contents(
    fw: Processor, guest: FirmwareGuest, address: int, page_type: int, data: bytes
) -> bytes:
    """Return the page as the guest finds it. Refuses unacceptable CPUID values."""
    if page_type == LaunchPageType.VMSA:
        return initial_vmsa(fw, guest, data)
    if page_type == LaunchPageType.ZERO:
        return bytes(PAGE)
    if page_type == LaunchPageType.SECRETS:
        return _secrets(fw, guest)
    if page_type == LaunchPageType.CPUID:
        _check_cpuid(fw, address, data)
    return data


def _secrets(fw: Processor, guest: FirmwareGuest) -> bytes:
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
    """Refuse a page with unacceptable CPUID values, and write accepted ones into it."""
    count, reserved = _CPUID_HEAD.unpack_from(data)
    refuse_if(any(reserved) or count > MAX_FUNCTIONS, Status.INVALID_PARAM)
    accepted, _, valid = fw.cpuid.check(data[_FUNCTIONS], count)
    if not valid:
        fw.store(address, data[: _FUNCTIONS.start] + accepted + data[_FUNCTIONS.stop :])
        raise CommandRefusal(Status.INVALID_PARAM)
