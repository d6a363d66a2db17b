"""Checks of a command's buffer that the firmware makes, as far as its bytes alone decide them.

A check yields verdicts. One with a status is what the firmware refuses; the first of a buffer, in
the firmware's order, is what the driver gets to see, unless a check of the platform, of a page or
of the guest comes before it. What is worth knowing beside has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..finding import Finding, Severity
from ..wire.address import ASEG, C_BIT, MAX_ADDRESS, PAGE
from ..wire.status import Status
from . import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from ..context import Context
    from ..layout import Leaf

    Check = Callable[[Any], Iterator["Verdict"]]

FIRMWARE = "AMD-ASPFW sev_mcmd.c"


class Verdict(NamedTuple):
    """A finding, and the status that the firmware answers for it, if it does."""

    finding: Finding
    status: Status | None = None


def refuse(
    value: Any, code: str, field: str, text: str, status: Status = Status.INVALID_PARAM
) -> Verdict:
    """Return the verdict on what the firmware refuses."""
    said = f"{text}; the firmware answers {status.name}"
    return Verdict(
        Finding(code, Severity.ERROR, field, place_of(value, field), said, FIRMWARE), status
    )


def remark(value: Any, severity: Severity, code: str, field: str, text: str) -> Verdict:
    """Return the verdict on what the firmware takes."""
    return Verdict(Finding(code, severity, field, place_of(value, field), text, FIRMWARE))


def note(value: Any, code: str, field: str, text: str) -> Verdict:
    """Return a verdict worth knowing."""
    return remark(value, Severity.NOTE, code, field, text)


def warning(value: Any, code: str, field: str, text: str) -> Verdict:
    """Return the verdict on what is likely a mistake, or refused by some firmware."""
    return remark(value, Severity.WARNING, code, field, text)


def place_of(value: Any, field: str) -> int:
    """Return the offset of a field, or of the word that a dotted name is part of."""
    tile = getattr(value, "HEAD", value).tile(field.partition(".")[0])
    return tile.offset if tile else 0


def length(field: str, size: int, status: Status = Status.INVALID_PARAM) -> Check:
    """Expect a buffer to tell its own length."""

    def check(value: Any) -> Iterator[Verdict]:
        given = getattr(value, field)
        if given != size:
            text = f"{field} is {given:#x}, it has to be {size:#x}"
            yield refuse(value, "command-length", field, text, status)

    return check


def clear(value: Any) -> Iterator[Verdict]:
    """Expect zero in every byte and bit that nothing defines, those of a policy left out."""
    yield from (_reserved(leaf) for leaf in value.leaves() if leaf.gap and any(leaf.value))
    for finding in record.unknown(value):
        if finding.code == "unknown-bits" and finding.path != "policy":
            status = Status.INVALID_PARAM
            text = f"{finding.path}: {finding.text}; the firmware answers {status.name}"
            refused = Finding(
                "command-bits", Severity.ERROR, finding.path, finding.offset, text, FIRMWARE
            )
            yield Verdict(refused, status)


def _reserved(leaf: Leaf) -> Verdict:
    found = record.reserved_run(leaf, FIRMWARE)
    text = f"{leaf.path}: {found.text}; the firmware answers {Status.INVALID_PARAM.name}"
    refused = found._replace(code="command-reserved", severity=Severity.ERROR, text=text)
    return Verdict(refused, Status.INVALID_PARAM)


def pages(*fields: str) -> Check:
    """Expect addresses of pages."""
    return aligned(PAGE, *fields)


def aligned(unit: int, *fields: str, status: Status = Status.INVALID_PARAM) -> Check:
    """Expect addresses that are multiples of *unit*."""

    def check(value: Any) -> Iterator[Verdict]:
        for field in fields:
            address = getattr(value, field)
            if address % unit:
                text = f"{field} is {address:#x}, no multiple of {unit:#x}"
                yield refuse(value, "command-alignment", field, text, status)

    return check


def within_page(field: str, size: int, status: Status = Status.INVALID_PARAM) -> Check:
    """Expect *size* bytes at an address not to cross into the next page."""

    def check(value: Any) -> Iterator[Verdict]:
        address = getattr(value, field)
        if address % PAGE + size > PAGE:
            text = f"{field} is {address:#x}: {size:#x} bytes there cross a page"
            yield refuse(value, "command-crosses-page", field, text, status)

    return check


def newer(field: str, *names: str) -> Check:
    """Warn of bits that newer firmware takes and AMD-ASPFW 1.55.25 does not."""

    def check(value: Any) -> Iterator[Verdict]:
        word = getattr(value, field)
        for name in names:
            if word.has(name):
                text = f"{name} is set in {field}: newer firmware takes it, 1.55.25 {REFUSES}"
                yield warning(value, "command-newer", field, text)

    return check


REFUSES = "answers INVALID_PARAM"


def reachable(*fields: str) -> Check:
    """Warn of addresses at which the firmware finds no memory, whatever the page is."""

    def check(value: Any) -> Iterator[Verdict]:
        for field in fields:
            address = getattr(value, field) & ~C_BIT
            if address >= MAX_ADDRESS:
                text = f"{field} is {address:#x}, above all memory that the firmware reaches"
                yield warning(value, "command-address", field, text)
            elif address in ASEG:
                text = f"{field} is {address:#x}, in the memory of system management"
                yield warning(value, "command-address", field, text)

    return check


def rules_of(chapter: ModuleType, checks: dict[str, tuple[Check, ...]]) -> dict[type, Any]:
    """Return the rules of the classes of a chapter, which find what their checks find."""
    return {kind: (_rule(checks[name]),) for name, kind in vars(chapter).items() if name in checks}


def _rule(checks: tuple[Check, ...]) -> Callable[[Any, Context], Iterator[Finding]]:
    def rule(value: Any, context: Context) -> Iterator[Finding]:
        return (verdict.finding for check in checks for verdict in check(value))

    return rule
