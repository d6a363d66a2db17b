"""TCB versions as tools print them below each other: snphost, and what displays a report.

The platform's TCB is that of the firmware that runs. The reported one is what certificates and
reports speak of: the host's administrator sets it with SNP_CONFIG, else it is the committed one,
which SNP_COMMIT raises. So the two may differ without a fault.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .record import Fact, LogLine
from .template import form

if TYPE_CHECKING:
    from .record import LogState

_COMPONENT = re.compile(
    r"^\W*(FMC|Boot ?Loader|BL|TEE|SNP|Microcode|uCode) *(?:SVN|SPL)? *[:=] *"
    r"(\d{1,3}|None|N/?A)\b",
    re.IGNORECASE,
)
_NAMES = {"bl": "boot_loader", "bootloader": "boot_loader", "ucode": "microcode"}
_ORDER = ("fmc", "boot_loader", "tee", "snp", "microcode")
_HEADING = re.compile(r"\b(Platform|Reported|Current|Committed|Launch) TCB\b", re.IGNORECASE)
_FILLER = re.compile(r"^\W*(?:TCB Version:?)?\W*$", re.IGNORECASE)
SETTERS = {
    "platform": "the firmware and microcode that run now; a firmware or BIOS update changes it",
    "current": "the firmware and microcode that run now; a firmware or BIOS update changes it",
    "committed": "SNP_COMMIT raises it to what runs: there is no way back from it",
    "reported": "the host's administrator sets it (SNP_CONFIG), up to the committed one; unset, it"
    " is the committed one",
    "launch": "what ran when the guest was launched",
}
"""What each TCB version is, and who changes it."""

Tcb = dict[str, int]


def component(text: str) -> tuple[str, int | None] | None:
    """Return the component and the number in a line of a TCB version, or None if it is no such."""
    found = _COMPONENT.match(text)
    if found is None:
        return None
    name = found[1].lower().replace(" ", "")
    return _NAMES.get(name, name), int(found[2]) if found[2].isdigit() else None


def tcb_words(tcb: Tcb) -> str:
    """Return a TCB version on one line."""
    return " ".join(f"{name} {tcb[name]}" for name in _ORDER if name in tcb) or "no component"


def differing(first: Tcb, second: Tcb) -> list[str]:
    """Return the components in which two TCB versions differ."""
    return [name for name in _ORDER if first.get(name, 0) != second.get(name, 0)]


class _Tcbs:
    """TCB versions below each other, each under a heading of its own."""

    watches = True
    patience = 2
    pending = False

    def __init__(self, heading: str) -> None:
        self._tcbs: dict[str, Tcb] = {}
        self._now = heading
        self.done = False

    def take(self, line: LogLine) -> bool:
        if found := _HEADING.search(line.text):
            self._now = found[1].lower()
            return True
        part = component(line.text)
        if part is not None:
            tcb = self._tcbs.setdefault(self._now, {})
            if part[1] is not None:
                tcb[part[0]] = part[1]
            return True
        filler = _FILLER.match(line.text) is not None
        self.done = not filler
        return filler

    def fact(self) -> Fact:
        first = self._tcbs.get("platform", self._tcbs.get("current"))
        reported = self._tcbs.get("reported")
        summary = "  ".join(f"{name}: {tcb_words(tcb)}" for name, tcb in self._tcbs.items())
        fields = {"tcb": self._tcbs}
        if first is None or reported is None:
            texts = (f"{name}: {SETTERS[name]}" for name in self._tcbs if name in SETTERS)
            return Fact(f"TCB  {summary}".strip(), "; ".join(texts), fields=fields)
        return self._compared(first, reported, f"TCB  {summary}", fields)

    def _compared(self, first: Tcb, reported: Tcb, summary: str, fields: dict[str, Any]) -> Fact:
        which = differing(first, reported)
        if not which:
            return Fact(summary, "platform and reported TCB are the same", fields=fields)
        words = ", ".join(
            f"{name} {first.get(name, 0)} runs, {reported.get(name, 0)} is reported"
            for name in which
        )
        above = [name for name in which if reported.get(name, 0) > first.get(name, 0)]
        return Fact(
            summary,
            f"platform and reported TCB differ: {words}",
            cause=_ABOVE if above else _BELOW,
            consequence="certificates (VCEK, VLEK) and reports are those of the reported TCB: fetch"
            " them for that one",
            remedy="" if above else _RAISE,
            fields={**fields, "differ": which},
        )


_BELOW = (
    "no fault: a newer firmware runs than is reported. Reported is what SNP_CONFIG was last given,"
    " or the committed TCB, and SNP_COMMIT has not been asked since the update"
)
_ABOVE = (
    "the firmware refuses to report more than is committed: these numbers are of two moments, or"
    " the firmware was taken back since"
)
_RAISE = (
    "to raise it, on the host: snphost commit (SNP_COMMIT, no way back), then snphost config reset"
    " or config set (SNP_CONFIG); leave it as long as guests' owners have certificates of this one"
    " alone"
)


def _tcbs(heading: str) -> Any:
    def interpret(fields: dict[str, Any], log: LogState) -> _Tcbs:
        return _Tcbs(heading)

    return interpret


FORMATS = (
    form(
        "snphost_tcb",
        "host-tcb",
        "The TCB versions did NOT match",
        _tcbs("platform"),
        "TCB versions match",
    ),
    *(
        form(
            f"tcb_{heading.lower()}",
            "host-tcb",
            f"{heading} TCB:",
            _tcbs(heading.lower()),
            f"{heading} TCB version",
            f"{heading} TCB Version",
        )
        for heading in ("Platform", "Reported", "Current", "Committed", "Launch")
    ),
)
