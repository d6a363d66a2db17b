"""Appraisal policies: what an owner wants of a report, besides that it is authentic.

Written as an object, here with one of each rule::

    {"allow": ["debug"], "require": ["smt"], "forbid": ["migrate_ma"],
     "platform_info": {"require": ["alias_check_complete"], "forbid": 2},
     "current_mit_vector": {"require": [0, 1]},
     "minimum": {"committed_tcb": {"snp": 27, "microcode": 222}, "current_version": "1.55.40",
                 "guest_svn": 2},
     "measurement": ["7a1e..."], "report_data": "d447...", "vmpl": [0, 1],
     "signing_key": "VLEK", "csp_id": "CN=cc-us-east-2.amazonaws.com"}

``policy_key.KEYS`` has every key, with its form and meaning. A rule that cannot be understood, that
has no meaning, or that no report can break is an error, never a rule that holds; so is a policy
without any, which is what comes of a template that nobody filled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from ..errors import UsageError

if TYPE_CHECKING:
    from .check import Check
    from .policy_rule import PolicyRule, Subject


class AppraisalPolicy(NamedTuple):
    """Rules for a report; each names what exists."""

    rules: tuple[PolicyRule, ...] = ()
    allow: frozenset[str] = frozenset()
    """Checks of ``ALLOWABLE`` that may fail."""
    advisories: tuple[str, ...] | None = None
    """Advisories that are checks: those named, all if empty; None for none."""

    @classmethod
    def from_plain(cls, plain: object) -> Self:
        """Read the object. Raises UsageError, which names the rule."""
        from .policy_key import rules_of  # the table of keys costs start-up

        rules = rules_of(plain)
        allow = frozenset(plain.get("allow", ())) if isinstance(plain, dict) else frozenset()
        if not allow and all(rule.empty for rule in rules):
            hint = "snpwire verify --policy list prints the rules that there are"
            raise UsageError("the policy is empty: any report keeps it", help=hint)
        return cls(tuple(rules), allow)

    def joined(self, other: AppraisalPolicy) -> AppraisalPolicy:
        """Return the policy of the rules of both."""
        given = [names for names in (self.advisories, other.advisories) if names is not None]
        every = tuple(name for names in given for name in names) if all(given) else ()
        advisories = every if given else None
        return AppraisalPolicy(self.rules + other.rules, self.allow | other.allow, advisories)

    @property
    def fields(self) -> frozenset[str]:
        """Return what is compared: fields of the report, and ``csp_id``."""
        return frozenset(rule.field for rule in self.rules if not rule.empty)

    def check(self, subject: Subject) -> list[Check]:
        """Return a check for each rule."""
        return [rule.check(subject) for rule in self.rules]
