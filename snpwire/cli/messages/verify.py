"""``snpwire verify``: check a report against its certificates and a policy, check by check."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ...errors import (
    CertificateError,
    DecodeError,
    InputError,
    KeyFormatError,
    SnpwireError,
    UsageError,
    shown,
)
from ...wire.report import REPORT_SIZE
from ..engine.config_files import object_of
from ..input import SourceError, contents, cut, load, shown_name
from ..output import terminal_style, write_json, write_lines, write_note

if TYPE_CHECKING:
    from ...crypto.check import Check, Verification
    from ...crypto.id_keys import OwnerKeys
    from ...crypto.policy import AppraisalPolicy
    from ...crypto.x509 import X509, Crl
    from ..input import Source
    from ..options import PieceOptions
    from .options import VerifyOptions


def verify(file: str, options: VerifyOptions, piece: PieceOptions, *, json: bool) -> int:
    """Print every check; return 1 unless the report is verified."""
    from ...crypto.verify import verify as run

    _check_stdin(file, options)
    source = report_of(file, piece)
    certificates, crl = _certificates(options)
    found = run(
        source.data,
        certificates,
        crl=crl,
        at=_time(options.at),
        product=options.product,
        policy=None if options.policy is None else _policy(options.policy),
        roots=_roots(options.root),
        owner=_owner(options),
    )
    if json:
        write_json(_document(found))
    else:
        write_lines(_lines(found.checks))
        verdict = f"does not verify: {', '.join(row.name for row in found.failed)}"
        write_lines([f"{source.name}: {'verifies' if found.verified else verdict}"])
    return int(not found.verified)


def _document(found: Verification) -> dict[str, Any]:
    rows = [row._asdict() for row in found.checks]
    return {"schema": "verify/2", "verified": found.verified, "checks": rows}


def report_of(file: str, options: PieceOptions) -> Source:
    """Read the bytes of a report. Raises SourceError and OSError."""
    piece = cut(options.offset, options.length, options.page, REPORT_SIZE)
    source = load(file, form=options.form, piece=piece, fits=lambda size: size == REPORT_SIZE)
    if len(source.data) != REPORT_SIZE:
        reason = f"a report has {REPORT_SIZE} bytes, got {len(source.data)}"
        hint = "--offset and --length cut it out of a larger file"
        raise SourceError(
            source.name, InputError(reason, help=hint if len(source.data) > REPORT_SIZE else "")
        )
    write_note(*source.notes)
    return source


def _check_stdin(file: str, options: VerifyOptions) -> None:
    files = [file, *options.certificates, *options.root, *options.id_key, *options.author_key]
    files += [name for name in (options.certs, options.crl, options.policy) if name is not None]
    if files.count("-") > 1:
        raise UsageError("standard input can be only one of the inputs", help="give files")


def _lines(checks: tuple[Check, ...]) -> list[str]:
    look = terminal_style()
    width = max(len(row.name) for row in checks)
    marks = {"holds": look.strong, "failed": look.bad}
    return [
        f"{look.mark(marks.get(row.state, look.faint), f'{row.state:<11}')}"
        f"  {row.name:<{width}}  {row.reason}"
        for row in checks
    ]


def _certificates(options: VerifyOptions) -> tuple[list[X509], Crl | None]:
    """Read all certificates, and the revocation list. Raises SourceError, OSError."""
    from ...crypto.certificates import load as load_certificates
    from ...crypto.certificates import load_crl, load_table

    found: list[X509] = []
    crl = None
    for file in options.certificates:
        found += _read(file, load_certificates)
    if options.certs is not None:
        more, crl = _read(options.certs, load_table)
        found += more
    for file in options.root:
        found += _read(file, load_certificates)
    if options.crl is not None:
        crl = _read(options.crl, load_crl)
    return found, crl


def _read(file: str, load_as: Any) -> Any:
    try:
        return load_as(contents(file))
    except (CertificateError, DecodeError, KeyFormatError) as exc:
        raise SourceError(shown_name(file), exc) from None


def _roots(files: tuple[str, ...]) -> dict[str, str]:
    """Return the trusted roots: AMD's, or only those in *files*."""
    from ...crypto.certificates import AMD_ROOTS, load, name_of, pin

    if not files:
        return dict(AMD_ROOTS)
    return {
        pin(row): f"{name_of(row) or 'a certificate without a name'} of {shown_name(file)}"
        for file in files
        for row in _read(file, load)
    }


def _owner(options: VerifyOptions) -> OwnerKeys:
    """Read the owner's keys. Raises SourceError and OSError."""
    from ...crypto.id_keys import OwnerKeys, digest_of

    authors = partial(digest_of, author=True)
    return OwnerKeys(
        [_read(file, digest_of) for file in options.id_key] or None,
        [_read(file, authors) for file in options.author_key] or None,
    )


def _time(text: str | None) -> datetime:
    """Return the time at which certificates must be valid; default now."""
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        hint = "2026-03-31, or 2026-03-31T12:00:00Z"
        raise UsageError(f"--at {shown(text)} is not a date", help=hint) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _policy(file: str) -> AppraisalPolicy:
    """Read a policy, JSON or TOML. Raises SourceError, OSError, and UsageError, which name it."""
    from ...crypto.policy import AppraisalPolicy

    plain = object_of(file)
    try:
        return AppraisalPolicy.from_plain(plain)
    except SnpwireError as exc:
        raise SourceError(shown_name(file), exc) from None
