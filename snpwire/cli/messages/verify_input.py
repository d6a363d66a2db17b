"""What ``snpwire verify`` reads: certificates, roots, lists, keys and the policy, each once.

A pipe can be read once, and standard input; a file that is named twice, as a certificate and as the
root, is read once as well.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ...bits import integer, nearest
from ...errors import (
    CertificateError,
    DecodeError,
    InputError,
    KeyFormatError,
    SnpwireError,
    UsageError,
    shown,
)
from ..engine.config_files import object_of
from ..input import SourceError, contents, shown_name
from ..output import write_note

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...crypto.id_keys import OwnerKeys
    from ...crypto.policy import AppraisalPolicy
    from ...crypto.x509 import X509, Crl
    from ...evidence import EvidenceContent
    from .options import AppraisalOptions, VerifyOptions

JSON_STARTS = (b"ey", b"ew")
"""What base64 of a JSON object begins with."""
DIGESTS = ("measurement", "report_data", "host_data")
"""Fields that an option compares."""


class VerifyFiles:
    """The files of one run, each read once."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def read(self, file: str, load_as: Callable[[bytes], Any]) -> Any:
        """Return what a file holds. Raises SourceError and OSError, which name it."""
        if file not in self._known:
            self._known[file] = contents(file)
        try:
            return load_as(self._known[file])
        except (CertificateError, DecodeError, InputError, KeyFormatError) as exc:
            raise SourceError(shown_name(file), exc) from None


class ChainFiles(NamedTuple):
    """What a report is verified with."""

    certificates: list[X509]
    crl: Crl | None
    roots: dict[str, str]
    owner: OwnerKeys


def check_stdin(file: str, options: VerifyOptions, appraisal: AppraisalOptions) -> None:
    """Refuse standard input for two things; a chain and its root may be one. Raises UsageError."""
    chain = {*options.certificates, *options.root}
    one = [file, options.certs, options.crl, appraisal.policy]
    keys = [*appraisal.id_key, *appraisal.author_key]
    if [*one, *keys, *chain].count("-") > 1:
        raise UsageError("standard input can be only one of the inputs", help="give files")


def chain_files(
    options: VerifyOptions, appraisal: AppraisalOptions, found: EvidenceContent | None = None
) -> ChainFiles:
    """Read all certificates, the revocation list and keys; those of the evidence come first.

    Raises SourceError and OSError.
    """
    from ...crypto.certificates import AMD_ROOTS, load, load_crl, load_table, name_of, pin
    from ...crypto.id_keys import OwnerKeys, digest_of

    files = VerifyFiles()
    own, crl = _brought(found) if found else ([], None)
    rows: list[X509] = own
    for file in options.certificates:
        rows += files.read(file, _loaded)
    if options.certs is not None:
        more, crl, notes = files.read(options.certs, load_table)
        rows += more
        if not options.quiet:
            write_note(*notes)
    roots = {}
    for file in options.root:
        trusted = files.read(file, load)
        rows += trusted
        for row in trusted:
            name = name_of(row) or "a certificate without a name"
            roots[pin(row)] = f"{name} of {shown_name(file)}"
    if options.crl is not None:
        crl = files.read(options.crl, load_crl)
    author = partial(digest_of, author=True)
    owner = OwnerKeys(
        [files.read(file, digest_of) for file in appraisal.id_key] or None,
        [files.read(file, author) for file in appraisal.author_key] or None,
    )
    return ChainFiles(rows, crl, roots or dict(AMD_ROOTS), owner)


def _brought(found: EvidenceContent) -> tuple[list[X509], Crl | None]:
    """Return the certificates that evidence has, and the latest of its revocation lists.

    Raises InputError, which names the place of one that cannot be read.
    """
    from ...crypto.certificates import load, load_crl

    rows: list[X509] = []
    lists: list[Crl] = []
    for each in found.certificates:
        try:
            if each.name == "CRL":
                lists.append(load_crl(each.der))
            else:
                rows += load(each.der)
        except CertificateError as exc:
            raise InputError(f"{each.place}: {exc}") from None
    return rows, max(lists, key=lambda row: row.this_update, default=None)


