"""What the firmware checks before SNP_LAUNCH_START, _UPDATE and _FINISH."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..finding import Findings, Severity, bit_list
from ..wire.address import LARGE_PAGE
from ..wire.launch_commands import LaunchPageType
from ..wire.rmp_words import VmplMask
from ..wire.status import Status
from . import command_check as check
from .command_check import invalid, row, unreached
from .policy import policy_findings

if TYPE_CHECKING:
    from ..wire.launch_commands import LaunchFinish, LaunchStart, LaunchUpdate
    from .command_check import BufferCheck

FIRST_NEWER = 21
"""The first bit of a policy that ABI 1.55 does not have."""
SMALL_ONLY = (LaunchPageType.VMSA, LaunchPageType.SECRETS, LaunchPageType.CPUID)
SLOW = 10_000
"""Below 10 MHz, a frequency in kHz was likely meant in MHz."""


PAGE_TYPE = check.within(
    "page.page_type", range(1, 7), "command-page-type", "page.page_type is {}, there are 1 to 6"
)


def agent_policy(value: LaunchStart) -> Findings:
    """Expect a policy that allows a migration agent where there is one."""
    if value.flags.has("ma_en") and not value.policy.migrate_ma:
        text = "policy has migrate_ma clear, and flags have ma_en set"
        yield check.problem(value, "command-agent", "policy", text)


def policy(code: str) -> BufferCheck:
    """Expect a policy that does not break the rule *code*."""

    def broken(value: LaunchStart) -> Findings:
        for finding in _policy(value):
            if finding.code == code:
                yield finding._replace(severity=Severity.ERROR)

    return broken


def _policy(value: LaunchStart) -> Findings:
    return policy_findings(value.policy, "policy", value.place("policy"))


def start_remarks(value: LaunchStart) -> Findings:
    """Remark on the policy, an agent that is not used, and a frequency in the wrong unit."""
    yield from (finding for finding in _policy(value) if finding.severity is Severity.NOTE)
    fields = (field for field in value.policy.BITS.values() if field.low >= FIRST_NEWER)
    which = " ".join(field.name for field in fields if field.value(value.policy))
    if which:
        text = f"policy asks for {which}: newer firmware has it, 1.55.25 answers POLICY_FAILURE"
        yield check.warning(value, "command-newer", "policy", text)
    if value.ma_gctx_paddr and not value.flags.has("ma_en"):
        text = f"ma_gctx_paddr is {value.ma_gctx_paddr:#x}, and ma_en is clear: not looked at"
        yield check.note(value, "command-agent", "ma_gctx_paddr", text)
    if 0 < value.desired_tsc_freq < SLOW:
        text = f"desired_tsc_freq is {value.desired_tsc_freq} kHz: were MHz meant?"
        yield check.warning(value, "command-tsc", "desired_tsc_freq", text)


def page_alignment(value: LaunchUpdate) -> Findings:
    """Expect a 2 MiB page to be aligned."""
    if value.page.page_size and value.page_paddr % LARGE_PAGE:
        text = f"page_paddr is {value.page_paddr:#x}, no multiple of 2 MiB, and page_size is 2 MiB"
        yield check.problem(value, "command-alignment", "page_paddr", text)


def page_size(value: LaunchUpdate) -> Findings:
    """Expect 4 KiB for the types that have one page."""
    kind = LaunchPageType(value.page.page_type)
    if value.page.page_size and kind in SMALL_ONLY:
        text = f"page.page_type is {kind.name}, which has 4 KiB, and page_size is 2 MiB"
        yield check.problem(value, "command-page-size", "page", text)


def permissions(value: LaunchUpdate) -> Findings:
    """Remark on VMPL permissions that mean nothing, or fault at once."""
    for level in (1, 2, 3):
        mask = VmplMask(getattr(value.perms, f"vmpl{level}_perms"))
        if mask.unknown:
            which = bit_list(mask.unknown)
            text = f"perms of VMPL {level} have {which}, which means nothing; the firmware takes it"
            yield check.warning(value, "command-rights", "perms", text)
        if mask.has("write") and not mask.has("read"):
            text = f"perms of VMPL {level} have write without read: the first access faults"
            yield check.warning(value, "command-rights", "perms", text)


def id_block(value: LaunchFinish) -> Findings:
    """Remark on an ID key without its block, and on addresses that are missing or not read."""
    flags = value.flags
    if flags.has("auth_key_en") and not flags.has("id_block_en"):
        text = "auth_key_en is set in flags without id_block_en: recorded, and nothing is verified"
        yield check.note(value, "command-id-block", "flags", text)
    for field in ("id_block_paddr", "id_auth_paddr"):
        place = getattr(value, field)
        if place and not flags.has("id_block_en"):
            text = f"{field} is {place:#x}, and id_block_en is clear: nobody reads it"
            yield check.note(value, "command-id-block", field, text)
        elif not place and flags.has("id_block_en"):
            text = f"{field} is 0, and id_block_en is set"
            yield check.warning(value, "command-id-block", field, text)


LAUNCH_START = (
    invalid(
        "one of bits 11:0 of either address, or a reserved bit, is set",
        check.pages("gctx_paddr"),
        check.reserved,
        check.pages("ma_gctx_paddr"),
    ),
    *check.GCTX,
    row(Status.INVALID_GUEST_STATE, "a launch has begun"),
    row(Status.INVALID_GUEST, "ma_en, and the page at ma_gctx_paddr is no CONTEXT"),
    row(Status.POLICY_FAILURE, "ma_en, and the policy allows no migration agent", agent_policy),
    row(Status.POLICY_FAILURE, "the agent has an agent itself"),
    row(Status.POLICY_FAILURE, "bit 17 of the policy is clear", policy("policy-bit-17")),
    row(Status.POLICY_FAILURE, "the policy forbids SMT, which is on"),
    row(Status.POLICY_FAILURE, "the policy asks for a newer ABI"),
    row(
        Status.POLICY_FAILURE,
        "one of bits 63:21 of the policy is set",
        policy("policy-unknown-bits"),
    ),
    row(Status.POLICY_FAILURE, "the policy has single_socket, and its agent's has not"),
)
LAUNCH_UPDATE = (
    invalid(
        "one of bits 11:0 of either address, or a reserved field, is set",
        check.pages("gctx_paddr", "page_paddr"),
        check.reserved,
    ),
    *check.GCTX,
    invalid("page_paddr lies in the RMP"),
    row(Status.INVALID_PAGE_STATE, "the page is not PRE_GUEST"),
    row(Status.INVALID_PAGE_SIZE, "the RMP has the page at another size"),
    row(Status.INVALID_ADDRESS, "a 2 MiB page is not aligned", page_alignment),
    row(Status.INVALID_PAGE_SIZE, "VMSA, SECRETS or CPUID, and 2 MiB", page_size),
    invalid("page_type is 0 or 7", PAGE_TYPE),
    row(Status.INVALID_GUEST_STATE, "the guest is not being launched"),
    check.NO_ASID,
    row(Status.INVALID_PAGE_OWNER, "the page is another ASID's"),
    invalid("a migration image is launched, and imi_page is clear"),
    invalid("CPUID page: something reserved is set, or count is above 64"),
    invalid("CPUID page: a value is refused, and corrected in place"),
)
LAUNCH_FINISH = (
    invalid(
        "one of bits 11:0 of gctx_paddr, or a reserved bit, is set",
        check.pages("gctx_paddr"),
        check.reserved,
    ),
    *check.GCTX,
    row(Status.INVALID_GUEST_STATE, "the guest is not being launched, or is a migration image"),
    check.NO_ASID,
    unreached("ID block or authentication cannot be read; with id_block_en, as all that follow"),
    row(Status.BAD_MEASUREMENT, "the digest is not that of the launch"),
    row(Status.POLICY_FAILURE, "the policy is not that of the launch"),
    invalid("an algorithm is not 1"),
    row(Status.BAD_SIGNATURE, "the ID key is on another curve, or on none"),
    row(Status.BAD_SIGNATURE, "the signature over the ID block does not verify"),
    row(Status.BAD_SIGNATURE, "auth_key_en, and the author key is on another curve, or on none"),
    row(Status.BAD_SIGNATURE, "auth_key_en, and the signature over the ID key does not verify"),
)
