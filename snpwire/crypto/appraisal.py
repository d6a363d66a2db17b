"""What a report says of its guest and host: the checks that hold without any policy.

A report can be authentic and not fit to be trusted: of a guest whose memory the host may read, or
asked for by the host. Each check here fails by default, and may be allowed by its name. What was
compared with nothing is a check that was not made, and names what makes it: an owner who compares
no report data takes a replayed report, one who compares no measurement takes any guest.

Only what the firmware never writes, or what gives a guest away, is refused. Reserved bytes and bits
of ``platform_info`` without a name state something and permit nothing, and newer firmware sets
them: they are shown. TCB versions are compared by component: as numbers, an older one can be the
larger. A launch TCB version may be above or below all others, since a migrated guest keeps it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from .. import advisory
from ..advisory import Confidence, Told
from ..errors import shown
from ..finding import bit_list
from ..wire.report import Report, SigningKey
from .allowance import ALLOWABLE
from .check import Check, CheckGroup, CheckState, allowed, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..advisory import Advisory, AdvisoryTable
    from .policy import AppraisalPolicy
    from .policy_rule import Subject

    Opinion = tuple[bool, str]
    """Whether a report is as it should be, and why."""

KNOWN_VERSIONS = range(2, 6)
HOST_ASKED = 0xFFFF_FFFF
NO_AGENT = b"\xff" * 32
RESERVED_KEY_INFO = 0xFFFF_FFE0
ORDER = (
    ("reported_tcb", "committed_tcb"),
    ("reported_tcb", "current_tcb"),
    ("committed_tcb", "current_tcb"),
)
"""Lower, higher: SNP_CONFIG refuses to report more than is committed."""


def checks(subject: Subject, policy: AppraisalPolicy, compared: frozenset[str]) -> list[Check]:
    """Return every check of the appraisal; *compared* is what was compared elsewhere."""
    compared |= policy.fields
    report = subject.report
    rows = [
        *(_judged(name, judge(subject)) for name, judge in JUDGES.items()),
        _vmpl(report, compared),
        _measurement(report, compared),
        *_shown(report),
        *policy.check(subject),
        *_not_compared(subject, compared),
    ]
    rows = allowed(_with_option(rows), policy.allow & ALLOWABLE.keys())
    return rows + _advisories(subject, policy.advisories)


def _with_option(rows: list[Check]) -> list[Check]:
    """Name the option by which a check may fail."""
    failed = CheckState.FAILED
    return [
        row._replace(option=f"--allow {row.name}")
        if row.state is failed and row.name in ALLOWABLE
        else row
        for row in rows
    ]


def _row(name: str, state: CheckState, reason: str, option: str = "") -> Check:
    return Check(name, state, reason, CheckGroup.APPRAISAL, option)


def _judged(name: str, opinion: Opinion) -> Check:
    holds, reason = opinion
    return _row(name, state_of(holds), reason)


def _version(subject: Subject) -> Opinion:
    version = subject.report.version
    if version in KNOWN_VERSIONS:
        return True, f"version {version}"
    reason = f"version {version} is not known: a field may have another meaning"
    return False, reason


def _debug(subject: Subject) -> Opinion:
    if subject.report.policy.debug:
        return False, "the policy allows debugging: the host may read and change all memory"
    return True, "the policy allows no debugging"


def _migration(subject: Subject) -> Opinion:
    report = subject.report
    if not report.policy.migrate_ma:
        return True, "the policy allows no migration agent"
    bound = "none is bound" if report.report_id_ma == NO_AGENT else "one is bound"
    reason = f"the policy allows a migration agent, {bound}: it can take the guest elsewhere"
    return False, reason


def _policy_bits(subject: Subject) -> Opinion:
    policy = subject.report.policy
    wrong = [] if policy.reserved_must_be_one else ["bit 17 is clear: no launch accepts that"]
    if policy.unknown:
        wrong.append(f"{bit_list(policy.unknown)} of it has no name, and may be a permission")
    given = f"the policy is {int(policy):#x}"
    return not wrong, "; ".join([given, *wrong])


def _tcb_order(subject: Subject) -> Opinion:
    words = {
        field: subject.decision.tcb(getattr(subject.report, field))
        for field in ("reported_tcb", "committed_tcb", "current_tcb")
    }
    wrong: dict[str, str] = {}
    provisional = []
    for lower, higher in ORDER:
        for part in words[lower].BITS:
            ours, theirs = int(getattr(words[lower], part)), int(getattr(words[higher], part))
            if ours > theirs:
                wrong.setdefault(part, f"{part} of {lower} is {ours}, of {higher} {theirs}")
            if ours < theirs and lower == "committed_tcb":
                provisional.append(part)
    if wrong:
        return False, "; ".join(wrong.values())
    reason = "reported is at most committed, committed at most current"
    if provisional:
        reason += (
            f"; {', '.join(provisional)}: provisional, the host may go back to what is committed"
        )
    return True, reason


def _key_info(subject: Subject) -> Opinion:
    report, wrong = subject.report, []
    reserved = int(report.key_info) & RESERVED_KEY_INFO
    if reserved:
        wrong.append(f"{bit_list(reserved)} of key_info is set, which is reserved")
    if report.key_info.author_key_en and not any(report.author_key_digest):
        wrong.append("author_key_en is 1, and author_key_digest is zero")
    return not wrong, "; ".join(wrong) or f"key_info is {int(report.key_info):#x}"


JUDGES: Mapping[str, Callable[[Subject], Opinion]] = {
    "report-version": _version,
    "debug": _debug,
    "migration": _migration,
    "policy-bits": _policy_bits,
    "tcb-order": _tcb_order,
    "key-info": _key_info,
}
"""Checks by the name under which they may be allowed; ``vmpl`` and ``measurement`` besides."""


def _vmpl(report: Report, compared: frozenset[str]) -> Check:
    vmpl = report.vmpl
    if vmpl == HOST_ASKED:
        reason = "vmpl is all ones: the host asked, report_data is its word and not the guest's"
        return _row("vmpl", CheckState.FAILED, reason)
    if vmpl > 3:
        return _row("vmpl", CheckState.FAILED, f"VMPL {vmpl}, there are 0 to 3")
    if "vmpl" in compared:
        return _row("vmpl", CheckState.HOLDS, f"VMPL {vmpl} is one of 0 to 3")
    reason = f"VMPL {vmpl}, any of 0 to 3 is taken"
    return _row("vmpl", CheckState.NOT_CHECKED, reason, "vmpl in --policy")


def _measurement(report: Report, compared: frozenset[str]) -> Check:
    if not any(report.measurement):
        return _row("measurement", CheckState.FAILED, "it is zero, no launch ends so")
    if "measurement" in compared:
        return _row("measurement", CheckState.HOLDS, "it is not zero")
    reason = "compared with nothing: any guest passes"
    return _row("measurement", CheckState.NOT_CHECKED, reason, "--measurement")


@cache
def reserved_fields() -> tuple[tuple[str, int], ...]:
    """Return name and offset of the reserved bytes of a report, but for those of its signature."""
    leaves = (leaf for leaf in Report().leaves() if leaf.gap and "." not in leaf.path)
    return tuple((leaf.path, leaf.offset) for leaf in leaves)


def _shown(report: Report) -> Iterator[Check]:
    """Show what has no meaning yet, and is no reason to refuse."""
    unknown = report.platform_info.unknown
    if unknown:
        reason = f"{bit_list(unknown)} of it has no name in any document"
        if unknown >> 6 & 1:
            reason += "; other readers call bit 6 IOMMU write safe"
        yield _row("platform-info", CheckState.HOLDS, reason)
    places = [f"{place:#x}" for name, place in reserved_fields() if any(getattr(report, name))]
    if places:
        reason = f"reserved bytes at {', '.join(places)} are not zero, and are signed"
        yield _row("reserved-bytes", CheckState.HOLDS, reason)


COMPARABLE: Mapping[str, tuple[str, str, str]] = {
    "report_data": ("report-data", "an old report can be replayed", "--report-data"),
    "host_data": ("host-data", "", "--host-data"),
    "id_key_digest": ("id-key", "", "--id-key"),
    "author_key_digest": ("author-key", "", "--author-key"),
    "chip_id": ("chip-id", "any chip passes", "chip_id in --policy"),
}
"""Fields that are compared on request: the check's name, what follows, and how to ask for it."""
TCBS = frozenset({"reported_tcb", "committed_tcb", "current_tcb"})