def _loaded(data: bytes) -> list[X509]:
    """Read a file of certificates: DER, PEM, or JSON that has them. Raises CertificateError."""
    from ...crypto.certificate_file import HELP
    from ...crypto.certificate_form import CERTIFICATE, CRL, certificate_form
    from ...crypto.certificates import load

    if data.lstrip()[:2] in JSON_STARTS or data.lstrip()[:1] == b"{":
        from ...evidence import certificates_in

        if found := certificates_in(data):
            return [row for each in found if each.name != "CRL" for row in load(each.der)]
    form = certificate_form(data)
    if form and form.what not in (CERTIFICATE, CRL):
        hint = HELP.get(form.what, "")
        raise CertificateError(f"this is {form.text}, not a certificate", help=hint)
    return load(data)


def moment(text: str | None) -> datetime:
    """Return the time at which certificates must be valid; default now. Raises UsageError."""
    if text is None:
        return datetime.now(UTC)
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        hint = "2026-03-31, or 2026-03-31T12:00:00Z"
        raise UsageError(f"--at {shown(text)} is not a date", help=hint) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def appraisal_policy(options: AppraisalOptions) -> AppraisalPolicy:
    """Return the policy of the file and the options together.

    Raises UsageError for an option, SourceError and OSError for the file.
    """
    from ...crypto.allowance import check_names
    from ...crypto.policy import AppraisalPolicy

    policy = AppraisalPolicy(
        allow=frozenset(check_names("--allow", options.allow)),
        advisories=_advisories(options.advisories),
    )
    for field in DIGESTS:
        value = getattr(options, field)
        if value is not None:
            plain = {field: _digits(field, value)}
            policy = policy.joined(_option_policy(field, value, plain))
    if options.min_tcb:
        least = {"minimum": {field: _least(options.min_tcb) for field in REPORTED}}
        policy = policy.joined(_option_policy("min_tcb", ",".join(options.min_tcb), least))
    if options.policy is not None:
        policy = policy.joined(_file_policy(options.policy))
    return policy


REPORTED = ("reported_tcb", "committed_tcb")
"""What ``--min-tcb`` compares: the TCB version of the key, and what a host can go back to."""


def _least(texts: tuple[str, ...]) -> dict[str, int]:
    """Read ``snp=27,microcode=222``. Raises UsageError."""
    from ...crypto.policy_key import PARTS

    least: dict[str, int] = {}
    for text in ",".join(texts).split(","):
        part, equals, number = text.partition("=")
        try:
            if not equals:
                raise ValueError
            value = integer(number)
        except ValueError:
            hint = "--min-tcb snp=27,microcode=222"
            raise UsageError(f"--min-tcb {shown(text)} is no PART=N", help=hint) from None
        if part not in PARTS:
            hint = nearest(part, PARTS) or f"components are: {', '.join(PARTS)}"
            raise UsageError(f"--min-tcb: a TCB version has no {shown(part)}", help=hint)
        if not 0 < value < 256:
            raise UsageError(f"--min-tcb {shown(text)}: a component has 1 to 255")
        if part in least:
            raise UsageError(f"--min-tcb names {part} twice")
        least[part] = value
    return least


def _digits(field: str, value: str) -> str:
    """Return the hex digits of what an option compares with a field. Raises SourceError."""
    from ...wire.report import Report
    from ..bytefile import of_size, value_text

    tile = Report.tile(field)
    option = f"--{field.replace('_', '-')}"
    return value_text(option, value, of_size(option, tile.size if tile else 0))


def _option_policy(field: str, value: str, plain: dict[str, Any]) -> AppraisalPolicy:
    """Return the policy of one option. Raises UsageError, which names it."""
    from ...crypto.policy import AppraisalPolicy

    option = f"--{field.replace('_', '-')}"
    try:
        return AppraisalPolicy.from_plain(plain)
    except UsageError as exc:
        reason = str(exc).removeprefix(f"{field}: ")
        raise UsageError(f"{option}: {reason}", help=exc.help) from None


def _advisories(text: str | None) -> tuple[str, ...] | None:
    """Return the advisories that are checks; none, all, or those named. Raises UsageError."""
    if text is None or text == "all":
        return None if text is None else ()
    from ...advisory import table

    return tuple(table().named(name.strip()).id for name in text.split(","))


def _file_policy(file: str) -> AppraisalPolicy:
    """Read a policy, JSON or TOML. Raises SourceError, OSError, and UsageError, which name it."""
    from ...crypto.policy import AppraisalPolicy

    plain = object_of(file)
    try:
        return AppraisalPolicy.from_plain(plain)
    except SnpwireError as exc:
        raise SourceError(shown_name(file), exc) from None
