"""The verdict on a launch: which step was refused, by whom, and for which of the known reasons.

What the log holds of the launch, its policy and its ID block from the command line or from QEMU's
trace, decides some of the reasons: those that fit come first, then what the log does not decide,
then those that it rules out. Of several failures the last one counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...wire.kvm_sev import POLICY_BIT_17, POLICY_MASK
from ...wire.report import GuestPolicy
from . import launch_reasons as reasons
from .qemu import QUERIES
from .record import Hex

if TYPE_CHECKING:
    from collections.abc import Callable

    from .record import LogRecord

YES, NO, OPEN = "yes", "no", "not told"
_KVM_BITS = (1 << 18) - 1 | 1 << 19 | 1 << 20
_FIRST_NEWER = 21


class ReasonFit(NamedTuple):
    """Whether a reason is the one, as far as the log tells."""

    text: str
    fits: str = OPEN
    why: str = ""

    def words(self) -> str:
        """Return the reason on one line."""
        mark = {YES: "fits", NO: "not this"}.get(self.fits, "")
        told = f"  ({mark}: {self.why})" if mark else ""
        return f"{self.text}{told}"


def _bits(word: int) -> str:
    """Return the bits of a policy that are set, by number and name."""
    names = {field.low: field.name for field in GuestPolicy.BITS.values() if field.width == 1}
    return ", ".join(f"bit {n} {names.get(n, '')}".strip() for n in range(64) if word >> n & 1)


def _abi(policy: GuestPolicy) -> str:
    asked = policy.abi_major or policy.abi_minor
    return f"it asks for {policy.abi_major}.{policy.abi_minor}" if asked else ""


POLICY_FITS: dict[str, Callable[[GuestPolicy], str]] = {
    POLICY_MASK: lambda policy: _bits(policy & ~_KVM_BITS),
    POLICY_BIT_17: lambda policy: "" if policy.reserved_must_be_one else "bit 17 is clear",
    reasons.NO_SMT: lambda policy: "" if policy.smt else "smt is clear",
    reasons.NEWER_ABI: _abi,
    reasons.NEWER_BITS: lambda policy: _bits(policy >> _FIRST_NEWER << _FIRST_NEWER),
    reasons.ONE_SOCKET: lambda policy: "single_socket is set" if policy.single_socket else "",
}
"""What in a policy makes a reason fit; nothing if the policy rules it out."""


class LaunchVerdict:
    """Why a launch failed, as its log tells."""

    kind = "launch_verdict"
    family = "qemu"
    kinds = frozenset(
        {"launch-failed", "launch-start", "launch-finish", "launch-options", "cpuid-mismatch"}
    )

    def __init__(self) -> None:
        self._policy: tuple[int, GuestPolicy] | None = None
        self._given: dict[str, bool] = {}
        self._failed: LogRecord | None = None
        self._failures = 0
        self._ended = 0
        self._cpuid = ""

    def feed(self, record: LogRecord) -> None:
        """Take a record of the launch."""
        getattr(self, f"_feed_{record.kind.replace('-', '_')}")(record)

    def _feed_launch_failed(self, record: LogRecord) -> None:
        if record.fields["command"] in QUERIES:
            return
        self._failed, self._ended = record, 0
        self._failures += 1

    def _feed_launch_start(self, record: LogRecord) -> None:
        self._policy = (record.line, GuestPolicy(record.fields["policy"]))

    def _feed_launch_finish(self, record: LogRecord) -> None:
        self._ended, self._failed = record.line, None
        self._given["id_block"] = record.fields["id_block_given"]

    def _feed_launch_options(self, record: LogRecord) -> None:
        self._policy = (record.line, GuestPolicy(record.fields["policy"]))
        self._given = {name: record.fields[name] for name in ("id_block", "author_key", "pflash")}

    def _feed_cpuid_mismatch(self, record: LogRecord) -> None:
        self._cpuid = record.text

    @property
    def fits(self) -> list[ReasonFit]:
        """Return the reasons, those first that fit."""
        rows = [self._fit(text) for text in self._failed.fields["reasons"]] if self._failed else []
        return sorted(rows, key=lambda row: (YES, OPEN, NO).index(row.fits))

    def _fit(self, text: str) -> ReasonFit:
        if self._policy is not None and text in POLICY_FITS:
            why = POLICY_FITS[text](self._policy[1])
            return ReasonFit(text, YES if why else NO, why or f"the policy is {self._policy[1]:#x}")
        if text == reasons.CPUID_ENTRY and self._cpuid:
            return ReasonFit(text, YES, self._cpuid)
        if text == reasons.AUTHOR_KEY and self._given.get("author_key") is False:
            return ReasonFit(text, NO, "no author key is announced")
        if "ID block" in text and self._given.get("id_block") is False:
            return ReasonFit(text, NO, "no ID block was given")
        return ReasonFit(text)

    def lines(self) -> list[str]:
        """Return which step failed, then the reasons; nothing for a log without a launch."""
        if self._failed is None:
            return [f"launch: no refusal; it ended at line {self._ended}"] if self._ended else []
        record = self._failed
        what, by = record.fields["command"] or "a step without a name", record.fields["refused_by"]
        where = f"line {record.line}"
        more = f", the last of {self._failures} failures" if self._failures > 1 else ""
        who = f"refused by the {by}" if by != "unknown" else "it is not told by whom"
        lines = [f"launch: failed at {what} ({where}{more}), {who}: {self._with()}"]
        if self._policy is not None:
            lines.append(f"  policy {self._policy[1]:#x} (line {self._policy[0]})")
        rows = enumerate(self.fits, start=1)
        return [*lines, *(f"  {number}. {row.words()}" for number, row in rows)]

    def _with(self) -> str:
        """Return the status or the error of the failure."""
        fields = self._failed.fields if self._failed else {}
        status = fields.get("status")
        if fields.get("refused_by") == "firmware" and status is not None:
            return status.name if getattr(status, "known", False) else f"{int(status):#x}"
        return str(fields.get("errno") or "no error shown")

    def to_plain(self) -> dict[str, Any]:
        """Return step, side, error, policy and reasons."""
        fields = self._failed.fields if self._failed else {}
        return {
            "answer": "failed" if self._failed else "no refusal",
            "line": self._failed.line if self._failed else self._ended,
            "failures": self._failures,
            "command": fields.get("command", ""),
            "refused_by": fields.get("refused_by", ""),
            "with": self._with() if self._failed else "",
            "policy": Hex(self._policy[1]) if self._policy else None,
            "reasons": [row._asdict() for row in self.fits],
        }
