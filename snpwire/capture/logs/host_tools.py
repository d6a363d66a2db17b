"""What snphost says when the firmware refuses what a host's administrator asks for.

Its errors stand below each other: what was asked, then the status, as the sev crate shows it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from ...wire.status import Status
from .operands import status_words
from .record import Fact, LogLine
from .sev_crate import status_of
from .template import Format, form

if TYPE_CHECKING:
    from .record import LogState

_NAMED = re.compile(r"KnownSevError\((\w+)\)")
_NUMBERED = re.compile(r"Status Code: 0x([0-9a-fA-F]{1,8})|UnknownSevError\((\d{1,10})\)")
_HEADING = re.compile(r"^(?:ERROR|Error|Caused by|because)\b")
CAUSES: dict[tuple[str, Status], tuple[str, str]] = {
    ("SNP_CONFIG", Status.INVALID_PARAM): (
        "the TCB asked for is above the committed one in a component; or something reserved is set,"
        " as by a tool that lays a TCB out for another product (Turin has FMC first)",
        "compare with the committed TCB; snphost commit raises that to what runs, with no way back;"
        " an update of the firmware and of snphost",
    ),
    ("SNP_VLEK_LOAD", Status.INVALID_PARAM): (
        "the hashstick is not of the layout that the firmware reads",
        "ask for it anew, for this chip",
    ),
    ("SNP_VLEK_LOAD", Status.BAD_VERSION): (
        "the hashstick is for another TCB than the reported one",
        "snphost verify compares both TCBs; ask for one of the reported TCB",
    ),
}
"""Cause and remedy for each refusal that administrators meet."""
_ALL = "all checks in their order: snpwire explain command {}"


def status_in(text: str) -> Status | None:
    """Return the status that a line of the sev crate shows, or None."""
    if named := _NAMED.search(text):
        return status_of(named[1])
    if numbered := _NUMBERED.search(text):
        return Status(int(numbered[1], 16) if numbered[1] else int(numbered[2]))
    return None


class _Request:
    """What was asked for, and the lines behind it that tell the firmware's status."""

    watches = True
    patience = 4
    pending = False

    def __init__(self, command: str, asked: str) -> None:
        self._command = command
        self._asked = asked
        self._status: Status | None = None
        self.done = False

    def take(self, line: LogLine) -> bool:
        found = status_in(line.text)
        self._status = self._status or found
        mine = found is not None or self._asked in line.text or bool(_HEADING.match(line.text))
        self.done = not mine and bool(line.text)
        return mine

    def fact(self) -> Fact:
        code, command = self._status, self._command
        if code is None:
            meaning = "the tool does not show the firmware's status"
            return Fact(f"{command} failed", meaning, remedy="run it as root; the host's dmesg")
        cause, remedy = CAUSES.get((command, code), ("", ""))
        return Fact(
            f"{command} refused by the firmware  {code.name if code.known else f'{int(code):#x}'}",
            status_words(code),
            cause=cause,
            remedy="; ".join(filter(None, (remedy, _ALL.format(command)))),
            fields={"command": command, "status": code, "side": "firmware"},
        )


def _request(key: str, command: str, asked: str) -> Format:
    def interpret(fields: dict[str, Any], log: LogState) -> _Request:
        return _Request(command, asked)

    return form(key, "host-command-failed", asked, interpret)


FORMATS = (
    _request("snphost_config", "SNP_CONFIG", "Error setting a new snp config"),
    _request("snphost_reset", "SNP_CONFIG", "Error resetting SEV-SNP configuration"),
    _request("snphost_vlek", "SNP_VLEK_LOAD", "Error loading VLEK hashshtick"),
)
