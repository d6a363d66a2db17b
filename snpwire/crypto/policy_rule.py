"""Rules of an appraisal policy: each compares one thing of a report, and gives one check.

A word of flags has no order, so no rule compares one by size: 8 is at least 5, and none of the bits
of 5 is set in 8. Versions are compared part by part, TCB versions by component.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..advisory import bit_names, firmware_version
from ..wire.report import GuestPolicy, KeyInfo, PlatformInfo, Report
from ..wire.tcb import TcbClassic, TcbTurin
from .check import Check, CheckGroup, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..bits import Word
    from ..product import ProductDecision

FLAGS: Mapping[str, type[Word] | None] = {
    "policy": GuestPolicy,
    "platform_info": PlatformInfo,
    "key_info": KeyInfo,
    "current_mit_vector": None,
    "launch_mit_vector": None,
}
"""Words of flags of a report; no source names the bits of the mitigation vectors."""
VECTORS = ("current_mit_vector", "launch_mit_vector")
VECTORS_SINCE = 5
"""The first version of a report that states mitigations."""


class Subject(NamedTuple):
    """What is appraised: a report, and what is known of it besides."""

    report: Report
    decision: ProductDecision
    csp_id: str | None = None
    """The provider that the certificate names; None unless a VLEK signed."""


class PolicyRule(NamedTuple):
    """One rule of a policy."""

    name: str
    field: str
    """What it compares: a field of the report, or ``csp_id``."""
    compare: Callable[[Subject], tuple[bool, str]]
    empty: bool = False
    """Every report keeps it: a minimum of zero."""

    def check(self, subject: Subject) -> Check:
        """Hold a report against the rule."""
        holds, reason = self.compare(subject)
        return Check(self.name, state_of(holds), reason, CheckGroup.APPRAISAL)


def least_component(field: str, part: str, least: int) -> PolicyRule:
    """Return the rule that a component of a TCB version is at least a number."""
    name = f"policy-minimum.{field}.{part}"
    everywhere = part in TcbClassic.BITS and part in TcbTurin.BITS
    compare = partial(_least_component, field, part, least)
    return PolicyRule(name, field, compare, everywhere and not least)


def _least_component(field: str, part: str, least: int, subject: Subject) -> tuple[bool, str]:
    word = subject.decision.tcb(getattr(subject.report, field))
    if part not in word.BITS:
        return False, f"there is no {part}: {subject.decision.reason}"
    return _at_least(int(getattr(word, part)), least)


def least_number(field: str, least: int) -> PolicyRule:
    """Return the rule that a number that grows is at least another."""
    compare = partial(_least_number, field, least)
    return PolicyRule(f"policy-minimum.{field}", field, compare, not least)


def _least_number(field: str, least: int, subject: Subject) -> tuple[bool, str]:
    return _at_least(int(getattr(subject.report, field)), least)


def least_version(which: str, least: tuple[int, ...]) -> PolicyRule:
    """Return the rule that the current or committed firmware is at least a version."""
    name = f"policy-minimum.{which}_version"
    return PolicyRule(
        name, f"{which}_version", partial(_least_version, which, least), not any(least)
    )


def _least_version(which: str, least: tuple[int, ...], subject: Subject) -> tuple[bool, str]:
    version = firmware_version(subject.report, which)
    given, wanted = (".".join(map(str, one)) for one in (version, least))
    return version >= least, f"firmware {given}, wanted at least {wanted}"


def _at_least(value: int, least: int) -> tuple[bool, str]:
    return value >= least, f"{value}, wanted at least {least}"


def bits(name: str, field: str, mask: int, wanted: int) -> PolicyRule:
    """Return the rule that every bit of a mask is 1, or that every one is 0."""
    return PolicyRule(name, field, partial(_bits, field, mask, wanted))


def _bits(field: str, mask: int, wanted: int, subject: Subject) -> tuple[bool, str]:
    silence = _silence(field, subject)
    if silence:
        return False, silence
    word = int(getattr(subject.report, field))
    wrong = mask & (~word if wanted else word)
    names = bit_names(FLAGS[field], wrong or mask)
    is_ = 1 - wanted if wrong else wanted
    return not wrong, f"{names} of {field} {_verb(wrong or mask)} {is_}, wanted {wanted}"


def _silence(field: str, subject: Subject) -> str:
    """Return why a report does not tell a word, or an empty string."""
    version = subject.report.version
    if field in VECTORS and version < VECTORS_SINCE:
        return f"version {version} of a report states no mitigations: {field} is reserved"
    return ""


def whole_word(field: str, words: tuple[int, ...]) -> PolicyRule:
    """Return the rule that a word of flags is one of some numbers."""
    return PolicyRule(f"policy-{field}", field, partial(_whole_word, field, words))


def _whole_word(field: str, words: tuple[int, ...], subject: Subject) -> tuple[bool, str]:
    silence = _silence(field, subject)
    if silence:
        return False, silence
    word = int(getattr(subject.report, field))
    return _one_of(f"{word:#x}", word, words)


def _verb(mask: int) -> str:
    return "are" if mask & (mask - 1) else "is"


def allowed_values(field: str, values: tuple[Any, ...]) -> PolicyRule:
    """Return the rule that a field has one of some values."""
    return PolicyRule(f"policy-{field}", field, partial(_value, field, values))


def _value(field: str, values: tuple[Any, ...], subject: Subject) -> tuple[bool, str]:
    value = getattr(subject.report, field)
    tile = Report.tile(field)
    return _one_of(str(tile.codec.to_plain(value)) if tile else str(value), value, values)


def signing_keys(values: tuple[Any, ...]) -> PolicyRule:
    """Return the rule that a key of one of some kinds signed."""
    return PolicyRule("policy-signing_key", "signing_key", partial(_signing_key, values))


def _signing_key(values: tuple[Any, ...], subject: Subject) -> tuple[bool, str]:
    key = KeyInfo.signing_key.value(subject.report.key_info)
    return _one_of(str(getattr(key, "name", key)), key, values)


def providers(values: tuple[str, ...]) -> PolicyRule:
    """Return the rule that the VLEK is that of one of some providers."""
    return PolicyRule("policy-csp_id", "csp_id", partial(_provider, values))


def _provider(values: tuple[str, ...], subject: Subject) -> tuple[bool, str]:
    if subject.csp_id is None:
        return False, "no VLEK of any provider signed the report"
    return _one_of(repr(subject.csp_id), subject.csp_id, values)


def _one_of(text: str, value: Any, values: tuple[Any, ...]) -> tuple[bool, str]:
    if value in values:
        return True, f"{text} is allowed"
    return False, f"{text} is none of the {len(values)} allowed"