def _not_compared(subject: Subject, compared: frozenset[str]) -> Iterator[Check]:
    """Say what was compared with nothing."""
    nothing = "compared with nothing"
    for field, (name, why, option) in COMPARABLE.items():
        if field not in compared:
            reason = f"{nothing}: {why}" if why else nothing
            yield _row(name, CheckState.NOT_CHECKED, reason, option)
    if not compared & TCBS:
        reason = f"{nothing}: any TCB version passes"
        yield _row("minimum-tcb", CheckState.NOT_CHECKED, reason, "--min-tcb")
    signer = SigningKey(subject.report.key_info.signing_key)
    if signer is SigningKey.VLEK and "csp_id" not in compared:
        whose = "" if subject.csp_id is None else f" {shown(subject.csp_id)},"
        reason = f"the VLEK is of provider{whose} that of any provider passes"
        yield _row("csp-id", CheckState.NOT_CHECKED, reason, "csp_id in --policy")


# Advisories


def _advisories(subject: Subject, names: tuple[str, ...] | None) -> list[Check]:
    """Return a check for each advisory that was asked for, and one for all others."""
    known = advisory.table()
    told = Told.by(subject.report, subject.decision)
    if names is None:
        return [_cited(told, known)]
    chosen = {row.id: row for row in map(known.named, names)}
    rows = tuple(chosen.values()) or known.advisories
    reason = f"table of {known.date}, {advisory.SILENCE}"
    head = _row("advisories", CheckState.NOT_CHECKED, reason)
    return [head, *(_advisory(told, row) for row in rows)]


