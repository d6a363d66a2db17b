"""Commands that begin and end a guest's launch, and the ID block checked at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...crypto.signing import check_by, key_digest
from ...errors import SignatureError
from ...wire.address import IN_PAGE
from ...wire.launch import IdAuth, IdBlock
from ...wire.launch_commands import LaunchFinish, LaunchFinishFlags, LaunchStart
from ...wire.migration import GuestState
from ...wire.report import GuestPolicy, PlatformInfo, SignatureAlgo
from ...wire.status import Status
from .context import NO_AGENT, NO_AGENT_ID, Context
from .processor import Refusal

if TYPE_CHECKING:
    from ...wire.launch import IdKey
    from ...wire.report import Signature
    from .processor import Processor

_KEY = 32
_MA_EN, _IMI_EN = 1, 2
_START_RESERVED = ~(_MA_EN | _IMI_EN)
_FINISH_RESERVED = ~7


def start(fw: Processor, raw: bytes) -> None:
    """SNP_LAUNCH_START: bind a guest to its policy and give it keys. Raises Refusal.

    A policy that is refused leaves the guest marked as one with encrypted state.
    """
    command = LaunchStart.parse(raw)
    flags = int(command.flags)
    if (command.gctx_paddr | command.ma_gctx_paddr) & IN_PAGE or flags & _START_RESERVED:
        raise Refusal(Status.INVALID_PARAM)
    fw.started()
    guest = fw.guest(command.gctx_paddr)
    if guest.state != GuestState.INIT:
        raise Refusal(Status.INVALID_GUEST_STATE)
    agent = fw.guest(command.ma_gctx_paddr) if flags & _MA_EN else None
    guest.es = True
    if not _allowed(fw, command.policy, agent):
        raise Refusal(Status.POLICY_FAILURE)
    guest.policy = int(command.policy)
    guest.agent = command.ma_gctx_paddr if agent else NO_AGENT
    guest.oek = fw.random(_KEY)
    guest.vmpcks = fw.random(_KEY), fw.random(_KEY), fw.random(_KEY), fw.random(_KEY)
    guest.vmrk = fw.random(_KEY)
    guest.report_id = fw.random(_KEY)
    guest.report_id_ma = agent.report_id if agent else NO_AGENT_ID
    guest.imi_en = bool(flags & _IMI_EN)
    guest.gosvw = command.gosvw
    guest.desired_tsc_freq = command.desired_tsc_freq
    fw.chip.guest_count += 1
    guest.state = GuestState.LAUNCH


def _allowed(fw: Processor, policy: GuestPolicy, agent: Context | None) -> bool:
    """Tell whether a launch may have *policy*. All of it is one test to the firmware."""
    newest = fw.chip.running_version[:2]
    return not (
        (agent and (not policy.migrate_ma or agent.agent != NO_AGENT))
        or not policy.reserved_must_be_one
        or (not policy.smt and PlatformInfo(fw.chip.platform_info).smt_en)
        or (policy.abi_major, policy.abi_minor) > newest
        or policy >> fw.profile.policy_bits
        or (agent and policy.single_socket and not GuestPolicy(agent.policy).single_socket)
    )


def finish(fw: Processor, raw: bytes) -> None:
    """SNP_LAUNCH_FINISH: check the ID block, if there is one, and let the guest run.

    An author key that does not hold leaves the ID block in the context of a guest that is still
    being launched. Raises Refusal.
    """
    command = LaunchFinish.parse(raw)
    flags = command.flags
    if command.gctx_paddr & IN_PAGE or int(flags) & _FINISH_RESERVED:
        raise Refusal(Status.INVALID_PARAM)
    fw.started()
    guest = fw.guest(command.gctx_paddr)
    if guest.state != GuestState.LAUNCH or guest.imi_en:
        raise Refusal(Status.INVALID_GUEST_STATE)
    if not (guest.active or guest.pending):
        raise Refusal(Status.INACTIVE)
    if flags.id_block_en:
        block = fw.load(command.id_block_paddr, IdBlock.SIZE)
        auth = fw.load(command.id_auth_paddr, IdAuth.SIZE)
        _identify(guest, block, IdAuth.parse(auth), author=bool(flags.auth_key_en))
    guest.host_data = command.host_data
    _settle(guest, flags)


def _settle(guest: Context, flags: LaunchFinishFlags) -> None:
    guest.id_block_en = bool(flags.id_block_en)
    guest.author_key_en = bool(flags.auth_key_en)
    guest.vcek_dis = bool(flags.vcek_dis)
    if guest.pending:
        guest.pending, guest.active = False, True
    guest.state = GuestState.RUNNING


def _identify(guest: Context, raw: bytes, auth: IdAuth, *, author: bool) -> None:
    """Check an ID block against its guest, then its signatures; keep what holds."""
    block = IdBlock.parse(raw)
    if block.ld != guest.ld:
        raise Refusal(Status.BAD_MEASUREMENT)
    if block.policy != guest.policy:
        raise Refusal(Status.POLICY_FAILURE)
    known = SignatureAlgo.ECDSA_P384_SHA384
    if auth.id_key_algo != known or (author and auth.auth_key_algo != known):
        raise Refusal(Status.INVALID_PARAM)
    _signed("ID key", raw, auth.id_block_sig, auth.id_key)
    guest.id_block = block
    guest.id_key_digest = key_digest(auth.id_key)
    if author:
        _signed("author key", auth.id_key.build(), auth.id_key_sig, auth.author_key)
        guest.author_key_digest = key_digest(auth.author_key)


def _signed(name: str, data: bytes, signature: Signature, key: IdKey) -> None:
    try:
        check_by(name, data, signature, key)
    except SignatureError:
        raise Refusal(Status.BAD_SIGNATURE) from None
