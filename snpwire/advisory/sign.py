"""Signs: what a report shows once an advisory is dealt with, and what one report shows of them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ..finding import bit_list
from ..wire.report import GuestPolicy, PlatformInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..bits import Word
    from ..product import ProductDecision
    from ..wire.report import Report

COMPONENTS = ("snp", "microcode")
TCBS = ("reported_tcb", "committed_tcb", "current_tcb")
WORDS: Mapping[str, type[Word]] = {"platform_info": PlatformInfo, "policy": GuestPolicy}
MITIGATIONS_SINCE = 5
"""The version of a report since which it tells mitigations."""
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
        return f"{self.what}: {self._bits(self.mask)}"

    def _bits(self, mask: int) -> str:
        return bit_names(WORDS[self.what], mask) if self.what in WORDS else bit_list(mask)

    def fits(self, product: str, cpuid: tuple[int, int] | None) -> bool:
        """Return whether it is a sign of this processor, as far as is known."""
        if self.product and product not in ("", self.product):
            return False
        return self.model is None or cpuid in (None, (self.model, self.stepping))

    def fixed(self, told: Told) -> bool | None:
        """Return whether a report shows the fix; None if it does not tell."""
        if (self.product and not told.product) or (self.model is not None and not told.cpuid):
            return None
        if self.what == "alone":
            return False
        if self.what == "firmware":
            return told.firmware[0] >= self.least
        if self.what in COMPONENTS:
            return told.levels[self.what][0] >= self.least[0]
        if self.what == "mitigations" and told.version < MITIGATIONS_SINCE:
            return None
        return not self.mask & ~told.words[self.what]

    @property
    def mask(self) -> int:
        """Return the bits that are wanted."""
        return sum(1 << n for n in self.least)

    def reason(self, told: Told) -> str:
        """Return why a report shows the fix, or does not."""
        if self.product and not told.product:
            return "which product it is, is not told"
        if self.model is not None and not told.cpuid:
            return "which stepping it is, is not told"
        if self.what == "alone":
            return "nothing tells whether it was dealt with"
        than = "at least" if self.fixed(told) else "below"
        if self.what == "firmware":
            version, which = told.firmware
            return f"{which} firmware {_dotted(version)} is {than} {_dotted(self.least)}"
        if self.what in COMPONENTS:
            level, field = told.levels[self.what]
            return f"{field} has {self.what} {level:#x}, {than} {self.least[0]:#x}"
        return self._stated(told)

    def _stated(self, told: Told) -> str:
        if self.what == "mitigations" and told.version < MITIGATIONS_SINCE:
            since = MITIGATIONS_SINCE
            return f"mitigations are not told before version {since}, it is {told.version}"
        missing = self.mask & ~told.words[self.what]
        state = "clear" if missing else "set"
        text = f"{self.field(told)} has {self._bits(missing or self.mask)} {state}"
        if self.what == "mitigations" and not missing and self.mask & ~told.launch_mitigations:
            text += ", but not at the launch"
        return text

    def field(self, told: Told) -> str:
        """Return the field of a report that tells."""
        if self.what == "firmware":
            return f"{told.firmware[1]}_build"
        if self.what in COMPONENTS:
            return told.levels[self.what][1]
        return {"mitigations": "current_mit_vector", "alone": "cpuid_mod_id"}.get(
            self.what, self.what
        )


class Told(NamedTuple):
    """What a report tells, in the form in which signs are compared with it."""

    version: int
    product: str
    """Empty if it is not known."""
    cpuid: tuple[int, int] | None
    """Model and stepping; None if the report does not tell."""
    firmware: tuple[tuple[int, ...], str]
    """The lower of two versions, and whether it is the current or the committed one."""
    levels: Mapping[str, tuple[int, str]]
    """The lowest of each component, and the field that has it."""
    words: Mapping[str, int]
    launch_mitigations: int

    @classmethod
    def by(cls, report: Report, decision: ProductDecision) -> Self:
        """Return what *report* tells, read as decided."""
        versions = ((firmware_version(report, one), one) for one in ("committed", "current"))
        tcbs = [(decision.tcb(getattr(report, field)), field) for field in TCBS]
        return cls(
            version=report.version,
            product=decision.product.name if decision.product else "",
            cpuid=(report.cpuid_mod_id, report.cpuid_step) if report.version >= 3 else None,
            firmware=min(versions, key=_first),
            levels={
                part: min(((int(getattr(tcb, part)), field) for tcb, field in tcbs), key=_first)
                for part in COMPONENTS
            },
            words={
                "platform_info": int(report.platform_info),
                "policy": int(report.policy),
                "mitigations": report.current_mit_vector,
            },
            launch_mitigations=report.launch_mit_vector,
        )


def _first(pair: tuple[Any, str]) -> Any:
    return pair[0]


class Judgement(NamedTuple):
    """A sign held against a report."""

    sign: Sign
    told: Told
    fixed: bool | None
    """None if the report does not tell."""

    @property
    def field(self) -> str:
        """Return the field of the report that decides."""
        return self.sign.field(self.told)

    @property
    def text(self) -> str:
        """Return why."""
        return self.sign.reason(self.told)

    @property
    def reason(self) -> str:
        """Return the text with its confidence, as it is cited."""
        return f"{self.text} ({self.sign.confidence})"


def bit_names(kind: type[Word] | None, mask: int) -> str:
    """Return the names of the bits of *mask*, ``bit N`` for one that has none."""
    names = {field.low: name for name, field in (kind.BITS if kind else {}).items()}
    numbers = (n for n in range(mask.bit_length()) if mask >> n & 1)
    return ", ".join(names.get(n, f"bit {n}") for n in numbers)


def firmware_version(report: Report, which: str) -> tuple[int, ...]:
    """Return the ``current`` or ``committed`` firmware version: major, minor, build."""
    return tuple(getattr(report, f"{which}_{part}") for part in ("major", "minor", "build"))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
