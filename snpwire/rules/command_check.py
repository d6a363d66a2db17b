"""The checks that the firmware makes of a command, each a row: its status, its text, its functions.

The rows of a command are in the firmware's order. Those with functions are decided by the bytes of
the buffer alone; the others by the platform, a page or the guest. So the first row that a buffer
fails is what the driver gets to see, unless one without functions comes before it. What else is
worth knowing about a buffer is a remark, and has no status.

Source: AMD-ASPFW (Genoa, ABI 1.55.25, sev_mcmd.c), whose code was read; newer firmware checks more.
Where a document disagrees, this is what the code does.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from ..finding import Finding, Findings, Severity, as_far
from ..wire.address import ASEG, C_BIT, MAX_ADDRESS, PAGE
from ..wire.status import Status
from . import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..context import Context

    BufferCheck = Callable[[Any], Findings]
    Report = Callable[[Any, str, str, str], Finding]

SOURCE = "AMD-ASPFW sev_mcmd.c"
REFUSES = "answers INVALID_PARAM"


class FailedCheck(NamedTuple):
    """A finding, and the status that the firmware returns for it."""

    finding: Finding
    status: Status


class CommandCheck(NamedTuple):
    """One check of the firmware. SUCCESS ends the command early."""

    text: str
    statuses: tuple[Status, ...]
    """The status, or one of several; none where another part of the firmware chooses it."""
    functions: tuple[BufferCheck, ...] = ()
    """They find what fails the check; none where the buffer's bytes do not decide it."""

    def failures(self, value: Any) -> Iterator[FailedCheck]:
        """Yield what in a buffer fails the check."""
        for function in self.functions:
            for finding in function(value):
                status = self.statuses[0]
                text = f"{finding.text}; the firmware answers {status.name}"
                yield FailedCheck(finding._replace(text=text), status)


def row(status: Status | None, text: str, *functions: BufferCheck) -> CommandCheck:
    """Return a check with one status, or with that of another part of the firmware."""
    return CommandCheck(text, () if status is None else (status,), functions)


def invalid(text: str, *functions: BufferCheck) -> CommandCheck:
    """Return a check whose status is INVALID_PARAM."""
    return row(Status.INVALID_PARAM, text, *functions)


def unreached(text: str) -> CommandCheck:
    """Return a check of memory that the firmware has to reach."""
    return CommandCheck(text, (Status.INVALID_ADDRESS, Status.INVALID_CONFIG))


class BufferRules(NamedTuple):
    """The rule of a buffer: the checks of its command, and remarks."""

    checks: tuple[CommandCheck, ...]
    remarks: tuple[BufferCheck, ...] = ()

    def failures(self, value: Any) -> Iterator[FailedCheck]:
        """Yield what the firmware refuses in a buffer, in its order."""
        for check in self.checks:
            yield from check.failures(value)

    def __call__(self, value: Any, context: Context) -> Findings:
        """Yield what is wrong with a buffer."""
        for check in self.checks:
            yield from (failed.finding for failed in as_far(check.failures, value))
        for remark in self.remarks:
            yield from as_far(remark, value)


def rule(checks: tuple[CommandCheck, ...], *remarks: BufferCheck) -> tuple[BufferRules]:
    """Return the only rule of a buffer."""
    return (BufferRules(checks, remarks),)


def problem(value: Any, code: str, field: str, text: str) -> Finding:
    """Return the finding on what the firmware refuses."""
    return _finding(value, Severity.ERROR, code, field, text)


def note(value: Any, code: str, field: str, text: str) -> Finding:
    """Return a finding worth knowing."""
    return _finding(value, Severity.NOTE, code, field, text)


def warning(value: Any, code: str, field: str, text: str) -> Finding:
    """Return the finding on a likely mistake, or on what some firmware refuses."""
    return _finding(value, Severity.WARNING, code, field, text)


def _finding(value: Any, severity: Severity, code: str, field: str, text: str) -> Finding:
    """Return a finding at a field, or at the word that a dotted name is part of."""
    word = getattr(value, "HEAD", value).tile(field.partition(".")[0])
    return Finding(code, severity, field, word.offset if word else 0, text, SOURCE)


def length(
    field: str = "length",
    text: str = "{field} is {found:#x}, it has to be {size:#x}",
    code: str = "command-length",
    report: Report = problem,
) -> BufferCheck:
    """Expect the buffer's own length in *field*; *text* says what a wrong one is."""

    def check(value: Any) -> Findings:
        found, size = getattr(value, field), value.SIZE
        if found != size:
            yield report(value, code, field, text.format(field=field, found=found, size=size))

    return check