def _cited(told: Told, known: AdvisoryTable) -> Check:
    """Name what is open, without a verdict."""
    found = [
        (row.id, any(one.sign.confidence.decides for one in missing))
        for row, missing in advisory.open_signs(told)
    ]
    sure = ", ".join(name for name, decides in found if decides)
    notes = ", ".join(name for name, decides in found if not decides)
    reason = f"the table of {known.date}, {advisory.SILENCE}, names {sure or 'none'}"
    if notes:
        reason += f"; by one project's word {notes}"
    return _row("advisories", CheckState.NOT_CHECKED, reason, "--advisories")


def _advisory(told: Told, row: Advisory) -> Check:
    """Hold a report against an advisory: what one project says is a note, and decides nothing."""
    found = row.judgements(told)
    decisive = [one for one in found if one.sign.confidence.decides]
    if any(one.fixed is False for one in decisive):
        state = CheckState.FAILED
    elif decisive and all(one.fixed for one in decisive):
        state = CheckState.HOLDS
    else:
        state = CheckState.NOT_CHECKED
    texts = [one.reason for one in decisive if one.fixed is not True or state is CheckState.HOLDS]
    for one in found:
        if one.sign.confidence is Confidence.DISPUTED:
            texts.append(f"disputed: {one.sign.text}")
        elif one not in decisive and one.fixed is False:
            texts.append(f"note: {one.reason}")
    steppings = [
        sign for sign in row.signs if sign.model is not None and sign.product == told.product
    ]
    if steppings and not any(sign.fits(told.product, told.cpuid) for sign in steppings):
        texts.append("no value is known for the microcode of this stepping")
    reason = "; ".join(texts) or row.note or "nothing in the report tells"
    return _row(f"advisory-{row.id}", state, f"{row.name or row.title}: {reason}")
