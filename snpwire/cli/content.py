"""What an input holds: kinds by their bytes, a GHCB as KVM prints it, a log; likeliest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import InputError
from ..rules.identify import UNKNOWN, candidates
from ..wire import RECORDS
from .container import contained, folder_source, is_folder
from .input import LargeInputError, Source, SourceError, cut, everything, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .input import InnerValue
    from .options import PieceOptions

LOG, CERTIFICATE = "log", "cert"
"""Content that ``snpwire log`` reads, and that ``snpwire decode cert`` does."""
SURE = 0.5
"""Score from which bytes that fit a kind are not looked through for another."""
TITLES = {LOG: "log with SNP events", CERTIFICATE: "certificates and revocation lists"}


class Content(NamedTuple):
    """Something that an input may hold."""

    kind: str
    """Name of a kind, CERTIFICATE, LOG, or UNKNOWN."""
    score: float
    evidence: tuple[str, ...]
    found: InnerValue | None = None
    """The value, where it lies in something else."""

    @property
    def title(self) -> str:
        """Return the title of the kind; nothing for what is unknown."""
        return RECORDS[self.kind].title if self.kind in RECORDS else TITLES.get(self.kind, "")

    def to_plain(self) -> dict[str, Any]:
        """Return it for JSON."""
        plain: dict[str, Any] = {"kind": self.kind, "score": round(self.score, 2)}
        plain["evidence"] = list(self.evidence)
        return plain | ({"source": self.found.plain} if self.found else {})


class Contents(NamedTuple):
    """What an input may hold, and how it was read."""

    found: list[Content]
    source: Source
    given: bytes | None = None
    """All of the input, where no piece of it was asked for."""


def contents(file: str, options: PieceOptions) -> Contents:
    """Return what *file* may hold, likeliest first. Raises SourceError and OSError."""
    piece = cut(options.offset, options.length, options.page, None)
    if piece or options.form != "auto":
        source = load(file, form=options.form, piece=piece, fits=None)
        return Contents(_in_bytes(source), source)
    if is_folder(file):
        source = folder_source(file)
        return Contents([*_found(source.found)], source)
    given = everything(file)
    try:
        source, problem = load(file, form="auto", piece=None, fits=None, given=given), None
    except SourceError as exc:
        if isinstance(exc.cause, LargeInputError):
            raise
        source, problem = Source(exc.name, b"", prose=True), exc
    found, problem = _all(source, given, problem)
    if problem and not found:
        raise problem
    return Contents(found or _unknown(source, given), source, given)


def _all(
    source: Source, given: bytes, problem: SourceError | None
) -> tuple[list[Content], SourceError | None]:
    """Return what an input may hold, and why not if it was meant to hold something."""
    own = [row for row in _in_bytes(source) if row.kind != UNKNOWN]
    members = b'{"' in given and source.data != given  # say where among them the value lies
    if own and (own[0].score >= SURE or source.log) and not members:
        return own, None
    try:
        inner = list(_found(contained(given, source.data)))
    except InputError as exc:
        inner = []
        if not (problem and problem.help.startswith("--from")):
            whole = own and not source.prose and source.data != given  # the text is the cut value
            problem = None if whole else SourceError(source.name, exc)
    if not inner and (certificates := list(_certificates(given, source.data))):
        return certificates, None
    if not inner and (log := list(_log(given))):
        return log, None
    return [*inner, *([] if source.prose else own)], problem


def _found(found: InnerValue | None) -> Iterator[Content]:
    if found:
        yield Content(found.kind.name, 1.0, found.lines, found)


def _in_bytes(source: Source) -> list[Content]:
    if source.log:
        return [Content("ghcb", 1.0, ("KVM's log names it", f"GPA {source.log.gpa:#x}"))]
    return [Content(*candidate) for candidate in candidates(source.data)]


def _unknown(source: Source, given: bytes) -> list[Content]:
    """Return why nothing is known of an input."""
    from ..capture.logtext import foreign

    if what := foreign(given[:16]):
        hint = what[1].replace("snpwire log", "snpwire decode -")
        return [Content(UNKNOWN, 0.0, (f"this is {what[0]}: {hint}",))]
    if source.prose:
        reason = f"a text of {len(given)} bytes without bytes, evidence or messages that are known"
        return [Content(UNKNOWN, 0.0, (reason,))]
    return _in_bytes(source)


def _certificates(given: bytes, data: bytes) -> Iterator[Content]:
    """Yield that the text, or the bytes that it spells, are certificates, lists or keys."""
    from ..crypto.certificate_form import certificate_form

    form = certificate_form(given) or certificate_form(data)
    if form:
        yield Content(CERTIFICATE, 1.0, (f"{form.text}, {len(given)} bytes",))


def _log(given: bytes) -> Iterator[Content]:
    """Yield that an input is a log, if it has a record; a binary file may have one as well."""
    from ..capture.kernel_log import records
    from ..capture.logtext import foreign

    first = None if foreign(given[:16]) else next(records((given,)), None)
    if first:
        yield Content(LOG, 0.9, (f"line {first.line} is a message of type {first.family}",))
