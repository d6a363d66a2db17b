"""``snpwire verify``: a report against its certificates and its reader's policy, link by link."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

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
from ..output import note, say, style

if TYPE_CHECKING:
    from ...crypto.id_keys import OwnerKeys
    from ...crypto.link import Link
    from ...crypto.policy import AppraisalPolicy
    from ...crypto.x509 import X509, Crl
    from ...decode.document import Wanted
    from ..input import Source

WORDS = {True: "ok", False: "FAILED", None: "not checked"}


class Against(NamedTuple):
    """What a report is verified against."""

    certificates: tuple[str, ...] = ()
    table: str | None = None
    roots: tuple[str, ...] = ()
    crl: str | None = None
    policy: str | None = None
    product: str | None = None
    at: str | None = None
    id_keys: tuple[str, ...] = ()
    author_keys: tuple[str, ...] = ()


def verify(file: str, against: Against, wanted: Wanted, *, json: bool) -> int:
    """Print every link; return 1 if one fails."""
    from ...crypto.link import failures
    from ...crypto.verify import verify as run

    _one_stdin(file, against)
    source = report_of(file, wanted)
    given, crl = _certificates(against)
    at = _time(against.at)
    policy = _policy(against.policy) if against.policy is not None else None
    trusted = _roots(against.roots)
    links = run(
        source.data,
        given,
        roots=trusted,
        crl=crl,
        at=at,
        product=against.product,
        policy=policy,
        owner=_owner(against),
    )
    failed = failures(links)
    if json:
        from ...view.json import dumps

        rows = [link._asdict() for link in links]
        say([dumps({"schema": "verify/1", "verified": not failed, "links": rows})])
    else:
        say(_lines(links))
        verdict = f"does not verify: {', '.join(link.name for link in failed)}"
        say([f"{source.name}: {verdict if failed else 'verifies'}"])
    return int(bool(failed))


def report_of(file: str, wanted: Wanted) -> Source:
    """Read the bytes of a report, as they are. Raises SourceError and OSError."""
    piece = cut(wanted.offset, wanted.length, wanted.page, REPORT_SIZE)
    source = load(file, form=wanted.form, piece=piece, fits=lambda size: size == REPORT_SIZE)
    if len(source.data) != REPORT_SIZE:
        reason = f"a report has {REPORT_SIZE} bytes, got {len(source.data)}"
        hint = "--offset and --length cut it out of a larger file"
        raise SourceError(
            source.name, InputError(reason, help=hint if len(source.data) > REPORT_SIZE else "")
        )
    for said in source.notes:
        note(said)
    return source


def _one_stdin(file: str, against: Against) -> None:
    files = [file, *against.certificates, *against.roots, *against.id_keys, *against.author_keys]
    files += [name for name in (against.table, against.crl, against.policy) if name is not None]
    if files.count("-") > 1:
        raise UsageError("standard input can be one of the inputs alone", help="give files")


def _lines(links: list[Link]) -> list[str]:
    look = style()
    width = max(len(link.name) for link in links)
    marks = {True: look.strong, False: look.bad, None: look.faint}
    return [
        f"{look.mark(marks[link.ok], f'{WORDS[link.ok]:<11}')}  {link.name:<{width}}  {link.reason}"
        for link in links
    ]


def _certificates(against: Against) -> tuple[list[X509], Crl | None]:
    """Read all certificates there are, and the revocation list. Raises SourceError, OSError."""
    from ...crypto.certificates import load as load_certificates
    from ...crypto.certificates import load_crl, load_table

    found: list[X509] = []
    crl = None
    for file in against.certificates:
        found += _read(file, load_certificates)
    if against.table is not None:
        more, crl = _read(against.table, load_table)
        found += more
    for file in against.roots:
        found += _read(file, load_certificates)
    if against.crl is not None:
        crl = _read(against.crl, load_crl)
    return found, crl


def _read(file: str, load_as: Any) -> Any:
    try:
        return load_as(contents(file))
    except (CertificateError, DecodeError, KeyFormatError) as exc:
        raise SourceError(shown_name(file), exc) from None


def _roots(files: tuple[str, ...]) -> dict[str, str]:
    """Return the roots that are trusted: AMD's, or only those of the files given."""
    from ...crypto.certificates import AMD_ROOTS, load, name_of, pin

    if not files:
        return dict(AMD_ROOTS)
    return {
        pin(row): f"{name_of(row) or 'a certificate without a name'} of {shown_name(file)}"
        for file in files
        for row in _read(file, load)
    }


def _owner(against: Against) -> OwnerKeys:
    """Read the owner's keys. Raises SourceError and OSError."""
    from ...crypto.id_keys import OwnerKeys, digest_of

    authors = partial(digest_of, author=True)
    return OwnerKeys(
        [_read(file, digest_of) for file in against.id_keys] or None,
        [_read(file, authors) for file in against.author_keys] or None,
    )


def _time(text: str | None) -> datetime:
    """Return the time that dates are checked for: now, unless one is given."""
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        hint = "2026-03-31, or 2026-03-31T12:00:00Z"
        raise UsageError(f"--at {shown(text)} is no date", help=hint) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _policy(file: str) -> AppraisalPolicy:
    """Read a policy, JSON or TOML. Raises SourceError, OSError, and UsageError, which name it."""
    from ...crypto.policy import AppraisalPolicy

    plain = object_of(file)
    try:
        return AppraisalPolicy.from_plain(plain)
    except SnpwireError as exc:
        raise SourceError(shown_name(file), exc) from None
