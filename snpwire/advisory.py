"""Advisories: what is known to be broken, and what a report says about it.

The table is ``advisories.toml``, dated and never complete, which each text that cites it says: that
an advisory is not cited is no sign that it is fixed. The rules of the table:

* Only what AMD says, or what two projects say that do not copy from each other, can fail a check.
  What one project says is a note; what is disputed is told as that.
* Microcode is compared for one CPUID model and stepping, or not at all: its level is the low byte
  of a patch's revision, and those of two steppings have nothing to do with each other.
* Mitigation vectors are sets, and reserved before version 5 of a report: no statement is made.
* A TCB version is compared in the reported, the committed and the current one. The reported one is
  that of the key, which old firmware can use as well; to the committed one a host can go back.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from .bits import nearest
from .errors import UsageError, shown
from .finding import bit_list
from .wire.report import GuestPolicy, PlatformInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .bits import Word
    from .product import ProductDecision
    from .wire.report import Report

BULLETIN = "https://www.amd.com/en/resources/product-security/bulletin/{}.html"
SILENCE = "whose silence means nothing"
COMPONENTS = ("snp", "microcode")
TCBS = ("reported_tcb", "committed_tcb", "current_tcb")
WORDS: Mapping[str, type[Word]] = {"platform_info": PlatformInfo, "policy": GuestPolicy}
KINDS = ("firmware", *COMPONENTS, *WORDS, "mitigations", "alone")


class Confidence(StrEnum):
    """Who says that a sign shows the fix."""

    AMD = "A"
    PROJECTS = "B"
    PROJECT = "C"
    DISPUTED = "disputed"

    @property
    def decides(self) -> bool:
        """Return whether a check may fail by it."""
        return self in (Confidence.AMD, Confidence.PROJECTS)


class Sign(NamedTuple):
    """What a report shows once an advisory is dealt with."""

    what: str
    """One of ``KINDS``."""
    least: tuple[int, ...]
    """A version, a component, numbers of bits: by what is compared."""
    confidence: Confidence
    source: str
    product: str = ""
    """Empty for all."""
    model: int | None = None
    stepping: int | None = None

    @property
    def text(self) -> str:
        """Return what is wanted, in words."""
        where = ""
        if self.model is not None:
            where = f" (model {self.model:#x}, stepping {self.stepping})"
        if self.what == "alone":
            return "nothing: the product alone tells"
        least = "" if self.confidence is Confidence.DISPUTED else "at least "
        if self.what == "firmware":
            return f"firmware {least}{_dotted(self.least)}"
        if self.what in COMPONENTS:
            return f"{self.what} {least}{self.least[0]:#x}{where}"
        return f"{self.what}: {self._bits(sum(1 << n for n in self.least))}"

    def _bits(self, mask: int) -> str:
        return bit_names(WORDS[self.what], mask) if self.what in WORDS else bit_list(mask)

    def judge(self, report: Report, decision: ProductDecision) -> Judgement | None:
        """Compare a report; None if the sign is that of another processor."""
        if self.product:
            if decision.product is None:
                return Judgement(self, None, "product", "which product it is, is not told")
            if decision.product.name != self.product:
                return None
        if self.model is not None:
            if report.version < 3:
                return Judgement(self, None, "cpuid_step", "which stepping it is, is not told")
            if (report.cpuid_mod_id, report.cpuid_step) != (self.model, self.stepping):
                return None
        field, fixed, text = self._compared(report, decision)
        return Judgement(self, fixed, field, text)

    def _compared(self, report: Report, decision: ProductDecision) -> tuple[str, bool | None, str]:
        """Return the field that decides, whether it shows the fix, and why."""
        if self.what == "alone":
            return "cpuid_mod_id", False, "nothing tells whether it was dealt with"
        if self.what == "firmware":
            return _least_version(report, self.least)
        if self.what in COMPONENTS:
            return _least_component(report, decision, self.what, self.least[0])
        mask = sum(1 << n for n in self.least)
        if self.what in WORDS:
            missing = mask & ~int(getattr(report, self.what))
            return self.what, not missing, self._stated(self.what, mask, missing)
        field = "current_mit_vector"
        if report.version < 5:
            return field, None, f"mitigations are not told before version 5, it is {report.version}"
        missing = mask & ~report.current_mit_vector
        text = self._stated(field, mask, missing)
        if not missing and mask & ~report.launch_mit_vector:
            text += ", but not at the launch"
        return field, not missing, text

    def _stated(self, field: str, mask: int, missing: int) -> str:
        return f"{field} has {self._bits(missing or mask)} {'clear' if missing else 'set'}"


class Judgement(NamedTuple):
    """A sign held against a report."""

    sign: Sign
    fixed: bool | None
    """None if the report does not tell."""
    field: str
    text: str

    @property
    def reason(self) -> str:
        """Return the text with its confidence, as it is cited."""
        return f"{self.text} ({self.sign.confidence})"


class Advisory(NamedTuple):
    """One row of the table."""

    id: str
    name: str
    title: str
    published: str
    url: str
    cve: tuple[str, ...]
    fixed_from: Mapping[str, str]
    note: str
    signs: tuple[Sign, ...]

    @property
    def label(self) -> str:
        """Return the id, and the name if it has one."""
        return f"{self.id}, {self.name}" if self.name else self.id

    def judgements(self, report: Report, decision: ProductDecision) -> list[Judgement]:
        """Return what a report says about it; a sign of another processor says nothing."""
        found = (sign.judge(report, decision) for sign in self.signs)
        return [row for row in found if row]


class AdvisoryTable(NamedTuple):
    """The table, which is as old as its date."""

    date: str
    advisories: tuple[Advisory, ...]

    def named(self, name: str) -> Advisory:
        """Return an advisory by its id, a CVE, or a name. Raises UsageError, with the nearest."""
        known = {alias.lower(): row for row in reversed(self.advisories) for alias in _aliases(row)}
        if name.lower() in known:
            return known[name.lower()]
        names = [alias for row in self.advisories for alias in _aliases(row)]
        hint = nearest(name, names) or "snpwire explain advisory lists all"
        reason = f"the table of {self.date} has no advisory {shown(name)}"
        raise UsageError(reason, help=hint)

    def open_signs(
        self, report: Report, decision: ProductDecision
    ) -> Iterator[tuple[Advisory, list[Judgement]]]:
        """Yield what a report shows to be open, by signs that are not disputed."""
        for row in self.advisories:
            missing = [
                found
                for found in row.judgements(report, decision)
                if found.fixed is False and found.sign.confidence is not Confidence.DISPUTED
            ]
            if missing:
                yield row, missing


def _aliases(row: Advisory) -> tuple[str, ...]:
    return (row.id, row.id.removeprefix("AMD-SB-"), *filter(None, row.name.split(", ")), *row.cve)


@cache
def table() -> AdvisoryTable:
    """Return the table of the package, which is read once."""
    import tomllib

    plain = tomllib.loads(files(__package__).joinpath("advisories.toml").read_text("utf-8"))
    return AdvisoryTable(plain["date"], tuple(map(_advisory, plain["advisory"])))


def _advisory(row: dict[str, Any]) -> Advisory:
    name = row["id"]
    url = BULLETIN.format(name.lower()) if name.startswith("AMD-SB-") else ""
    return Advisory(
        name,
        row.get("name", ""),
        row["title"],
        row.get("published", ""),
        row.get("url", url),
        tuple(row.get("cve", ())),
        row.get("fixed_from", {}),
        row.get("note", ""),
        tuple(map(_sign, row.get("signs", ()))),
    )


def _sign(row: dict[str, Any]) -> Sign:
    (what,) = (kind for kind in KINDS if kind in row)
    value = row[what]
    least: tuple[int, ...]
    if what == "firmware":
        least = tuple(map(int, value.split(".")))
    elif what in WORDS:
        least = tuple(WORDS[what].BITS[bit].low for bit in value)
    else:
        least = tuple(value) if isinstance(value, list) else (int(value),)
    return Sign(
        what,
        least,
        Confidence(row["confidence"]),
        row["source"],
        row.get("product", ""),
        row.get("model"),
        row.get("stepping"),
    )


def bit_names(kind: type[Word] | None, mask: int) -> str:
    """Return the names of the bits of *mask*, ``bit N`` for one that has none."""
    names = {field.low: name for name, field in (kind.BITS if kind else {}).items()}
    numbers = (n for n in range(mask.bit_length()) if mask >> n & 1)
    return ", ".join(names.get(n, f"bit {n}") for n in numbers)


def firmware_version(report: Report, which: str) -> tuple[int, ...]:
    """Return the ``current`` or ``committed`` firmware version: major, minor, build."""
    return tuple(getattr(report, f"{which}_{part}") for part in ("major", "minor", "build"))


def _least_version(report: Report, least: tuple[int, ...]) -> tuple[str, bool, str]:
    which = min(("committed", "current"), key=lambda one: firmware_version(report, one))
    version = firmware_version(report, which)
    fixed = version >= least
    than = "at least" if fixed else "below"
    return (
        f"{which}_build",
        fixed,
        f"{which} firmware {_dotted(version)} is {than} {_dotted(least)}",
    )


def _least_component(
    report: Report, decision: ProductDecision, part: str, least: int
) -> tuple[str, bool, str]:
    levels = {field: int(getattr(decision.tcb(getattr(report, field)), part)) for field in TCBS}
    field = min(levels, key=levels.__getitem__)
    fixed = levels[field] >= least
    than = "at least" if fixed else "below"
    return field, fixed, f"{field} has {part} {levels[field]:#x}, {than} {least:#x}"


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
