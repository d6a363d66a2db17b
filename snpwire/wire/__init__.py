"""Declarations of everything on the wire, and the table of the kinds a person can name.

The command line, the tests and the documentation are driven by ``RECORDS``. A row names a chapter,
the module here whose ``KINDS`` has the class, so that one decode imports one chapter.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from ..bits import nearest
from ..errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..bits import OpenEnum
    from ..block import Block
    from ..layout import Record

__all__ = [
    "CERTIFICATES",
    "COMMAND",
    "RECORDS",
    "Kind",
    "buffer_kind",
    "chapter_of",
    "enumerations",
    "kind",
    "name_of",
    "payload_type",
]

COMMAND = "command"
"""What stands for a kind where the number of a firmware command chooses it."""
CERTIFICATES = frozenset(
    {"cert", "certificate", "vcek", "vlek", "ask", "asvk", "ark", "crl", "pem", "cert-chain"}
)
"""What a person may call certificates and revocation lists, which are ASN.1 and no record."""


class Kind(NamedTuple):
    """A structure by the name a person calls it."""

    name: str
    chapter: str
    """The module of ``snpwire.wire`` whose ``KINDS`` has the class."""
    title: str

    @property
    def type(self) -> type[Record] | type[Block]:
        """Return the class, importing its module."""
        chapter: dict[str, type[Record] | type[Block]]
        chapter = import_module(f".{self.chapter}", __name__).KINDS
        return chapter[self.name]


RECORDS: dict[str, Kind] = {
    name: Kind(name, chapter, title)
    for name, chapter, title in (
        ("ghcb", "ghcb", "GHCB page"),
        ("ghcb-hyperv", "ghcb", "GHCB page of a Hyper-V hypercall (usage 1)"),
        ("msr", "msr", "GHCB MSR value, eight bytes"),
        ("psc", "psc", "page state change buffer: header and entries"),
        ("certs", "certs", "certificate table of an extended guest request"),
        ("hv", "doorbell", "#HV doorbell page"),
        ("hv-ext-int", "doorbell", "#HV descriptor of one VMPL"),
        ("apic-ids", "apic", "APIC ID list"),
        ("ap-jump-table", "boot", "AP jump table"),
        ("cc-blob", "boot", "confidential computing blob"),
        ("tio-blob", "certs", "SEV-TIO blob table entry"),
        ("svsm-caa", "svsm", "SVSM calling area"),
        ("svsm-pvalidate", "svsm", "SVSM PVALIDATE request"),
        ("svsm-attest", "svsm", "SVSM attestation request, all services"),
        ("svsm-attest-single", "svsm", "SVSM attestation request, one service"),
        ("svsm-manifest", "svsm", "SVSM services manifest"),
        ("svsm-vtpm-req", "svsm", "SVSM vTPM command"),
        ("svsm-vtpm-rsp", "svsm", "SVSM vTPM response"),
        ("message", "message", "guest message: header and sealed payload"),
        ("report", "report", "attestation report"),
        ("hcl", "hcl", "report and runtime claims of a guest on Hyper-V (HCL blob)"),
        ("secrets", "secrets", "secrets page"),
        ("cpuid", "cpuid", "CPUID page"),
        ("vmsa", "vmsa", "save area of a virtual processor"),
        ("idblock", "launch", "ID block"),
        ("idauth", "launch", "ID authentication page"),
        ("cpuid-req", "cpuid", "guest message payload: CPUID request"),
        ("cpuid-rsp", "cpuid", "guest message payload: CPUID response"),
        ("key-req", "key", "guest message payload: key request"),
        ("key-req-v2", "key", "guest message payload: key request, version 2"),
        ("key-rsp", "key", "guest message payload: key response"),
        ("report-req", "report", "guest message payload: report request"),
        ("report-rsp", "report", "guest message payload: report response"),
        ("export-req", "migration", "guest message payload: export request"),
        ("export-rsp", "migration", "guest message payload: export response"),
        ("import-req", "migration", "guest message payload: import request"),
        ("absorb-req", "migration", "guest message payload: absorb request"),
        (
            "absorb-noma-req",
            "migration",
            "guest message payload: absorb request without a migration agent",
        ),
        ("vmrk-req", "migration", "guest message payload: VM root key request"),
        (
            "status-rsp",
            "migration",
            "guest message payload: response to import, absorb and VM root key",
        ),
        ("tsc-req", "tsc", "guest message payload: TSC request"),
        ("tsc-rsp", "tsc", "guest message payload: TSC response"),
        ("guest-context", "migration", "guest context, as exported"),
        ("cmd-ring-buffer", "mailbox", "command buffer: RING_BUFFER"),
        ("cmd-ring-command", "mailbox", "command in a ring"),
        ("cmd-ring-status", "mailbox", "status of a command in a ring"),
        ("cmd-init-ex", "platform", "command buffer: SNP_INIT_EX"),
        ("cmd-shutdown-ex", "platform", "command buffer: SNP_SHUTDOWN_EX"),
        ("cmd-platform-status", "platform", "command buffer: SNP_PLATFORM_STATUS"),
        ("platform-status", "platform", "response of SNP_PLATFORM_STATUS"),
        ("cmd-config", "platform", "command buffer: SNP_CONFIG"),
        ("cmd-commit", "platform", "command buffer: SNP_COMMIT"),
        ("range-list", "platform", "ranges of pages that are to be HV_FIXED"),
        ("sev-platform-status", "platform", "command buffer and response: PLATFORM_STATUS of SEV"),
        ("cmd-download-ex", "firmware", "command buffer: firmware update"),
        ("cmd-vlek-load", "firmware", "command buffer: SNP_VLEK_LOAD"),
        ("vlek-wrapped", "firmware", "wrapped VLEK"),
        ("cmd-feature-info", "firmware", "command buffer: SNP_FEATURE_INFO"),
        ("feature-info", "firmware", "response of SNP_FEATURE_INFO"),
        ("cmd-mitigation", "firmware", "command buffer: SNP_VERIFY_MITIGATION"),
        ("mitigation-status", "firmware", "response of SNP_VERIFY_MITIGATION"),
        ("cmd-hv-report", "firmware", "command buffer: SNP_HV_REPORT_REQ"),
        ("cmd-gctx-create", "launch_commands", "command buffer: SNP_GCTX_CREATE"),
        ("cmd-decommission", "launch_commands", "command buffer: SNP_DECOMMISSION"),
        ("cmd-activate", "launch_commands", "command buffer: SNP_ACTIVATE"),
        (
            "cmd-activate-padded",
            "launch_commands",
            "command buffer: SNP_ACTIVATE, as AMD-ASPFW reads it",
        ),
        ("cmd-activate-ex", "launch_commands", "command buffer: SNP_ACTIVATE_EX"),
        ("cmd-guest-status", "launch_commands", "command buffer: SNP_GUEST_STATUS"),
        ("guest-status", "launch_commands", "response of SNP_GUEST_STATUS"),
        ("cmd-launch-start", "launch_commands", "command buffer: SNP_LAUNCH_START"),
        ("cmd-launch-update", "launch_commands", "command buffer: SNP_LAUNCH_UPDATE"),
        ("cmd-launch-finish", "launch_commands", "command buffer: SNP_LAUNCH_FINISH"),
        ("cmd-guest-request", "launch_commands", "command buffer: SNP_GUEST_REQUEST"),
        ("cmd-dbg", "launch_commands", "command buffer: SNP_DBG_DECRYPT, SNP_DBG_ENCRYPT"),
        ("page-info", "launch_commands", "what is hashed for a page of a launch"),
        ("cmd-page-swap-out", "page_commands", "command buffer: SNP_PAGE_SWAP_OUT"),
        ("cmd-page-swap-in", "page_commands", "command buffer: SNP_PAGE_SWAP_IN"),
        ("cmd-page-move", "page_commands", "command buffer: SNP_PAGE_MOVE"),
        ("cmd-page-md-init", "page_commands", "command buffer: SNP_PAGE_MD_INIT"),
        ("cmd-page-set-state", "page_commands", "command buffer: SNP_PAGE_SET_STATE"),
        ("cmd-page-reclaim", "page_commands", "command buffer: SNP_PAGE_RECLAIM"),
        ("cmd-page-unsmash", "page_commands", "command buffer: SNP_PAGE_UNSMASH"),
        ("metadata-entry", "migration", "what is kept of a page swapped out"),
        ("cmd-sev-init", "sev_commands", "command buffer: INIT of SEV"),
        ("cmd-sev-init-ex", "sev_commands", "command buffer: INIT_EX of SEV"),
        ("cmd-sev-pek-csr", "sev_commands", "command buffer: PEK_CSR of SEV"),
        ("cmd-sev-pek-cert-import", "sev_commands", "command buffer: PEK_CERT_IMPORT of SEV"),
        ("cmd-sev-pdh-cert-export", "sev_commands", "command buffer: PDH_CERT_EXPORT of SEV"),
        ("cmd-sev-download", "sev_commands", "command buffer: DOWNLOAD_FIRMWARE of SEV"),
        ("cmd-sev-get-id", "sev_commands", "command buffer: GET_ID of SEV"),
        ("cmd-sev-handle", "sev_commands", "command buffer: a guest of SEV and no more"),
        ("cmd-sev-activate", "sev_commands", "command buffer: ACTIVATE of SEV"),
        ("cmd-sev-activate-ex", "sev_commands", "command buffer: ACTIVATE_EX of SEV"),
        (
            "cmd-sev-guest-status",
            "sev_commands",
            "command buffer and response: GUEST_STATUS of SEV",
        ),
        ("cmd-sev-copy", "sev_commands", "command buffer: COPY of SEV"),
        ("cmd-sev-launch-start", "sev_commands", "command buffer: LAUNCH_START of SEV"),
        (
            "cmd-sev-launch-update",
            "sev_commands",
            "command buffer: LAUNCH_UPDATE_DATA, _VMSA of SEV",
        ),
        ("cmd-sev-launch-measure", "sev_commands", "command buffer: LAUNCH_MEASURE of SEV"),
        ("cmd-sev-transport", "sev_commands", "command buffer: a packet of SEV"),
        ("cmd-sev-attestation", "sev_commands", "command buffer: ATTESTATION of SEV"),
        ("sev-report", "sev_commands", "response of ATTESTATION of SEV"),
        ("cmd-sev-send-start", "sev_commands", "command buffer: SEND_START of SEV"),
        ("cmd-sev-receive-start", "sev_commands", "command buffer: RECEIVE_START of SEV"),
        ("cmd-sev-dbg", "sev_commands", "command buffer: DBG_DECRYPT, DBG_ENCRYPT of SEV"),
        ("cmd-sev-swap-out", "sev_commands", "command buffer: SWAP_OUT of SEV"),
        ("cmd-sev-swap-in", "sev_commands", "command buffer: SWAP_IN of SEV"),
        ("sev-swap-mdata", "sev_commands", "what is kept of a page swapped out, of SEV"),
        ("rmp", "rmp", "entry of the reverse map table, as in memory"),
        ("rmpread", "rmp", "entry of the reverse map table, as RMPREAD writes it"),
        ("rmpupdate", "rmp", "operand of RMPUPDATE"),
        ("rst", "rmp", "segment table of the reverse map table"),
        ("vmpl-masks", "rmp", "rights of the four privilege levels"),
    )
}


def kind(name: str) -> Kind:
    """Return the kind called *name*. Raises UsageError, with the nearest one, if there is none."""
    try:
        return RECORDS[name]
    except KeyError:
        if name == COMMAND:
            hint = "decode, encode and diff take it with --id; each buffer is a kind, cmd-..., too"
            raise UsageError("a command is of many kinds", help=hint) from None
        if name in CERTIFICATES:
            raise UsageError(
                f"a {name} is ASN.1, not a record: it has no layout here and is not encoded",
                help="decode, diff and explain kds read it",
            ) from None
        some = " ".join(list(RECORDS)[:20])
        hint = nearest(name, RECORDS) or f"kinds are: {some} and more; decode --help has all"
        raise UsageError(f"there is no kind {name!r}", help=hint) from None


def chapter_of(value: object) -> str:
    """Return the chapter that declares the class of a value; empty for a class of elsewhere."""
    from ..fragment import type_of  # which imports construct, as help has no need to

    package, _, chapter = type_of(value).__module__.rpartition(".")
    return chapter if package == __name__ else ""


def name_of(value: Record | Block) -> str:
    """Return the name of the kind that a value is of; empty if it is of none."""
    kinds = (row for row in RECORDS.values() if row.chapter == chapter_of(value))
    return next((row.name for row in kinds if row.type is type(value)), "")


def buffer_kind(command_id: int, size: int | None = None) -> Kind | None:
    """Return the kind of a command's buffer; None where it has none, or none is declared.

    *command_id* is any number, as a log or a register has it. The buffer is what the firmware reads
    when the command begins; where ``COMMANDS[...].direction`` is not ``in``, the same bytes hold
    the response afterwards, so that dumps before and after it are of one kind. *size* chooses among
    several layouts, the first of which is Linux's and the default; whether the bytes fit is for the
    caller to check (``kind.type.fits``).
    """
    from .command_table import COMMANDS, OTHER_LAYOUTS, CommandId

    number = CommandId(command_id)
    command = COMMANDS.get(number)
    if command is None or not command.buffer:
        return None
    kinds = [RECORDS[name] for name in (command.buffer, *OTHER_LAYOUTS.get(number, ()))]
    return next((kind for kind in kinds if size is not None and kind.type.fits(size)), kinds[0])


def payload_type(msg_type: int, msg_version: int = 1) -> type[Record] | type[Block] | None:
    """Return the class of a payload; None for a type or a version that is not known.

    A response has one layout in all versions.
    """
    from .message import payload_kind

    name = payload_kind(msg_type, msg_version)
    return kind(name).type if name else None


def enumerations() -> Iterator[type[OpenEnum]]:
    """Return every enumeration of every chapter, importing them all."""
    from pkgutil import iter_modules

    from ..bits import OpenEnum

    for chapter in iter_modules(__path__):
        module = import_module(f".{chapter.name}", __name__)
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, OpenEnum)
                and value.__module__ == module.__name__
            ):
                yield value