PATCHED_LENGTH = length(text="length is {found:#x}, the patches give {size:#x}", report=warning)
"""No firmware is known that checks it."""


def within(
    path: str, numbers: range, code: str, text: str, report: Report = problem
) -> BufferCheck:
    """Expect one of *numbers* at *path*, a field or a part of one; *text* has the wrong one."""
    number_of, field = attrgetter(path), path.partition(".")[0]

    def check(value: Any) -> Findings:
        number = int(number_of(value))
        if number not in numbers:
            yield report(value, code, field, text.format(number))

    return check


def together(flag: str, needed: str, code: str) -> BufferCheck:
    """Expect one of the flags only with another."""

    def check(value: Any) -> Findings:
        if value.flags.has(flag) and not value.flags.has(needed):
            yield problem(value, code, "flags", f"{flag} is set in flags without {needed}")

    return check


def reserved(value: Any) -> Findings:
    """Expect zero in every byte and bit that nothing defines, except in a policy."""
    for leaf in value.leaves():
        if leaf.gap and any(leaf.value):
            finding = record.reserved_run(leaf, SOURCE)
            text = f"{leaf.path}: {finding.text}"
            yield finding._replace(code="command-reserved", severity=Severity.ERROR, text=text)
    for finding in record.unknown(value):
        if finding.code == "unknown-bits" and finding.path != "policy":
            text = f"{finding.path}: {finding.text}"
            yield Finding(
                "command-bits", Severity.ERROR, finding.path, finding.offset, text, SOURCE
            )


def pages(*fields: str) -> BufferCheck:
    """Expect addresses of pages."""
    return aligned(PAGE, *fields)


def aligned(unit: int, *fields: str) -> BufferCheck:
    """Expect addresses that are multiples of *unit*."""

    def check(value: Any) -> Findings:
        for field in fields:
            address = getattr(value, field)
            if address % unit:
                text = f"{field} is {address:#x}, no multiple of {unit:#x}"
                yield problem(value, "command-alignment", field, text)

    return check


def within_page(field: str, size: int) -> BufferCheck:
    """Expect *size* bytes at an address not to cross into the next page."""

    def check(value: Any) -> Findings:
        address = getattr(value, field)
        if address % PAGE + size > PAGE:
            text = f"{field} is {address:#x}: {size:#x} bytes there cross a page"
            yield problem(value, "command-crosses-page", field, text)

    return check


def newer(field: str, *names: str) -> BufferCheck:
    """Warn of bits that newer firmware accepts and AMD-ASPFW 1.55.25 does not."""

    def check(value: Any) -> Findings:
        word = getattr(value, field)
        for name in names:
            if word.has(name):
                text = f"{name} is set in {field}: newer firmware takes it, 1.55.25 {REFUSES}"
                yield warning(value, "command-newer", field, text)

    return check


def reachable(*fields: str) -> BufferCheck:
    """Warn of addresses at which the firmware finds no memory, whatever the page is."""

    def check(value: Any) -> Findings:
        for field in fields:
            address = getattr(value, field) & ~C_BIT
            if address >= MAX_ADDRESS:
                text = f"{field} is {address:#x}, above all memory that the firmware reaches"
                yield warning(value, "command-address", field, text)
            elif address in ASEG:
                text = f"{field} is {address:#x}, in the memory of system management"
                yield warning(value, "command-address", field, text)

    return check


THREE = ("gctx_paddr", "src_paddr", "dst_paddr")
OFF = row(Status.INVALID_PLATFORM_STATE, "SNP is not started")
LOW = row(Status.INVALID_PARAM, "gctx_paddr has one of bits 11:0 set", pages("gctx_paddr"))
GCTX_IN_RMP = row(Status.INVALID_PARAM, "gctx_paddr lies in the RMP")
NO_GUEST = row(Status.INVALID_GUEST, "the page at gctx_paddr is no CONTEXT")
THREE_LOW = invalid("gctx_paddr, src_paddr or dst_paddr has one of bits 11:0 set", pages(*THREE))
THREE_IN_RMP = row(Status.INVALID_PARAM, "gctx_paddr, src_paddr or dst_paddr lies in the RMP")
THREE_PAGES = (OFF, THREE_IN_RMP, NO_GUEST)
NOT_BEGUN = row(Status.INVALID_GUEST_STATE, "the guest's launch has not begun")
NO_ASID = row(Status.INACTIVE, "the guest has no ASID")
GCTX = (OFF, GCTX_IN_RMP, NO_GUEST)
GUEST = (LOW, *GCTX)
