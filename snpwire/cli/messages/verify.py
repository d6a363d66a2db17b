"""``snpwire verify``: check a report against its certificates and a policy, check by check.

The exit code is 0 if every check that was made holds, or was allowed to fail by its name; what was
not checked is said, with the option that checks it. The last line is the verdict.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ...errors import InputError, UsageError
from ..input import SourceError
from ..output import terminal_style, write_json, write_lines, write_note
from .report_input import report_input

if TYPE_CHECKING:
    from ...crypto.check import Check, Verification
    from ...crypto.policy import AppraisalPolicy
    from ...evidence import EvidenceContent
    from ..input import Source
    from ..options import PieceOptions
    from .options import AppraisalOptions, VerifyOptions
    from .verify_input import ChainFiles

LIST = "list"
"""What ``--policy`` takes to print the rules that there are."""
WORDS = {"holds": "ok", "failed": "FAILED"}
WIDTH = len("not checked")
VERIFIED, UNCOMPARED, REFUSED = "verified", "verified without a policy", "refused"


def verify(
    file: str,
    options: VerifyOptions,
    appraisal: AppraisalOptions,
    piece: PieceOptions,
    *,
    json: bool,
) -> int:
    """Print every check and the verdict; return 1 unless the report is verified."""
    from ...crypto.verify import verify as run
    from .verify_input import appraisal_policy, check_stdin, moment

    if appraisal.policy == LIST:
        return _list(json=json)
    if not file:
        hint = "snpwire verify REPORT CERT.. , or --policy list"
        raise UsageError("no report is named", help=hint)
    if json and options.quiet:
        raise UsageError("--json prints, and --quiet does not", help="give one of them")
    check_stdin(file, options, appraisal)
    policy = appraisal_policy(appraisal)
    source, wrapped = report_input(file, piece)
    if not options.quiet:
        write_note(*source.notes)
    files = _chain_files(source, options, appraisal, wrapped)
    found = run(
        source.data,
        files.certificates,
        roots=files.roots,
        crl=files.crl,
        at=moment(options.at),
        product=options.product,
        policy=policy,
        owner=files.owner,
    )
    found = _with_claims(found, wrapped, policy)
    if not options.quiet:
        compared = bool(policy.fields or appraisal.id_key or appraisal.author_key)
        verdict = (VERIFIED if compared else UNCOMPARED) if found.verified else REFUSED
        _write(source.name, found, wrapped, verdict, json=json)
    return int(not found.verified)


def _chain_files(
    source: Source,
    options: VerifyOptions,
    appraisal: AppraisalOptions,
    wrapped: EvidenceContent | None,
) -> ChainFiles:
    """Read what the report is verified with. Raises SourceError and OSError."""
    from .verify_input import chain_files

    try:
        return chain_files(options, appraisal, wrapped)
    except SourceError:
        raise
    except InputError as exc:
        raise SourceError(source.name, exc) from None


def _with_claims(
    found: Verification, wrapped: EvidenceContent | None, policy: AppraisalPolicy
) -> Verification:
    """Return *found* with the check of the claims that the evidence has."""
    if wrapped is None:
        return found
    from dataclasses import replace

    from ...crypto.check import allowed
    from ...evidence.claims import claims_checks

    return replace(found, checks=(*found.checks, *allowed(claims_checks(wrapped), policy.allow)))


def _write(
    name: str,
    found: Verification,
    wrapped: EvidenceContent | None,
    verdict: str,
    *,
    json: bool,
) -> None:
    if json:
        write_json(_document(found, wrapped, verdict))
    else:
        if wrapped:
            from ...evidence import evidence_lines

            write_lines(evidence_lines(wrapped))
        write_lines(_lines(found.checks))
        write_lines([f"{name}: {_sentence(found, verdict)}"])
    if any(row.name == "certificates" and row.state == "failed" for row in found.checks):
        report = "REPORT" if name == "<stdin>" else name
        _write_help(f"snpwire explain kds {report} prints where AMD publishes them")


def _document(found: Verification, wrapped: EvidenceContent | None, verdict: str) -> dict[str, Any]:
    rows = [row._asdict() for row in found.checks]
    return {
        "schema": "verify/2",
        "verified": found.verified,
        "verdict": verdict,
        **({"evidence": wrapped.to_plain()} if wrapped else {}),
        "checks": [{key: cell for key, cell in row.items() if cell != ""} for row in rows],
    }


def _sentence(found: Verification, verdict: str) -> str:
    if verdict == REFUSED:
        return f"{verdict}: {', '.join(row.name for row in found.failed) or 'nothing was checked'}"
    if verdict == UNCOMPARED:
        return f"{verdict}: nothing was compared with what its owner wants"
    return verdict


def _lines(checks: tuple[Check, ...]) -> list[str]:
    look = terminal_style()
    width = max(len(row.name) for row in checks)
    marks = {"holds": look.strong, "failed": look.bad, "allowed": look.bad}
    lines = []
    for row in checks:
        word = f"{WORDS.get(row.state, row.state):<{WIDTH}}"
        option = f" ({row.option})" if row.option else ""
        mark = look.mark(marks.get(row.state, look.faint), word)
        lines.append(f"{mark}  {row.name:<{width}}  {row.reason}{option}")
    return lines


def _write_help(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"help: {text}\n")


def _list(*, json: bool) -> int:
    """Print every rule that a policy may have."""
    from ...crypto.policy_list import rule_rows
    from ...view.table import Row, table

    rows = list(rule_rows())
    if json:
        keys = ("rule", "form", "text")
        write_json(
            {
                "schema": "verify-policy/1",
                "rules": [dict(zip(keys, row, strict=True)) for row in rows],
            }
        )
    else:
        write_lines(table([Row("", "", *row) for row in rows], terminal_style()))
    return 0


def report_of(file: str, options: PieceOptions, *, quiet: bool = False) -> Source:
    """Read the bytes of a report, also from evidence. Raises SourceError and OSError."""
    source = report_input(file, options).source
    if not quiet:
        write_note(*source.notes)
    return source
