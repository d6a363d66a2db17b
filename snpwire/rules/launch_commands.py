"""What the firmware checks before commands about one guest, and what can be wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import launch_commands as wire
from ..wire.address import PAGE
from ..wire.command import CommandId as Id
from ..wire.message import HEADER_SIZE
from ..wire.rmp import COUNTERS
from ..wire.rmp_words import LAST_ASID
from ..wire.status import Status
from . import launch_checks
from .command_check import (
    GCTX_IN_RMP,
    GUEST,
    LOW,
    NO_ASID,
    NO_GUEST,
    NOT_BEGUN,
    OFF,
    THREE,
    THREE_IN_RMP,
    THREE_LOW,
    length,
    pages,
    problem,
    reachable,
    reserved,
    row,
    rule,
    unreached,
    warning,
    within_page,
)

if TYPE_CHECKING:
    from ..finding import Finding, Findings
    from .command_check import BufferRules, CommandCheck


def asid_counted(value: wire.Activate | wire.ActivateEx) -> Findings:
    """Expect an ASID that has a counter in the RMP."""
    if value.asid >= COUNTERS:
        yield _no_asid(value)


def asid(value: wire.Activate | wire.ActivateEx) -> Findings:
    """Expect an ASID that exists."""
    if value.asid < COUNTERS and not 1 <= value.asid <= LAST_ASID:
        yield _no_asid(value)


def _no_asid(value: wire.Activate | wire.ActivateEx) -> Finding:
    text = f"asid is {value.asid:#x}, Genoa has 1 to {LAST_ASID}"
    return problem(value, "command-asid", "asid", text)


def apic_ids(value: wire.ActivateEx) -> Findings:
    """Expect some APIC ids."""
    if not 1 <= value.numids <= 1024:
        text = f"numids is {value.numids}, it is 1 to 1024"
        yield problem(value, "command-ids", "numids", text)


def response(value: wire.GuestRequest) -> Findings:
    """Expect room for the header of a response; by then the request has had its effect."""
    if value.response_paddr % PAGE + HEADER_SIZE > PAGE:
        text = (
            f"response_paddr is {value.response_paddr:#x}: no answer fits before the page ends,"
            " and what was asked is done all the same"
        )
        yield problem(value, "command-crosses-page", "response_paddr", text)


def missing_address(value: wire.GuestRequest) -> Findings:
    """Warn of an address that was left out."""
    for field in ("request_paddr", "response_paddr"):
        if not getattr(value, field):
            yield warning(value, "command-address", field, f"{field} is 0")
            return


def page_info_length(value: wire.PageInfo) -> Findings:
    """Warn of a PAGE_INFO with another length than its own."""
    if value.length != value.SIZE:
        text = f"length is {value.length:#x}, it has to be {value.SIZE:#x}: no such digest comes up"
        yield warning(value, "page-info-length", "length", text)


ACTIVATION = (
    row(Status.INVALID_ASID, "asid is 2048 or more", asid_counted),
    row(Status.INVALID_CONFIG, "pages are assigned to the ASID"),
)
CHECKS: dict[Id, tuple[CommandCheck, ...]] = {
    Id.SNP_GCTX_CREATE: (
        LOW,
        OFF,
        GCTX_IN_RMP,
        row(Status.INVALID_PAGE_STATE, "the page is not FIRMWARE"),
        row(Status.INVALID_PAGE_SIZE, "the page has 2 MiB"),
        row(Status.INVALID_CONFIG, "the page is not within one region of memory"),
        unreached("the page cannot be reached"),
    ),
    Id.SNP_LAUNCH_START: launch_checks.LAUNCH_START,
    Id.SNP_LAUNCH_UPDATE: launch_checks.LAUNCH_UPDATE,
    Id.SNP_LAUNCH_FINISH: launch_checks.LAUNCH_FINISH,
    Id.SNP_ACTIVATE: (
        *GUEST,
        NOT_BEGUN,
        *ACTIVATION,
        row(Status.POLICY_FAILURE, "the policy has single_socket, and there are several"),
        row(Status.INVALID_ASID, "asid is 0 or above 1006", asid),
        row(Status.ASID_OWNED, "the ASID is in use"),
        row(Status.ACTIVE, "the guest has an ASID"),
        row(Status.DF_FLUSH_REQUIRED, "the ASID is dirty on a core"),
        row(Status.ASID_OWNED, "the ASID is not clean on all cores"),
        row(Status.INVALID_ASID, "the ASID is one of SEV without ES"),
    ),
    Id.SNP_ACTIVATE_EX: (
        row(Status.INVALID_PARAM, "ex_len is not 0x20", length("ex_len")),
        row(
            Status.INVALID_PARAM,
            "one of bits 11:0 of gctx_paddr, or something reserved, is set",
            reserved,
            pages("gctx_paddr"),
        ),
        OFF,
        GCTX_IN_RMP,
        NO_GUEST,
        NOT_BEGUN,
        *ACTIVATION,
        row(Status.INVALID_ASID, "asid is 0 or above 1006", asid),
        row(Status.UNSUPPORTED, "the firmware has no table of APIC ids"),
        row(Status.INVALID_PARAM, "numids is 0 or above 1024", apic_ids),
        unreached("the ids cannot be read"),
        row(None, "there is no such APIC id"),
        row(
            Status.POLICY_FAILURE,
            "single_socket, and the agent is not active, or on another socket",
        ),
        row(Status.POLICY_FAILURE, "single_socket, and the cores are on several"),
        row(Status.DF_FLUSH_REQUIRED, "the ASID is dirty; at the first activation, as the next"),
        row(Status.ASID_OWNED, "the ASID is not clean on all cores"),
        row(Status.ACTIVE, "the guest has another ASID"),
        row(Status.INVALID_ASID, "the ASID is one of SEV without ES"),
    ),
    Id.SNP_DECOMMISSION: (
        *GUEST,
        row(Status.ACTIVE, "the ASID cannot be taken away"),
    ),
    Id.SNP_GUEST_STATUS: (
        LOW,
        row(
            Status.INVALID_PARAM,
            "the status would cross a page",
            within_page("status_paddr", wire.GuestStatus.SIZE),
        ),
        OFF,
        GCTX_IN_RMP,
        NO_GUEST,
        row(Status.INVALID_PARAM, "status_paddr lies in the RMP"),
        row(Status.INVALID_PAGE_STATE, "the page is neither FIRMWARE nor beyond the RMP"),
    ),
    Id.SNP_DBG_DECRYPT: (
        THREE_LOW,
        OFF,
        THREE_IN_RMP,
        NO_GUEST,
        row(Status.INVALID_PAGE_STATE, "the source is no guest's, or the destination not FIRMWARE"),
        row(Status.INVALID_PAGE_OWNER, "the source is another ASID's"),
        row(Status.POLICY_FAILURE, "the policy forbids debugging"),
        NO_ASID,
    ),
    Id.SNP_DBG_ENCRYPT: (
        OFF,
        THREE_LOW,
        THREE_IN_RMP,
        NO_GUEST,
        row(Status.INVALID_PAGE_STATE, "the destination is neither PRE_GUEST nor PRE_SWAP"),
        row(Status.INVALID_PAGE_OWNER, "the destination is another ASID's"),
        row(Status.POLICY_FAILURE, "the policy forbids debugging"),
        NO_ASID,
    ),
    Id.SNP_GUEST_REQUEST: (
        LOW,
        OFF,
        row(Status.INVALID_PARAM, "one of the three addresses lies in the RMP"),
        NO_GUEST,
        row(Status.INVALID_PAGE_STATE, "the page for the response is not FIRMWARE"),
        row(Status.INVALID_PAGE_SIZE, "the page of the request, or for the response, has 2 MiB"),
        row(Status.INVALID_GUEST_STATE, "the guest's launch is not finished"),
        row(
            Status.INVALID_PARAM,
            "the header of the request crosses its page",
            within_page("request_paddr", HEADER_SIZE),
        ),
        row(None, "the message is opened and processed: see decode message"),
    ),
}
REQUEST = (
    *CHECKS[Id.SNP_GUEST_REQUEST],
    row(Status.INVALID_PARAM, "the header of the response would cross its page", response),
)
"""The last is checked once the message has had its effect."""
AT_GCTX = reachable("gctx_paddr")
RULES: dict[type, tuple[BufferRules]] = {
    wire.GctxCreate: rule(CHECKS[Id.SNP_GCTX_CREATE], AT_GCTX),
    wire.Decommission: rule(CHECKS[Id.SNP_DECOMMISSION], AT_GCTX),
    wire.Activate: rule(CHECKS[Id.SNP_ACTIVATE], AT_GCTX),
    wire.ActivatePadded: rule(CHECKS[Id.SNP_ACTIVATE], AT_GCTX),
    wire.ActivateEx: rule(CHECKS[Id.SNP_ACTIVATE_EX], reachable("gctx_paddr", "ids_paddr")),
    wire.GuestStatusCommand: rule(
        CHECKS[Id.SNP_GUEST_STATUS], reachable("gctx_paddr", "status_paddr")
    ),
    wire.LaunchStart: rule(CHECKS[Id.SNP_LAUNCH_START], launch_checks.start_remarks, AT_GCTX),
    wire.LaunchUpdate: rule(
        CHECKS[Id.SNP_LAUNCH_UPDATE],
        launch_checks.permissions,
        reachable("gctx_paddr", "page_paddr"),
    ),
    wire.LaunchFinish: rule(
        CHECKS[Id.SNP_LAUNCH_FINISH],
        launch_checks.id_block,
        reachable("gctx_paddr", "id_block_paddr", "id_auth_paddr"),
    ),
    wire.GuestRequest: rule(
        REQUEST, missing_address, reachable("gctx_paddr", "request_paddr", "response_paddr")
    ),
    wire.Dbg: rule(CHECKS[Id.SNP_DBG_DECRYPT], reachable(*THREE)),
    wire.PageInfo: rule((), page_info_length),
}
