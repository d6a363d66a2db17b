"""Checks of the buffers of commands about one guest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..finding import Severity, bit_list
from ..wire import launch_commands
from ..wire.address import LARGE_PAGE, PAGE
from ..wire.launch_commands import LaunchPageType
from ..wire.rmp_words import LAST_ASID, VmplMask
from ..wire.status import Status
from .policy import policy_findings
from .verdict import (
    Verdict,
    clear,
    length,
    note,
    pages,
    reachable,
    refuse,
    rules_of,
    warning,
    within_page,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire.launch_commands import (
        Activate,
        ActivateEx,
        GuestRequest,
        LaunchFinish,
        LaunchStart,
        LaunchUpdate,
    )
    from .verdict import Check

"""The last ASID of Genoa."""
MESSAGE_HEADER = 0x60
FIRST_NEWER = 21
"""The first bit of a policy that ABI 1.55 does not have."""
SMALL_ALONE = (LaunchPageType.VMSA, LaunchPageType.SECRETS, LaunchPageType.CPUID)
SLOW = 10_000
"""Below 10 MHz, a frequency in kHz was likely meant in MHz."""


def start(value: LaunchStart) -> Iterator[Verdict]:
    """Expect a policy that the firmware takes, and one that allows an agent where there is one."""
    flags, policy = value.flags, value.policy
    if flags.has("ma_en") and not policy.migrate_ma:
        text = "policy has migrate_ma clear, and flags have ma_en set"
        yield refuse(value, "command-agent", "policy", text, Status.POLICY_FAILURE)
    yield from _policy(value)
    if value.ma_gctx_paddr and not flags.has("ma_en"):
        text = f"ma_gctx_paddr is {value.ma_gctx_paddr:#x}, and ma_en is clear: not looked at"
        yield note(value, "command-agent", "ma_gctx_paddr", text)
    if 0 < value.desired_tsc_freq < SLOW:
        text = f"desired_tsc_freq is {value.desired_tsc_freq} kHz: were MHz meant?"
        yield warning(value, "command-tsc", "desired_tsc_freq", text)


def _policy(value: LaunchStart) -> Iterator[Verdict]:
    """Judge the policy, and say what the firmware answers."""
    status = Status.POLICY_FAILURE
    for found in policy_findings(value.policy, "policy", 0x08):
        if found.severity is Severity.NOTE:
            yield Verdict(found)
        else:
            text = f"{found.text}; the firmware answers {status.name}"
            yield Verdict(found._replace(text=text, severity=Severity.ERROR), status)
    fields = (field for field in value.policy.BITS.values() if field.low >= FIRST_NEWER)
    which = " ".join(field.name for field in fields if field.value(value.policy))
    if which:
        text = f"policy asks for {which}: newer firmware has it, 1.55.25 answers {status.name}"
        yield warning(value, "command-newer", "policy", text)


def update(value: LaunchUpdate) -> Iterator[Verdict]:
    """Expect a page that is aligned, of a type that is known (LAUNCH_UPDATE, checks 8 to 10)."""
    page, kind = value.page, LaunchPageType(value.page.page_type)
    if page.page_size and value.page_paddr % LARGE_PAGE:
        text = f"page_paddr is {value.page_paddr:#x}, no multiple of 2 MiB, and page_size is 2 MiB"
        yield refuse(value, "command-alignment", "page_paddr", text, Status.INVALID_ADDRESS)
    if page.page_size and kind in SMALL_ALONE:
        text = f"page.page_type is {kind.name}, which has 4 KiB, and page_size is 2 MiB"
        yield refuse(value, "command-page-size", "page", text, Status.INVALID_PAGE_SIZE)
    if kind is LaunchPageType.RESERVED or not kind.known:
        text = f"page.page_type is {int(kind)}, there are 1 to 6"
        yield refuse(value, "command-page-type", "page", text)
    for level in (1, 2, 3):
        yield from _rights(value, level)


def _rights(value: LaunchUpdate, level: int) -> Iterator[Verdict]:
    mask = VmplMask(getattr(value.perms, f"vmpl{level}_perms"))
    if mask.unknown:
        which = bit_list(mask.unknown)
        text = f"perms of VMPL {level} have {which}, which means nothing; the firmware takes it"
        yield warning(value, "command-rights", "perms", text)
    if mask.has("write") and not mask.has("read"):
        text = f"perms of VMPL {level} have write without read: the first access faults"
        yield warning(value, "command-rights", "perms", text)


def finish(value: LaunchFinish) -> Iterator[Verdict]:
    """Expect an ID block where there is its key, and addresses where they are read."""
    flags = value.flags
    if flags.has("auth_key_en") and not flags.has("id_block_en"):
        text = "auth_key_en is set in flags without id_block_en: recorded, and nothing is verified"
        yield note(value, "command-id-block", "flags", text)
    for field in ("id_block_paddr", "id_auth_paddr"):
        place = getattr(value, field)
        if place and not flags.has("id_block_en"):
            text = f"{field} is {place:#x}, and id_block_en is clear: nobody reads it"
            yield note(value, "command-id-block", field, text)
        elif not place and flags.has("id_block_en"):
            text = f"{field} is 0, and id_block_en is set"
            yield warning(value, "command-id-block", field, text)


def asid(value: Activate | ActivateEx) -> Iterator[Verdict]:
    """Expect an ASID that there is (ACTIVATE, checks 6 and 9)."""
    if not 1 <= value.asid <= LAST_ASID:
        text = f"asid is {value.asid:#x}, Genoa has 1 to {LAST_ASID}"
        yield refuse(value, "command-asid", "asid", text, Status.INVALID_ASID)


def ids(value: ActivateEx) -> Iterator[Verdict]:
    """Expect some APIC ids (ACTIVATE_EX, check 11)."""
    if not 1 <= value.numids <= 1024:
        text = f"numids is {value.numids}, it is 1 to 1024"
        yield refuse(value, "command-ids", "numids", text)


def response(value: GuestRequest) -> Iterator[Verdict]:
    """Expect room for the header of an answer; by then the request has had its effect."""
    if value.response_paddr % PAGE + MESSAGE_HEADER > PAGE:
        text = (
            f"response_paddr is {value.response_paddr:#x}: no answer fits before the page ends,"
            " and what was asked is done all the same"
        )
        yield refuse(value, "command-crosses-page", "response_paddr", text)
    if not value.response_paddr or not value.request_paddr:
        field = "request_paddr" if not value.request_paddr else "response_paddr"
        yield warning(value, "command-address", field, f"{field} is 0")


GCTX = pages("gctx_paddr")
AT_GCTX = reachable("gctx_paddr")


def measured(value: Any) -> Iterator[Verdict]:
    """Expect a PAGE_INFO to tell its length."""
    if value.length != value.SIZE:
        text = f"length is {value.length:#x}, it has to be {value.SIZE:#x}: no such digest comes up"
        yield warning(value, "page-info-length", "length", text)


CHECKS: dict[str, tuple[Check, ...]] = {
    "GctxCreate": (GCTX, AT_GCTX),
    "Decommission": (GCTX, AT_GCTX),
    "Activate": (GCTX, asid, AT_GCTX),
    "ActivatePadded": (GCTX, asid, AT_GCTX),
    "ActivateEx": (
        length("ex_len", 0x20),
        clear,
        GCTX,
        asid,
        ids,
        reachable("gctx_paddr", "ids_paddr"),
    ),
    "GuestStatusCommand": (
        GCTX,
        within_page("status_paddr", 0x20),
        reachable("gctx_paddr", "status_paddr"),
    ),
    "LaunchStart": (GCTX, clear, pages("ma_gctx_paddr"), start, AT_GCTX),
    "LaunchUpdate": (
        pages("gctx_paddr", "page_paddr"),
        clear,
        update,
        reachable("gctx_paddr", "page_paddr"),
    ),
    "LaunchFinish": (
        GCTX,
        clear,
        finish,
        reachable("gctx_paddr", "id_block_paddr", "id_auth_paddr"),
    ),
    "GuestRequest": (
        GCTX,
        within_page("request_paddr", MESSAGE_HEADER),
        response,
        reachable("gctx_paddr", "request_paddr", "response_paddr"),
    ),
    "Dbg": (
        pages("gctx_paddr", "src_paddr", "dst_paddr"),
        reachable("gctx_paddr", "src_paddr", "dst_paddr"),
    ),
    "PageInfo": (measured,),
}
RULES = rules_of(launch_commands, CHECKS)
