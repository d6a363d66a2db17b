"""``snpwire verify``: check a report against its certificates and a policy, check by check.

The exit code is 0 if every check that was made holds, or was allowed to fail by its name; what was
not checked is said, with the option that checks it. The last line is the verdict.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ...errors import InputError, UsageError
from ...wire.report import REPORT_SIZE
from ..input import SourceError, cut, load
from ..output import terminal_style, write_json, write_lines, write_note

if TYPE_CHECKING:
    from ...crypto.check import Check, Verification
    from ..input import Source
    from ..options import PieceOptions
    from .options import AppraisalOptions, VerifyOptions

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
    from .verify_input import appraisal_policy, chain_files, check_stdin, moment

    if appraisal.policy == LIST:
        return _list(json=json)
    if not file:
        hint = "snpwire verify REPORT CERT.. , or --policy list"
        raise UsageError("no report is named", help=hint)
    if json and options.quiet:
        raise UsageError("--json prints, and --quiet does not", help="give one of them")
    check_stdin(file, options, appraisal)
    policy = appraisal_policy(appraisal)
    source = report_of(file, piece, quiet=options.quiet)
    files = chain_files(options, appraisal)
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
    if not options.quiet:
        compared = bool(policy.fields or appraisal.id_key or appraisal.author_key)
        verdict = (VERIFIED if compared else UNCOMPARED) if found.verified else REFUSED
        _write(source.name, found, verdict, json=json)
    return int(not found.verified)


def _write(name: str, found: Verification, verdict: str, *, json: bool) -> None:
    if json:
        write_json(_document(found, verdict))
    else:
        write_lines(_lines(found.checks))
        write_lines([f"{name}: {_sentence(found, verdict)}"])
    if any(row.name == "certificates" and row.state == "failed" for row in found.checks):
        report = "REPORT" if name == "<stdin>" else name
        _write_help(f"snpwire explain kds {report} prints where AMD publishes them")


def _document(found: Verification, verdict: str) -> dict[str, Any]:
    rows = [row._asdict() for row in found.checks]
    return {
        "schema": "verify/2",
        "verified": found.verified,
        "verdict": verdict,
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
    """Read the bytes of a report. Raises SourceError and OSError."""
    piece = cut(options.offset, options.length, options.page, REPORT_SIZE)
    source = load(file, form=options.form, piece=piece, fits=lambda size: size == REPORT_SIZE)
    sized_report(source.name, source.data)
    if not quiet:
        write_note(*source.notes)
    return source


def sized_report(name: str, data: bytes) -> bytes:
    """Return the bytes of a report. Raises SourceError if there are more or less."""
    if len(data) != REPORT_SIZE:
        reason = f"a report has {REPORT_SIZE} bytes, got {len(data)}"
        hint = "--offset and --length cut it out of a larger file"
        cause = InputError(reason, help=hint if len(data) > REPORT_SIZE else "")
        raise SourceError(name, cause)
    return data
