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
from . import command_check as check
from . import launch_checks
from .command_check import invalid, reachable, row, rule, unreached

if TYPE_CHECKING:
    from ..finding import Findings
    from .command_check import BufferRules, CommandCheck


NO_SUCH_ASID = f"asid is {{:#x}}, Genoa has 1 to {LAST_ASID}"
ASID_COUNTED = check.within("asid", range(COUNTERS), "command-asid", NO_SUCH_ASID)
"""An ASID needs a counter in the RMP."""
ASID = check.within("asid", range(1, LAST_ASID + 1), "command-asid", NO_SUCH_ASID)
APIC_IDS = check.within("numids", range(1, 1025), "command-ids", "numids is {}, it is 1 to 1024")
PAGE_INFO_LENGTH = check.length(
    text="length is {found:#x}, it has to be {size:#x}: no such digest comes up",
    code="page-info-length",
    report=check.warning,
)


def asid(value: wire.Activate | wire.ActivateEx) -> Findings:
    """Expect an ASID that exists."""
    if value.asid < COUNTERS:
        yield from ASID(value)


def response(value: wire.GuestRequest) -> Findings:
    """Expect room for the header of a response; by then the request has had its effect."""
    if value.response_paddr % PAGE + HEADER_SIZE > PAGE:
        text = (
            f"response_paddr is {value.response_paddr:#x}: no answer fits before the page ends,"
            " and what was asked is done all the same"
        )
        yield check.problem(value, "command-crosses-page", "response_paddr", text)


def missing_address(value: wire.GuestRequest) -> Findings:
    """Warn of an address that was left out."""
    for field in ("request_paddr", "response_paddr"):
        if not getattr(value, field):
            yield check.warning(value, "command-address", field, f"{field} is 0")
            return


ACTIVATION = (
    row(Status.INVALID_ASID, "asid is 2048 or more", ASID_COUNTED),
    row(Status.INVALID_CONFIG, "pages are assigned to the ASID"),
)
CHECKS: dict[Id, tuple[CommandCheck, ...]] = {
    Id.SNP_GCTX_CREATE: (
        check.LOW,
        check.OFF,
        check.GCTX_IN_RMP,
        row(Status.INVALID_PAGE_STATE, "the page is not FIRMWARE"),
        row(Status.INVALID_PAGE_SIZE, "the page has 2 MiB"),
        row(Status.INVALID_CONFIG, "the page is not within one region of memory"),
        unreached("the page cannot be reached"),
    ),
    Id.SNP_LAUNCH_START: launch_checks.LAUNCH_START,
    Id.SNP_LAUNCH_UPDATE: launch_checks.LAUNCH_UPDATE,
    Id.SNP_LAUNCH_FINISH: launch_checks.LAUNCH_FINISH,
    Id.SNP_ACTIVATE: (
        *check.GUEST,
        check.NOT_BEGUN,
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
        invalid("ex_len is not 0x20", check.length("ex_len")),
        invalid(
            "one of bits 11:0 of gctx_paddr, or something reserved, is set",
            check.reserved,
            check.pages("gctx_paddr"),
        ),
        *check.GCTX,
        check.NOT_BEGUN,
        *ACTIVATION,
        row(Status.INVALID_ASID, "asid is 0 or above 1006", asid),
        row(Status.UNSUPPORTED, "the firmware has no table of APIC ids"),
        invalid("numids is 0 or above 1024", APIC_IDS),
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
        *check.GUEST,
        row(Status.ACTIVE, "the ASID cannot be taken away"),
    ),
    Id.SNP_GUEST_STATUS: (
        check.LOW,
        invalid(
            "the status would cross a page",
            check.within_page("status_paddr", wire.GuestStatus.SIZE),
        ),
        *check.GCTX,
        invalid("status_paddr lies in the RMP"),
        row(Status.INVALID_PAGE_STATE, "the page is neither FIRMWARE nor beyond the RMP"),
    ),
    Id.SNP_DBG_DECRYPT: (
        check.THREE_LOW,
        *check.THREE_PAGES,
        row(Status.INVALID_PAGE_STATE, "the source is no guest's, or the destination not FIRMWARE"),
        row(Status.INVALID_PAGE_OWNER, "the source is another ASID's"),
        row(Status.POLICY_FAILURE, "the policy forbids debugging"),
        check.NO_ASID,
    ),
    Id.SNP_DBG_ENCRYPT: (
        check.OFF,
        check.THREE_LOW,
        check.THREE_IN_RMP,
        check.NO_GUEST,
        row(Status.INVALID_PAGE_STATE, "the destination is neither PRE_GUEST nor PRE_SWAP"),
        row(Status.INVALID_PAGE_OWNER, "the destination is another ASID's"),
        row(Status.POLICY_FAILURE, "the policy forbids debugging"),
        check.NO_ASID,
    ),
    Id.SNP_GUEST_REQUEST: (
        check.LOW,
        check.OFF,
        invalid("one of the three addresses lies in the RMP"),
        check.NO_GUEST,
        row(Status.INVALID_PAGE_STATE, "the page for the response is not FIRMWARE"),
        row(Status.INVALID_PAGE_SIZE, "the page of the request, or for the response, has 2 MiB"),
        row(Status.INVALID_GUEST_STATE, "the guest's launch is not finished"),
        invalid(
            "the header of the request crosses its page",
            check.within_page("request_paddr", HEADER_SIZE),
        ),
        row(None, "the message is opened and processed: see decode message"),
    ),
}
REQUEST = (
    *CHECKS[Id.SNP_GUEST_REQUEST],
    invalid("the header of the response would cross its page", response),
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
    wire.Dbg: rule(CHECKS[Id.SNP_DBG_DECRYPT], reachable(*check.THREE)),
    wire.PageInfo: rule((), PAGE_INFO_LENGTH),
}
